"""The meaning of Azure DevOps' answers; pure.

Answers are the client's models: objects with None in the fields that the server did not send. Every field may be
missing or of another type.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from gitops_promotion.core import untrusted
from gitops_promotion.core.forge import AutoMerge, CommitStatus, PullRequest, StatusState
from gitops_promotion.providers.http import branch_name, checked, is_full_sha, text_or_empty, zoned
from gitops_promotion.providers.http import items as list_items

HEADS = "refs/heads/"
NOBODY = "00000000-0000-0000-0000-000000000000"
"""The identity that clears auto-complete (docs/facts/forges.md)."""
LIST_LIMIT = 400
"""Characters of a description that a list shows.

https://learn.microsoft.com/rest/api/azure/devops/git/pull-requests/get-pull-requests
"""
FULL = 100
"""A page with so many items may have a next one: a server may give fewer items than it is asked for."""
UNSETTLED = ("queued", "notSet", "")
"""States of a trial merge that is still to come."""

# Flux posts `error`, not `failed` (docs/facts/flux.md).
# States that are not listed here are undecided (docs/migrating.md, B14).
_STATES: Mapping[str, StatusState] = {"succeeded": "success", "failed": "failure", "error": "failure"}
_EPOCH = datetime.min.replace(tzinfo=UTC)
T = TypeVar("T")


def field(data: object, kind: type[T], name: str) -> T:
    """Return a field of an answer. Raises ProviderError if it is absent or of another type."""
    return checked(getattr(data, name, None), kind, name, "Azure DevOps")


def text(data: object, name: str) -> str:
    """Return a text that may be null or absent, "" then (docs/migrating.md, B15)."""
    return text_or_empty(getattr(data, name, None))


def items(data: object) -> list[Any]:
    """Return the items of a list, [] for null. Raises ProviderError for anything else."""
    return list_items(data, "Azure DevOps")


def time(data: object, name: str) -> datetime | None:
    """Return a time with its zone; None where there is none."""
    value = getattr(data, name, None)
    return zoned(value) if isinstance(value, datetime) else None


def user_name(identity: object) -> str:
    """Return the unique name of an identity (of people their mail address), else its display name."""
    return text(identity, "unique_name") or text(identity, "display_name") or "unknown"


# -- merging


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeState:
    """What decides whether a pull request can be armed or merged; `trial` is the state of its trial merge."""

    state: str
    draft: bool
    head_sha: str
    trial: str
    failure: str
    armed: bool
    project_id: str
    repository_id: str
    transition_work_items: bool | None

    @property
    def settled(self) -> bool:
        """False while the trial merge of the newest push is still to come."""
        return self.state != "active" or self.draft or self.trial not in UNSETTLED


def read_merge_state(data: object) -> MergeState:
    """Read a pull request. Raises ProviderError, as every reader here does."""
    repository = getattr(data, "repository", None)
    return MergeState(
        state=untrusted.line(field(data, str, "status"), 40),
        draft=bool(getattr(data, "is_draft", False)),
        head_sha=_head_sha(data),
        trial=untrusted.line(text(data, "merge_status"), 40),
        failure=untrusted.line(text(data, "merge_failure_message")),
        armed=_is_armed(data),
        project_id=field(getattr(repository, "project", None), str, "id"),
        repository_id=field(repository, str, "id"),
        transition_work_items=getattr(getattr(data, "completion_options", None), "transition_work_items", None),
    )


def refusal_for(state: MergeState, pull_request: PullRequest) -> AutoMerge | None:
    """Return the result in place of arming or merging, None if that can be tried."""
    name = f"pull request #{pull_request.number}"

    def refused(reason: str) -> AutoMerge:
        return AutoMerge(state="refused", reason=reason)

    if state.state == "completed" and state.head_sha == pull_request.head_sha:
        return AutoMerge(state="merged")
    if state.state != "active":
        return AutoMerge(state="moved", reason=f"{name} is {state.state} already")
    if state.head_sha != pull_request.head_sha:
        reason = f"{pull_request.head} of {name} moved from {pull_request.head_sha} to {state.head_sha}"
        return AutoMerge(state="moved", reason=reason)
    if state.draft:
        return refused(f"{name} is a draft: publish it and run this again")
    if state.trial == "conflicts":
        return refused(
            f"{name} conflicts with {pull_request.base}: `gitops-promotion promote --all` rebuilds it, or merge "
            f"{pull_request.base} into it by hand"
        )
    if state.trial not in ("succeeded", *UNSETTLED):
        failure = f" ({state.failure})" if state.failure else ""
        return refused(f"{name} cannot be merged, Azure DevOps says {state.trial!r}{failure}: look at its page")
    return None


def _head_sha(data: object) -> str:
    """Return the head as of the last trial merge; "" before the first."""
    sha = text(getattr(data, "last_merge_source_commit", None), "commit_id")
    return checked(sha if not sha or is_full_sha(sha) else None, str, "last_merge_source_commit", "Azure DevOps")


def _is_armed(data: object) -> bool:
    return text(getattr(data, "auto_complete_set_by", None), "id") not in ("", NOBODY)


def is_completing(data: object) -> bool:
    """Return True if an open pull request is queued to be merged at this moment."""
    return getattr(data, "completion_queue_time", None) is not None


def read_strategy(data: object) -> str:
    """Return how a pull request was or will be completed, "" where the answer does not say."""
    return text(getattr(data, "completion_options", None), "merge_strategy")


# -- pull requests


def read_pull_request(data: object, url: str) -> PullRequest | None:
    """Read a pull request, `url` as given; None for a fork's. The answer does not say whether its branch exists."""
    if getattr(data, "fork_source", None) is not None:
        return None
    status = field(data, str, "status")
    is_merged = status == "completed"
    commit = getattr(data, "last_merge_commit", None)
    return PullRequest(
        number=field(data, int, "pull_request_id"),
        url=url,
        head=_branch(data, "source_ref_name"),
        head_sha=_head_sha(data),
        base=_branch(data, "target_ref_name"),
        state="merged" if is_merged else "open" if status == "active" else "closed",
        # While it is open this is the commit of a trial merge.
        merge_sha=(text(commit, "commit_id") or None) if is_merged else None,
        auto_merge=status == "active" and _is_armed(data),
        title=text(data, "title"),
        body=text(data, "description"),
        author=user_name(getattr(data, "created_by", None)),
    )


