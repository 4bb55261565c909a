"""The nouns and the texts made of them."""

import functools
import json
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from gitops_promotion.core.commits import read_trailers
from gitops_promotion.core.config.values import duration
from gitops_promotion.core.diff import unified
from gitops_promotion.core.feature.names import clean
from gitops_promotion.core.forge import AutoMerge
from gitops_promotion.core.kinds import FEATURE, PROMOTION
from gitops_promotion.core.model import Outcome, Request, Result
from gitops_promotion.core.names import Application, check_name, is_name
from gitops_promotion.core.pull_request_text import (
    BODY_LIMIT,
    TITLE_LIMIT,
    body,
    commit_message,
    read_metadata,
    title,
)
from gitops_promotion.core.report import Report
from gitops_promotion.core.tags import Tag
from gitops_promotion.errors import (
    ConfigError,
    Fault,
    GitError,
    ManifestError,
    PromotionError,
    ProviderError,
    UsageError,
)
from tests.support.nouns import OPEN_PULL, PLAN, PROMOTION_INTO_QA

HEX = "sha256:" + "0123456789abcdef" * 4


@pytest.mark.parametrize("name", ["a", "a-b", "A.b_c-1", "flux-system", "agora-tsl.tsl-x", "x" * 100])
def test_names_of_the_field_are_accepted(name: str) -> None:
    assert check_name("group", name) == name


@pytest.mark.parametrize(
    "name", ["", "-a", "a-", ".", "..", "a..b", "a/b", "a b", "a\n", "a.lock", "x" * 101, "ä", "a:b", "a\x00", "@{u}"]
)
def test_b6_names_that_could_leave_their_place_are_refused(name: str) -> None:
    assert not is_name(name)
    with pytest.raises(UsageError, match="group"):
        check_name("group", name)


@pytest.mark.parametrize("text", ["1.4.2", "_x", "v1-rc.1", "1234", f"1.4.2@{HEX}", "a" * 128])
def test_a_tag_is_what_oci_allows(text: str) -> None:
    assert str(Tag.parse(text)) == text


@pytest.mark.parametrize(
    "text", ["", ".x", "-x", "a:b", "a/b", "a b", "1@", "1@sha256:", f"1@{HEX.upper()}", "1@md5:aa", "a" * 129, "1\n"]
)
def test_any_other_tag_is_refused_with_what_is_allowed(text: str) -> None:
    with pytest.raises(UsageError, match="tag"):
        Tag.parse(text)


def test_b33_the_body_carries_the_seven_keys_of_the_predecessor_in_its_first_line() -> None:
    text = body(
        PROMOTION_INTO_QA, base_sha="abc", previous_tag="1.4.1", files=["webshop/qa/webui.yaml"], notes=["It waits."]
    )
    first = text.split("\n")[0]
    values = json.loads(first.removeprefix("<!-- metadata = ").removesuffix(" -->"))
    assert list(values) == ["group", "app", "tag", "env", "sha", "feature", "type"]
    found = read_metadata(text)
    assert found is not None
    assert (found.group, found.app, found.tag, found.env, found.sha, found.type) == (
        "webshop",
        "webui",
        "1.4.2",
        "qa",
        "abc",
        "promote",
    )
    assert "\t" not in text, "tab-indented lines would be a code block"
    for shown in ("| `qa` | `webshop/webui` | `1.4.1` | `1.4.2` |", "It waits.", "- `webshop/qa/webui.yaml`"):
        assert shown in text


def test_many_beginnings_of_metadata_without_an_end_cost_little() -> None:
    started = time.process_time()
    assert read_metadata("<!-- metadata = {" * 100_000) is None
    # Each beginning that is searched to the end of the text would take minutes.
    assert time.process_time() - started < 5


