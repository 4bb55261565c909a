"""The nouns: what is asked, planned, committed, proposed and answered, and the texts people read of them.

Everything here is a frozen value or a pure function. Names from outside become paths, refs and text only through this
module's checks.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol, Self

from gitops_promotion.errors import UsageError

Kind = Literal["promote", "feature", "remove"]
PullRequestState = Literal["open", "merged", "closed"]
StatusState = Literal["pending", "success", "failure"]
Decision = Literal["pass", "wait", "refuse"]
Result = Literal[
    "opened",
    "updated",
    "merged",
    "unchanged",
    "skipped",
    "declined",
    "planned",
    "passed",
    "refused",
    "timed-out",
    "failed",
]

OWN_CONTEXT = "gitops-promotion"
"""The context under which this tool publishes its own verdict; never evidence for a gate."""


# One path segment, one ref component and one marker part at once: no slash, colon, blank, `..` or `.lock` end.
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,98}[A-Za-z0-9])?")
# OCI distribution spec, "Pulling manifests": <reference> as a tag.
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def check_name(noun: str, text: str) -> str:
    """Return `text` if it can be a group, application or environment; `noun` says which in the error.

    Raises UsageError.
    """
    if not is_name(text):
        raise UsageError(
            f"{noun} {quoted(text)} is not a valid name: use letters, digits, '.', '_' and '-' (at most 100, "
            "first and last a letter or digit, no '..', no '.lock' end)"
        )
    return text


def quoted(text: str) -> str:
    """Return what somebody gave as an error shows it: in quotes, on one line, its first hundred characters."""
    return repr(text) if len(text) <= 100 else f"{text[:100]!r}..."


def is_name(text: str) -> bool:
    """Return True if `check_name` would accept the text."""
    return bool(_NAME.fullmatch(text)) and ".." not in text and not text.endswith(".lock")


def is_manifest(path: str) -> bool:
    """Return True if Flux would look for markers in a file of that name (FLUX 1)."""
    name = path.rpartition("/")[2]
    return name.endswith((".yaml", ".yml")) or name == "Kustomization"


@dataclass(frozen=True, slots=True)
class Tag:
    """An image tag with the digest it was pinned to, if any."""

    name: str
    digest: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `1.2.3` or `1.2.3@sha256:...`. Raises UsageError."""
        name, at, digest = text.partition("@")
        if not _TAG.fullmatch(name):
            raise UsageError(
                f"tag {quoted(text)} is not a valid image tag: use letters, digits, '_', '.' and '-' (at most 128, "
                "the first not '.' or '-'), optionally followed by @sha256:<64 hex digits>"
            )
        if at and not _DIGEST.fullmatch(digest):
            raise UsageError(
                f"tag {quoted(text)} has a malformed digest: write <tag>@sha256:<64 lower-case hex digits>"
            )
        return cls(name, digest)

    def __str__(self) -> str:
        return f"{self.name}@{self.digest}" if self.digest else self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Somebody or something wants `tag` of an application to be what runs in `environment`.

    A `feature` is a temporary version of it, named by `feature`; `remove` takes such away again, and has no tag (and
    no application either where it is about several).
    """

    kind: Kind
    group: str
    app: str
    environment: str
    tag: Tag = Tag("")
    feature: str = ""
    built_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All that carrying out a request would do; `edits` maps a path to its new content, None deletes it.

    `url` is where a feature will be reached, "" where it has no host.
    """

    request: Request
    branch: str
    base: str
    base_sha: str
    previous_tag: str
    message: str
    title: str
    body: str
    auto_merge: bool
    gated: bool
    edits: Mapping[str, bytes | None]
    url: str = ""
    diff: str = ""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One path of a diff; the blobs are object ids, None where the path did not or does not exist."""

    path: str
    old: str | None
    new: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One commit of a log with what it changed; `complete` is False where a shallow clone hides its parents."""

    sha: str
    parents: tuple[str, ...]
    author_email: str
    committer_email: str
    message: str
    changes: tuple[Change, ...]
    complete: bool = True

    @property
    def trailers(self) -> dict[str, str]:
        """The `Key: value` lines of the message's last paragraph."""
        return read_trailers(self.message)


