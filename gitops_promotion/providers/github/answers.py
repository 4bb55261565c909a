"""The meaning of GitHub's answers; pure. Every field of an answer may be missing, null or of another type."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from gitops_promotion.core import untrusted
from gitops_promotion.core.forge import (
    OWN_CONTEXT,
    AutoMerge,
    CommitStatus,
    HeadState,
    PullRequest,
    StatusState,
)
from gitops_promotion.providers.github.queries import SETTINGS
from gitops_promotion.providers.github.update_branch import is_outdated
from gitops_promotion.providers.http import branch_name, checked, is_full_sha, text_or_empty, zoned
from gitops_promotion.providers.http import items as list_items

READY = ("CLEAN", "UNSTABLE", "HAS_HOOKS")
"""Merge states in which GitHub merges at once.

UNSTABLE: a check that nothing requires has failed or is running. HAS_HOOKS: a server with pre-receive hooks.
"""
METHODS = ("MERGE", "SQUASH", "REBASE")
URL_LIMIT = 2000
"""Characters of an address that is shown."""

_STATES: Mapping[str, StatusState] = {"SUCCESS": "success", "FAILURE": "failure", "ERROR": "failure"}
_IGNORED_CONCLUSIONS = ("NEUTRAL", "SKIPPED")
_EPOCH = datetime.min.replace(tzinfo=UTC)
T = TypeVar("T")


def field(data: object, kind: type[T], key: str) -> T:
    """Return a field of an answer. Raises ProviderError if it is absent or of another type."""
    return checked(data.get(key) if isinstance(data, dict) else None, kind, key, "GitHub")


def sha(data: object, key: str) -> str:
    """Return the full id of a commit. Raises ProviderError for anything else."""
    value = field(data, str, key)
    return checked(value if is_full_sha(value) else None, str, key, "GitHub")


def text(data: object, key: str) -> str:
    """Return a text that may be null or absent, "" then (docs/migrating.md, B15)."""
    return text_or_empty(data.get(key) if isinstance(data, dict) else None)


def items(data: object) -> list[Any]:
    """Return the items of a list, [] for null. Raises ProviderError for anything else."""
    return list_items(data, "GitHub")


def time(data: object, key: str) -> datetime | None:
    """Return a time with its zone; None where there is none."""
    try:
        return zoned(datetime.fromisoformat(text(data, key)))
    except ValueError:
        return None


def _object(data: object, key: str) -> Mapping[str, Any]:
    """Return an object that may be null or absent, an empty one then."""
    value = data.get(key) if isinstance(data, dict) else None
    return value if isinstance(value, dict) else {}


def login(actor: object) -> str:
    """Return the login of an actor: `name[bot]` for an App, as REST writes it, `ghost` for a deleted account."""
    name = text(actor, "login") or "ghost"
    is_bot = text(actor, "__typename") == "Bot" and not name.endswith("[bot]")
    return f"{name}[bot]" if is_bot else name


# -- merging


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeState:
    """What decides whether a pull request can be armed or merged.

    `status` is GitHub's mergeStateStatus. `has_queue`: its base has a merge queue; `queued`: it is in that queue.
    """

    id: str
    state: str
    draft: bool
    head_sha: str
    status: str
    conflicts: bool
    armed: bool
    has_queue: bool
    queued: bool
    methods: tuple[str, ...]

    @property
    def settled(self) -> bool:
        """False while GitHub still computes whether it can merge, as it does after every push."""
        return self.state != "OPEN" or self.draft or self.status != "UNKNOWN"


def _word(data: object, key: str) -> str:
    """Return a field with one word, short enough for a message."""
    return untrusted.line(field(data, str, key), 40)


def read_merge_state(data: Mapping[str, Any]) -> MergeState:
    """Read the answer to `queries.MERGE_STATE`. Raises ProviderError, as every reader here does."""
    repository = field(data, dict, "repository")
    pull = field(repository, dict, "pullRequest")
    allowed = [field(repository, bool, key) for key in SETTINGS]
    return MergeState(
        id=field(pull, str, "id"),
        state=_word(pull, "state"),
        draft=field(pull, bool, "isDraft"),
        head_sha=sha(pull, "headRefOid"),
        status=_word(pull, "mergeStateStatus"),
        conflicts=field(pull, str, "mergeable") == "CONFLICTING",
        armed=pull.get("autoMergeRequest") is not None,
        has_queue=field(pull, bool, "isMergeQueueEnabled"),
        queued=field(pull, bool, "isInMergeQueue"),
        methods=tuple(method for method, is_allowed in zip(METHODS, allowed, strict=True) if is_allowed),
    )


def read_head_state(data: Mapping[str, Any]) -> tuple[MergeState, HeadState]:
    """Read the answer to `queries.HEAD_STATE`. Of failed checks this tool's own counts first, then the latest."""
    merge_state = read_merge_state(data)
    nodes = items(_rollup(_object(field(data, dict, "repository"), "object")).get("nodes"))
    failed = [node for node in nodes if isinstance(node, dict) and node.get("isRequired") is True and _has_failed(node)]
    starts = [start for node in failed if (start := time(node, "startedAt") or time(node, "createdAt"))]
    own_failed = any(text(node, "context").casefold() == OWN_CONTEXT for node in failed)
    failed_since = None if own_failed else max(starts, default=None)
    head_state = HeadState(
        outdated=is_outdated(merge_state.status),
        failed=own_failed or failed_since is not None,
        failed_since=failed_since,
    )
    return merge_state, head_state


