"""What GraphQL shows of repositories, commits, statuses and queues; pull requests and changes: github_graphql."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, get_args

from tests.forges import github_rules as rules
from tests.forges.github_pages import connection
from tests.forges.github_shapes import Shapes, node_id, read_node_id, time
from tests.forges.github_state import (
    CheckRun,
    Protection,
    Pull,
    Queue,
    QueueEntry,
    RefusedError,
    Repo,
    Status,
    Token,
    World,
)
from tests.forges.repository import Method

T = TypeVar("T")
Node = dict[str, Any]
"""An object of the schema by field: a value, or a function that is called only if a query asks for the field."""


@dataclass(frozen=True, kw_only=True)
class Graph:
    """Builds the nodes that one request asks for."""

    world: World
    token: Token
    shapes: Shapes

    def pull(self, repo: Repo, pull: Pull) -> Node:
        raise NotImplementedError

    def query(self) -> Node:
        return {
            "repository": lambda _, owner, name, **__: self.repository(self._find(owner, name)),
            "node": lambda _, **given: self.node(given["id"]),
            "nodes": lambda _, ids: [self.node(each) for each in ids],
            # Always a User, whoever asks; unlike every other actor an App has its suffix here.
            "viewer": lambda _: self.actor(self.token.login) | {"__typename": "User", "login": self.token.login},
            "rateLimit": {
                "cost": 1,
                "limit": 5000,
                "nodeCount": 1,
                "remaining": 4999,
                "used": 1,
                "resetAt": time(self.world.clock.now),
            },
        }

    def need(self, permission: str, level: str) -> None:
        if not self.token.allows(permission, level):
            raise RefusedError(403, f"Resource not accessible by {self.token.noun}", kind="FORBIDDEN")

    def _find(self, owner: str, name: str) -> Repo:
        full_name = f"{owner}/{name}"
        repo = self.world.repos.get(full_name)
        if repo is None or (self.token.repositories is not None and full_name not in self.token.repositories):
            text = f"Could not resolve to a Repository with the name '{full_name}'."
            raise RefusedError(404, text, kind="NOT_FOUND")
        return repo

    def locate(self, node: str) -> tuple[str, Repo, str]:
        kind, parts = read_node_id(node)
        for repo in self.world.repos.values():
            if parts and str(repo.id) == parts[0]:
                found = self._find(repo.owner, repo.name)
                return kind, found, parts[1] if len(parts) > 1 else ""
        raise RefusedError(404, f"Could not resolve to a node with the global id of '{node}'", kind="NOT_FOUND")

    def pull_by_id(self, node: str) -> tuple[Repo, Pull]:
        kind, repo, rest = self.locate(node)
        if kind != "PR" or not rest.isdigit() or int(rest) not in repo.pulls:
            raise RefusedError(404, f"Could not resolve to a node with the global id of '{node}'", kind="NOT_FOUND")
        return repo, repo.pulls[int(rest)]

    def node(self, node: str) -> Node | None:
        kind, repo, rest = self.locate(node)
        if kind == "PR":
            return self.pull(*self.pull_by_id(node))
        if kind == "C":
            return self.commit(repo, rest)
        return self.repository(repo) if kind == "R" else None

    def repository(self, repo: Repo) -> Node:
        settings = repo.settings
        methods = [method.upper() for method in get_args(Method) if settings.allows(method)]
        protections = repo.protections if self.token.allows("administration", "read") else []
        return {
            "__typename": "Repository",
            "id": node_id("R", repo.id),
            "databaseId": repo.id,
            "name": repo.name,
            "nameWithOwner": repo.full_name,
            "owner": self.actor(repo.owner),
            "url": f"{self.shapes.site}/{repo.full_name}",
            "isFork": repo.parent is not None,
            "isArchived": settings.archived,
            "autoMergeAllowed": settings.allow_auto_merge,
            "mergeCommitAllowed": settings.allow_merge_commit,
            "squashMergeAllowed": settings.allow_squash_merge,
            "rebaseMergeAllowed": settings.allow_rebase_merge,
            "deleteBranchOnMerge": settings.delete_branch_on_merge,
            "viewerDefaultMergeMethod": methods[0],
            # None for an App.
            "viewerPermission": None
            if self.token.kind != "user"
            else "WRITE"
            if repo.may_write(self.token.login)
            else "READ",
            "defaultBranchRef": lambda _: self.ref(repo, f"refs/heads/{repo.default_branch}"),
            "ref": lambda _, **given: self.ref(repo, given["qualifiedName"]),
            "refs": lambda info, **given: self._refs(repo, given.pop("refPrefix"))(info, **given),
            "object": lambda _, oid=None, expression=None: self.commit(repo, oid or expression or ""),
            "mergeQueue": lambda _, branch=None: self.queue(repo, branch),
            "branchProtectionRules": connection(
                "branchProtectionRules", protections, lambda rule: self.protection(repo, rule)
            ),
            "pullRequest": lambda _, number: self._numbered(repo, number),
            "pullRequests": lambda info, **rest: self._pulls("pullRequests", repo, repo.pulls.values(), info, **rest),
        }

    def _numbered(self, repo: Repo, number: int) -> Node:
        self.need("pull_requests", "read")
        if number not in repo.pulls:
            text = f"Could not resolve to a PullRequest with the number of {number}."
            raise RefusedError(404, text, kind="NOT_FOUND")
        return self.pull(repo, repo.pulls[number])

    def _pulls(self, name: str, repo: Repo, pulls: Iterable[Pull], info: object, **wanted: Any) -> Node:
        self.need("pull_requests", "read")
        found = [repo.seen(pull) for pull in pulls]
        if wanted.get("states"):
            found = [pull for pull in found if pull_state(pull) in wanted["states"]]
        if wanted.get("headRefName"):
            found = [pull for pull in found if pull.head_ref == wanted["headRefName"]]
        if wanted.get("baseRefName"):
            found = [pull for pull in found if pull.base_ref == wanted["baseRefName"]]
        return connection(name, found, lambda pull: self.pull(repo, pull))(info, **wanted)

    def _refs(self, repo: Repo, prefix: str) -> Callable[..., Node]:
        wanted = [branch for branch in sorted(repo.tips) if f"refs/heads/{branch}".startswith(prefix)]
        return connection("refs", wanted, lambda branch: self.ref(repo, f"refs/heads/{branch}"))

    def ref(self, repo: Repo, name: str) -> Node | None:
        branch = name.removeprefix("refs/heads/")
        if branch not in repo.tips:
            return None
        rule = repo.protection(branch)
        own = [pull for pull in repo.pulls.values() if pull.head_ref == branch and pull.head_repo is repo]
        return {
            "__typename": "Ref",
            "id": node_id("REF", repo.id, branch),
            "name": branch,
            "prefix": "refs/heads/",
            "target": lambda _: self.commit(repo, repo.tips[branch]),
            "branchProtectionRule": rule and self.protection(repo, rule),
            "refUpdateRule": rule and self._update_rule(repo, rule),
            "associatedPullRequests": lambda info, **rest: self._pulls(
                "associatedPullRequests", repo, own, info, **rest
            ),
        }

    def _update_rule(self, repo: Repo, rule: Protection) -> Node:
        """What anybody who may read is shown of it."""
        return {
            "allowsDeletions": False,
            "allowsForcePushes": False,
            "blocksCreations": False,
            "pattern": rule.pattern,
            "requiredApprovingReviewCount": rule.approvals,
            "requiredStatusCheckContexts": list(rule.checks),
            "requiresCodeOwnerReviews": False,
            "requiresConversationResolution": False,
            "requiresLinearHistory": False,
            "requiresSignatures": False,
            "viewerAllowedToDismissReviews": False,
            "viewerCanPush": repo.may_write(self.token.login),
        }

    def protection(self, repo: Repo, rule: Protection) -> Node:
        return {
            "__typename": "BranchProtectionRule",
            "id": node_id("BPR", repo.id, repo.protections.index(rule)),
            "pattern": rule.pattern,
            "isAdminEnforced": False,
            "requiresStatusChecks": bool(rule.checks),
            "requiresStrictStatusChecks": rule.strict,
            "requiredStatusCheckContexts": list(rule.checks),
            "requiredStatusChecks": [{"context": context, "app": None} for context in rule.checks],
            "requiresApprovingReviews": bool(rule.approvals),
            "requiredApprovingReviewCount": rule.approvals,
        }

    def someone(self, login: str) -> Node | None:
        """An actor, None for a deleted account."""
        return self.actor(login) if login else None

    def actor(self, login: str) -> Node:
        bot = login.endswith("[bot]")
        number = self.world.user_id(login)
        shown = login.removesuffix("[bot]")
        return {
            "__typename": "Bot" if bot else "Mannequin" if login in self.world.imported else "User",
            "id": node_id("BOT" if bot else "U", number),
            "databaseId": number,
            # Unlike REST, GraphQL names a bot without the suffix.
            "login": shown,
            "url": f"{self.shapes.site}/{shown}",
            "resourcePath": f"/{shown}",
            "avatarUrl": f"{self.shapes.site}/avatars/{number}",
            "email": "",
            "name": None,
        }

    def commit(self, repo: Repo, revision: str) -> Node | None:
        self.need("contents", "read")
        commit = repo.commit(repo.tips.get(revision.removeprefix("refs/heads/"), revision))
        if commit is None:
            return None
        sha, subject = commit.sha, commit.subject
        statuses, checks = repo.newest_statuses(sha), repo.newest_checks(sha)
        url = f"{self.shapes.site}/{repo.full_name}/commit/{sha}"
        return {
            "__typename": "Commit",
            "id": node_id("C", repo.id, sha),
            "oid": sha,
            "abbreviatedOid": sha[:7],
            "url": url,
            "commitUrl": url,
            "message": commit.message,
            "messageHeadline": subject,
            "messageBody": commit.message[len(subject) :].strip(),
            "authoredDate": time(commit.author.when),
            "committedDate": time(commit.committer.when),
            "author": {"name": commit.author.name, "email": commit.author.email, "date": time(commit.author.when)},
            "committer": {
                "name": commit.committer.name,
                "email": commit.committer.email,
                "date": time(commit.committer.when),
            },
            "repository": lambda _: self.repository(repo),
            "parents": connection("parents", commit.parents, lambda parent: self.commit(repo, parent)),
            "history": lambda info, **rest: self._history(repo, sha, info, **rest),
            "associatedPullRequests": lambda info, **rest: self._pulls(
                "associatedPullRequests", repo, rules.pulls_of(repo, sha), info, **rest
            ),
            "status": lambda _: self.status(repo, sha, statuses) if statuses else None,
            "statusCheckRollup": lambda _: self.rollup(repo, sha, statuses, checks) if statuses or checks else None,
            "checkSuites": connection(
                "checkSuites",
                sorted({run.app for run in checks}),
                lambda app: self.suite(repo, sha, app, checks),
            ),
        }

    def _history(self, repo: Repo, sha: str, info: object, **wanted: Any) -> Node:
        times = {name: wanted.pop(name) for name in ("since", "until") if wanted.get(name)}
        commits = repo.git.commits(sha, **times)
        return connection("history", commits, lambda commit: self.commit(repo, commit.sha))(info, **wanted)

    def status(self, repo: Repo, sha: str, statuses: Sequence[Status]) -> Node:
        self.need("statuses", "read")
        by_context = {status.context: status for status in statuses}
        return {
            "__typename": "Status",
            "id": node_id("S", repo.id, sha),
            "state": _worst(status.state for status in statuses),
            "commit": lambda _: self.commit(repo, sha),
            "contexts": [self.context(repo, status) for status in statuses],
            "context": lambda _, name: self.context(repo, by_context[name]) if name in by_context else None,
        }

    def rollup(self, repo: Repo, sha: str, statuses: Sequence[Status], checks: Sequence[CheckRun]) -> Node:
        self.need("statuses", "read")
        self.need("checks", "read")
        shown = [self.context(repo, status) for status in statuses] + [self.check(repo, run) for run in checks]
        return {
            "__typename": "StatusCheckRollup",
            "id": node_id("SCR", repo.id, sha),
            "state": _worst(rules.check_states(repo, sha).values()),
            "commit": lambda _: self.commit(repo, sha),
            "contexts": connection("contexts", shown, lambda node: node),
        }

    def context(self, repo: Repo, status: Status) -> Node:
        return {
            "__typename": "StatusContext",
            "id": node_id("SC", repo.id, status.id),
            "context": status.context,
            "state": status.state.upper(),
            "description": status.description,
            "targetUrl": status.target_url,
            "createdAt": time(status.created_at),
            "creator": self.actor(status.creator),
            "avatarUrl": self.actor(status.creator)["avatarUrl"],
            "commit": lambda _: self.commit(repo, status.sha),
            "isRequired": self._is_required(repo, status.context),
        }

    def check(self, repo: Repo, run: CheckRun) -> Node:
        return {
            "__typename": "CheckRun",
            "id": node_id("CR", repo.id, run.id),
            "databaseId": run.id,
            "name": run.name,
            "status": "COMPLETED" if run.conclusion else "IN_PROGRESS",
            "conclusion": run.conclusion.upper() or None,
            "startedAt": time(run.started_at),
            "completedAt": run.completed_at and time(run.completed_at),
            "detailsUrl": None,
            "url": f"{self.shapes.site}/{repo.full_name}/runs/{run.id}",
            "title": None,
            "summary": None,
            "checkSuite": lambda _: self.suite(repo, run.sha, run.app, repo.newest_checks(run.sha)),
            "isRequired": self._is_required(repo, run.name),
        }

    def suite(self, repo: Repo, sha: str, app: str, checks: Sequence[CheckRun]) -> Node:
        own = [run for run in checks if run.app == app]
        number = self.world.apps[app]
        done = all(run.conclusion for run in own)
        return {
            "__typename": "CheckSuite",
            "id": node_id("CS", repo.id, sha, number),
            "databaseId": number,
            "app": {"id": node_id("A", number), "databaseId": number, "name": app, "slug": app},
            "status": "COMPLETED" if done else "IN_PROGRESS",
            "conclusion": _worst(run.conclusion for run in own) if done else None,
            "checkRuns": connection("checkRuns", own, lambda run: self.check(repo, run)),
        }

    def _is_required(self, repo: Repo, context: str) -> Callable[..., bool]:
        def resolve(_: object, **given: Any) -> bool:
            if given.get("pullRequestId"):
                pull = self.pull_by_id(given["pullRequestId"])[1]
            else:
                pull = repo.pull(given.get("pullRequestNumber", 0))
            rule = repo.protection(pull.base_ref)
            return rule is not None and context in rule.checks

        return resolve

    def queue(self, repo: Repo, branch: str | None) -> Node | None:
        queue = repo.queue
        if queue is None or (branch or repo.default_branch) != queue.branch:
            return None
        return {
            "__typename": "MergeQueue",
            "id": node_id("MQ", repo.id),
            "url": f"{self.shapes.site}/{repo.full_name}/queue/{queue.branch}",
            "repository": lambda _: self.repository(repo),
            "configuration": {
                "mergeMethod": queue.method.upper(),
                "mergingStrategy": "ALLGREEN",
                "minimumEntriesToMerge": queue.minimum,
                "maximumEntriesToMerge": 5,
            },
            "entries": connection("entries", queue.entries, lambda entry: self.entry(repo, queue, entry)),
        }

    def entry(self, repo: Repo, queue: Queue, entry: QueueEntry) -> Node:
        return {
            "__typename": "MergeQueueEntry",
            "id": node_id("MQE", repo.id, entry.id),
            "position": queue.entries.index(entry) + 1 if entry in queue.entries else 0,
            "state": "AWAITING_CHECKS" if entry.head_sha else "QUEUED",
            "jump": False,
            "solo": False,
            "enqueuedAt": time(entry.at),
            "enqueuer": self.actor(entry.by),
            "pullRequest": lambda _: self.pull(repo, entry.pull),
            "mergeQueue": lambda _: self.queue(repo, queue.branch),
            "baseCommit": lambda _: self.commit(repo, entry.base_sha) if entry.base_sha else None,
            "headCommit": lambda _: self.commit(repo, entry.head_sha) if entry.head_sha else None,
        }


def pull_state(pull: Pull) -> str:
    return "OPEN" if pull.open else "MERGED" if pull.merged_at else "CLOSED"


def _worst(states: Iterable[str]) -> str:
    """The state of many: a failure wins, then what is not there yet."""
    found = set(states)
    if found & {"failure", "error", "timed_out", "cancelled"}:
        return "FAILURE"
    return "PENDING" if "pending" in found or not found else "SUCCESS"