def test_b33_another_comment_before_the_metadata_does_not_hide_it() -> None:
    text = "<!-- a bot was here -->\nHello\n" + body(PROMOTION_INTO_QA, base_sha="", previous_tag="", files=[])
    assert read_metadata(text) is not None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<!-- metadata = {} ",
        "<!-- metadata = [] -->",
        "<!-- metadata = {'group': 1} -->",
        '<!-- metadata = {"group": 1} -->',
        '<!-- metadata = {"tag": ["x"]} -->',
        "<!-- metadata = {" + '"a":{' * 5000 + " -->",
    ],
)
def test_b7_a_body_without_good_metadata_is_none_and_no_panic(text: str) -> None:
    assert read_metadata(text) is None


def test_the_body_stays_within_the_smallest_limit_and_keeps_its_metadata() -> None:
    files = [f"webshop/qa/{'x' * 100}/{number}.yaml" for number in range(1000)]
    text = body(PROMOTION_INTO_QA, base_sha="a" * 40, previous_tag="1", files=files)
    assert len(text) <= BODY_LIMIT
    assert read_metadata(text) is not None
    assert text.rstrip().split("\n")[-1].startswith("- and 9")


def test_many_notes_leave_room_for_files_and_say_how_many_they_are() -> None:
    request = Request(kind=FEATURE, application=Application("g", "a"), tag=Tag("1"), environment="dev", feature="f")
    text = body(request, base_sha="0" * 40, previous_tag="", files=["x.yaml"], notes=["- " + "n" * 100] * 100)
    assert len(text) <= BODY_LIMIT
    assert "and 77 more" in text
    assert text.endswith("- `x.yaml`\n")


def test_a_long_title_is_cut_and_a_features_title_names_the_feature() -> None:
    long = Request(
        kind=PROMOTION, application=Application("g" * 100, "a" * 100), tag=Tag("t" * 128), environment="e" * 60
    )
    assert len(title(long)) == TITLE_LIMIT
    feature = Request(kind=FEATURE, application=Application("g", "a"), tag=Tag("1"), environment="dev", feature="login")
    assert "login" in title(feature)


def test_trailers_are_read_back_from_the_message() -> None:
    request = Request(
        kind=PROMOTION,
        application=Application("webshop", "webui"),
        tag=Tag("1.4.2", HEX),
        environment="qa",
        built_at=datetime(2026, 1, 2, tzinfo=UTC),
    )
    assert read_trailers(commit_message(request, previous_tag="1.4.1")) == {
        "Promotion": "webshop/webui",
        "Environment": "qa",
        "Tag": f"1.4.2@{HEX}",
        "Previous-Tag": "1.4.1",
        "Built-At": "2026-01-02T00:00:00+00:00",
    }
    assert read_trailers("Promotion: g/a\n\nNo trailer here") == {}


@pytest.mark.parametrize(
    ("results", "code"),
    [
        ([], 0),
        (["opened", "skipped", "declined", "planned", "unchanged", "passed", "merged", "updated"], 0),
        (["timed-out", "passed"], 4),
        (["timed-out", "refused"], 3),
        (["refused", ManifestError], 2),
        ([ConfigError, GitError], 5),
        ([GitError, ProviderError, UsageError], 6),
        ([ProviderError, PromotionError, "refused"], 1),
    ],
)
def test_the_exit_code_of_several_outcomes_is_that_of_the_most_urgent(
    results: list[Result | type[PromotionError]], code: int
) -> None:
    outcomes = [
        Outcome(result=result, message="") if isinstance(result, str) else Outcome.failed(result(""))
        for result in results
    ]
    assert Report(outcomes=tuple(outcomes)).exit_code == code


def test_an_outcome_has_the_names_of_its_request() -> None:
    outcome = Outcome.of(PROMOTION_INTO_QA, "skipped", "not today")
    assert (outcome.result, outcome.message) == ("skipped", "not today")
    assert (outcome.group, outcome.app, outcome.environment, outcome.tag) == ("webshop", "webui", "qa", "1.4.2")
    assert Outcome.of(None, "skipped", "not today") == Outcome(result="skipped", message="not today")


