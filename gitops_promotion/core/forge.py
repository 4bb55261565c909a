"""The forge's nouns: pull requests, commit statuses and reviews, in neutral words."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

PullRequestState = Literal["open", "merged", "closed"]


StatusState = Literal["pending", "success", "failure"]


OWN_CONTEXT = "gitops-promotion"
"""The context under which this tool publishes its own verdict; never evidence for a gate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What a pull request should look like. `gated`: it must not merge before this tool's own check has passed."""

    head: str
    head_sha: str
    base: str
    title: str
    body: str
    gated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PullRequest:
    """A pull request as the forge shows it. Title and body are hints: anyone may have edited them."""

    number: int
    url: str
    head: str
    head_sha: str
    base: str
    state: PullRequestState
    merge_sha: str | None
    auto_merge: bool
    title: str
    body: str
    author: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AutoMerge:
    """What became of a wish to arm, disarm or merge: `refused` says why in `reason`, with what to do.

    `clean`: nothing is required, so it could be merged now, but it was not. `moved`: the pull request changed in
    between, so that nothing was done: read again.
    """

    state: Literal["armed", "off", "merged", "clean", "moved", "refused"]
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadState:
    """What blocks the head of an open pull request until the branch gets a new head.

    `outdated`: the forge demands that the head contains the tip of the base, and it does not. `failed`: a required
    check has failed on the head. `failed_since` is the start of that check's newest run; None if the failed check is
    certainly this tool's own.
    """

    outdated: bool = False
    failed: bool = False
    failed_since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitStatus:
    """One status on a commit, already in neutral states.

    `genre` is what Azure DevOps keeps beside a context's name, "" elsewhere and for Flux's plain one: two statuses of
    the same name and another genre are two.
    """

    context: str
    state: StatusState
    description: str = ""
    url: str = ""
    author: str = ""
    created_at: datetime | None = None
    genre: str = ""

    @property
    def full_context(self) -> str:
        """What tells it from others: genre and context."""
        return f"{self.genre}/{self.context}" if self.genre else self.context

    @property
    def is_own(self) -> bool:
        """True for this tool's own verdict."""
        return self.full_context.casefold() == OWN_CONTEXT


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """The opinion of one person that counts now, bound to the commit it was given on."""

    author: str
    verdict: Literal["approved", "changes-requested"]
    sha: str
    comment: str = ""
    at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PullRequests:
    """A list of pull requests, as a person asked for it."""

    pull_requests: tuple[PullRequest, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Details:
    """All there is to know of one pull request; the statuses are those of its head, the diff what it changes."""

    pull_request: PullRequest
    gated: bool
    created_at: datetime
    updated_at: datetime
    statuses: tuple[CommitStatus, ...]
    reviews: tuple[Review, ...]
    diff: str = ""
