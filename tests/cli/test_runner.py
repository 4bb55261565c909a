"""The command line as a step of a workflow: the files it writes, the commands it gives, and those it does not."""

import json
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from gitops_promotion import ci, cli
from gitops_promotion.cli.run import terminal
from gitops_promotion.errors import ManifestError
from gitops_promotion.terminal import Terminal

if TYPE_CHECKING:
    from tests.conftest import Checkout, Remote

NEW = ("new", "--group=webshop", "--app=webui", "--tag=1.4.2")


@pytest.fixture
def step(
    checkout: "Checkout", capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[..., tuple[str, str]]:
    """Run a verb as a workflow's step; returns stdout and stderr."""
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "output"))
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary"))

    def run(*args: str, code: int = 0, event: str = "schedule", payload: object = None) -> tuple[str, str]:
        monkeypatch.setenv("GITHUB_EVENT_NAME", event)
        monkeypatch.setenv("GITHUB_EVENT_PATH", str(tmp_path / "event.json"))
        (tmp_path / "event.json").write_text(json.dumps(payload))
        for name in ("output", "summary"):
            (tmp_path / name).write_text("")
        capsys.readouterr()
        with pytest.raises(SystemExit) as raised:
            cli.main([*args, "--sourcedir", str(checkout.path)])
        printed = capsys.readouterr()
        assert (raised.value.code or 0) == code, printed.out + printed.err
        return printed.out, printed.err

    return run


def outputs(tmp_path: Path) -> dict[str, str]:
    """The outputs of the last step, whose values are lines here."""
    lines = iter((tmp_path / "output").read_text().splitlines())
    values = {}
    for line in lines:
        name, delimiter = line.split("<<")
        value = list(iter(lambda: next(lines), delimiter))
        values[name] = "\n".join(value)
    return values


def commands(text: str, runner: str = "github") -> list[str]:
    """Return the lines of a log that hold a command which the runner obeys."""
    lines = text.replace("\r", "\n").split("\n")
    if runner == "github":
        return [line for line in lines if line.lstrip().startswith("::") or "##[" in line]
    return [line for line in lines if "##[" in line or "##vso" in line.lower()]


def test_a_step_gets_outputs_a_summary_and_an_annotation(step: Callable[..., Any], tmp_path: Path) -> None:
    out, err = step(*NEW)
    values = outputs(tmp_path)
    assert (values["result"], values["group"], values["app"]) == ("merged", "webshop", "webui")
    assert (values["environment"], values["tag"], values["previous_tag"]) == ("dev", "1.4.2", "1.0.0")
    assert (values["branch"], values["pull_request_number"]) == ("promote/webshop-webui", "1")
    assert len(values["sha"]) == 40
    assert [outcome["result"] for outcome in json.loads(values["outcomes"])] == ["merged"]
    summary = (tmp_path / "summary").read_text()
    assert summary.startswith("### gitops-promotion new\n")
    assert "| merged | `webshop/webui` | `1.0.0` → `1.4.2` | `dev` | #1 |" in summary
    (notice,) = commands(err)
    assert notice.startswith("::notice title=merged%3A webshop/webui 1.0.0 -> 1.4.2 in dev::pull request #1 merged%0A")
    assert commands(out) == []


def test_an_ordinary_outcome_is_in_the_summary_and_no_annotation(step: Callable[..., Any], tmp_path: Path) -> None:
    _, err = step("promote")
    assert commands(err) == []
    assert outputs(tmp_path)["result"] == "unchanged"
    assert "| unchanged |" in (tmp_path / "summary").read_text()


def test_an_error_is_annotated_and_has_outputs_too(step: Callable[..., Any], tmp_path: Path) -> None:
    _, err = step("new", "--group=webshop", "--app=nope", "--tag=1", "--quiet", code=2)
    (line,) = commands(err)
    assert line.startswith("::error title=failed%3A webshop/nope 1::")
    values = outputs(tmp_path)
    assert values["result"] == "failed"
    assert "nope" in values["message"]
    assert json.loads(values["outcomes"])[0]["exit_code"] == 2
    assert "| failed |" in (tmp_path / "summary").read_text()


def test_an_error_in_a_file_is_annotated_at_its_line(step: Callable[..., Any], remote: "Remote") -> None:
    remote.commit({"gitops-promotion.yaml": "environments:\n  - {name: dev, auto: true}\nprflow: nope\nodd: 1\n"})
    lines = commands(step("promote", code=2)[1])
    start = "::error file=gitops-promotion.yaml,line={},title=gitops-promotion%3A failed::gitops-promotion.yaml:{}: "
    assert [line.startswith(start.format(n, n)) for n, line in zip((3, 4), lines, strict=True)] == [True, True], lines


