"""Declines: a person said no to one tag of an application in one environment; the tool does not propose it again."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from gitops_promotion.core.discussion import Discussion, Event
from gitops_promotion.core.due import proposes
from gitops_promotion.core.forge import PullRequest
from gitops_promotion.core.gates.approvals_text import shown_time
from gitops_promotion.core.model import Request

_SAME_MOMENT = timedelta(seconds=2)
"""A forge that closes a pull request because its branch is deleted notes both events within this time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decline:
    """A decline; `by` is "" and `at` None where the forge does not say who declined, and when."""

    pull_request: PullRequest
    by: str = ""
    at: datetime | None = None
    rejected: bool = False

    def __str__(self) -> str:
        verb = "rejected" if self.rejected else "closed without merging"
        by = f" by {self.by}" if self.by else ""
        return f"pull request #{self.pull_request.number} for it was {verb}{by}{shown_time(self.at)}"


def closed_promotion(request: Request, pulls: Sequence[PullRequest], *, base: str) -> PullRequest | None:
    """Return the newest pull request for exactly this promotion if it was closed without merging, None otherwise.

    One into another branch than `base` does not count: everybody who may read can open and close one. Of the others
    this trusts the metadata in the body: forged metadata can only hold a promotion back, never let one pass.
    """
    own = (pull for pull in pulls if pull.base == base)
    newest = next((pull for pull in own if proposes(pull, environment=request.environment, tag=request.tag)), None)
    return newest if newest is not None and newest.state == "closed" else None


def decline_of(pull: PullRequest, discussion: Discussion | None) -> Decline | None:
    """Return the decline if the closing of a pull request was one, else None.

    It was none if a bot closed it, or if its branch was deleted, which closes it (docs/facts/forges.md). A person who
    closes it and deletes the branch afterwards has declined. If no events are known, the closing is a decline.
    """
    events = discussion.events if discussion else ()
    closed = _last(events, "closed")
    deleted = _last(events, "branch-deleted")
    if closed is None:
        return None if deleted else Decline(pull_request=pull)
    if closed.by is not None and closed.by.is_bot:
        return None
    if deleted and closed.at and deleted.at and deleted.at <= closed.at + _SAME_MOMENT:
        return None
    return Decline(pull_request=pull, by=closed.by.name if closed.by else "", at=closed.at)


def _last(events: Sequence[Event], kind: str) -> Event | None:
    """Return the newest event of a kind since the pull request was opened or reopened."""
    for event in reversed(events):
        if event.kind == kind:
            return event
        if event.kind == "reopened":
            return None
    return None
