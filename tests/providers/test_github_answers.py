"""What the GitHub provider makes of each thing GitHub can say instead of arming a pull request."""

from dataclasses import replace

import pytest

from gitops_promotion.core.forge import PullRequest
from gitops_promotion.providers.github.answers import Look, answer

PULL = PullRequest(
    number=7,
    url="",
    head="promote/webshop-webui",
    head_sha="a" * 40,
    base="main",
    state="open",
    merge_sha=None,
    auto_merge=False,
    title="",
    body="",
    author="ann",
)
BLOCKED = Look(
    id="PR_7",
    state="OPEN",
    draft=False,
    head_sha=PULL.head_sha,
    status="BLOCKED",
    conflicts=False,
    armed=False,
    queue=False,
    queued=False,
    methods=("MERGE",),
)


@pytest.mark.parametrize("status", ["BLOCKED", "BEHIND", "UNKNOWN"])
def test_where_something_is_required_it_is_armed(status: str) -> None:
    assert answer(replace(BLOCKED, status=status), PULL, "") is None


@pytest.mark.parametrize(
    "refusal", ["Pull request Pull request is in clean status", "Pull request Pull request is in unstable status"]
)
def test_b29_a_refusal_made_before_github_knew_better_is_tried_again(refusal: str) -> None:
    assert answer(BLOCKED, PULL, refusal) is None


@pytest.mark.parametrize("status", ["CLEAN", "UNSTABLE", "HAS_HOOKS"])
@pytest.mark.parametrize("refusal", ["", "Pull request Protected branch rules not configured for this branch"])
def test_b29_where_nothing_is_required_it_is_clean(status: str, refusal: str) -> None:
    found = answer(replace(BLOCKED, status=status), PULL, refusal)
    assert found is not None
    assert found.state == "clean"
    assert "no rule of main requires a check" in found.reason


def test_a_merge_queue_takes_what_is_clean() -> None:
    assert answer(replace(BLOCKED, status="CLEAN", queue=True), PULL, "") is None
    found = answer(replace(BLOCKED, status="CLEAN", queue=True, queued=True), PULL, "")
    assert found is not None
    assert found.state == "armed"


@pytest.mark.parametrize(
    ("look", "reason"),
    [
        (replace(BLOCKED, draft=True, status="DRAFT"), "#7 is a draft: mark it as ready"),
        (replace(BLOCKED, status="DIRTY"), "#7 conflicts with main: `gitops-promotion promote --all` rebuilds it"),
        (replace(BLOCKED, status="UNKNOWN", conflicts=True), "#7 conflicts with main"),
        (replace(BLOCKED, state="CLOSED", status="UNKNOWN"), "#7 is closed already: open a new one"),
        (replace(BLOCKED, state="MERGED", head_sha="b" * 40), "#7 is merged already: open a new one"),
        (replace(BLOCKED, head_sha="b" * 40), f"moved from {'a' * 40} to {'b' * 40}, which nobody armed"),
        # Clean, but not what was looked at.
        (replace(BLOCKED, status="CLEAN", head_sha="b" * 40), "moved from"),
        (replace(BLOCKED, status="CLEAN", draft=True), "is a draft"),
    ],
)
@pytest.mark.parametrize("refusal", ["", "Pull request Pull request is in some status"])
def test_what_cannot_be_armed_says_why_and_what_to_do(look: Look, reason: str, refusal: str) -> None:
    found = answer(look, PULL, refusal)
    assert found is not None
    assert found.state == "refused"
    assert reason in found.reason


def test_what_was_merged_at_this_head_is_merged() -> None:
    found = answer(replace(BLOCKED, state="MERGED", status="UNKNOWN"), PULL, "Can't enable auto-merge")
    assert found is not None
    assert found.state == "merged"


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
def test_a_refusal_that_will_not_pass_names_what_to_change(refusal: str, advice: str) -> None:
    found = answer(BLOCKED, PULL, refusal)
    assert found is not None
    assert found.state == "refused"
    assert refusal in found.reason
    assert advice in found.reason
