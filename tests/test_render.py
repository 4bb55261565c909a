"""The formats of the output, and the outputs, summary and annotations for a CI system, with hostile texts too."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import get_args

import pytest

from gitops_promotion import render
from gitops_promotion.core.approval_list import Approval, ApprovalList
from gitops_promotion.core.board import Board, Cell, Line
from gitops_promotion.core.checks import Finding, Findings
from gitops_promotion.core.config import parse
from gitops_promotion.core.forge import Details, PullRequests
from gitops_promotion.core.graph import draw
from gitops_promotion.core.history import Event, History
from gitops_promotion.core.init import Proposal, ProposedEnvironment
from gitops_promotion.core.model import Outcome, Result
from gitops_promotion.core.names import Application
from gitops_promotion.core.report import Report
from gitops_promotion.core.why import Why
from gitops_promotion.errors import ConfigError, Fault, ManifestError
from gitops_promotion.render.annotations import annotations
from gitops_promotion.render.markdown import SUMMARY_LIMIT, summary
from gitops_promotion.render.outputs import outputs
from tests.support.nouns import OPEN_PULL

PULL = replace(
    OPEN_PULL,
    number=12,
    url="https://ghe.example.com:8443/org/gitops/pull/12",
    head_sha="b" * 40,
    auto_merge=True,
    title="Promote",
    author="bot",
)
OPENED = Outcome(
    result="opened",
    message="pull request #12 merges by itself when its checks pass",
    group="webshop",
    app="webui",
    environment="qa",
    tag="1.4.2@sha256:" + "a" * 64,
    previous_tag="1.4.1",
    branch="promote/webshop-webui",
    sha="b" * 40,
    pull_request=PULL,
)
REFUSED = Outcome(
    result="refused",
    message="it failed",
    reasons=("it failed", "changed since: webshop/cart"),
    warnings=("a marker has no effect",),
    environment="prod",
)
HOSTILE = [
    "a | b",
    "a\n| forged | row |",
    "a\r\nb",
    "`code` ``more``",
    "<img src=x onerror=alert(1)> <!-- gone",
    "[click](https://evil.example) ![x](y)",
    "@everyone #1 https://evil.example",
    "**bold** \\| \\",
    "\x1b[2J\x00\u202e",
    "\udc80",
]


def report(output: str, *outcomes: Outcome, colour: bool = False) -> str:
    """The report of these outcomes in a format."""
    return render.rendering(output, "report")(Report(outcomes=outcomes), colour=colour)


def cells(row: str) -> list[str]:
    """Split a row of a Markdown table as GitHub does: at every pipe without a backslash before it."""
    assert row.startswith("| ")
    assert row.endswith(" |")
    return re.split(r"(?<!\\) \| ", row[2:-2])


def test_outputs_are_the_first_outcomes_values_and_all_as_json() -> None:
    values = outputs([OPENED, REFUSED], limit=10_000)
    assert list(values) == [
        "result",
        "message",
        "group",
        "app",
        "environment",
        "tag",
        "previous_tag",
        "branch",
        "sha",
        "feature_url",
        "pull_request_number",
        "pull_request_url",
        "decision",
        "comment",
        "approved_by",
        "rejected_by",
        "approvals",
        "outcomes",
    ]
    assert (values["result"], values["tag"], values["previous_tag"]) == ("opened", OPENED.tag, "1.4.1")
    assert (values["pull_request_number"], values["pull_request_url"]) == ("12", PULL.url)
    document = json.loads(report("json", OPENED, REFUSED))["outcomes"]
    assert json.loads(values["outcomes"]) == [
        {key: value for key, value in outcome.items() if key not in ("plan", "diff")} for outcome in document
    ]
    assert "\n" not in values["outcomes"]


def test_outputs_without_a_pull_request_or_an_outcome_are_empty() -> None:
    values = outputs([REFUSED], limit=10_000)
    assert (values["pull_request_number"], values["pull_request_url"], values["tag"]) == ("", "", "")
    assert outputs([], limit=10)["outcomes"] == "[]"
    assert set(outputs([], limit=10).values()) == {"", "[]"}


def test_outputs_and_summary_stay_below_the_runners_limits() -> None:
    many = [replace(OPENED, message="x" * 1000)] * 1000
    text = outputs(many, limit=30_000)["outcomes"]
    assert 27_000 < len(text) <= 30_000
    count = len(json.loads(text))
    assert 0 < count < 1000
    text = summary(many, verb="promote")
    assert SUMMARY_LIMIT - 3000 < len(text) <= SUMMARY_LIMIT + 100
    rows = text.count("| opened |")
    assert text.endswith(f"\nand {1000 - rows} more\n\n")


def test_the_title_of_an_annotation_is_cut() -> None:
    outcome = replace(REFUSED, group="g" * 999, app="a")
    assert {len(annotation.title) for annotation in annotations([outcome])} == {250}


def test_the_list_of_outcomes_may_be_as_long_as_its_limit() -> None:
    length = len(outputs([REFUSED, REFUSED], limit=10_000)["outcomes"])
    for limit, count in ((length, 2), (length - 1, 1)):
        values = outputs([REFUSED, REFUSED], limit=limit)["outcomes"]
        assert len(values) <= limit
        assert len(json.loads(values)) == count


def test_the_summary_is_a_table() -> None:
    lines = summary([OPENED, REFUSED], verb="promote").splitlines()
    assert lines[0] == "### gitops-promotion promote"
    assert cells(lines[4]) == [
        "opened",
        "`webshop/webui`",
        "`1.4.1` → `1.4.2@aaaaaaa`",
        "`qa`",
        "[#12](https://ghe.example.com:8443/org/gitops/pull/12)",
        "`pull request #12 merges by itself when its checks pass`",
    ]
    assert cells(lines[5]) == [
        "refused",
        "-",
        "-",
        "`prod`",
        "-",
        "`it failed`<br>`changed since: webshop/cart`<br>`warning: a marker has no effect`",
    ]


@pytest.mark.parametrize("text", HOSTILE)
def test_text_from_outside_is_no_markup_in_the_summary(text: str) -> None:
    outcome = replace(
        OPENED, message=text, reasons=(text,), warnings=(text,), tag=text, environment=text, app=text, previous_tag=text
    )
    lines = summary([outcome], verb="new").splitlines()
    assert (len(lines), lines[5]) == (6, "")
    row = lines[4]
    assert row.isprintable()
    assert len(cells(row)) == 6
    # Without the code spans, only the text of the program remains.
    own_text = re.sub(r"(?<!`)(`+)(?!`).+?(?<!`)\1(?!`)", "", row)
    assert re.fullmatch(r"\| opened \|  \|  →  \|  \| \[#12\]\(https[^ ]+/pull/12\) \| (<br>)* \|", own_text), own_text


@pytest.mark.parametrize(
    "url",
    [
        "gitops-promotion local show 12",
        "javascript:alert(1)",
        "https://forge.example/x) [y](z",
        "https://forge.example/<b>",
        "https://forge.example/a|b",
        "https://forge.example/a\nb",
        "https://forge.example/`",
    ],
)
def test_only_a_plain_url_becomes_a_link(url: str) -> None:
    row = summary([replace(OPENED, pull_request=replace(PULL, url=url))], verb="new").splitlines()[4]
    assert cells(row)[4] == "#12"


@pytest.mark.parametrize(
    ("result", "level"),
    [
        ("failed", "error"),
        ("refused", "error"),
        ("timed-out", "warning"),
        ("opened", "notice"),
        ("updated", "notice"),
        ("merged", "notice"),
        ("declined", "notice"),
    ],
)
def test_results_that_need_attention_are_annotated(result: Result, level: str) -> None:
    outcome = replace(OPENED, result=result)
    ((shown_level, title, text, fault),) = annotations([outcome])
    assert (shown_level, fault) == (level, None)
    assert title == f"{result}: webshop/webui 1.4.1 -> 1.4.2@aaaaaaa in qa"
    assert text == f"{OPENED.message}\n{PULL.url}"


@pytest.mark.parametrize("result", ["unchanged", "skipped", "passed", "planned"])
def test_ordinary_results_have_annotations_for_their_warnings_only(result: Result) -> None:
    outcome = replace(OPENED, result=result)
    assert annotations([outcome]) == []
    assert [(level, text) for level, _, text, _ in annotations([replace(outcome, warnings=("odd",))])] == [
        ("warning", "odd")
    ]


def test_a_warning_of_several_outcomes_is_shown_once_and_stays_in_json() -> None:
    first = replace(OPENED, warnings=("set statusAuthors", "odd"))
    second = replace(OPENED, app="cart", warnings=("set statusAuthors", "other"))
    text = report("human", first, second)
    assert [text.count(f"- warning: {word}\n") for word in ("set statusAuthors", "odd", "other")] == [1, 1, 1]
    shown = [text for level, _, text, _ in annotations([first, second]) if level == "warning"]
    assert shown == ["set statusAuthors", "odd", "other"]
    listed = json.loads(report("json", first, second))["outcomes"]
    assert [outcome["warnings"] for outcome in listed] == [list(first.warnings), list(second.warnings)]


def test_a_level_has_ten_annotations_and_the_last_counts_the_others() -> None:
    many = [replace(OPENED, warnings=(f"odd {number}",)) for number in range(12)] + [replace(REFUSED, warnings=())] * 10
    limited = annotations(many)
    assert [level for level, _, _, _ in limited] == ["error"] * 10 + ["warning"] * 10 + ["notice"] * 10
    for number, is_count in ((19, True), (29, True), (9, False)):
        assert (limited[number][2] == "3 more are in the run's summary and in its log") is is_count


@pytest.mark.parametrize("text", HOSTILE)
def test_an_annotation_has_no_control_characters_except_line_breaks(text: str) -> None:
    outcome = replace(REFUSED, message=text, reasons=(text, "second"), warnings=(text,), environment=text)
    for _, title, lines, _ in annotations([outcome]):
        assert title.isprintable()
        assert all(line.isprintable() for line in lines.split("\n"))


@pytest.mark.parametrize("text", ["##[set-output name=result]passed", "##vso[task.setvariable variable=x]y", "####["])
def test_json_escapes_the_commands_of_runners(text: str) -> None:
    document = report("json", replace(REFUSED, message=text))
    assert "##" not in document
    assert json.loads(document)["outcomes"][0]["message"] == text
    handed = outputs([replace(REFUSED, message=text)], limit=10_000)["outcomes"]
    assert "##" not in handed
    assert json.loads(handed)[0]["message"] == text


def test_the_address_of_a_feature_is_in_the_text_and_in_the_outputs() -> None:
    feature = replace(OPENED, feature_url="https://pr-1.web.example.com")
    assert "\n           at https://pr-1.web.example.com\n" in report("human", feature)
    assert outputs([feature], limit=10_000)["feature_url"] == "https://pr-1.web.example.com"
    assert "at " not in report("human", OPENED).splitlines()[1]


# The table of formats


VIEWS: dict[render.View, object] = {
    "report": Report(outcomes=(OPENED, REFUSED)),
    "pull_requests": PullRequests(pull_requests=(PULL,)),
    "pull_request": Details(
        pull_request=PULL,
        gated=True,
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        updated_at=datetime(2026, 1, 1, tzinfo=UTC),
        statuses=(),
        reviews=(),
    ),
    "graph": draw(parse("environments: [{name: env12}]", "c.yaml"), {}, {}),
    "approvals": ApprovalList(
        approvals=(
            Approval(
                application=Application("webshop", "webui"),
                environment="prod",
                tag="1.4.2",
                state="pending",
                pull_request=replace(PULL, number=12),
            ),
        )
    ),
    "history": History(
        events=(
            Event(
                time=datetime(2012, 1, 1, tzinfo=UTC),
                application=Application("webshop", "webui"),
                environment="prod",
                kind="manual",
                tag="1.12",
                sha="a" * 40,
            ),
        ),
        since=None,
    ),
    "proposal": Proposal(
        environments=(ProposedEnvironment(name="env12", auto=True),),
        applications={Application("g", "a"): ("env12",)},
        edits={"a.yaml": b"a: 12\n"},
    ),
    "board": Board(
        commit="a" * 40,
        made_at=datetime(2012, 1, 1, tzinfo=UTC),
        environments=("prod",),
        lines=(Line(application=Application("g", "a"), cells=(Cell(environment="prod", tag="1.12"),)),),
    ),
    "why": Why(application=Application("g", "a"), environment="prod", tag="1.12", there=True),
    "findings": Findings(
        findings=(Finding(code="GP001", level="error", path="a.yaml", line=12, message="it is missing", fix="add it"),)
    ),
}


def test_every_view_has_the_default_format() -> None:
    assert set(VIEWS) == set(get_args(render.View))
    assert [view for view in VIEWS if render.DEFAULT not in render.formats(view)] == []


@pytest.mark.parametrize(("name", "view"), [(name, view) for view in VIEWS for name in render.formats(view)])
def test_every_entry_of_the_table_renders_its_view(name: str, view: render.View) -> None:
    for colour in (False, True):
        text = render.rendering(name, view)(VIEWS[view], colour=colour)
        assert text.endswith("\n")
        assert "12" in text


def test_a_view_has_only_the_formats_that_can_show_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert render.formats("report") == ("human", "json")
    monkeypatch.setattr(render, "FORMATS", {**render.FORMATS, "csv": render.Format({"pull_requests": "csv.table"})})
    assert render.formats("report") == ("human", "json")
    assert render.formats("pull_requests") == ("human", "json", "csv")


def test_an_error_with_several_faults_is_one_line() -> None:
    assert "one; two\n" in report("human", replace(OPENED, result="failed", message="one\ntwo"))


def test_colour_is_for_results_alone() -> None:
    text = report("human", replace(OPENED, message="\x1b[31mred"), REFUSED, colour=True)
    assert re.findall("\x1b.*?m", text) == ["\x1b[32m", "\x1b[0m", "\x1b[31m", "\x1b[0m"]
    assert "\x1b" not in report("human", OPENED, REFUSED)
    assert "\ufffd[31mred" in text
    assert "\ufffd[31m" in report("human", replace(OPENED, message="\ufffd[31mred"), colour=True)


# Faults of files


def test_each_fault_of_an_error_is_an_annotation_at_its_line() -> None:
    faults = (Fault("gitops-promotion.yaml", 3, "is odd"), Fault("a\nb.yaml", 0, "\x1b[2J"))
    outcome = Outcome.failed(ConfigError(faults=faults), environment="dev")
    assert annotations([outcome]) == [
        ("error", "failed: dev", "gitops-promotion.yaml:3: is odd", faults[0]),
        ("error", "failed: dev", "a\ufffdb.yaml: \ufffd[2J", faults[1]),
    ]


def test_a_message_that_is_more_than_its_faults_is_shown_with_each_of_them() -> None:
    faults = (Fault("dev/a.yaml", 3, "the tag is 1 here"), Fault("dev/b.yaml", 4, "the tag is 2 here"))
    error = ManifestError("the markers disagree on the tag; make them agree", faults=faults)
    assert [annotation.text for annotation in annotations([Outcome.failed(error)])] == [
        f"{fault}\nthe markers disagree on the tag; make them agree" for fault in faults
    ]


def test_of_many_faults_the_first_nine_are_annotated_and_the_rest_counted() -> None:
    faults = [Fault("gitops-promotion.yaml", line, "is odd") for line in range(1, 13)]
    shown_faults = annotations([Outcome.failed(ConfigError(faults=faults))])
    assert [annotation.fault for annotation in shown_faults] == [*faults[:9], None]
    assert shown_faults[9].text == "3 more are in the run's summary and in its log"
