"""What Azure DevOps knows: tokens, and for each repository its policies, pull requests, votes and statuses."""

import uuid
from collections.abc import Iterator, Mapping
from copy import copy
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any, Literal

from tests.forges.github_state import Clock
from tests.forges.repository import Repository

State = Literal["error", "failed", "notApplicable", "notSet", "partiallySucceeded", "pending", "succeeded"]
Strategy = Literal["noFastForward", "squash", "rebase", "rebaseMerge"]
Evaluation = Literal["approved", "broken", "notApplicable", "queued", "rejected", "running"]
PolicyKind = Literal["build", "required reviewers", "reviewers", "size", "status", "strategy", "work items"]

POLICY_TYPES = {
    "build": ("0609b952-1397-4640-95ec-e00a01b2c241", "Build"),
    "required reviewers": ("fd2167ab-b0be-447a-8ec8-39368250530e", "Required reviewers"),
    "reviewers": ("fa4e907d-c16b-4a4c-9dfa-4906e5d171dd", "Minimum number of reviewers"),
    "size": ("2e26e725-8201-4edd-8bf5-978563c34a80", "File size restriction"),
    "status": ("cbdc66da-9728-4af8-aada-9a5a32e4a226", "Status"),
    "strategy": ("fa4e907d-c16b-4a4c-9dfa-4916e5d171ab", "Require a merge strategy"),
    "work items": ("40e92b44-2fe1-4dd6-b3d8-74a9c21d0c6e", "Work item linking"),
}
"""Ids and names of policy types (docs: Policy - Types - List)."""
NOBODY = "00000000-0000-0000-0000-000000000000"
SERVICE = "Microsoft.VisualStudio.Services.TFS"
SERVICE_ID = "00000002-0000-8888-8000-000000000000"
"""The account under which Azure DevOps writes of pushes, as public clients record its answers."""