def _has_failed(node: Mapping[str, Any]) -> bool:
    conclusion = text(node, "conclusion")
    return text(node, "state") in ("FAILURE", "ERROR") or (
        conclusion not in ("", "SUCCESS", *_IGNORED_CONCLUSIONS) and text(node, "__typename") == "CheckRun"
    )


def refusal_for(state: MergeState, pull_request: PullRequest, refusal: str) -> AutoMerge | None:
    """Return the result in place of arming, None if arming can be tried (again).

    `refusal` is GitHub's reason after a try, "" before the first. GitHub refuses to arm a pull request that waits for
    nothing, even if only because it has not computed yet that there is something to wait for (docs/facts/forges.md):
    hence the merge state.
    """
    name = f"pull request #{pull_request.number}"

    def refused(reason: str) -> AutoMerge:
        return AutoMerge(state="refused", reason=reason)

    if state.state == "MERGED" and state.head_sha == pull_request.head_sha:
        return AutoMerge(state="merged")
    if state.state != "OPEN":
        return AutoMerge(state="moved", reason=f"{name} is {state.state.lower()} already")
    if state.head_sha != pull_request.head_sha:
        reason = f"{pull_request.head} of {name} moved from {pull_request.head_sha} to {state.head_sha}"
        return AutoMerge(state="moved", reason=reason)
    if state.draft:
        return refused(f"{name} is a draft: mark it as ready for review and run this again")
    if state.status == "DIRTY" or state.conflicts:
        return refused(
            f"{name} conflicts with {pull_request.base}: `gitops-promotion promote --all` rebuilds it, or merge "
            f"{pull_request.base} into it by hand"
        )
    if state.queued:
        return AutoMerge(state="armed", reason=f"{name} is in the merge queue")
    if state.status in READY and not state.has_queue:
        return AutoMerge(
            state="clean", reason=f"{name} waits for nothing: no rule of {pull_request.base} requires a check"
        )
    return _lasting_refusal(refusal, pull_request.base) if refusal else None


def _lasting_refusal(refusal: str, base: str) -> AutoMerge | None:
    """Return the result for a refusal that another try does not change, None for other refusals."""
    advice = (
        (
            r"not allowed for this repository|auto.?merge is (?:not allowed|disabled)",
            "switch on `Allow auto-merge` in the repository's settings (General, Pull Requests)",
        ),
        (
            r"protected branch|branch protection|unprotected|rules? (?:is |are )?not configured",
            f"protect {base} with a rule that requires the check of `gitops-promotion status`",
        ),
        (
            r"merge method|(?:merge commits?|squash|rebase)[a-z ]* (?:is|are) not allowed",
            "set mergeMethod in the configuration to one the repository allows",
        ),
    )
    for pattern, next_step in advice:
        if re.search(pattern, refusal, re.IGNORECASE):
            return AutoMerge(state="refused", reason=f"GitHub says {refusal!r}: {next_step}")
    return None


