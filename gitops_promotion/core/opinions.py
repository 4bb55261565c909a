"""Opinions on a promotion: the facts that the gate of approvals gets, and its result for each review."""

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
    fetched. `members` are those of the forge's own groups, by group. `pushers` is None where they were not asked for;
    `tool_identity` is this tool's identity, which may push. `starters` are the people who started the promotion.
    Opinions from before `since` do not count: the promotion was proposed again then. Nor do opinions from before
    `same_base`: earlier the pull request may have gone into another branch, and its page showed other changes.
    """

    discussion: Discussion | None = None
    problem: str = ""
    head_sha: str = ""
    edits: Mapping[str, bool | None] = field(default_factory=dict)
    members: Mapping[str, People] = field(default_factory=dict)
    pushers: People | None = None
    tool_identity: Person | None = None
    starters: frozenset[str] = frozenset()
    since: datetime | None = None
    same_base: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """One person's opinion, and whether it counts; `why` says why not, "" if it does."""

    author: str
    verdict: Literal["approved", "changes-requested"]
    at: datetime | None
    comment: str
    counts: bool
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seats:
    """How many approvals there are, and how many are needed: shown as `1 of 2`."""

    filled: int
    needed: int

    def __str__(self) -> str:
        return f"{self.filled} of {self.needed}"
