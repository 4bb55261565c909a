"""What is asked of GitHub's GraphQL and what its answers mean; pure, and no answer is taken at its word."""

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

_SHA = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
# Mergeable as it is; UNSTABLE: a check that nobody requires is red or running, HAS_HOOKS: a server of one's own.
READY = ("CLEAN", "UNSTABLE", "HAS_HOOKS")
METHODS = ("MERGE", "SQUASH", "REBASE")
_STATES: Mapping[str, StatusState] = {"SUCCESS": "success", "FAILURE": "failure", "ERROR": "failure"}
_IGNORED_CONCLUSIONS = ("NEUTRAL", "SKIPPED")
T = TypeVar("T")

SETTINGS = "mergeCommitAllowed squashMergeAllowed rebaseMergeAllowed"
_PULL = """id state isDraft headRefOid mergeable mergeStateStatus isMergeQueueEnabled isInMergeQueue
      autoMergeRequest { enabledAt }"""
LOOK = f"""query($owner: String!, $name: String!, $number: Int!) {{
  repository(owner: $owner, name: $name) {{
    {SETTINGS}
    pullRequest(number: $number) {{ {_PULL} }}
  }}
}}"""
HEAD_STATE = f"""query($owner: String!, $name: String!, $number: Int!, $oid: GitObjectID!) {{
  repository(owner: $owner, name: $name) {{
    {SETTINGS}
    pullRequest(number: $number) {{ {_PULL} }}
    object(oid: $oid) {{ ... on Commit {{ statusCheckRollup {{ contexts(first: 100) {{ nodes {{
      __typename
      ... on StatusContext {{ context state createdAt isRequired(pullRequestNumber: $number) }}
      ... on CheckRun {{ conclusion startedAt isRequired(pullRequestNumber: $number) }}
    }} }} }} }} }}
  }}
}}"""
REVIEWS = """query($owner: String!, $name: String!, $number: Int!, $after: String) {
  repository(owner: $owner, name: $name) {
    pullRequest(number: $number) {
      latestOpinionatedReviews(first: 100, after: $after, writersOnly: true) {
        pageInfo { hasNextPage endCursor }
        nodes { state body submittedAt author { __typename login } commit { oid } }
      }
    }
  }
}"""
CONTEXTS = "status { contexts { context state description targetUrl createdAt creator { __typename login } } }"
CHECK_RUNS = """statusCheckRollup { contexts(first: 100, after: %s) {
  pageInfo { hasNextPage endCursor }
  nodes { __typename ... on CheckRun {
    name status conclusion title detailsUrl startedAt completedAt checkSuite { app { slug } }
  } }
} }"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What decides whether a pull request can be armed; `status` is GitHub's mergeStateStatus, `queue`: it has one."""

    id: str
    state: str
    draft: bool
    head_sha: str
    status: str
    conflicts: bool
    armed: bool
    queue: bool
    queued: bool
    methods: tuple[str, ...]

    @property
    def settled(self) -> bool:
        """False while GitHub still computes whether it can merge, as it does after every push."""
        return self.state != "OPEN" or self.draft or self.status != "UNKNOWN"


def answer(look: Look, pull_request: PullRequest, refusal: str) -> AutoMerge | None:
    """Return what is to be said instead of arming, None if arming can be tried (again).

    `refusal` is what GitHub said when it was tried, "" before. It also refuses where there is nothing to wait for,
    even if only because it has not yet computed that there is (FORGES): hence the look.
    """
    name = f"pull request #{pull_request.number}"
    again = "`gitops-promotion promote --all` rebuilds it"

    def refused(reason: str) -> AutoMerge:
        return AutoMerge(state="refused", reason=reason)

    if look.state == "MERGED" and look.head_sha == pull_request.head_sha:
        return AutoMerge(state="merged")
    if look.state != "OPEN":
        return refused(f"{name} is {look.state.lower()} already: open a new one")
    if look.head_sha != pull_request.head_sha:
        return refused(
            f"{pull_request.head} moved from {pull_request.head_sha} to {look.head_sha}, which nobody armed {name} "
            "for: look at the new commits and run this again"
        )
    if look.draft:
        return refused(f"{name} is a draft: mark it as ready for review and run this again")
    if look.status == "DIRTY" or look.conflicts:
        return refused(
            f"{name} conflicts with {pull_request.base}: {again}, or merge {pull_request.base} into it by hand"
        )
    if look.queued:
        return AutoMerge(state="armed", reason=f"{name} is in the merge queue")
    if look.status in READY and not look.queue:
        return AutoMerge(
            state="clean", reason=f"{name} waits for nothing: no rule of {pull_request.base} requires a check"
        )
    return _no(refusal, pull_request.base) if refusal else None


