"""What the answers of Azure DevOps mean; pure, and none is taken at its word.

Answers are the client's models: objects whose fields are None where the server did not send them.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, TypeVar

from gitops_promotion.core import untrusted
from gitops_promotion.core.forge import (
    OWN_CONTEXT,
    AutoMerge,
    CommitStatus,
    HeadState,
    PullRequest,
    Review,
    StatusState,
)
from gitops_promotion.errors import ProviderError, UsageError

HEADS = "refs/heads/"
NOBODY = "00000000-0000-0000-0000-000000000000"
"""The identity that clears auto-complete (FORGES, azure-devops)."""
LIST_LIMIT = 400
"""Characters of a description that a list shows (docs: Pull Requests - Get Pull Requests)."""
MERGE_STRATEGY = "fa4e907d-c16b-4a4c-9dfa-4916e5d171ab"
"""The policy type that limits merge types (docs: Policy - Types)."""
BUILD = "0609b952-1397-4640-95ec-e00a01b2c241"
STATUS = "cbdc66da-9728-4af8-aada-9a5a32e4a226"
"""The policy types that stand for a check: a build, and a status that is posted."""
STRATEGIES: Mapping[str, str] = {
    "noFastForward": "allowNoFastForward",
    "squash": "allowSquash",
    "rebase": "allowRebase",
    "rebaseMerge": "allowRebaseMerge",
}
"""How a pull request can be completed, with the policy's setting for it; the best first."""
REBASING = ("rebase", "rebaseMerge")
UNSETTLED = ("queued", "notSet", "")

