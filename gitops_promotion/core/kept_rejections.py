"""Rejections of promotions whose place on a branch another promotion took; the description keeps them.

A branch carries one promotion at a time. The review that rejected the earlier one stays with the pull request, but the
commit that it is about leaves the branch. So the metadata in the description say what was rejected
(docs/decisions/0024-descriptions-keep-rejections.md).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

from gitops_promotion.core.commits import read_time
from gitops_promotion.core.declines import Decline
from gitops_promotion.core.deployments import same_tag
from gitops_promotion.core.due import proposes
from gitops_promotion.core.forge import PullRequest
from gitops_promotion.core.gates.approvals_text import shown_name, shown_time
from gitops_promotion.core.model import Request
from gitops_promotion.core.names import check_name
from gitops_promotion.core.pull_request_text import comment_json, find_metadata, metadata_comment, with_last_line
from gitops_promotion.core.tags import Tag
from gitops_promotion.core.untrusted import VALUE_LIMIT, code_span, line
from gitops_promotion.errors import UsageError

KEPT_LIMIT = 800
"""The most characters of the rejections in one description; the oldest are left out first."""

_KEY = "rejected"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """What was rejected, by whom and when; `by` is "" and `at` None where that is not known."""

    environment: str
    tag: Tag
    by: str = ""
    at: datetime | None = None

    @classmethod
    def read(cls, document: object) -> Self | None:
        """Return a rejection from a description, which anybody may have written; None if it is malformed."""
        if not isinstance(document, Mapping):
            return None
        environment, tag, by, at = (document.get(key, "") for key in ("env", "tag", "by", "at"))
        if not all(isinstance(value, str) for value in (environment, tag, by, at)):
            return None
        try:
            time = read_time(at)
            utc = time.astimezone(UTC) if time else None
            name = check_name("environment", environment)
            return cls(environment=name, tag=Tag.parse(tag), by=line(by, VALUE_LIMIT), at=utc)
        except (UsageError, OverflowError):
            return None

    @property
    def document(self) -> Mapping[str, str]:
        """The rejection as the metadata have it."""
        at = self.at.astimezone(UTC).isoformat(timespec="seconds") if self.at else ""
        return {"env": self.environment, "tag": str(self.tag), "by": line(self.by, VALUE_LIMIT), "at": at}

    def is_of(self, request: Request) -> bool:
        """Return True if exactly the requested promotion was rejected."""
        return self.environment == request.environment and same_tag(self.tag, request.tag)

    def __str__(self) -> str:
        return f"{shown_name(self.by)} rejected {self.tag} into {self.environment}{shown_time(self.at)}"


def read_rejections(body: str) -> tuple[Rejection, ...]:
    """Return the rejections that a description keeps, oldest first; malformed ones are left out."""
    metadata = find_metadata(body)
    documents = metadata[1].get(_KEY) if metadata else None
    if not isinstance(documents, list):
        return ()
    return tuple(rejection for document in documents if (rejection := Rejection.read(document)))


def find_kept(request: Request, pulls: Iterable[PullRequest], *, base: str) -> Decline | None:
    """Return the rejection of exactly this promotion that a pull request keeps, None without one.

    `pulls` are those of its branch, newest first. One that proposed it later ends the search. One into another branch
    than `base` does not count: everybody who may read can open one. Of the others this trusts the metadata in
    descriptions: what is forged there can hold a promotion back, or propose it again, and never lets one pass a gate.
    """
    for pull in (pull for pull in pulls if pull.base == base):
        for rejection in reversed(read_rejections(pull.body)):
            if rejection.is_of(request):
                return Decline(pull_request=pull, by=rejection.by, at=rejection.at, rejected=True)
        if proposes(pull, environment=request.environment, tag=request.tag):
            return None
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """The rejections that a pull request keeps, oldest first, and those for which it has no room."""

    rejections: tuple[Rejection, ...] = ()
    left_out: tuple[Rejection, ...] = ()

    @property
    def warnings(self) -> tuple[str, ...]:
        """That promotions can be proposed again although they were rejected."""
        step = "close its pull request without merging it, if it is proposed again"
        return tuple(
            f"{rejection}, and the description has no room to keep that: {step}" for rejection in self.left_out
        )


def to_keep(
    request: Request,
    current: PullRequest | None,
    pulls: Iterable[PullRequest],
    new: Sequence[Rejection] = (),
    *,
    base: str,
) -> Kept:
    """Return what the pull request of a promotion keeps: what it keeps already, and the `new` rejections.

    A rejection of the `request` itself is not kept: it is proposed again. `current` is the open pull request, `pulls`
    are those of its branch, newest first. Those into another branch than `base` do not count. Requests of other kinds
    keep nothing.
    """
    if not request.kind.uses_settings:
        return Kept()
    # Azure DevOps opens a pull request again that counted as closed, since its branch was gone.
    earlier = next((pull for pull in (*filter(None, [current]), *pulls) if pull.base == base), None)
    known = read_rejections(earlier.body) if earlier is not None and earlier.state != "merged" else ()
    latest: dict[tuple[str, Tag], Rejection] = {}
    for rejection in (*known, *new):
        key = (rejection.environment, rejection.tag)
        latest.pop(key, None)
        latest[key] = rejection
    rejections = [rejection for rejection in latest.values() if not rejection.is_of(request)]
    fitting = list(rejections)
    while len(comment_json([rejection.document for rejection in fitting])) > KEPT_LIMIT:
        del fitting[0]
    return Kept(rejections=tuple(fitting), left_out=tuple(rejections[: len(rejections) - len(fitting)]))


def noted(body: str, rejections: Sequence[Rejection]) -> str:
    """Return a description whose metadata have these rejections, and no others."""
    comment, values = find_metadata(body) or ("", {})
    values = {key: value for key, value in values.items() if key != _KEY}
    if rejections:
        values[_KEY] = [rejection.document for rejection in rejections]
    if not values:
        return body
    new_comment = metadata_comment(values)
    return body.replace(comment, new_comment, 1) if comment else f"{new_comment}\n\n{body}"


def with_rejections(body: str, rejections: Sequence[Rejection]) -> str:
    """Return a new description that has these rejections in its metadata, and in a sentence for people."""
    if not rejections:
        return body
    names = ", ".join(
        f"{code_span(str(rejection.tag))} into {code_span(rejection.environment)}" for rejection in rejections
    )
    return with_last_line(noted(body, rejections), f"Rejected before, and not proposed again by itself: {names}.")
