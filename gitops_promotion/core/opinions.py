"""Opinions on a promotion: what the gate of approvals is told, and what it makes of each review."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from gitops_promotion.core.discussion import Discussion, People, Person


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of the opinions on one pull request.

    `problem` says why there is none to look at; `discussion` is None then. `head_sha` is the commit that opinions must
    be about. `edits` says of other reviewed commits whether they make the same edits, None for one that cannot be
    fetched. `members` are those of the forge's own groups. `pushers` is None where they were not asked for, and `own`
    is the identity of this tool among them. `starters` are the people who started the promotion. Opinions from before
    `since` do not count: it was proposed again then. Nor do those from before `same_base`: only since then the pull
    request is known to go into the same branch, and people saw other changes on its page before.
    """

    discussion: Discussion | None = None
    problem: str = ""
    head_sha: str = ""
    edits: Mapping[str, bool | None] = field(default_factory=dict)
    members: Mapping[str, People] = field(default_factory=dict)
    pushers: People | None = None
    own: Person | None = None
    starters: frozenset[str] = frozenset()
    since: datetime | None = None
    same_base: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """One person's opinion, whether it counts, and if not, why."""

    author: str
    verdict: Literal["approved", "changes-requested"]
    at: datetime | None
    comment: str
    counts: bool
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seats:
    """How many approvals are there, and how many are needed: shown as `1 of 2`."""

    filled: int
    needed: int

    def __str__(self) -> str:
        return f"{self.filled} of {self.needed}"
