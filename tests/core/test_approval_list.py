"""The promotions that people decide on: the state of each, and those of one person."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from gitops_promotion.core.approval_list import Approval, ApprovalList, State, of_person, state_of
from gitops_promotion.core.discussion import Discussion, Event, Person
from gitops_promotion.core.forge import PullRequestState
from gitops_promotion.core.gates import Decision
from gitops_promotion.core.gates.approvals import Tally
from gitops_promotion.core.names import Application
from gitops_promotion.core.opinions import Opinion, Seats
from gitops_promotion.render import approvals as render
from tests.support.nouns import OPEN_PULL

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
PULL = replace(OPEN_PULL, head="promote/shop-web-prod", head_sha="1" * 40, author="promoter[bot]")


def closed_by(name: str, *, is_bot: bool = False) -> Discussion:
    event = Event(kind="closed", at=NOON, by=Person(name=name, is_bot=is_bot))
    return Discussion(author=Person(name="promoter[bot]"), events=(event,))


def tally(decision: Decision) -> Tally:
    opinion = Opinion(author="Ann", verdict="approved", at=NOON, comment="", counts=True)
    return Tally(
        decision=decision, seats=Seats(filled=1, needed=2), reasons=(), opinions=(opinion,), who=("bob", "Cid")
    )


@pytest.mark.parametrize(
    ("state", "discussion", "counted", "expected"),
    [
        ("open", None, None, "pending"),
        ("open", None, tally("wait"), "pending"),
        ("open", None, tally("pass"), "approved"),
        ("open", None, tally("refuse"), "declined"),
        ("merged", None, tally("refuse"), "merged"),
        ("closed", closed_by("ann"), tally("pass"), "declined"),
        ("closed", None, None, "declined"),
        ("closed", closed_by("promoter[bot]", is_bot=True), None, "superseded"),
    ],
)
def test_the_state_of_a_promotion_is_its_pull_requests_and_then_what_its_opinions_come_to(
    state: PullRequestState, discussion: Discussion | None, counted: Tally | None, expected: State
) -> None:
    assert state_of(replace(PULL, state=state), discussion, counted) == expected


@pytest.mark.parametrize(
    ("person", "decided", "state", "is_theirs"),
    [
        ("bob", False, "pending", True),
        ("cid", False, "pending", True),
        ("CID", False, "pending", True),
        ("zoe", False, "pending", False),
        ("ann", False, "pending", False),
        ("ann", True, "pending", True),
        ("ann", True, "merged", True),
        ("bob", True, "merged", False),
    ],
)
def test_a_person_is_shown_what_that_person_can_still_decide_and_on_request_what_was_decided(
    person: str, decided: bool, state: State, is_theirs: bool
) -> None:
    approval = Approval(
        application=Application("shop", "web"),
        environment="prod",
        tag="2",
        state=state,
        pull_request=PULL,
        tally=tally("wait"),
    )
    without_gate = replace(approval, tally=None)
    assert of_person([without_gate, approval], person, decided=decided) == ([approval] if is_theirs else [])
    assert (approval.seats, without_gate.seats) == ("1 of 2", "")


def test_the_text_has_each_opinion_in_a_sentence_with_its_time_in_utc() -> None:
    noon_in_vienna = NOON.astimezone(timezone(timedelta(hours=1)))
    rejection = Opinion(author="bob", verdict="changes-requested", at=noon_in_vienna, comment="too slow", counts=True)
    approval = Approval(
        application=Application("shop", "web"),
        environment="prod",
        tag="2",
        state="declined",
        pull_request=PULL,
        tally=replace(tally("refuse"), opinions=(*tally("refuse").opinions, rejection)),
    )
    lines = [line.strip() for line in render.human(ApprovalList(approvals=(approval,))).splitlines()]
    at = f"at {NOON:%Y-%m-%d %H:%M} UTC"
    assert lines[1:3] == [f"Ann approved it {at}", f"bob rejected it {at}: too slow"]