_SHA = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_METHODS: Mapping[str, tuple[str, ...]] = {
    "merge": ("noFastForward",),
    "squash": ("squash",),
    "rebase": ("rebase", "rebaseMerge"),
}
# FLUX 2: Flux posts `error`, not `failed`; what is not listed here has not decided yet (B14).
_STATES: Mapping[str, StatusState] = {"succeeded": "success", "failed": "failure", "error": "failure"}
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What decides whether a pull request can be armed or merged; `merge` is the state of the trial merge."""

    state: str
    draft: bool
    head_sha: str
    merge: str
    failure: str
    armed: bool
    project_id: str
    repository_id: str
    transition_work_items: bool | None

    @property
    def settled(self) -> bool:
        """False while the trial merge of the newest push is still to come."""
        return self.state != "active" or self.draft or self.merge not in UNSETTLED


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """One policy of a branch; `status` is its evaluation for a pull request, "" for one that was not evaluated."""

    id: int
    blocking: bool
    status: str
    type: str
    settings: Mapping[str, Any]
    since: datetime | None = None

    @property
    def holds(self) -> bool:
        """True if the pull request cannot be completed before this one changes its mind."""
        return self.blocking and self.type != MERGE_STRATEGY and self.status not in ("approved", "notApplicable")

    @property
    def of_branch(self) -> bool:
        """False for one of pushes, such as of the size of files, whose scopes name none: no pull request is asked."""
        scopes = self.settings.get("scope")
        named = [each for each in scopes if isinstance(each, dict)] if isinstance(scopes, list) else []
        return not named or any(each.get("refName") or each.get("matchKind") for each in named)

    @property
    def is_check(self) -> bool:
        """True if it requires a check of this pull request, which may be ours."""
        return self.blocking and self.type in (BUILD, STATUS) and self.status != "notApplicable"

    @property
    def is_verdict(self) -> bool:
        """True if it asks for our own verdict."""
        named = self.settings.get("statusName") == OWN_CONTEXT and not self.settings.get("statusGenre")
        return self.type == STATUS and named

    @property
    def is_lasting(self) -> bool:
        """True if it asks for our verdict and takes that on an older push for one on the newest."""
        return self.is_verdict and self.settings.get("invalidateOnSourceUpdate") is False


def answer(look: Look, pull_request: PullRequest) -> AutoMerge | None:
    """Return what is to be said instead of arming or merging, None if that can be tried."""
    name = f"pull request #{pull_request.number}"

    def refused(reason: str) -> AutoMerge:
        return AutoMerge(state="refused", reason=reason)

    if look.state == "completed" and look.head_sha == pull_request.head_sha:
        return AutoMerge(state="merged")
    if look.state != "active":
        return refused(f"{name} is {look.state} already: open a new one")
    if look.head_sha != pull_request.head_sha:
        return refused(
            f"{pull_request.head} moved from {pull_request.head_sha} to {look.head_sha}, which nobody armed {name} "
            "for: look at the new commits and run this again"
        )
    if look.draft:
        return refused(f"{name} is a draft: publish it and run this again")
    if look.merge == "conflicts":
        return refused(
            f"{name} conflicts with {pull_request.base}: `gitops-promotion promote --all` rebuilds it, or merge "
            f"{pull_request.base} into it by hand"
        )
    if look.merge not in ("succeeded", *UNSETTLED):
        said = f" ({untrusted.line(look.failure)})" if look.failure else ""
        return refused(f"{name} cannot be merged, Azure DevOps says {look.merge!r}{said}: look at its page")
    return None


def look_of(data: object) -> Look:
    """Read a pull request. Raises ProviderError, as all of these do, where it cannot be read."""
    repository = getattr(data, "repository", None)
    return Look(
        state=get(data, str, "status"),
        draft=bool(getattr(data, "is_draft", False)),
        head_sha=_head_of(data),
        merge=optional(data, "merge_status"),
        failure=optional(data, "merge_failure_message"),
        armed=_is_armed(data),
        project_id=get(getattr(repository, "project", None), str, "id"),
        repository_id=get(repository, str, "id"),
        transition_work_items=getattr(getattr(data, "completion_options", None), "transition_work_items", None),
    )


def pull_of(data: object, page: str) -> PullRequest | None:
    """Read a pull request, its page as given; None for a fork's. Whether its branch is still there it does not say."""
    if getattr(data, "fork_source", None) is not None:
        return None
    state = get(data, str, "status")
    merged = state == "completed"
    commit = getattr(data, "last_merge_commit", None)
    return PullRequest(
        number=get(data, int, "pull_request_id"),
        url=page,
        head=branch_of(get(data, str, "source_ref_name")),
        head_sha=_head_of(data),
        base=branch_of(get(data, str, "target_ref_name")),
        state="merged" if merged else "open" if state == "active" else "closed",
        # While it is open this is the commit of a trial.
        merge_sha=(optional(commit, "commit_id") or None) if merged else None,
        auto_merge=state == "active" and _is_armed(data),
        title=optional(data, "title"),
        body=optional(data, "description"),
        author=name_of(getattr(data, "created_by", None)),
    )


def _head_of(data: object) -> str:
    """Return the head as of the last trial merge; "" before the first."""
    sha = optional(getattr(data, "last_merge_source_commit", None), "commit_id")
    return check_sha(sha) if sha else ""


def _is_armed(data: object) -> bool:
    return optional(getattr(data, "auto_complete_set_by", None), "id") not in ("", NOBODY)


def is_completing(data: object) -> bool:
    """Return True if an open one is queued to be merged at this moment."""
    return getattr(data, "completion_queue_time", None) is not None


def strategy_of(data: object) -> str:
    """Return how a pull request was or will be completed, "" where the answer does not say."""
    return optional(getattr(data, "completion_options", None), "merge_strategy")


def is_cut(data: object) -> bool:
    """Return True if a list may have cut the description, whose characters it counts as UTF-16 does."""
    return len(optional(data, "description").encode("utf-16-le", "surrogatepass")) >= 2 * LIST_LIMIT


def branch_of(ref: str) -> str:
    """Return the name of a branch."""
    return ref.removeprefix(HEADS)


