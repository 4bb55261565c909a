"""The documentation says what the program does: every verb, option, code, result and key, and no more than there is."""

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any, get_args

import click
import pytest

from gitops_promotion import cli, errors, render
from gitops_promotion.core.forge import CommitStatus, Details, PullRequests, Review
from gitops_promotion.core.model import Outcome, Result
from gitops_promotion.core.report import Report
from gitops_promotion.render import json_v1
from tests.sources import anchors, messages, unsaid
from tests.support import processes, shares
from tests.support.nouns import OPEN_PULL, PLAN

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
VERBS_PAGE = (ROOT / "docs" / "verbs.md").read_text(encoding="utf-8")
EXIT_CODES = (ROOT / "docs" / "exit-codes.md").read_text(encoding="utf-8")
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("*.md"))


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def verbs(group: click.Group = cli.cli, *before: str) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from verbs(command, *before, name)
        else:
            yield " ".join((*before, name)), command


VERBS = dict(verbs())


def sections(text: str, level: str) -> dict[str, str]:
    """The texts below the headings of one level, by heading, each up to the next heading as high or higher."""
    parts = re.split(rf"^(#{{1,{len(level)}}}) (.+)\n", text, flags=re.MULTILINE)[1:]
    return {parts[i + 1]: parts[i + 2] for i in range(0, len(parts), 3) if parts[i] == level}


def names(option: str, text: str) -> bool:
    return bool(re.search(rf"(?<![\w-]){re.escape(option)}(?![\w-])", text))


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_its_section_with_every_option(verb: str) -> None:
    found = sections(VERBS_PAGE, "##")
    section = found[verb.split()[0]]
    assert f"gitops-promotion {verb}" in section, "an example"
    told = section + found["Options of every verb"]
    options = [o for p in VERBS[verb].params if isinstance(p, click.Option) for o in (*p.opts, *p.secondary_opts)]
    assert [option for option in options if not names(option, told)] == []


def test_the_verbs_that_have_a_dry_run_are_told() -> None:
    with_it = {verb for verb, command in VERBS.items() if any("--dry-run" in option.opts for option in command.params)}
    (told,) = re.findall(r"^Only these verbs have `--dry-run`: ([^.]+)", VERBS_PAGE, re.MULTILINE)
    assert set(re.findall(r"`([^`]+)`", told)) == with_it


def test_options_of_the_program_itself_are_told() -> None:
    common = sections(VERBS_PAGE, "##")["Options of every verb"]
    assert all(names(option, common) for option in ("--help", "-h", "--version"))


def test_the_readme_lists_every_verb_in_the_words_of_its_help() -> None:
    rows = re.findall(
        r"^\| ([\w ]+) \| \[([\w-]+)\]\(docs/verbs\.md#\2\) \| (.+) \|$", README.read_text(encoding="utf-8"), re.M
    )
    expected = [
        (verb.part, name, cli.command(name).get_short_help_str(200).rstrip("."))
        for part in cli.PARTS
        for name, verb in cli.VERBS.items()
        if verb.part == part
    ]
    assert [(part, name, does[0].upper() + does[1:]) for part, name, does in rows] == expected