# -- pull requests and reviews


def read_pull_request(data: object) -> PullRequest | None:
    """Read a pull request of REST; None for a fork's."""
    head, base = field(data, dict, "head"), field(data, dict, "base")
    own_repository, head_repository = field(base, dict, "repo"), head.get("repo")
    is_own = isinstance(head_repository, dict) and head_repository.get("id") == field(own_repository, int, "id")
    # Compared by number, since names are used again; a fork that was deleted has no repository.
    if not is_own or not isinstance(data, dict):
        return None
    is_open, is_merged = field(data, str, "state") == "open", data.get("merged_at") is not None
    return PullRequest(
        number=field(data, int, "number"),
        url=untrusted.line(field(data, str, "html_url"), URL_LIMIT),
        head=branch_name(head.get("ref"), "ref", "GitHub"),
        head_sha=sha(head, "sha"),
        base=branch_name(base.get("ref"), "ref", "GitHub"),
        state="merged" if is_merged else "open" if is_open else "closed",
        # While it is open this is the commit of a trial merge.
        merge_sha=(text(data, "merge_commit_sha") or None) if is_merged else None,
        auto_merge=is_open and data.get("auto_merge") is not None,
        title=text(data, "title"),
        body=text(data, "body"),
        author=login(data.get("user")),
    )


# -- statuses


def read_statuses(commit: object) -> list[CommitStatus]:
    """Return the statuses of a commit; null is a normal value of every field but the context.

    See B15 in docs/migrating.md.
    """
    return [
        CommitStatus(
            context=text(context, "context"),
            # EXPECTED is a required check that nobody has reported yet.
            state=_STATES.get(text(context, "state"), "pending"),
            description=text(context, "description"),
            url=text(context, "targetUrl"),
            author=login(_object(context, "creator")),
            created_at=time(context, "createdAt"),
        )
        for context in items(_object(commit, "status").get("contexts"))
        if isinstance(context, dict)
    ]


def read_check_runs(commit: object, apps: frozenset[str]) -> list[CommitStatus]:
    """Return the check runs of the named apps, as statuses, without neutral and skipped ones (docs/facts/flux.md)."""
    statuses = []
    for run in items(_rollup(commit).get("nodes")):
        app = text(_object(_object(run, "checkSuite"), "app"), "slug")
        conclusion = text(run, "conclusion")
        if app.casefold() not in apps or conclusion in _IGNORED_CONCLUSIONS:
            continue
        completed: StatusState = "success" if conclusion == "SUCCESS" else "failure"
        statuses.append(
            CommitStatus(
                context=text(run, "name"),
                state=completed if text(run, "status") == "COMPLETED" else "pending",
                description=text(run, "title") or conclusion.lower().replace("_", " "),
                url=text(run, "detailsUrl"),
                author=f"{app}[bot]",
                created_at=time(run, "completedAt") or time(run, "startedAt"),
            )
        )
    return statuses


def _rollup(commit: object) -> Mapping[str, Any]:
    return _object(_object(commit, "statusCheckRollup"), "contexts")


def next_page(commit: object) -> str | None:
    """Return the cursor of the next page of a commit's check runs; None after the last."""
    page = _object(_rollup(commit), "pageInfo")
    return field(page, str, "endCursor") if page.get("hasNextPage") else None


def newest(statuses: Sequence[CommitStatus]) -> list[CommitStatus]:
    """Return the newest status of each context, newest first."""
    by_context: dict[str, CommitStatus] = {}
    for status in sorted(statuses, key=lambda status: status.created_at or _EPOCH, reverse=True):
        by_context.setdefault(status.context, status)
    return list(by_context.values())