def read_time(text: str) -> datetime | None:
    """Return a trailer's time, None if it is none or has no time zone."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return time if time.tzinfo else None


def read_trailers(message: str) -> dict[str, str]:
    """Return the `Key: value` lines of a commit message's last paragraph."""
    paragraph = message.strip().rpartition("\n\n")[2]
    pairs = (line.partition(": ") for line in paragraph.split("\n"))
    return {key: value.strip() for key, colon, value in pairs if colon}


@dataclass(frozen=True, slots=True, kw_only=True)
class Refs:
    """What the remote answered: its default branch ("" where its HEAD names none) and refs by full name."""

    default_branch: str
    shas: Mapping[str, str]

    def branch(self, name: str) -> str | None:
        """Return the commit of a branch, None if the remote has none of that name."""
        return self.shas.get(f"refs/heads/{name}")


@dataclass(frozen=True, slots=True, kw_only=True)
class RefUpdate:
    """One ref of a push: `new` None deletes; `expected` is what must be there now, None if it must not exist."""

    ref: str
    new: str | None
    expected: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Merge:
    """A merge that was tried: `sha` is the commit, or None and `conflicts` names the paths in the way."""

    sha: str | None
    conflicts: tuple[str, ...] = ()


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
class Standing:
    """What of an open pull request's head keeps it from merging and only a new head mends.

    `behind`: its base has moved on, and the forge demands that it holds the base's tip. `red`: a check that the forge
    requires has failed on it; `red_since` is when its newest run began, None where it is our own for certain.
    """

    behind: bool = False
    red: bool = False
    red_since: datetime | None = None


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
class Details:
    """All there is to know of one pull request; the statuses are those of its head, the diff what it changes."""

    pull_request: PullRequest
    gated: bool
    created_at: datetime
    updated_at: datetime
    statuses: tuple[CommitStatus, ...]
    reviews: tuple[Review, ...]
    diff: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A gate's answer. Each reason names the gate, the evidence and who can act.

    `at` is when the newest status it rests on was posted, None where it rests on none.
    """

    decision: Decision
    reasons: tuple[str, ...] = ()
    at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one promotion or one check. A failed one carries the exit code of its error."""

    result: Result
    message: str
    group: str = ""
    app: str = ""
    environment: str = ""
    tag: str = ""
    previous_tag: str = ""
    branch: str = ""
    sha: str = ""
    feature_url: str = ""
    pull_request: PullRequest | None = None
    reasons: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    plan: Plan | None = None
    diff: str = ""
    failure: int = field(default=1, repr=False)

    @property
    def exit_code(self) -> int:
        """0 done, 3 refused, 4 timed out; a failed outcome has its error's code."""
        return {"refused": 3, "timed-out": 4, "failed": self.failure}.get(self.result, 0)


def exit_code(outcomes: Sequence[Outcome]) -> int:
    """Return the one exit code of several outcomes: what a person must fix first wins (DESIGN 9)."""
    codes = {outcome.exit_code for outcome in outcomes}
    return next((code for code in (1, 6, 5, 2, 3, 4) if code in codes), 0)


class Store(Protocol):
    """What the `local` provider needs of a repository: refs and objects of its remote, changed by compare-and-swap."""

    def refs(self, *patterns: str) -> Refs:
        """Ask the remote for its refs whose full names match the patterns (as `git ls-remote` does)."""

    def fetch(self, *refs: str) -> dict[str, str]:
        """Bring these refs' objects here; returns the object of each by full name. Raises GitError if one is gone."""

    def read_objects(self, shas: Sequence[str]) -> dict[str, bytes]:
        """Return the contents of blobs that were fetched or written before."""

    def write_blob(self, content: bytes) -> str:
        """Store a blob here and return its object id; only a push makes it known to others."""

    def merge(self, base: str, head: str, message: str) -> Merge:
        """Make a merge commit of two commits that were fetched, or name the conflicts."""

    def brought_by(self, tip: str, head: str) -> str | None:
        """Return the first-parent commit of `tip` that brought `head` in, `head` itself where it is one of them."""

    def push(self, updates: Sequence[RefUpdate]) -> None:
        """Change all refs or none. Raises LeaseLostError if any is not what was expected or nothing was changed."""