def _no(refusal: str, base: str) -> AutoMerge | None:
    """Return the advice for a refusal that trying again does not change, None for others."""
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
    for pattern, what in advice:
        if re.search(pattern, refusal, re.IGNORECASE):
            return AutoMerge(state="refused", reason=f"GitHub says {refusal!r}: {what}")
    return None


def look_of(data: Mapping[str, Any]) -> Look:
    """Read the answer to LOOK. Raises ProviderError, as all of these do, where it cannot be read."""
    repository = get(data, dict, "repository")
    pull = get(repository, dict, "pullRequest")
    allowed = [get(repository, bool, key) for key in SETTINGS.split()]
    return Look(
        id=get(pull, str, "id"),
        state=get(pull, str, "state"),
        draft=get(pull, bool, "isDraft"),
        head_sha=get(pull, str, "headRefOid"),
        status=get(pull, str, "mergeStateStatus"),
        conflicts=get(pull, str, "mergeable") == "CONFLICTING",
        armed=pull.get("autoMergeRequest") is not None,
        queue=get(pull, bool, "isMergeQueueEnabled"),
        queued=get(pull, bool, "isInMergeQueue"),
        methods=tuple(method for method, yes in zip(METHODS, allowed, strict=True) if yes),
    )


def head_state_of(data: Mapping[str, Any]) -> tuple[Look, HeadState]:
    """Read the answer to HEAD_STATE. Of several red checks the one that ran last counts; our own comes first."""
    look = look_of(data)
    commit = get(data, dict, "repository").get("object")
    nodes = _rollup(commit if isinstance(commit, dict) else {}).get("nodes") or ()
    red = [each for each in nodes if isinstance(each, dict) and each.get("isRequired") is True and _is_red(each)]
    began = [time for each in red if (time := time_of(each, "startedAt") or time_of(each, "createdAt"))]
    ours = any(optional(each, "context").casefold() == OWN_CONTEXT for each in red)
    since = None if ours else max(began, default=None)
    return look, HeadState(outdated=look.status == "BEHIND", failed=ours or since is not None, failed_since=since)


def _is_red(node: Mapping[str, Any]) -> bool:
    conclusion = optional(node, "conclusion")
    return optional(node, "state") in ("FAILURE", "ERROR") or (
        conclusion not in ("", "SUCCESS", *_IGNORED_CONCLUSIONS) and optional(node, "__typename") == "CheckRun"
    )


def pull_of(data: object) -> PullRequest | None:
    """Read a pull request of REST; None for a fork's."""
    head, base = get(data, dict, "head"), get(data, dict, "base")
    here, there = get(base, dict, "repo"), head.get("repo")
    # By number, for names are reused; a fork that was deleted has none.
    if not isinstance(there, dict) or there.get("id") != get(here, int, "id") or not isinstance(data, dict):
        return None
    is_open, is_merged = get(data, str, "state") == "open", data.get("merged_at") is not None
    return PullRequest(
        number=get(data, int, "number"),
        url=get(data, str, "html_url"),
        head=get(head, str, "ref"),
        head_sha=check_sha(get(head, str, "sha")),
        base=get(base, str, "ref"),
        state="merged" if is_merged else "open" if is_open else "closed",
        # While it is open this is the commit of a trial.
        merge_sha=(optional(data, "merge_commit_sha") or None) if is_merged else None,
        auto_merge=is_open and data.get("auto_merge") is not None,
        title=optional(data, "title"),
        body=optional(data, "body"),
        author=login_of(data.get("user")),
    )


def get(data: object, kind: type[T], key: str) -> T:
    """Return a field of an answer. Raises ProviderError if it is not there or of another type."""
    value = data.get(key) if isinstance(data, dict) else None
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise ProviderError(f"GitHub's answer has no {key} that can be read: check --api-url, and run again")
    return value


def listed(data: object) -> list[Any]:
    """Return the items of an answer."""
    if not isinstance(data, list):
        raise ProviderError("GitHub's answer is no list: check --api-url, and run again")
    return data


def optional(data: object, key: str) -> str:
    """Return a text that may be null or absent, "" then (B15)."""
    value = data.get(key) if isinstance(data, dict) else None
    return value if isinstance(value, str) else ""


