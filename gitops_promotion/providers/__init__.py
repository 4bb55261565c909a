"""The forges: one Protocol that every adapter keeps; each adapter keeps its SDK to itself."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol, runtime_checkable

from gitops_promotion.core.branch_names import BESIDE_PROMOTIONS
from gitops_promotion.core.commits import MadeCommit, NewCommit, Store
from gitops_promotion.core.discussion import Comment, Discussion, People, Person
from gitops_promotion.core.forge import (
    AutoMerge,
    CommitStatus,
    Details,
    Draft,
    ForgeSettings,
    HeadState,
    PullRequest,
    Review,
)
from gitops_promotion.core.sources import Difference

Opinion = Literal["approved", "changes-requested"]
"""The opinion of a review."""


class Provider(Protocol):
    """A forge in neutral words. Only this repository's own branches count, never a fork's.

    Every method raises AuthError, TransientError (after its retries) or ProviderError, and no error of an SDK; `local`
    raises GitError too, since its forge is git.
    """

    publishes: bool
    """True where a verdict must be published as a status for a pull request to merge (`local`)."""

    def pull_request(self, number: int) -> PullRequest:
        """Return one pull request in full. Raises ProviderError if there is none of that number."""

    def pull_requests(self, *, head: str) -> list[PullRequest]:
        """Return the pull requests from the branch `head`, open and closed, newest first."""

    def open_promotions(self) -> list[PullRequest]:
        """Return all open pull requests from this tool's branches, all pages."""

    def open_pull_requests(self) -> list[PullRequest]:
        """Return all open pull requests from branches of this repository, whoever opened them, all pages."""

    def open_pull_request(self, draft: Draft) -> PullRequest:
        """Create or update the one open pull request from `draft.head`; none comes out armed for an older head."""

    def close_pull_request(self, pull_request: PullRequest) -> PullRequest:
        """Close it unmerged; its branch stays."""

    def set_auto_merge(self, pull_request: PullRequest, enabled: bool) -> AutoMerge:
        """Arm it for exactly `pull_request.head_sha`, or disarm it.

        `merged`: arming merged it at once. `clean`: nothing is required, and it was not merged. `moved`: it changed
        meanwhile. `refused`: with the reason.
        """

    def merge(self, pull_request: PullRequest) -> AutoMerge:
        """Merge it now, at exactly `pull_request.head_sha`: `merged`, or `refused` with the next step."""

    def head_state(self, pull_request: PullRequest) -> HeadState:
        """Return the obstacles of an open pull request that only a new head removes; read from the forge each time."""

    def statuses(self, shas: Sequence[str]) -> dict[str, list[CommitStatus]]:
        """Return the newest status per context of each commit, all pages, in as few requests as the forge allows."""

    def set_status(self, sha: str, status: CommitStatus) -> None:
        """Publish a status on a commit."""

    def discussions(self, numbers: Sequence[int]) -> dict[int, Discussion]:
        """Return the reviews, this tool's comments and the events of pull requests, in as few requests as possible."""

    def members(self, group: str) -> People:
        """Return the members of a group of the forge, or the problem that keeps this token from reading them."""

    def pushers(self, pull_request: PullRequest) -> People:
        """Return who pushed to the branch of a pull request, or the problem that keeps this token from reading that."""

    def identity(self) -> Person:
        """Return who this token belongs to."""

    def add_review(self, pull_request: PullRequest, verdict: Opinion, comment: str) -> None:
        """Review `pull_request.head_sha` as the owner of the token. Raises ProviderError with the forge's reason."""

    def write_comment(self, pull_request: PullRequest, body: str, written: Sequence[Comment]) -> None:
        """Make this tool's one comment say `body`: edit the oldest of those it has written, and delete the others.

        No request where nothing changes. Raises ProviderError that names a missing permission.
        """

    def requires_status(self, pull_request: PullRequest, context: str) -> bool:
        """Return True if the forge merges the pull request only after a success of the commit status `context`."""

    def add_reviewer(self, pull_request: PullRequest, name: str) -> str:
        """Ask a person or a group of the forge for a review; returns why that was refused, "" if it was not."""

    def add_assignee(self, pull_request: PullRequest, name: str) -> str:
        """Assign a person to a pull request; returns why that was refused, "" if it was not."""

    def add_label(self, pull_request: PullRequest, label: str) -> str:
        """Give a pull request a label, which may be there already; returns why that was refused, "" if it was not."""

    def forge_settings(self, *, base: str, head: str, publishes: bool) -> ForgeSettings:
        """Return what the forge would do to promotions, by reads alone and in few requests.

        `base` is the default branch, `head` a branch such as promotions have, which need not exist. `publishes`: the
        token must be able to publish verdicts too. What this token may not read is None, and named in `hidden`.
        """