class RefusedError(Exception):
    """Azure DevOps says no: `key` is the typeKey of its error."""

    def __init__(self, status: int, key: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.key = key


@dataclass(frozen=True, kw_only=True)
class Token:
    """A secret. `lacks` are the Git permissions that its identity does not have; a `jwt` must come as Bearer."""

    secret: str = field(repr=False)
    name: str
    kind: Literal["pat", "jwt"] = "pat"
    lacks: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Status:
    """One status; `iteration` is of a pull request's only."""

    id: int
    genre: str | None
    name: str
    state: State
    description: str | None
    target_url: str | None
    by: str
    at: datetime
    iteration: int | None = None


@dataclass(frozen=True, kw_only=True)
class Policy:
    """One policy of one branch, or of all pushes (`branch` is "").

    `minimum` approvals, `definition` of a build, `name` and `genre` of a status; `more` are settings as they are sent.
    """

    id: int
    kind: PolicyKind
    branch: str
    blocking: bool = True
    resets: bool = True
    minimum: int = 1
    definition: int = 0
    name: str = ""
    genre: str = ""
    strategies: tuple[Strategy, ...] = ()
    more: Mapping[str, object] = field(default_factory=dict)


@dataclass(kw_only=True)
class Comment:
    id: int
    by: str
    text: str
    at: datetime
    kind: str = "text"
    deleted: bool = False


@dataclass(kw_only=True)
class Thread:
    """`properties` as the server sends them; `people` are those that they refer to, the first one as `1`."""

    id: int
    at: datetime
    comments: list[Comment]
    properties: dict[str, Any] = field(default_factory=dict)
    people: tuple[str, ...] = ()
    status: str | None = None

    @property
    def deleted(self) -> bool:
        return all(comment.deleted for comment in self.comments)


@dataclass(frozen=True, kw_only=True)
class Iteration:
    id: int
    sha: str
    at: datetime
    by: str


@dataclass(frozen=True, kw_only=True)
class Options:
    """How to complete."""

    strategy: Strategy = "noFastForward"
    delete_source: bool = False
    ignored: tuple[int, ...] = ()
    transition_work_items: bool | None = None
    message: str = ""


@dataclass(kw_only=True)
class Pull:
    """A pull request.

    `trial` is the commit of the last trial merge, `brought` what completing it brought into the base, `unsettled` how
    many requests will not know yet whether it can be merged, `unevaluated` how many will not show its policies.
    `groups` are reviewers with the vote of a member; `voted_for` are those of whom a person was a member when voting.
    """

    number: int
    title: str
    body: str
    author: str
    fork: bool
    head_ref: str
    head_sha: str
    base_ref: str
    base_sha: str
    created_at: datetime
    status: Literal["active", "abandoned", "completed"] = "active"
    draft: bool = False
    queued_at: datetime | None = None
    closed_at: datetime | None = None
    closed_by: str = ""
    trial: str | None = None
    brought: frozenset[str] = frozenset()
    auto_by: str = ""
    options: Options = field(default_factory=Options)
    votes: dict[str, int] = field(default_factory=dict)
    groups: dict[str, int] = field(default_factory=dict)
    voted_for: dict[str, tuple[str, ...]] = field(default_factory=dict)
    threads: list[Thread] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    iterations: list[Iteration] = field(default_factory=list)
    statuses: list[Status] = field(default_factory=list)
    builds: dict[int, bool] = field(default_factory=dict)
    unsettled: int = 0
    unevaluated: int = 0
    shown: "Pull | None" = None
    late: int = 0

    @property
    def active(self) -> bool:
        return self.status == "active"


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that could start a pipeline."""

    name: Literal["push", "pull_request"]
    repository: str
    branch: str
    sha: str
    before: str = ""
    number: int = 0
    by: str = ""


@dataclass(kw_only=True)
class World:
    """What all repositories share: pull requests are numbered across all of them."""

    clock: Clock = field(default_factory=Clock)
    tokens: dict[str, Token] = field(default_factory=dict)
    groups: dict[str, set[str]] = field(default_factory=dict)
    people: set[str] = field(default_factory=set)
    repos: "dict[str, Repo]" = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    unsettled_reads: int = 0
    unevaluated_reads: int = 0
    late_reads: int = 0
    pulls: int = 0
    ids: int = 0
    acting: Token | None = None

    def new_id(self) -> int:
        self.ids += 1
        return self.ids

    def names(self) -> set[str]:
        """Everybody that the directory knows."""
        return {*self.people, *self.groups, *(token.name for token in self.tokens.values())}


@dataclass(kw_only=True, eq=False, repr=False)
class Repo:
    """One repository with all that hangs on it."""

    world: World
    project: str
    name: str
    git: Repository
    default_branch: str
    disabled: bool = False
    policies: list[Policy] = field(default_factory=list)
    pulls: dict[int, Pull] = field(default_factory=dict)
    statuses: dict[str, list[Status]] = field(default_factory=dict)
    tips: dict[str, str] = field(default_factory=dict)
    trees: dict[tuple[str, str], str | None] = field(default_factory=dict)

    @property
    def full_name(self) -> str:
        return f"{self.project}/{self.name}"

    @property
    def id(self) -> str:
        return guid("repository", self.full_name)

    @property
    def project_id(self) -> str:
        return guid("project", self.project)

    def pull(self, number: int) -> Pull:
        if number not in self.pulls:
            raise RefusedError(
                404,
                "GitPullRequestNotFoundException",
                f"TF401180: The requested pull request was not found. (id {number})",
            )
        return self.pulls[number]

    def active(self) -> Iterator[Pull]:
        return (pull for pull in list(self.pulls.values()) if pull.active)

    def seen(self, pull: Pull) -> Pull:
        """What this request gets to see of it: for a while after it was completed the state before."""
        if pull.shown is not None and pull.late > 0:
            pull.late -= 1
            return pull.shown
        pull.shown = None
        return pull

    def remember(self, pull: Pull) -> None:
        """Keep the present for readers that are late, if the test wants any."""
        if self.world.late_reads:
            pull.shown, pull.late = copy(pull), self.world.late_reads

    def policies_of(self, branch: str) -> list[Policy]:
        return [policy for policy in self.policies if policy.branch == branch]


@cache
def guid(kind: str, name: str) -> str:
    """The id of anything that has a name: always the same."""
    if name == SERVICE:
        return SERVICE_ID
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{kind}:{name}"))
