"""The outputs about opinions, on which a pipeline branches."""

import json
from datetime import UTC, datetime

import pytest

from gitops_promotion.core.gates import Decision
from gitops_promotion.core.gates.approvals import Tally
from gitops_promotion.core.model import Outcome
from gitops_promotion.core.opinions import Opinion, Seats
from gitops_promotion.render.outputs import outputs

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
BOB = Opinion(author="bob", verdict="approved", at=NOON, comment="fine", counts=True)
EVA = Opinion(author="eva", verdict="approved", at=NOON.replace(hour=13), comment="fine | too", counts=True)
CID = Opinion(author="cid", verdict="changes-requested", at=NOON, comment="not today", counts=True)
ZOE = Opinion(author="zoe", verdict="approved", at=NOON, comment="me", counts=False, why="not one of ops")


def values(decision: Decision, *opinions: Opinion) -> dict[str, str]:
    tally = Tally(decision=decision, seats=Seats(filled=1, needed=2), reasons=(), opinions=opinions)
    return outputs([Outcome(result="updated", message="", tally=tally)], limit=10_000)


@pytest.mark.parametrize(
    ("decision", "opinions", "expected"),
    [
        ("wait", (), ("pending", "", "", "")),
        ("wait", (BOB, ZOE), ("pending", "fine", "bob", "")),
        ("pass", (BOB, EVA, ZOE), ("true", "fine | too", "bob|eva", "")),
        ("refuse", (BOB, CID, EVA), ("false", "not today", "bob|eva", "cid")),
    ],
)
def test_the_decision_its_comment_and_who_decided_are_outputs(
    decision: Decision, opinions: tuple[Opinion, ...], expected: tuple[str, ...]
) -> None:
    found = values(decision, *opinions)
    assert tuple(found[key] for key in ("decision", "comment", "approved_by", "rejected_by")) == expected


def test_each_opinion_stands_in_a_list_too_since_a_comment_may_have_the_bar() -> None:
    [first, second] = json.loads(values("wait", EVA, ZOE)["approvals"])
    assert (first["author"], first["comment"], first["counts"]) == ("eva", "fine | too", True)
    assert (second["counts"], second["why"]) == (False, "not one of ops")


def test_where_nobody_is_asked_they_are_empty() -> None:
    found = outputs([Outcome(result="updated", message="")], limit=10_000)
    assert {found[key] for key in ("decision", "comment", "approved_by", "rejected_by", "approvals")} == {""}
