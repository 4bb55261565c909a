"""The nouns of a promotion: what is requested, planned, decided, and what became of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from gitops_promotion.core.forge import PullRequest
from gitops_promotion.core.tags import NO_TAG, Tag

Kind = Literal["promote", "feature", "remove"]
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
    tag: Tag = NO_TAG
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