def examples() -> Iterator[tuple[str, str]]:
    """Every command line of ours in a fence of the documentation, with the page it stands on."""
    for page in PAGES:
        for fence in re.findall(r"```(?:sh|console|shell|bash)\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
            for line in fence.splitlines():
                if command := re.match(r"\s*(?:\$ )?(gitops-promotion .*)", line):
                    yield named(page), command[1]


@pytest.mark.parametrize(("page", "line"), sorted(set(examples())))
def test_every_example_is_a_command_line_that_is_understood(page: str, line: str) -> None:
    words = shlex.split(line.partition(" | ")[0], comments=True)[1:]
    command: click.Command = cli.cli
    while isinstance(command, click.Group):
        found = command.get_command(click.Context(command), words[0])
        assert found is not None, f"{page}: there is no verb {words[0]!r}"
        command, words = found, words[1:]
    command.make_context(command.name, words)


def test_the_two_commands_stand_below_their_marks_each_on_one_line() -> None:
    # .ci/run takes them from there.
    commands = dict(
        re.findall(r"^<!-- (\w+)-command -->\n```sh\n([^\n]+)\n```$", README.read_text(encoding="utf-8"), re.MULTILINE)
    )
    install = "python3 -m venv .venv && .venv/bin/pip install -q"
    assert commands == {
        "demo": f"{install} . && .venv/bin/gitops-promotion demo",
        "test": f"{install} -e '.[dev]' && .venv/bin/pytest -q -n auto",
    }


def test_the_demo_prints_the_transcript_and_can_be_continued(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, pytestconfig: pytest.Config
) -> None:
    if not shares.is_whole(pytestconfig):
        processes.spare(monkeypatch.setattr)
    monkeypatch.setenv("COLUMNS", "80")
    cli.main(["demo", str(tmp_path / "demo")])
    printed = capsys.readouterr().out.replace(str(tmp_path), "/tmp")  # noqa: S108  the reader's folder, nothing is written
    block = re.search(
        r"<!-- demo-transcript -->\n```console\n(.*?)```\n<!-- /demo-transcript -->",
        README.read_text(encoding="utf-8"),
        re.DOTALL,
    )
    assert block

    def steady(text: str) -> list[str]:
        text = re.sub(r"\b[0-9a-f]{40}\b|(?<!/)\b[0-9a-f]{7}\b", "<commit>", text)
        text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", "<time>", text)
        text = re.sub(r" +(now|(\d+[smh] )+ago)(?= |$)", " <age>", text, flags=re.MULTILINE)
        # A column is as wide as the longest age in it.
        text = re.sub(r" {2,}", "  ", text)
        return [re.sub(r"[0-9a-f]{7}\.\.[0-9a-f]{7}", "<blobs>", line).rstrip() for line in text.splitlines()]

    assert steady(block[1]) == steady(printed)
    monkeypatch.chdir(tmp_path / "demo" / "webshop")
    # Features need kustomize: tests/cli/test_demo.py.
    lines = [
        line for line in re.findall(r"^#   gitops-promotion (.*)$", printed, re.MULTILINE) if "feature" not in line
    ]
    assert len(lines) >= 4
    for line in lines:
        code: object = 0
        try:
            cli.main(shlex.split(line, comments=True))
        except SystemExit as exit_:
            code = exit_.code
        assert code == 0, line + capsys.readouterr().err
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        cli.main(["demo", str(tmp_path / "demo")])
    assert (ended.value.code, "exists and is not empty" in capsys.readouterr().err) == (2, True)


def kinds(error: type[errors.PromotionError] = errors.PromotionError) -> Iterator[type[errors.PromotionError]]:
    yield error
    for kind in error.__subclasses__():
        yield from kinds(kind)


def test_every_exit_code_has_its_row() -> None:
    # 0 is not raised, 1 is a bug's, 130 an interrupt's.
    codes = {0, 1, 130, *(kind.exit_code for kind in kinds())}
    codes |= {Outcome(result=result, message="").exit_code for result in get_args(Result)}
    rows = re.findall(r"^\| `(\d+)` \|", sections(EXIT_CODES, "##")["Exit codes"], re.MULTILINE)
    assert sorted(map(int, rows)) == sorted(codes)


def test_the_order_of_exit_codes_is_the_programs() -> None:
    order = re.search(r"first of these that is present: ([\d, ]+)\.", EXIT_CODES)
    assert order
    codes = [int(code) for code in order[1].split(", ")]

    def outcome(code: int) -> Outcome:
        if not code:
            return Outcome(result="opened", message="")
        if code in (3, 4):
            return Outcome(result="refused" if code == 3 else "timed-out", message="")
        return Outcome.failed(next(kind for kind in kinds() if kind.exit_code == code)(""))

    for first, second in product(range(len(codes)), repeat=2):
        both = [outcome(codes[first]), outcome(codes[second])]
        assert Report(outcomes=tuple(both)).exit_code == codes[min(first, second)]


def test_every_result_has_its_row_with_its_exit_code() -> None:
    rows = dict(re.findall(r"^\| `([a-z-]+)` \|.*\| ([^|]+) \|$", sections(EXIT_CODES, "##")["Results"], re.MULTILINE))
    assert sorted(rows) == sorted(get_args(Result))
    for result in rows:
        if result != "failed":
            assert rows[result] == str(Outcome(result=result, message="").exit_code)
    own = {str(kind.exit_code) for kind in kinds()}
    assert set(re.findall(r"\d", rows["failed"])) == own


def keys(document: Mapping[str, Any], before: str = "") -> Iterator[str]:
    """The keys of a document as the page writes them: an outcome's bare, those below it with a dot."""
    for key, value in document.items():
        yield before + key
        if isinstance(value, dict):
            yield from keys(value, f"{before}{key}.")


def documented() -> list[str]:
    part = sections(EXIT_CODES, "##")["The JSON document"].partition("\n### ")[0]
    return re.findall(r"^\| `([a-z_.]+)` \| [a-z]", part, re.MULTILINE)


def shown() -> list[str]:
    """The rows below the two `local` verbs."""
    part = sections(EXIT_CODES, "###")["local list and local show"]
    return re.findall(r"^\| `([a-z_.]+)` \|", part, re.MULTILINE)


def test_every_key_of_the_document_is_told_and_no_other() -> None:
    outcome = Outcome(result="planned", message="", pull_request=OPEN_PULL, plan=replace(PLAN, diff=""))
    document = json.loads(json_v1.report(Report(outcomes=(outcome,))))
    assert sorted(documented()) == sorted({*document, *keys(document["outcomes"][0])})


def test_every_output_format_and_the_version_of_the_document_are_told() -> None:
    row = re.search(r"^\| `-o`, `--output` \| (.*) \|$", VERBS_PAGE, re.MULTILINE)
    assert row
    assert re.findall(r"`([a-z]+)`", row[1]) == list(render.FORMATS)
    assert f"| `version` | integer | the version of this document: {json_v1.VERSION} |" in EXIT_CODES


def test_every_key_that_local_show_adds_is_told_and_no_other(now: Any) -> None:
    status = CommitStatus(context="c", state="success")
    review = Review(author="a", verdict="approved", sha="1")
    details = Details(
        pull_request=OPEN_PULL, gated=True, created_at=now, updated_at=now, statuses=(status,), reviews=(review,)
    )
    document = json.loads(json_v1.pull_request(details))
    base = {f"pull_request.{key}" for key in json_v1.pull_request_fields(OPEN_PULL)}
    assert sorted(shown()) == sorted(set(keys(document)) - {"version", "pull_request"} - base)
    part = sections(EXIT_CODES, "###")["local list and local show"]
    for each in (*document["pull_request"]["statuses"], *document["pull_request"]["reviews"]):
        assert all(f"`{key}`" in part for key in each)
    assert all(
        f"`{key}`" in part
        for key in json.loads(json_v1.pull_requests(PullRequests(pull_requests=(OPEN_PULL,))))
        if key != "version"
    )


def test_the_example_document_has_the_programs_keys_in_its_order() -> None:
    block = re.search(r"<!-- json-example -->\n```json\n(.*?)```", EXIT_CODES, re.DOTALL)
    assert block
    example = json.loads(block[1])
    real = json.loads(json_v1.report(Report(outcomes=(Outcome(result="refused", message=""),))))
    assert list(example) == list(real)
    assert [list(outcome) for outcome in example["outcomes"]] == [list(real["outcomes"][0])]
    for outcome in example["outcomes"]:
        assert outcome["exit_code"] == Outcome(result=outcome["result"], message="").exit_code


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_link_within_the_repository_resolves(page: Path) -> None:
    text = re.sub(r"```.*?```|`[^`\n]+`", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        assert linked.is_relative_to(ROOT), target
        assert linked.exists(), target
        if anchor:
            assert anchor in anchors(linked.read_text(encoding="utf-8")), target


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_name_of_a_link_is_defined_and_used(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    used = set(re.findall(r"\]\[([\w-]+)\]", text))
    assert set(re.findall(r"^\[([\w-]+)\]: https://\S+$", text, re.MULTILINE)) == used


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached, waiting = set[Path](), [README]
    while waiting:
        page = waiting.pop()
        if page in reached or page.suffix != ".md":
            continue
        reached.add(page)
        links = re.findall(r"\]\(([^)\s:]+)\)", page.read_text(encoding="utf-8"))
        waiting += [(page.parent / link.partition("#")[0]).resolve() for link in links if not link.startswith("#")]
    assert [named(page) for page in PAGES if page not in reached and page not in DECISIONS] == []


@pytest.mark.parametrize(
    ("guide", "row"),
    [
        (guide, row)
        for guide in ("github.md", "azure-devops.md")
        for row in messages((ROOT / "docs" / guide).read_text(encoding="utf-8"))
    ],
)
def test_every_message_of_a_guide_is_one_of_the_program(guide: str, row: str) -> None:
    assert unsaid(row) == []


def test_every_fault_of_the_go_tool_has_one_row_in_its_order() -> None:
    text = (ROOT / "docs" / "migrating.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (B\d+) \| [^|]{20,} \| [^|]{10,} \|$", text, re.MULTILINE)
    assert rows == [f"B{number}" for number in range(1, 42)]


@pytest.mark.parametrize("page", DECISIONS, ids=named)
def test_every_decision_has_its_number_status_context_decision_and_consequences(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    number = int(page.name[:4])
    assert text.startswith(f"# {number}. ")
    assert re.search(r"^Status: (accepted|superseded by \d+)$", text, re.MULTILINE)
    assert [*sections(text, "##")] == ["Context", "Decision", "Consequences"]


def test_decisions_are_numbered_in_order() -> None:
    assert [int(page.name[:4]) for page in DECISIONS] == [*range(1, len(DECISIONS) + 1)]


MAP = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
PACKAGE = ROOT / "gitops_promotion"
ADVICE = "docs/architecture.md lists each module of these rooms in a table: add a line, or remove one"


def modules(room: str) -> set[str]:
    """Return a room's modules and packages, a package with a slash behind its name."""
    names = {f"{path.relative_to(PACKAGE)}" for path in (PACKAGE / room).glob("*.py") if path.name != "__init__.py"}
    return names | {f"{path.parent.relative_to(PACKAGE)}/" for path in (PACKAGE / room).glob("*/__init__.py")}


def test_the_map_has_a_paragraph_for_every_room_and_every_room_in_its_picture() -> None:
    rooms = {name for name in modules("") if not name.startswith("__")}
    assert set(re.findall(r"^\*\*`([\w./]+)`\*\* ", MAP, re.MULTILINE)) == rooms
    picture = MAP.partition("## The rooms\n\n```text\n")[2].partition("```")[0]
    words = re.findall(r"\w+", picture)
    assert [room for room in rooms if words.count(room.removesuffix("/").removesuffix(".py")) != 1] == []


@pytest.mark.parametrize("room", ["core", "git", "providers", "workflow"])
def test_the_map_lists_every_module_of_the_larger_rooms_once(room: str) -> None:
    cells = re.findall(r"^\| (`[^|]+) \|", MAP, re.MULTILINE)
    listed = [name for cell in cells for name in re.findall(rf"`({room}/[\w/]+(?:\.py|/))`", cell)]
    assert sorted(listed) == sorted(modules(room)), ADVICE


@pytest.mark.parametrize("page", ["approvals.md", "security.md"])
def test_every_test_that_a_page_names_exists(page: str) -> None:
    named_tests = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", (ROOT / "docs" / page).read_text(encoding="utf-8"))
    assert len(named_tests) > 15
    missing = [
        f"{path}::{name}"
        for path, name in named_tests
        if not re.search(rf"^(?:    )?def {name}\(", (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE)
    ]
    assert missing == []


def test_every_cell_of_who_may_do_what_is_explained() -> None:
    page = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    actors = re.findall(
        r"^\| ([\w ]+) \|", page.partition("## Who is meant")[2].partition("On GitHub")[0], re.MULTILINE
    )
    overview = page.partition("## What they can do")[2].partition("### Each action")[0]
    details = dict(re.findall(r"^\| ([\w ]+) \|(.+)$", page.partition("### Each action")[2], re.MULTILINE))
    actions = [section.partition("\n") for section in overview.split("\n#### ")[1:]]
    assert len(actions) == 9
    for title, _, text in actions:
        action = title.lower()
        words = re.findall(r"^- \*\*(\w+)\*\*: (.+)$", text, re.MULTILINE)
        assert {word for word, _ in words} <= {"no", "forge", "can"}, action
        assert sorted(", ".join(names for _, names in words).split(", ")) == sorted(actors[1:]), action
        assert "`tests/" in details[action], action
