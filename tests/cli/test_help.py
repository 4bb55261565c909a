"""The help fits 80 columns, has two examples and a page for each verb, and mistakes are answered by name."""

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest

from gitops_promotion import cli
from gitops_promotion.cli import environment, options
from tests.sources import anchors

ROOT = Path(__file__).parents[2]
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command line and return its exit code, stdout and stderr."""

    def run(*words: str) -> tuple[int, str, str]:
        code: object = 0
        try:
            cli.main(list(words))
        except SystemExit as ended:
            code = ended.code
        printed = capsys.readouterr()
        return int(str(code or 0)), printed.out, printed.err

    return run


def commands(group: click.Group = cli.cli, *before: str) -> Iterator[tuple[str, click.Command]]:
    """Every command but the program itself, groups too, by its words."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield " ".join((*before, name)), command
        if isinstance(command, click.Group):
            yield from commands(command, *before, name)


COMMANDS = dict(commands())


@pytest.mark.parametrize("words", ["", *COMMANDS])
def test_the_help_fits_80_columns_and_cuts_no_sentence(words: str, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    code, out, err = run(*words.split(), "-h")
    assert code == 0, err
    assert [line for line in out.splitlines() if len(line) > 80] == []
    assert [line for line in out.splitlines() if line.endswith("...") and not line.startswith("Usage:")] == []


@pytest.mark.parametrize("words", COMMANDS)
def test_the_help_of_a_verb_ends_with_two_examples_and_a_page(words: str, run: Run) -> None:
    command = COMMANDS[words]
    assert isinstance(command, options.Epilog), "make it of options.Command, with examples and a page"
    assert len(command.examples) == 2
    out = run(*words.split(), "-h")[1]
    assert all(f"\n  {example}\n" in out for example in command.examples)
    path, _, anchor = command.page.partition("#")
    page = ROOT / path
    assert page.is_file()
    assert not anchor or anchor in anchors(page.read_text(encoding="utf-8"))
    assert out.rstrip().endswith(command.page)


@pytest.mark.parametrize(
    ("words", "example"),
    [(w, e) for w, c in COMMANDS.items() if isinstance(c, options.Epilog) for e in c.examples if "$(" not in e],
)
def test_an_example_of_the_help_is_a_command_line_of_its_verb(words: str, example: str) -> None:
    line = shlex.split(example.partition(" | ")[0])
    assert line[0] == "gitops-promotion"
    if line[1] == "--version":
        return
    command: click.Command = cli.cli
    rest = line[1:]
    while isinstance(command, click.Group) and rest:
        found = command.get_command(click.Context(command), rest[0])
        assert found is not None
        command, rest = found, rest[1:]
    command.make_context(command.name, rest)
    assert " ".join(line[1:]).startswith(words)


def test_every_verb_is_in_one_part_of_the_help(run: Run) -> None:
    assert {verb.part for verb in cli.VERBS.values()} == set(cli.PARTS)
    out = run("-h")[1]
    for name in cli.VERBS:
        assert f"\n  {name} " in out
    assert [line[:-1] for line in out.splitlines() if line.endswith(":") and line[:-1] in cli.PARTS] == list(cli.PARTS)


# Mistakes


MISTAKES = [
    ("promot", "error: there is no verb 'promot', did you mean promote? see `gitops-promotion -h`"),
    ("xyz", "error: there is no verb 'xyz': see `gitops-promotion -h`"),
    ("set-tag --app a --tag 1", "error: Missing option '--group': see `gitops-promotion set-tag -h`"),
    ("schema x", "error: Invalid value for '[NAME]': 'x' is not one of 'config', 'holds', 'output': see `g"),
    (
        "status --timeout 5",
        "error: Invalid value for '--timeout': '5' has no unit: write it as 30s, 5m, 1h30m or 7d: se",
    ),
    ("graph -o csv", "error: Invalid value for '-o' / '--output': 'csv' is not one of 'human', 'json', 'mermaid': s"),
    ("graph --sorcedir x", "error: No such option"),
    ("local shw 3", "error: No such command 'shw'"),
]


@pytest.mark.parametrize(("line", "message"), MISTAKES)
def test_a_mistake_is_one_line_with_one_prefix_and_names_the_next_step(line: str, message: str, run: Run) -> None:
    code, out, err = run(*line.split())
    assert (code, out, err.count("error: "), err.count("\n")) == (2, "", 1, 1)
    assert err.startswith(message)
    assert err.endswith(" -h`\n")


@pytest.mark.parametrize("flags", ["-o json", "-ojson", "--output json", "--output=json"])
@pytest.mark.parametrize("line", ["new --gruop x", "set-tag --app a --tag 1", "promot"])
def test_a_mistake_is_json_where_the_output_is(flags: str, line: str, run: Run) -> None:
    code, out, err = run(*line.split(), *flags.split())
    [outcome] = json.loads(out)["outcomes"]
    assert (code, outcome["result"], outcome["exit_code"]) == (2, "failed", 2)
    assert f"error: {outcome['message']}\n" == err


def test_without_a_verb_the_help_is_printed_and_the_code_is_2_or_0(run: Run) -> None:
    code, out, err = run()
    assert code in (0, 2)  # Older versions of click end with 0.
    assert "error" not in err
    assert "Usage: " in out + err


# Variables


def test_the_options_that_say_where_and_how_have_a_variable_and_no_other_has_one() -> None:
    for words, command in COMMANDS.items():
        for param in command.params:
            if not isinstance(param, click.Option):
                continue
            names = {option.removeprefix("--") for option in param.opts}
            name = next(iter(names & set(environment.FROM_ENVIRONMENT)), "")
            expected = environment.variable_of(name) if name else None
            assert param.envvar == expected, f"{words} --{name}"


def test_a_variable_is_the_value_of_its_option_and_a_flag_wins(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GITOPS_PROMOTION_SOURCEDIR", str(tmp_path / "nowhere"))
    monkeypatch.setenv("GITOPS_PROMOTION_OUTPUT", "json")
    code, out, _ = run("validate")
    assert (code, "nowhere" in json.loads(out)["outcomes"][0]["message"]) == (2, True)
    _, out, err = run("validate", "--sourcedir", str(tmp_path / "elsewhere"), "-o", "human")
    assert (out, "elsewhere" in err) == ("", True)


def test_a_wrong_variable_is_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITOPS_PROMOTION_TIMEOUT", "5")
    code, _, err = run("status")
    assert (code, "(set by GITOPS_PROMOTION_TIMEOUT)" in err) == (2, True)


def test_what_azure_pipelines_hands_to_later_steps_is_read_by_no_verb(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("TAG", "GROUP", "APP", "ENVIRONMENT", "BRANCH", "RESULT", "REASON", "AS"):
        monkeypatch.setenv(f"GITOPS_PROMOTION_{name}", "x")
    code, _, err = run("new", "--sourcedir", str(tmp_path))
    assert (code, "--group and --app and --tag missing" in err) == (2, True)


def test_the_variables_are_on_one_page() -> None:
    text = (ROOT / "docs" / "environment-variables.md").read_text(encoding="utf-8")
    for name in environment.FROM_ENVIRONMENT:
        assert f"| `{environment.variable_of(name)}` | `--{name}` |" in text


# Completion

SHELLS = {
    "bash": """. ./script; COMP_WORDS=(gitops-promotion new --group webshop --app ''); COMP_CWORD=5
        _gitops_promotion_completion gitops-promotion; printf '%s\\n' "${COMPREPLY[@]}" """,
    "fish": "source ./script; complete -C 'gitops-promotion new --group webshop --app '",
    # The script registers itself with zsh's compinit. Only compadd is replaced: it needs a line that is being edited.
    "zsh": """autoload -Uz compinit && compinit -D -u; . ./script
        compadd() { print -rl -- ${(P)@[-1]}; }
        words=(gitops-promotion new --group webshop --app ''); CURRENT=6; $_comps[gitops-promotion]""",
}
"""Programs that print the completion of one line, in shells without their own settings."""


@pytest.fixture
def webshop(tmp_path: Path) -> Path:
    """The repository of the demo, without a commit."""
    from gitops_promotion.commands import demo

    for path, text in demo.files().items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    for name in ("objects", "refs"):
        (tmp_path / ".git" / name).mkdir(parents=True)
    (tmp_path / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    (tmp_path / ".git" / "config").write_text("[core]\n\trepositoryformatversion = 0\n\tbare = false\n")
    return tmp_path


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_a_shell_calls_the_program(shell: str, run: Run) -> None:
    code, out, _ = run("completion", shell)
    assert (code, f"_GITOPS_PROMOTION_COMPLETE={shell}_complete" in out) == (0, True)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("new --group web", {"webshop"}),
        ("new --group nope", set()),
        ("new --group webshop --app ", {"webui", "cart"}),
        ("new --group platform --app ", {"mailer"}),
        ("promote --env p", {"prod"}),
        ("promote --provider g", {"github"}),
        ("pro", {"promote"}),
        ("new --gr", {"--group"}),
        ("status --pr ", set()),
    ],
)
def test_names_are_completed_from_the_checkout(
    line: str, expected: set[str], webshop: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(webshop)
    words = ["gitops-promotion", *line.split()]
    number = len(words) - (0 if line.endswith(" ") else 1)
    monkeypatch.setenv("COMP_WORDS", f"gitops-promotion {line}")
    monkeypatch.setenv("COMP_CWORD", str(number))
    monkeypatch.setenv("_GITOPS_PROMOTION_COMPLETE", "bash_complete")
    monkeypatch.setattr("sys.argv", ["gitops-promotion"])
    with pytest.raises(SystemExit):
        cli.main()
    printed = capsys.readouterr().out.splitlines()
    assert {entry.partition(",")[2] for entry in printed if entry} == expected


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_completes_by_its_script(shell: str, webshop: Path, run: Run) -> None:
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"{shell} is not installed")
    (webshop / "script").write_text(run("completion", shell)[1])
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    ended = subprocess.run(
        [program, "-c", SHELLS[shell]],
        cwd=webshop,
        env={**os.environ, "PATH": path, "HOME": str(webshop)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert sorted(ended.stdout.split()) == ["cart", "webui"], ended.stderr
