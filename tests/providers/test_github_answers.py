"""The results of the GitHub provider where GitHub does not arm a pull request, and answers of the wrong shape."""

from contextlib import suppress
from dataclasses import replace

import pytest

from gitops_promotion.errors import ProviderError
from gitops_promotion.providers.github import answers
from gitops_promotion.providers.github.answers import MergeState, refusal_for
from gitops_promotion.providers.github.queries import SETTINGS
from tests.support.nouns import OPEN_PULL

PULL = replace(OPEN_PULL, head_sha="a" * 40)
BLOCKED = MergeState(
    id="PR_7",
    state="OPEN",
    draft=False,
    head_sha=PULL.head_sha,
    status="BLOCKED",
    conflicts=False,
    armed=False,
    has_queue=False,
    queued=False,
    methods=("MERGE",),
)


@pytest.mark.parametrize("status", ["BLOCKED", "BEHIND", "UNKNOWN"])
def test_a_pull_request_with_a_requirement_is_armed(status: str) -> None:
    assert refusal_for(replace(BLOCKED, status=status), PULL, "") is None


@pytest.mark.parametrize(
    "refusal", ["Pull request Pull request is in clean status", "Pull request Pull request is in unstable status"]
)
def test_b29_a_refusal_before_github_has_computed_the_state_is_tried_again(refusal: str) -> None:
    assert refusal_for(BLOCKED, PULL, refusal) is None


@pytest.mark.parametrize("status", ["CLEAN", "UNSTABLE", "HAS_HOOKS"])
@pytest.mark.parametrize("refusal", ["", "Pull request Protected branch rules not configured for this branch"])
def test_b29_a_pull_request_without_a_requirement_is_clean(status: str, refusal: str) -> None:
    result = refusal_for(replace(BLOCKED, status=status), PULL, refusal)
    assert result is not None
    assert result.state == "clean"
    assert "no rule of main requires a check" in result.reason


def test_a_merge_queue_takes_a_clean_pull_request() -> None:
    assert refusal_for(replace(BLOCKED, status="CLEAN", has_queue=True), PULL, "") is None
    result = refusal_for(replace(BLOCKED, status="CLEAN", has_queue=True, queued=True), PULL, "")
    assert result is not None
    assert result.state == "armed"


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (replace(BLOCKED, draft=True, status="DRAFT"), "#7 is a draft: mark it as ready"),
        (replace(BLOCKED, status="DIRTY"), "#7 conflicts with main: `gitops-promotion promote --all` rebuilds it"),
        (replace(BLOCKED, status="UNKNOWN", conflicts=True), "#7 conflicts with main"),
        (replace(BLOCKED, status="CLEAN", draft=True), "is a draft"),
    ],
)
@pytest.mark.parametrize("refusal", ["", "Pull request Pull request is in some status"])
def test_a_refusal_has_the_reason_and_the_next_step(state: MergeState, reason: str, refusal: str) -> None:
    result = refusal_for(state, PULL, refusal)
    assert result is not None
    assert result.state == "refused"
    assert reason in result.reason


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (replace(BLOCKED, state="CLOSED", status="UNKNOWN"), "#7 is closed already"),
        (replace(BLOCKED, state="MERGED", head_sha="b" * 40), "#7 is merged already"),
        (replace(BLOCKED, head_sha="b" * 40), f"#7 moved from {'a' * 40} to {'b' * 40}"),
        (replace(BLOCKED, status="CLEAN", head_sha="b" * 40), "moved from"),
        (replace(BLOCKED, draft=True, head_sha="b" * 40), "moved from"),
    ],
)
@pytest.mark.parametrize("refusal", ["", "Pull request Pull request is in some status"])
def test_a_pull_request_that_changed_since_it_was_read_is_a_race(state: MergeState, reason: str, refusal: str) -> None:
    result = refusal_for(state, PULL, refusal)
    assert result is not None
    assert result.state == "moved"
    assert reason in result.reason


def test_a_pull_request_merged_at_this_head_is_merged() -> None:
    result = refusal_for(replace(BLOCKED, state="MERGED", status="UNKNOWN"), PULL, "Can't enable auto-merge")
    assert result is not None
    assert result.state == "merged"


@pytest.mark.parametrize(
    ("refusal", "advice"),
    [
        ("Pull request Auto merge is not allowed for this repository", "switch on `Allow auto-merge`"),
        ("Pull request Protected branch rules not configured for this branch", "protect main with a rule"),
        ("Can't enable auto-merge for an unprotected branch", "protect main with a rule"),
        ("Squash merges are not allowed on this repository.", "set mergeMethod in the configuration"),
        ("Merge method rebase merging is not allowed on this repository", "set mergeMethod in the configuration"),
    ],
)
def test_a_lasting_refusal_names_the_setting_to_change(refusal: str, advice: str) -> None:
    result = refusal_for(BLOCKED, PULL, refusal)
    assert result is not None
    assert result.state == "refused"
    assert refusal in result.reason
    assert advice in result.reason


PULL_DATA = {
    "id": "PR_7",
    "state": "OPEN",
    "isDraft": False,
    "headRefOid": PULL.head_sha,
    "mergeable": "MERGEABLE",
    "mergeStateStatus": "BLOCKED",
    "isMergeQueueEnabled": False,
    "isInMergeQueue": False,
    "autoMergeRequest": None,
}
REPOSITORY = dict.fromkeys(SETTINGS, True) | {"pullRequest": PULL_DATA}
WRONG = [5, "x", True, {"nodes": 5}, {"contexts": 5}, {"contexts": {"nodes": 5}}, {"contexts": {"nodes": [5, None]}}]


@pytest.mark.parametrize("wrong", WRONG)
def test_a_list_of_the_wrong_type_is_an_error_of_the_forge_or_an_empty_list(wrong: object) -> None:
    for read in (
        lambda: answers.read_statuses({"status": wrong}),
        lambda: answers.read_check_runs({"statusCheckRollup": wrong}, frozenset({"x"})),
        lambda: answers.next_page({"statusCheckRollup": wrong}),
        lambda: answers.read_head_state({"repository": REPOSITORY | {"object": {"statusCheckRollup": wrong}}}),
        lambda: answers.read_statuses(wrong),
        lambda: answers.read_check_runs(wrong, frozenset()),
    ):
        with suppress(ProviderError):
            read()


@pytest.mark.parametrize("key", [key for key in PULL_DATA if key != "autoMergeRequest"])
@pytest.mark.parametrize("value", [None, [], {}, 5.5])
def test_a_merge_state_without_a_field_is_one_clear_line(key: str, value: object) -> None:
    with pytest.raises(ProviderError, match=f"the answer of GitHub has no {key} that can be read"):
        answers.read_merge_state({"repository": REPOSITORY | {"pullRequest": PULL_DATA | {key: value}}})


def test_a_state_that_github_does_not_have_is_shortened() -> None:
    data = {"repository": REPOSITORY | {"pullRequest": PULL_DATA | {"state": "x" * 999, "mergeStateStatus": "\n"}}}
    state = answers.read_merge_state(data)
    assert (len(state.state), state.status) == (40, " ")
