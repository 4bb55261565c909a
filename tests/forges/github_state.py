"""What GitHub knows: people's tokens, and for each repository its settings, rules, pull requests, statuses, reviews."""

from collections.abc import Iterator, Mapping
from copy import copy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Literal

from tests.forges.repository import Method, Repository
from tests.support.objects import Commit

if TYPE_CHECKING:
    from tests.forges.github_apps import App

State = Literal["error", "failure", "pending", "success"]
EventKind = Literal[
    "BaseRefChangedEvent",
    "ClosedEvent",
    "HeadRefDeletedEvent",
    "MergedEvent",
    "Pushed",
    "ReopenedEvent",
    "ReviewDismissedEvent",
]
ActivityKind = Literal["branch_creation", "branch_deletion", "pr_merge", "push"]
Opinion = Literal["APPROVED", "CHANGES_REQUESTED", "COMMENTED", "DISMISSED"]


class RefusedError(Exception):
    """GitHub says no: `status` for REST, `kind` (the type of an error) for GraphQL, one text for both."""

    def __init__(
        self, status: int, message: str, *, kind: str = "UNPROCESSABLE", headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.headers = dict(headers or {})


@dataclass(kw_only=True)
class Clock:
    """Goes on a second with each thing that happens, so that order shows in times; tests may set it on."""

    now: datetime = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)

    def tick(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


@dataclass(frozen=True, kw_only=True)
class Token:
    """A secret and what it may do. `permissions` None: everything; `kind` "actions" is a workflow's GITHUB_TOKEN.

    `app` is set where an App signed for itself: such a one may ask for its installations only.
    """

    secret: str = field(repr=False)
    login: str
    kind: Literal["user", "installation", "actions"] = "user"
    permissions: Mapping[str, str] | None = None
    repositories: frozenset[str] | None = None
    app: int = 0

    @property
    def noun(self) -> str:
        """What GitHub calls it when it refuses."""
        return "personal access token" if self.kind == "user" else "integration"

    def allows(self, permission: str, level: str) -> bool:
        if permission == "metadata":
            # Every token has it.
            return True
        held = "write" if self.permissions is None else self.permissions.get(permission, "")
        return held in ("write", level)


@dataclass(frozen=True, kw_only=True)
class Status:
    id: int
    sha: str
    context: str
    state: State
    description: str | None
    target_url: str | None
    creator: str
    created_at: datetime


@dataclass(frozen=True, kw_only=True)
class CheckRun:
    """A run of a check; `conclusion` "" while it is not completed."""

    id: int
    sha: str
    name: str
    app: str
    conclusion: str
    started_at: datetime
    completed_at: datetime | None


@dataclass(kw_only=True)
class Review:
    """`user` is "" once the account is deleted."""

    id: int
    user: str
    state: Opinion
    body: str
    sha: str
    submitted_at: datetime
    edited_at: datetime | None = None


@dataclass(kw_only=True)
class Comment:
    id: int
    user: str
    body: str
    created_at: datetime
    edited_at: datetime | None = None
    minimized: bool = False


@dataclass(frozen=True, kw_only=True)
class Noted:
    """An entry of a pull request's timeline.

    `Pushed` has the heads `before` and `after`, and is shown if the push was a forced one. A dismissal has its review
    with the state `before`.
    """

    id: int
    kind: EventKind
    by: str
    at: datetime
    before: str = ""
    after: str = ""
    review: Review | None = None


@dataclass(frozen=True, kw_only=True)
class Activity:
    """What happened to a branch; whether a push was a forced one is worked out where it is asked for."""

    id: int
    kind: ActivityKind
    branch: str
    before: str
    after: str
    by: str
    at: datetime


@dataclass(frozen=True, kw_only=True)
class AutoMerge:
    """`quiet`: armed with a workflow's own token, so that the merge will start no workflow."""

    method: Method
    by: str
    at: datetime
    headline: str = ""
    body: str = ""
    quiet: bool = False


@dataclass(frozen=True, kw_only=True)
class Protection:
    """A rule of a branch; `pattern` as GitHub's (`main`, `release/*`). `ruleset`: of today's kind, not the classic.

    `more` are rules that only a ruleset has, by type, with their parameters.
    """

    pattern: str
    checks: tuple[str, ...] = ()
    strict: bool = False
    approvals: int = 0
    dismiss_stale: bool = False
    ruleset: bool = False
    more: Mapping[str, Mapping[str, object]] = field(default_factory=dict)


@dataclass(kw_only=True)
class Settings:
    allow_auto_merge: bool = True
    allow_merge_commit: bool = True
    allow_squash_merge: bool = True
    allow_rebase_merge: bool = True
    delete_branch_on_merge: bool = False
    archived: bool = False
    private: bool = True

    def allows(self, method: Method) -> bool:
        allowed = {
            "merge": self.allow_merge_commit,
            "squash": self.allow_squash_merge,
            "rebase": self.allow_rebase_merge,
        }
        return allowed[method]


@dataclass(kw_only=True)
class Pull:
    """A pull request.

    `introduced` are the commits that its merge brought into the base, `unsettled` how many requests will not yet know
    whether it can merge, `shown` is the past that `late` more requests get after a merge.
    """

    number: int
    title: str
    body: str | None
    author: str
    head_repo: "Repo | None"
    head_ref: str
    head_sha: str
    base_ref: str
    base_sha: str
    draft: bool
    created_at: datetime
    updated_at: datetime
    open: bool = True
    closed_at: datetime | None = None
    merged_at: datetime | None = None
    merged_by: str = ""
    merge_sha: str | None = None
    introduced: frozenset[str] = frozenset()
    auto_merge: AutoMerge | None = None
    reviews: list[Review] = field(default_factory=list)
    comments: list[Comment] = field(default_factory=list)
    timeline: list[Noted] = field(default_factory=list)
    requested: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    assignees: list[str] = field(default_factory=list)
    unsettled: int = 0
    shown: "Pull | None" = None
    late: int = 0

    def close(self, at: datetime) -> None:
        self.open, self.closed_at, self.updated_at = False, at, at
        if self.merged_at is None:
            self.auto_merge = None

    def opinions(self) -> list[Review]:
        """The last of each person that says something; a dismissed one says it no more."""
        last: dict[str, Review] = {}
        for review in self.reviews:
            if review.state != "COMMENTED":
                last.pop(review.user, None)
                last[review.user] = review
        return [review for review in last.values() if review.state != "DISMISSED"]


@dataclass(kw_only=True)
class QueueEntry:
    """A pull request in the queue, with the commit that would become the base branch; "" until it is built."""

    id: int
    pull: Pull
    by: str
    at: datetime
    quiet: bool = False
    base_sha: str = ""
    head_sha: str = ""
    branch: str = ""


@dataclass(kw_only=True)
class Queue:
    """The merge queue of one branch: it merges once at least `minimum` entries at its front are green."""

    branch: str
    method: Method
    minimum: int = 1
    entries: list[QueueEntry] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that could start a workflow; `starts` is False where GitHub would not, as GITHUB_TOKEN caused it."""

    name: str
    repository: str
    payload: Mapping[str, object]
    by: str
    starts: bool


@dataclass(kw_only=True)
class World:
    """What all repositories share. `teams` are by `organisation/team`; `imported` accounts came from another server.

    `strangers` cannot be assigned.
    """

    clock: Clock = field(default_factory=Clock)
    tokens: dict[str, Token] = field(default_factory=dict)
    logins: list[str] = field(default_factory=list)
    apps: dict[str, int] = field(default_factory=dict)
    installed: "dict[int, App]" = field(default_factory=dict)
    repos: "dict[str, Repo]" = field(default_factory=dict)
    teams: dict[str, list[str]] = field(default_factory=dict)
    imported: set[str] = field(default_factory=set)
    strangers: set[str] = field(default_factory=set)
    events: list[Event] = field(default_factory=list)
    unknown_reads: int = 0
    late_reads: int = 0
    ids: int = 0
    request: int = 0
    acting: Token | None = None

    def new_id(self) -> int:
        self.ids += 1
        return self.ids

    def user_id(self, login: str) -> int:
        if login not in self.logins:
            self.logins.append(login)
        return self.logins.index(login) + 1

    def record(
        self, name: str, repo: "Repo", payload: Mapping[str, object], *, by: str = "", quiet: bool = False
    ) -> None:
        acting = self.acting or Token(secret="", login="")
        # Only these two start workflows whoever caused them.
        silent = (quiet or acting.kind == "actions") and name not in ("repository_dispatch", "workflow_dispatch")
        event = Event(name=name, repository=repo.full_name, payload=payload, by=by or acting.login, starts=not silent)
        self.events.append(event)


@dataclass(kw_only=True, eq=False, repr=False)
class Repo:
    """One repository with all that hangs on it.

    `writers` and `collaborators` are the logins, and `organisation/team` for teams, with that access; None: everybody.
    """

    id: int
    world: World
    owner: str
    name: str
    git: Repository
    default_branch: str
    parent: "Repo | None" = None
    settings: Settings = field(default_factory=Settings)
    protections: list[Protection] = field(default_factory=list)
    queue: Queue | None = None
    pulls: dict[int, Pull] = field(default_factory=dict)
    statuses: dict[str, list[Status]] = field(default_factory=dict)
    checks: dict[str, list[CheckRun]] = field(default_factory=dict)
    tips: dict[str, str] = field(default_factory=dict)
    trees: dict[tuple[str, str], str | None] = field(default_factory=dict)
    known: dict[str, Commit] = field(default_factory=dict)
    created_at: datetime = field(default_factory=lambda: Clock().now)
    activity: list[Activity] = field(default_factory=list)
    writers: frozenset[str] | None = None
    collaborators: frozenset[str] | None = None
    _settled: dict[int, int] = field(default_factory=dict)
    _served_late: dict[int, int] = field(default_factory=dict)

    @property
    def full_name(self) -> str:
        return f"{self.owner}/{self.name}"

    @property
    def acting(self) -> str:
        """The login of whoever acts now, "" for nobody in particular."""
        return self.world.acting.login if self.world.acting else ""

    def note(
        self,
        pull: Pull,
        kind: EventKind,
        *,
        before: str = "",
        after: str = "",
        review: Review | None = None,
        by: str = "",
    ) -> None:
        """Add to a pull request's timeline."""
        at, number = self.world.clock.now, self.world.new_id()
        event = Noted(id=number, kind=kind, by=by or self.acting, at=at, before=before, after=after, review=review)
        pull.timeline.append(event)

    def log(self, kind: ActivityKind, branch: str, before: str | None, after: str | None) -> None:
        """Add to the repository's activity."""
        at, number, zeros = self.world.clock.now, self.world.new_id(), "0" * 40
        activity = Activity(
            id=number, kind=kind, branch=branch, before=before or zeros, after=after or zeros, by=self.acting, at=at
        )
        self.activity.append(activity)

    def may_write(self, login: str) -> bool:
        return self.writers is None or login in self.writers

    def protection(self, branch: str) -> Protection | None:
        return next((rule for rule in self.protections if fnmatchcase(branch, rule.pattern)), None)

    def pull(self, number: int) -> Pull:
        if number not in self.pulls:
            raise RefusedError(404, "Not Found", kind="NOT_FOUND")
        return self.pulls[number]

    def commit(self, revision: str) -> Commit | None:
        """Read a commit; the newest of the default branch are read ahead, as one request asks for a hundred."""
        tip = self.tips.get(self.default_branch, "")
        if tip and tip not in self.known:
            self.known |= {commit.sha: commit for commit in self.git.commits(tip)[:300]}
        if revision not in self.known and (found := self.git.one_commit(revision)):
            self.known[found.sha] = found
            return found
        return self.known.get(revision)

    def open_pulls(self) -> Iterator[Pull]:
        return (pull for pull in list(self.pulls.values()) if pull.open)

    def seen(self, pull: Pull) -> Pull:
        """What this request gets to see of it: for a while after a merge the state before it."""
        if pull.shown is None:
            return pull
        if self._served_late.get(pull.number) != self.world.request:
            if pull.late == 0:
                pull.shown = None
                return pull
            pull.late -= 1
            self._served_late[pull.number] = self.world.request
        return pull.shown

    def remember(self, pull: Pull) -> None:
        """Keep the present for readers that are late, if the test wants any."""
        if self.world.late_reads:
            pull.shown, pull.late = copy(pull), self.world.late_reads

    def is_settled(self, pull: Pull) -> bool:
        """Tell whether its mergeability is known to this request; each request that asks brings that nearer."""
        if self._settled.get(pull.number) != self.world.request:
            if pull.unsettled == 0:
                return True
            pull.unsettled -= 1
            self._settled[pull.number] = self.world.request
        return False

    def newest_statuses(self, sha: str) -> list[Status]:
        """The newest per context, newest first."""
        newest = {status.context: status for status in self.statuses.get(sha, [])}
        return sorted(newest.values(), key=lambda status: status.id, reverse=True)

    def newest_checks(self, sha: str) -> list[CheckRun]:
        newest = {(run.app, run.name): run for run in self.checks.get(sha, [])}
        return sorted(newest.values(), key=lambda run: run.id, reverse=True)
