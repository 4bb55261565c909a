"""The forge's nouns: pull requests, commit statuses and reviews, in neutral words."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from gitops_promotion.errors import ProviderError

PullRequestState = Literal["open", "merged", "closed"]
StatusState = Literal["pending", "success", "failure"]

OWN_CONTEXT = "gitops-promotion"
"""The context under which this tool publishes its own verdict, which is never evidence for a gate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """The desired content of a pull request. `gated`: it must not merge before this tool's own check has passed.

    `base_sha` is the commit of the base that the head was made from, "" if it is not known. `number` is the open pull
    request to update, 0 to open one: where a person has closed that one meanwhile, no other may be opened for it.
    """

    head: str
    head_sha: str
    base: str
    title: str
    body: str
    gated: bool
    base_sha: str = ""
    number: int = 0


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
    """The result of arming, disarming or merging; `reason` has the reason of a refusal and the next step.

    `clean`: nothing is required, so it could be merged now, but it was not. `moved`: the pull request changed in the
    meantime, and nothing was done: read it again.
    """

    state: Literal["armed", "off", "merged", "clean", "moved", "refused"]
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadState:
    """The obstacles of an open pull request that only a new head of its branch removes.

    `outdated`: the forge demands that the head contains the tip of the base, and it does not. `failed`: a required
    check has failed on the head. `failed_since` is the start of that check's newest run; None if the failed check is
    certainly this tool's own.
    """

    outdated: bool = False
    failed: bool = False
    failed_since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitStatus:
    """One status on a commit, with its state in the words of `StatusState`.

    `genre` is the second part of a context's name on Azure DevOps, "" on other forges and for Flux's plain genre. Two
    statuses of one name with different genres are different statuses.
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
        """Genre and context together, which identify it."""
        return f"{self.genre}/{self.context}" if self.genre else self.context

    @property
    def is_own(self) -> bool:
        """True for this tool's own verdict."""
        return self.full_context.casefold() == OWN_CONTEXT


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """The effective review of one person, on the commit `sha` ("" where the forge does not know it).

    `groups` are those whose seat it takes, where the forge itself decides that (Azure DevOps).
    """

    author: str
    verdict: Literal["approved", "changes-requested"]
    sha: str
    comment: str = ""
    at: datetime | None = None
    is_bot: bool = False
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PullRequests:
    """A list of pull requests to show; `errors` name the records that cannot be read."""

    pull_requests: tuple[PullRequest, ...]
    errors: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """The exit code of the run: a list that lacks a record is a failure."""
        return ProviderError.exit_code if self.errors else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Details:
    """One pull request with its dates, its reviews, the statuses of its head, and the diff of its changes.

    `comments` are those of this tool.
    """

    pull_request: PullRequest
    gated: bool
    created_at: datetime
    updated_at: datetime
    statuses: tuple[CommitStatus, ...]
    reviews: tuple[Review, ...]
    comments: tuple[str, ...] = ()
    diff: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hidden:
    """Something that this token cannot read: what it is, and the step after which it can be read."""

    what: str
    next_step: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Obstacle:
    """A setting that only this kind of forge has and that stops or weakens promotions, and what to do about it."""

    problem: str
    next_step: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RequiredCheck:
    """A check without which nothing merges into the default branch.

    `name` is that of a status with its genre, of a job or of a build. `is_build`: it is certainly a build, no status.
    `weakness` is a setting with which the check passes, or does not pass, against its purpose; None if there is none.
    """

    name: str
    is_build: bool = False
    weakness: Obstacle | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgeSettings:
    """The settings of a forge that concern promotions; None for a setting that this token may not read.

    `lacking` are permissions that the token certainly lacks, and `grant_command` gives them. `merge_methods` are values
    of `mergeMethod` that the repository and the rules of the default branch allow. `approvals` is the number of people
    who must approve any pull request, `some_approvals`: rules demand approvals of some files at least. `is_strict`: a
    pull request must contain the tip of the default branch. `wants_signatures`: the default branch or those of
    promotions take signed commits only. `starts_workflows`: a push or a merge by this token starts workflows.
    `obstacles` are rules that no promotion can satisfy, `denials` are rules that deny a push to a promotion branch.
    `hidden` has the reason for everything that is None.
    """

    lacking: tuple[str, ...] = ()
    grant_command: str = ""
    auto_merge: bool | None = None
    merge_methods: tuple[str, ...] | None = None
    has_merge_queue: bool | None = None
    checks: tuple[RequiredCheck, ...] | None = None
    approvals: int | None = None
    some_approvals: bool | None = None
    is_strict: bool | None = None
    wants_signatures: bool | None = None
    starts_workflows: bool | None = None
    obstacles: tuple[Obstacle, ...] = ()
    denials: tuple[Obstacle, ...] = ()
    hidden: tuple[Hidden, ...] = ()