def _branch(data: object, name: str) -> str:
    return branch_name(getattr(data, name, None), name, "Azure DevOps").removeprefix(HEADS)


def is_cut(data: object) -> bool:
    """Return True if a list may have cut the description; the server counts UTF-16 units."""
    return len(text(data, "description").encode("utf-16-le", "surrogatepass")) >= 2 * LIST_LIMIT


def fit(value: str, limit: int) -> str:
    """Return a text cut to `limit` characters as Azure DevOps counts them: as UTF-16, where an emoji is two."""
    units = value.encode("utf-16-le", "surrogatepass")
    return value if len(units) <= 2 * limit else units[: 2 * limit].decode("utf-16-le", "ignore")


def find_iteration(iterations: Sequence[object], sha: str) -> int | None:
    """Return the newest iteration of a pull request with this commit as its head, None if there is none."""
    ids = [_id(iteration) for iteration in iterations if pushed_sha(iteration) == sha]
    return max(ids, default=None)


def pushed_sha(iteration: object) -> str:
    """Return the head that an iteration brought, "" if the answer does not say."""
    return text(getattr(iteration, "source_ref_commit", None), "commit_id")


def _id(data: object) -> int:
    value = getattr(data, "id", None)
    return value if isinstance(value, int) else 0


def read_merges(data: object) -> dict[str, set[int]]:
    """Return the numbers of the pull requests of each commit, from an answer that may hold nothing at all.

    See B31 in docs/migrating.md.
    """
    numbers: dict[str, set[int]] = {}
    for result in items(getattr(data, "results", None)):
        for sha, pulls in (result if isinstance(result, dict) else {}).items():
            ids = {getattr(pull, "pull_request_id", None) for pull in items(pulls)}
            numbers.setdefault(sha, set()).update(number for number in ids if isinstance(number, int))
    return numbers


# -- statuses


def read_statuses(records: Sequence[object]) -> list[CommitStatus]:
    """Return the newest status of each genre and name, newest first; all but the name may be missing.

    See B15 in docs/migrating.md.
    """
    newest_first = sorted(records, key=lambda data: (time(data, "creation_date") or _EPOCH, _id(data)), reverse=True)
    statuses: dict[tuple[str, str], CommitStatus | None] = {}
    for data in newest_first:
        context = getattr(data, "context", None)
        genre, name = text(context, "genre"), text(context, "name")
        state = text(data, "state")
        status = CommitStatus(
            context=name,
            genre="" if genre.casefold() == "fluxcd" else genre,
            state=_STATES.get(state, "pending"),
            description=text(data, "description"),
            url=text(data, "target_url"),
            author=user_name(getattr(data, "created_by", None)),
            created_at=time(data, "creation_date"),
        )
        # A status that no longer applies hides the ones before it (docs/facts/flux.md).
        statuses.setdefault((status.genre, name), None if state == "notApplicable" or not name else status)
    return [status for status in statuses.values() if status is not None]