@runtime_checkable
class MakesCommits(Provider, Protocol):
    """A provider of a forge that makes commits with a signature of its own: its facts have `makes_commits`."""

    def make_commit(self, commit: NewCommit) -> MadeCommit:
        """Make a commit that no ref has yet. Raises ProviderError with the next step if it would have no signature."""


@runtime_checkable
class Playable(Provider, Protocol):
    """A provider without pages of its own: the `local` verbs stand in for a forge's pages."""

    def every_pull_request(self) -> list[PullRequest]:
        """Return every pull request, closed ones too, newest first."""

    @property
    def left_out(self) -> tuple[str, ...]:
        """The errors of the records that could not be read, and that lists so far left out."""

    def details(self, number: int) -> Details:
        """Return one pull request with its statuses and reviews. Raises ProviderError if there is none."""

    def review(self, number: int, verdict: Opinion, comment: str) -> Review:
        """Record the author's review of the present head, in place of the author's last; ProviderError unless open."""

    def reopen(self, number: int) -> PullRequest:
        """Open a closed pull request again. Raises ProviderError with the reason where that is not possible."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """All that a provider may use of the world outside.

    `url` is the remote's, `token` gives the token to use now ("" where there is none), `author` names the person or
    program that acts, where the forge does not know it from the token, `nonce` makes a text that was never made before,
    `monotonic` gives seconds that never go back.
    `api_url` is --api-url; `merge_method` and `check_run_apps` are the configuration's; `branch_prefixes` are the
    beginnings of this tool's branches.
    """

    store: Store
    url: str = field(repr=False)
    token: Callable[[], str] = field(repr=False)
    author: str
    environ: Mapping[str, str] = field(repr=False)
    now: Callable[[], datetime]
    sleep: Callable[[float], None]
    nonce: Callable[[], str]
    monotonic: Callable[[], float] = time.monotonic
    api_url: str = ""
    merge_method: str = ""
    check_run_apps: tuple[str, ...] = ()
    branch_prefixes: tuple[str, ...] = ("promote/", *BESIDE_PROMOTIONS)


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceQuery:
    """What is asked of the repository that an application is built from.

    `repository` is its address in a browser, `old` and `new` are commits or tags. At most `limit` commits are wanted.
    `left` gives the seconds that are left for all requests, `token` the token to use, "" for nobody.
    """

    repository: str
    old: str
    new: str
    limit: int
    left: Callable[[], float]
    token: Callable[[], str] = field(repr=False)
    api_url: str
    environ: Mapping[str, str] = field(repr=False)


class ReadCommits(Protocol):
    """Reads what changed in any repository on a forge."""

    def __call__(self, query: SourceQuery, /) -> Difference:
        """Return what the new version has and the old one does not have. Raises ProviderError, UsageError."""


class Connect(Protocol):
    """What an entry point names: a function from a connection to a provider, without a request yet."""

    def __call__(self, connection: Connection, /) -> Provider:
        """Return the provider. Raises UsageError if the remote's URL or the environment lacks something it needs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenQuery:
    """What is needed to find the environment's token: the remote's URL, --api-url and the environment."""

    url: str = field(repr=False)
    api_url: str
    environ: Mapping[str, str] = field(repr=False)
    now: Callable[[], datetime]
    sleep: Callable[[float], None]


class FindToken(Protocol):
    """Finds the environment's token before git talks to the remote, hence before a configuration is read."""

    def __call__(self, query: TokenQuery, /) -> Callable[[], str]:
        """Return the function that gives the token for API and git to use now, "" for none. Raises UsageError."""
