"""What people do on a pull request: reviews, comments, and the events of its life."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from gitops_promotion.core.forge import Review

MARKER = "<!-- gitops-promotion: verdict -->"
"""The first line of this tool's comment on a pull request. Anybody can write this line, so a comment counts as this
tool's only if its author is this tool's identity too."""

EventKind = Literal[
    "opened",
    "pushed",
    "retargeted",
    "approved",
    "rejected",
    "withdrawn",
    "closed",
    "reopened",
    "merged",
    "branch-deleted",
]
"""What happened to a pull request. `retargeted`: its target became another branch, so it shows other changes.
`withdrawn`: a review was dismissed or reset."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody who acts on the forge; `name` identifies them there, and is "" for a deleted account."""

    name: str
    is_bot: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event in the life of a pull request; `by` is None where the forge does not say who caused it."""

    kind: EventKind
    at: datetime | None
    by: Person | None = None
    comment: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comment:
    """A comment that this tool wrote: its id on the forge, and its text."""

    id: str
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Discussion:
    """Everything that people did and wrote on one pull request.

    `reviews` has the effective review of each person. `comments` are those of this tool's identity that begin with the
    tool's marker, oldest first: the first one counts. `events` are in the order of time; `partial` says that the forge
    has older ones that were not read. `asked` are the people and groups that were asked for a review, if that is known.
    """

    author: Person
    reviews: tuple[Review, ...] = ()
    comments: tuple[Comment, ...] = ()
    events: tuple[Event, ...] = ()
    partial: bool = False
    asked: frozenset[str] = frozenset()

    @property
    def same_base(self) -> datetime | None:
        """The time since which the target of the pull request is known to be unchanged; None if it never changed.

        If older events were not read, one of them may have changed it: then this is the oldest event that was read.
        """
        times = [event.at for event in self.events if event.at and event.kind == "retargeted"]
        if self.partial:
            times += sorted(event.at for event in self.events if event.at and event.kind != "opened")[:1]
        return max(times, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """The members of a group of the forge; `problem` says why they cannot be read, and which permission to add.

    `by_review`: the forge says with each review whether it is by a member (`Review.groups`), so a review can count even
    where the names of the members cannot be read.
    """

    members: frozenset[str] = frozenset()
    problem: str = ""
    by_review: bool = False