def test_a_files_name_gives_the_runner_no_command(step: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ManifestError.at("a\n::set-output name=x::y,line=1##[group]tok-3n-tok.yaml", 3, "is odd")

    monkeypatch.setenv("GITOPS_PROMOTION_TOKEN", "tok-3n-tok")
    monkeypatch.setattr("gitops_promotion.commands.promote.promote", broken)
    _, err = step("promote", code=2)
    (line,) = commands(err)
    assert line.startswith("::error file=a%0A%3A %3Aset-output name=x%3A%3Ay%2Cline=1# #[group]***.yaml,line=3,title=")


@pytest.mark.parametrize(
    ("args", "text"),
    [
        (("promote", "--nope"), "No such option"),
        (("status", "--timeout=5"), "Invalid value for '--timeout': "),
        (("status", "--pr=x\n::notice::y"), "Invalid value for '--pr': "),
    ],
)
def test_an_invalid_command_line_is_annotated(args: tuple[str, ...], text: str, step: Callable[..., Any]) -> None:
    (line,) = commands(step(*args, code=2)[1])
    assert line.startswith(f"::error title=gitops-promotion%3A failed::{text}")


def test_quiet_runs_have_no_notices(step: Callable[..., Any]) -> None:
    assert step(*NEW, "--quiet")[1] == ""


def test_a_shell_gets_no_files_and_no_commands(
    step: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GITHUB_ACTIONS")
    out, err = step(*NEW)
    assert commands(out + err) == []
    assert (tmp_path / "output").read_text() == (tmp_path / "summary").read_text() == ""


def test_a_missing_file_of_the_runner_is_a_warning(
    step: Callable[..., Any], remote: "Remote", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_OUTPUT", "/nowhere/output")
    out, err = step(*NEW)
    assert out.startswith("merged")
    assert "warning: GITHUB_OUTPUT '/nowhere/output' cannot be written" in err
    assert "1.4.2" in remote.show("webshop/dev/webui.yaml", "main")


def test_the_token_is_in_no_output_summary_or_annotation(
    step: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITOPS_PROMOTION_TOKEN", "tok-3n-tok")
    for app, code in (("tok-3n-tok", 2), ("webui", 0)):
        out, err = step("new", "--group=webshop", f"--app={app}", "--tag=tok-3n-tok", code=code)
        files = (tmp_path / "output").read_text() + (tmp_path / "summary").read_text()
        assert "tok-3n-tok" not in out + err + files
        assert "***" in files


# What a runner would obey


HOSTILE = [
    "::set-output name=result::passed",
    "a\n::set-output name=result::passed",
    "a\r::stop-commands::x",
    "  ::add-mask::1",
    "##[set-output name=result]passed",
    "x ##vso[task.setvariable variable=x]y",
    "##VSO[task.complete]",
    "##vso",
    "\u2003::error::x",
    "\n\n\t::error::x",
    "###[group]x",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_no_option_can_give_the_runner_a_command(text: str, step: Callable[..., Any]) -> None:
    for args in (
        ("new", "--group=webshop", "--app=webui", f"--tag={text}"),
        ("new", f"--group={text}", "--app=webui", "--tag=1"),
        ("new", f"--built-at={text}", *NEW[1:]),
        ("promote", f"--{text}"),
        ("promote", text),
        ("promote", f"--provider={text}"),
        ("promote", f"--env={text}", "--app=webui"),
    ):
        for output in ((), ("--output=json",)):
            out, err = step(*args, *output, code=2)
            assert [line for line in commands(out + "\n" + err) if not line.startswith("::error title=")] == []
            assert len(commands(err)) <= 1


@pytest.mark.parametrize("text", ["::set-output name=result::passed", "##[set-output name=result]passed"])
def test_no_manifest_can_give_the_runner_a_command(text: str, step: Callable[..., Any], remote: "Remote") -> None:
    manifest = remote.show("webshop/dev/webui.yaml", "main").replace("spec:\n", f"x: |\n  y\n{' ' * 2}{text}\nspec:\n")
    remote.commit({"webshop/dev/webui.yaml": manifest})
    for output in ((), ("--output=json",), ("--verbose",)):
        out, err = step(*NEW, "--dry-run", *output)
        assert "passed" in out
        assert commands(out + err) == []


@pytest.mark.parametrize("runner", [ci.github, ci.azure], ids=["github", "azure"])
@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_a_terminal_prints_is_a_command_in_ci(
    text: str, runner: ci.Runner, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal = Terminal(verbose=True, obeys=runner.OBEYS)
    terminal.result(text + "\n")
    terminal.note(text)
    terminal.detail(text)
    terminal.error(text)
    terminal.progress((text,), 5)
    printed = capsys.readouterr()
    assert commands(printed.out + printed.err, runner.NAME) == []
    line = runner.annotation("error", "title", "text")
    terminal.command(line, always=True)
    assert commands(capsys.readouterr().err, runner.NAME) == [line]


def test_a_shell_sees_every_text_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    Terminal().result("::a\n##[b]\n")
    assert capsys.readouterr().out == "::a\n##[b]\n"


def test_a_bug_with_a_hostile_message_gives_the_runner_no_command(
    step: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a\n::set-output name=result::passed")

    monkeypatch.setattr("gitops_promotion.commands.promote.promote", broken)
    _, err = step("promote", code=1)
    assert "Traceback" in err
    (line,) = commands(err)
    assert line.startswith("::error title=gitops-promotion%3A failed::this is a bug in gitops-promotion: please report")


def test_log_records_of_a_provider_are_masked_and_are_no_commands(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import logging

    terminal = Terminal(obeys=ci.github.OBEYS, secrets=("tok-3n-tok",))
    with terminal.capturing_logs():
        logging.getLogger("gitops_promotion.providers.local").warning("left out %s\n::error::x", "tok-3n-tok")
    assert capsys.readouterr().err == "warning: left out ***\n: :error::x\n"
    assert logging.getLogger("gitops_promotion").handlers == []


@pytest.mark.parametrize(
    ("environ", "command"),
    [
        ({"GITHUB_ACTIONS": "true"}, "::add-mask::tok-3n-tok%25\n"),
        ({"TF_BUILD": "True"}, "##vso[task.setsecret]tok-3n-tok%AZP25\n"),
        ({}, ""),
    ],
)
def test_the_runner_masks_a_secret_that_the_run_made(
    environ: dict[str, str], command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    runner = ci.runner(environ)
    terminal = Terminal(obeys=runner.OBEYS, conceal=runner.conceal)
    terminal.add_secret("tok-3n-tok%", is_new=True)
    terminal.add_secret("given-to-it", is_new=False)
    terminal.add_secret("a", is_new=False)
    terminal.note("it is tok-3n-tok% and given-to-it")
    assert capsys.readouterr().err == f"{command}it is *** and ***\n"


def test_a_secret_is_masked_in_all_its_spellings_and_so_is_any_signed_token(
    capsys: pytest.CaptureFixture[str],
) -> None:
    secret = 'tok-3n-tok/"12345678'
    terminal = Terminal(secrets=(secret,))
    basic = b64encode(f"x-access-token:{secret}".encode()).decode()
    parts = (b'{"alg": "RS256"}', b'{"iss": "12345"}', b"s" * 33)
    token = ".".join(urlsafe_b64encode(part).decode().rstrip("=") for part in parts)
    for text in (secret, quote(secret, safe=""), json.dumps(secret), basic, token):
        terminal.note(f"<{text}>")
        log = capsys.readouterr().err
        assert "***" in log
        assert text[8:-4] not in log


def test_the_password_of_a_proxy_is_masked(capsys: pytest.CaptureFixture[str]) -> None:
    log = terminal({"https_proxy": "http://ann:s3cr3t@proxy:3128", "NO_PROXY": "s3cr3t"})
    log.note("Unsupported proxy syntax in 'ann:s3cr3t'")
    assert capsys.readouterr().err == "Unsupported proxy syntax in '***'\n"


# What the event asks for


def dispatch(**values: object) -> dict[str, object]:
    return {"action": "built", "client_payload": values}


def test_new_takes_missing_options_from_a_dispatch(step: Callable[..., Any], tmp_path: Path) -> None:
    payload = dispatch(group="webshop", app="webui", tag="1.4.2")
    step("new", event="repository_dispatch", payload=payload)
    assert (outputs(tmp_path)["result"], outputs(tmp_path)["tag"]) == ("merged", "1.4.2")
    step("new", "--tag=1.4.3", event="repository_dispatch", payload=payload)
    assert outputs(tmp_path)["tag"] == "1.4.3"
    # An option wins over the event, whose value is not read then. An empty option counts as absent.
    step(*NEW, event="repository_dispatch", payload=dispatch(tag=5))
    assert outputs(tmp_path)["tag"] == "1.4.2"
    inputs = {"inputs": {"group": "webshop", "app": "webui", "tag": "1.4.4"}}
    step("new", "--tag=", event="workflow_dispatch", payload=inputs)
    assert outputs(tmp_path)["tag"] == "1.4.4"


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        (dispatch(group="webshop"), "--app and --tag missing: give them, or run it on a repository_dispatch"),
        (dispatch(group="webshop", app="webui", tag=""), "--tag missing: give it, or run it on"),
        (dispatch(group="webshop", app="webui", tag=1.1), "client_payload.tag of the event file"),
        (dispatch(group="../..", app="webui", tag="1"), "group '../..' is not a valid name"),
        (dispatch(group="webshop", app="webui", tag="1\n::error::x"), r"tag '1\n::error::x' is not a valid image tag"),
        ([], "is not a JSON object"),
    ],
)
def test_a_dispatch_with_missing_or_invalid_values_is_one_error(
    payload: object, words: str, step: Callable[..., Any]
) -> None:
    _, err = step("new", event="repository_dispatch", payload=payload, code=2)
    (line,) = [line for line in err.splitlines() if line.startswith("error: ")]
    assert words in line


def test_other_events_give_no_defaults(step: Callable[..., Any]) -> None:
    payload = dispatch(group="webshop", app="webui", tag="1.4.2")
    _, err = step("new", event="schedule", payload=payload, code=2)
    assert "--group and --app and --tag missing" in err