def time_of(data: object, key: str) -> datetime | None:
    """Return a time, with its zone; None where there is none."""
    try:
        found = datetime.fromisoformat(optional(data, key))
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def login_of(actor: object) -> str:
    """Return who it was, an App as REST writes it: `name[bot]`; GitHub's `ghost` for a deleted account."""
    login = optional(actor, "login") or "ghost"
    bot = optional(actor, "__typename") == "Bot" and not login.endswith("[bot]")
    return f"{login}[bot]" if bot else login


def check_sha(sha: str) -> str:
    """Return the full id of a commit, which can be nothing else in a path or query. Raises UsageError."""
    if not _SHA.fullmatch(sha):
        raise UsageError(f"{untrusted.quoted(sha)} is not the full id of a commit: write all its hex digits")
    return sha


def statuses_of(commit: Mapping[str, Any]) -> list[CommitStatus]:
    """Return a commit's statuses; null is a normal value of every field but the context (B15)."""
    status = commit.get("status")
    contexts = status.get("contexts") if isinstance(status, dict) else None
    return [
        CommitStatus(
            context=optional(each, "context"),
            # EXPECTED is a required check that nobody has reported yet.
            state=_STATES.get(optional(each, "state"), "pending"),
            description=optional(each, "description"),
            url=optional(each, "targetUrl"),
            author=login_of(each.get("creator")),
            created_at=time_of(each, "createdAt"),
        )
        for each in (contexts or ())
        if isinstance(each, dict)
    ]


def check_runs_of(commit: Mapping[str, Any], apps: frozenset[str]) -> list[CommitStatus]:
    """Return the check runs of the named apps, as statuses; neutral and skipped ones say nothing (FLUX 2)."""
    found = []
    for run in _rollup(commit).get("nodes") or ():
        suite = run.get("checkSuite") if isinstance(run, dict) else None
        app = optional(suite.get("app") if isinstance(suite, dict) else None, "slug")
        conclusion = optional(run, "conclusion")
        if app.casefold() not in apps or conclusion in _IGNORED_CONCLUSIONS:
            continue
        done: StatusState = "success" if conclusion == "SUCCESS" else "failure"
        found.append(
            CommitStatus(
                context=optional(run, "name"),
                state=done if optional(run, "status") == "COMPLETED" else "pending",
                description=optional(run, "title") or conclusion.lower().replace("_", " "),
                url=optional(run, "detailsUrl"),
                author=f"{app}[bot]",
                created_at=time_of(run, "completedAt") or time_of(run, "startedAt"),
            )
        )
    return found


def _rollup(commit: Mapping[str, Any]) -> Mapping[str, Any]:
    rollup = commit.get("statusCheckRollup")
    contexts = rollup.get("contexts") if isinstance(rollup, dict) else None
    return contexts if isinstance(contexts, dict) else {}


def next_page(commit: Mapping[str, Any]) -> str | None:
    """Return where the next page of a commit's check runs begins; None after the last."""
    info = _rollup(commit).get("pageInfo")
    return get(info, str, "endCursor") if isinstance(info, dict) and info.get("hasNextPage") else None


def newest(statuses: Sequence[CommitStatus]) -> list[CommitStatus]:
    """Keep the newest of each context, newest first."""
    found: dict[str, CommitStatus] = {}
    epoch = datetime.min.replace(tzinfo=UTC)
    for status in sorted(statuses, key=lambda each: each.created_at or epoch, reverse=True):
        found.setdefault(status.context, status)
    return list(found.values())


def review_of(node: object) -> Review | None:
    """Return an approval or an objection; None for what is neither any more."""
    verdicts: Mapping[str, Literal["approved", "changes-requested"]] = {
        "APPROVED": "approved",
        "CHANGES_REQUESTED": "changes-requested",
    }
    verdict = verdicts.get(optional(node, "state"))
    if verdict is None or not isinstance(node, dict):
        return None
    return Review(
        author=login_of(node.get("author")),
        verdict=verdict,
        # A commit that was pushed away is null: then the review is bound to nothing that could be a head.
        sha=optional(node.get("commit"), "oid"),
        comment=optional(node, "body"),
        at=time_of(node, "submittedAt"),
    )


def readable(data: Any) -> Any:
    """Return what an answer holds. Raises ValueError for a text: PyGithub hands it on as {"data": text}."""
    if isinstance(data, dict) and isinstance(data.get("data"), str):
        raise ValueError("no JSON")  # noqa: TRY004  the same as half a document
    return data