PULL = replace(OPEN_PULL, auto_merge=True)


@pytest.mark.parametrize(
    ("result", "now", "expected", "message"),
    [
        ("opened", AutoMerge(state="armed"), "opened", "merges by itself when its checks pass"),
        ("opened", AutoMerge(state="off"), "opened", PROMOTION.by_hand(PROMOTION_INTO_QA)),
        ("updated", AutoMerge(state="off", reason="x"), "updated", "is open, with auto-merge off: x"),
        ("unchanged", AutoMerge(state="off", reason="x"), "updated", "is open, with auto-merge off: x"),
        ("opened", AutoMerge(state="merged"), "merged", "merged"),
        ("opened", AutoMerge(state="merged", reason="x"), "merged", "merged, x"),
        ("opened", AutoMerge(state="refused", reason="x"), "refused", "open, but not armed: x"),
    ],
)
def test_an_outcome_says_what_becomes_of_its_pull_request(
    result: Result, now: AutoMerge, expected: Result, message: str
) -> None:
    outcome = Outcome.of_pull_request(PLAN, result, "3" * 40, PULL, now)
    assert (outcome.result, outcome.message) == (expected, f"pull request #7 {message}")
    assert outcome.pull_request
    assert (outcome.sha, outcome.pull_request.auto_merge) == ("3" * 40, now.state == "armed")


def test_an_outcome_of_a_plan_has_its_branch_and_warnings_too() -> None:
    plan = replace(PLAN, url="https://pr-1.example.com", warnings=("odd",))
    outcome = Outcome.of_plan(plan, "planned", "nothing was written")
    assert outcome == Outcome(
        result="planned",
        message="nothing was written",
        group="webshop",
        app="webui",
        environment="qa",
        tag="1.4.2",
        previous_tag="1.4.1",
        branch="promote/webshop-webui",
        feature_url="https://pr-1.example.com",
        warnings=("odd",),
    )


def test_a_failed_outcome_keeps_its_error_and_the_faults_of_it() -> None:
    error = ManifestError(faults=[Fault("dev/web.yaml", 3, "is odd"), Fault("dev/web.yaml", 0, "is long")])
    outcome = Outcome.failed(error, group="webshop", app="webui", environment="dev", tag="1")
    assert outcome.error is error
    assert outcome.message == "dev/web.yaml:3: is odd\ndev/web.yaml: is long"
    assert outcome.faults == error.faults
    assert (outcome.group, outcome.app, outcome.environment, outcome.tag) == ("webshop", "webui", "dev", "1")
    assert Outcome.failed(GitError("git failed")).faults == Outcome(result="merged", message="").faults == ()


def test_one_fault_makes_an_error() -> None:
    error = ConfigError.at("gitops-promotion.yaml", 7, "is not a list")
    assert str(error) == "gitops-promotion.yaml:7: is not a list"
    assert error.faults == (Fault("gitops-promotion.yaml", 7, "is not a list"),)
    assert ConfigError("there is no configuration").faults == ()


def test_a_diff_shows_line_ends_and_missing_final_newlines_as_git_does() -> None:
    text = unified({"a": b"x\r\ny", "gone": b"z\n"}, {"a": b"x\r\nY", "gone": None, "new": b"n\n"})
    assert "-y\n\\ No newline at end of file\n+Y\n\\ No newline at end of file\n" in text
    assert " x\r\n" in text
    assert "--- a/gone\n+++ /dev/null\n" in text
    assert "--- /dev/null\n+++ b/new\n" in text
    assert "--- a/\ufffd\n+++ b/\ufffd\n" in unified({"\udcff": b"a\n"}, {"\udcff": b"b\n"})


@pytest.mark.parametrize("read", [Tag.parse, functools.partial(check_name, "group"), clean, duration])
def test_what_is_huge_is_not_shown_whole(read: Callable[[str], object]) -> None:
    with pytest.raises(UsageError) as raised:
        read("a" * 100_000)
    assert len(str(raised.value)) < 500