def policy_of(data: object) -> Policy | None:
    """Read an evaluation of a policy, or the policy's configuration; None for one that is switched off."""
    configuration = getattr(data, "configuration", None) or data
    if getattr(configuration, "is_deleted", False) or getattr(configuration, "is_enabled", True) is False:
        return None
    settings = getattr(configuration, "settings", None)
    return Policy(
        id=get(configuration, int, "id"),
        # What says nothing of it holds: taking it for optional would merge past it.
        blocking=getattr(configuration, "is_blocking", True) is not False,
        status=optional(data, "status"),
        type=optional(getattr(configuration, "type", None), "id").lower(),
        settings=settings if isinstance(settings, dict) else {},
        since=_began(data),
    )


def _began(data: object) -> datetime | None:
    """Return when what an evaluation speaks of began; its own beginning is that of the first of all builds."""
    context = getattr(data, "context", None)
    text = context.get("buildStartedUtc") if isinstance(context, dict) else None
    try:
        built = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        built = None
    if built is not None:
        return built if built.tzinfo else built.replace(tzinfo=UTC)
    return time_of(data, "started_date")


def head_state_of(policies: Sequence[Policy]) -> HeadState:
    """Return what required checks say that only a new head mends; of several the last counts, our own comes first.

    A branch here never demands that a head holds its tip: a build that is out of date is made anew on the same head.
    """
    red = [each for each in policies if each.is_check and each.status == "rejected"]
    ours = any(each.is_verdict for each in red)
    since = None if ours else max((each.since for each in red if each.since), default=None)
    return HeadState(failed=ours or since is not None, failed_since=since)


def strategy(method: str, policies: Sequence[Policy]) -> str | None:
    """Return how to complete: by mergeMethod, or the best that every policy allows; None if no policy lets it."""
    wanted = _METHODS.get(method, tuple(STRATEGIES))
    return next((each for each in wanted if all(_allows(policy, each) for policy in policies)), None)


def allowed(policies: Sequence[Policy]) -> list[str]:
    """Return the values of mergeMethod that every policy allows."""
    return [method for method in _METHODS if strategy(method, policies) is not None]


def _allows(policy: Policy, wish: str) -> bool:
    if policy.type != MERGE_STRATEGY:
        return True
    if policy.settings.get("useSquashMerge") is True:
        # What older servers know instead of the four.
        return wish == "squash"
    return policy.settings.get(STRATEGIES[wish]) is True


def statuses_of(items: Sequence[object]) -> list[CommitStatus]:
    """Return the newest of each genre and name, newest first; genre, description and URL may be missing (B15)."""
    ordered = sorted(items, key=lambda each: (time_of(each, "creation_date") or _EPOCH, _id_of(each)), reverse=True)
    found: dict[tuple[str, str], CommitStatus | None] = {}
    for each in ordered:
        context = getattr(each, "context", None)
        genre, name = optional(context, "genre"), optional(context, "name")
        state = optional(each, "state")
        status = CommitStatus(
            context=name,
            genre="" if genre.casefold() == "fluxcd" else genre,
            state=_STATES.get(state, "pending"),
            description=optional(each, "description"),
            url=optional(each, "target_url"),
            author=name_of(getattr(each, "created_by", None)),
            created_at=time_of(each, "creation_date"),
        )
        # One that does not apply any more hides what was said before it (FLUX 2).
        found.setdefault((status.genre, name), None if state == "notApplicable" or not name else status)
    return [status for status in found.values() if status is not None]


_EPOCH = datetime.min.replace(tzinfo=UTC)


def _id_of(data: object) -> int:
    found = getattr(data, "id", None)
    return found if isinstance(found, int) else 0


def iteration_of(items: Sequence[object], sha: str) -> int | None:
    """Return the newest iteration of a pull request whose head is this commit, None if it never was."""
    mine = [_id_of(each) for each in items if optional(getattr(each, "source_ref_commit", None), "commit_id") == sha]
    return max(mine, default=None)


