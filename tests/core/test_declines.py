"""Whether the end of a pull request is a decline: by tables."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gitops_promotion.core import declines
from gitops_promotion.core.discussion import Discussion, Event, EventKind, Person
from gitops_promotion.core.forge import PullRequest, PullRequestState
from gitops_promotion.core.kinds import PROMOTION
from gitops_promotion.core.model import Request
from gitops_promotion.core.names import Application
from gitops_promotion.core.tags import Tag
from tests.support.nouns import OPEN_PULL

ANN = Person(name="ann")
BOT = Person(name="stale", is_bot=True)
TEN = datetime(2026, 1, 31, 10, 0, tzinfo=UTC)
REQUEST = Request(kind=PROMOTION, application=Application("g", "a"), tag=Tag("2"), environment="dev")


def pull(
    number: int, state: PullRequestState, *, tag: str = "2", env: str = "dev", kind: str = "promote"
) -> PullRequest:
    metadata = {"group": "g", "app": "a", "tag": tag, "env": env, "sha": "", "feature": "", "type": kind}
    return replace(
        OPEN_PULL,
        number=number,
        head="promote/g-a",
        head_sha="a" * 40,
        state=state,
        body=f"<!-- metadata = {json.dumps(metadata)} -->",
        author="bot",
    )


def event(kind: EventKind, seconds: float = 0, by: Person | None = ANN) -> Event:
    return Event(kind=kind, at=TEN + timedelta(seconds=seconds), by=by)


def test_a_decline_is_of_this_environment_and_tag_until_a_newer_pull_request() -> None:
    closed = pull(5, "closed")
    assert declines.closed_promotion(REQUEST, [closed], base="main") == closed
    assert declines.closed_promotion(REQUEST, [pull(6, "open"), closed], base="main") is None
    assert declines.closed_promotion(REQUEST, [pull(5, "closed", tag="1")], base="main") is None
    assert declines.closed_promotion(REQUEST, [pull(5, "closed", env="qa")], base="main") is None
    assert declines.closed_promotion(REQUEST, [pull(5, "closed", kind="feature")], base="main") is None


def test_what_anybody_closes_into_another_branch_is_no_decline() -> None:
    forged = replace(pull(7, "closed"), base="promote/g-b")
    closed = pull(5, "closed")
    assert declines.closed_promotion(REQUEST, [forged], base="main") is None
    assert declines.closed_promotion(REQUEST, [replace(forged, state="open"), closed], base="main") == closed


EVENTS: dict[str, tuple[list[Event], str | None]] = {
    "a person closes it": ([event("closed")], "ann"),
    "somebody unknown closes it": ([event("closed", by=None)], ""),
    "a forge without events": ([], ""),
    "a bot closes it": ([event("closed", by=BOT)], None),
    "the deletion of the branch closes it": ([event("branch-deleted"), event("closed")], None),
    "the forge notes the deletion after the closing": ([event("closed"), event("branch-deleted", 1)], None),
    "only the deletion is known": ([event("branch-deleted")], None),
    "a person closes it and deletes the branch later": ([event("closed"), event("branch-deleted", 5)], "ann"),
    "a bot closes it, a person opens it again and closes it": (
        [event("closed", by=BOT), event("reopened", 10), event("closed", 20)],
        "ann",
    ),
    "a person closes it, opens it again, and a bot closes it": (
        [event("closed"), event("reopened", 10), event("closed", 20, by=BOT)],
        None,
    ),
    "the branch was deleted before it was opened again": (
        [event("branch-deleted"), event("closed"), event("reopened", 10), event("closed", 20)],
        "ann",
    ),
}


@pytest.mark.parametrize("case", EVENTS)
def test_only_the_closing_by_a_person_declines(case: str) -> None:
    events, by = EVENTS[case]
    decline = declines.decline_of(pull(5, "closed"), Discussion(author=BOT, events=tuple(events)))
    assert (decline.by if decline else None) == by


def test_a_decline_says_who_when_and_where() -> None:
    decline = declines.decline_of(pull(5, "closed"), Discussion(author=BOT, events=(event("closed"),)))
    assert str(decline) == "pull request #5 for it was closed without merging by ann at 2026-01-31 10:00 UTC"
    assert str(declines.decline_of(pull(5, "closed"), None)) == "pull request #5 for it was closed without merging"
