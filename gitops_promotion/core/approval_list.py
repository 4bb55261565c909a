"""The promotions that people decide on: their state, the opinions on them, and what happened to them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from gitops_promotion.core.declines import decline_of
from gitops_promotion.core.discussion import Discussion, Event
from gitops_promotion.core.forge import PullRequest
from gitops_promotion.core.gates import Decision
from gitops_promotion.core.gates.approvals import Tally
from gitops_promotion.core.names import Application

State = Literal["pending", "approved", "declined", "merged", "superseded"]

_STATES: Mapping[Decision, State] = {"pass": "approved", "refuse": "declined", "wait": "pending"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """One promotion that people decide on; `tally` is None where the configuration asks for nobody's approval."""

    application: Application
    environment: str
    tag: str
    state: State
    pull_request: PullRequest
    tally: Tally | None = None
    history: tuple[Event, ...] = ()

    @property
    def seats(self) -> str:
        """How many approvals there are of those that are needed, such as `1 of 2`; "" where none is needed."""
        return str(self.tally.seats) if self.tally else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalList:
    """Promotions that people decide on, newest first; `history` says whether their events are shown.

    `person` is the one whose promotions these are, "" for the promotions of everybody.
    """

    approvals: tuple[Approval, ...]
    history: bool = False
    person: str = ""


def state_of(pull: PullRequest, discussion: Discussion | None, tally: Tally | None) -> State:
    """Return the state of a promotion. A closed pull request that nobody declined was superseded."""
    if pull.state == "merged":
        return "merged"
    if pull.state == "closed":
        return "declined" if decline_of(pull, discussion) else "superseded"
    return _STATES[tally.decision if tally else "wait"]


def of_person(approvals: Sequence[Approval], person: str, *, decided: bool) -> list[Approval]:
    """Return the approvals on which a person's opinion could count now.

    With `decided` also those on which the person has an opinion already.
    """
    name = person.casefold()

    def names(approval: Approval) -> set[str]:
        if approval.tally is None:
            return set()
        open_to = approval.tally.who if approval.state == "pending" else ()
        people = [opinion.author for opinion in approval.tally.opinions] if decided else []
        return {text.casefold() for text in (*open_to, *people)}

    return [approval for approval in approvals if name in names(approval)]