def reviews_of(data: object, threads: Sequence[object], iterations: Sequence[object]) -> list[Review]:
    """Return the votes of people, newest first, each with the commit that was the head when it was given.

    A vote itself has no time and no commit: the thread that Azure DevOps opens for it has the one, and the iteration
    of that time the other (docs: Pull Request Threads - List). A vote without such a thread is bound to no commit.
    """
    times = _vote_times(threads)
    pushes = sorted(
        (at, optional(getattr(each, "source_ref_commit", None), "commit_id"))
        for each in iterations
        if (at := time_of(each, "created_date")) is not None
    )
    found = []
    for each in getattr(data, "reviewers", None) or ():
        vote = getattr(each, "vote", None) or 0
        # A group's vote is that of a person who is listed too.
        if not vote or getattr(each, "is_container", False):
            continue
        verdict: Literal["approved", "changes-requested"] = "approved" if vote > 0 else "changes-requested"
        at = times.get((optional(each, "id"), vote))
        sha = next((sha for pushed, sha in reversed(pushes) if at is not None and pushed <= at), "")
        found.append(Review(author=name_of(each), verdict=verdict, sha=sha, at=at))
    return sorted(found, key=lambda review: review.at or _EPOCH, reverse=True)


def _vote_times(threads: Sequence[object]) -> dict[tuple[str, int], datetime]:
    """Return when each person last gave each vote."""
    found: dict[tuple[str, int], datetime] = {}
    for thread in threads:
        properties = getattr(thread, "properties", None)
        at = time_of(thread, "published_date")
        if not isinstance(properties, dict) or _property(properties, "CodeReviewThreadType") != "VoteUpdate" or not at:
            continue
        identities = getattr(thread, "identities", None)
        who = (identities if isinstance(identities, dict) else {}).get(
            _property(properties, "CodeReviewVotedByIdentity")
        )
        vote = _property(properties, "CodeReviewVoteResult")
        if re.fullmatch(r"-?[0-9]{1,3}", vote):
            key = optional(who, "id"), int(vote)
            found[key] = max(at, found.get(key, _EPOCH))
    return found


def _property(properties: Mapping[str, Any], name: str) -> str:
    value = properties.get(name)
    value = value.get("$value") if isinstance(value, dict) else value
    return str(value) if isinstance(value, str | int) else ""


def merges_of(data: object) -> dict[str, set[int]]:
    """Return which pull requests each commit belongs to, from an answer that may hold nothing at all (B31)."""
    found: dict[str, set[int]] = {}
    for result in getattr(data, "results", None) or ():
        for sha, pulls in (result if isinstance(result, dict) else {}).items():
            numbers = {getattr(pull, "pull_request_id", None) for pull in pulls or ()}
            found.setdefault(sha, set()).update(number for number in numbers if isinstance(number, int))
    return found


def get(data: object, kind: type[T], name: str) -> T:
    """Return a field of an answer. Raises ProviderError if it is not there or of another type."""
    value = getattr(data, name, None)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise ProviderError(
            f"the answer of Azure DevOps has no {name} that can be read: check the remote's address and --api-url, and "
            "run again"
        )
    return value


def optional(data: object, name: str) -> str:
    """Return a text that may be null or absent, "" then (B15)."""
    value = getattr(data, name, None)
    return value if isinstance(value, str) else ""


def time_of(data: object, name: str) -> datetime | None:
    """Return a time, with its zone; None where there is none."""
    found = getattr(data, name, None)
    if not isinstance(found, datetime):
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def name_of(identity: object) -> str:
    """Return who it was: the unique name (of people their mail address), else the name that is shown."""
    return optional(identity, "unique_name") or optional(identity, "display_name") or "unknown"


def check_sha(sha: str) -> str:
    """Return the full id of a commit, which can be nothing else in a path. Raises UsageError."""
    if not _SHA.fullmatch(sha):
        raise UsageError(f"{untrusted.quoted(sha)} is not the full id of a commit: write all its hex digits")
    return sha
