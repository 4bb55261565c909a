"""Rollbacks: which tags an environment had before, and to which of them it goes back (docs/rollback.md)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gitops_promotion.core.commits import Commit
from gitops_promotion.core.deployments import Deployment, TagAt, deployment, same_tag
from gitops_promotion.core.names import Application
from gitops_promotion.core.provenance import Provenance
from gitops_promotion.core.tags import Tag
from gitops_promotion.errors import UsageError

_LISTED = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierTag:
    """A tag that an environment had and has no longer, as it was written, and the newest time that it was there."""

    tag: Tag
    deployment: Deployment


@dataclass(frozen=True, slots=True, kw_only=True)
class Return:
    """The present tag of an environment that had it before: which commit brought it back, and in place of which tag.

    `before` is the timeline from the earlier time of the tag on, newest first.
    """

    tag: Tag
    left: Tag
    commit: Commit
    before: tuple[TagAt, ...]


def last_return(points: Sequence[TagAt]) -> Return | None:
    """Return how the present tag came back; None if it was never there before, or if the history does not show it.

    `points` is the timeline of an environment, newest first.
    """
    tag = points[0].tag if points else None
    present = deployment(points, tag) if tag is not None else None
    if tag is None or present is None or present.arrival is None:
        return None
    earlier = deployment(present.before, tag)
    if earlier is None:
        return None
    left = next(point.tag for point in present.before if point.tag is not None)
    return Return(tag=tag, left=left, commit=present.arrival, before=(*earlier.points, *earlier.before))


def is_rollback(application: Application, environment: str, provenance: Provenance) -> bool:
    """Return True if a commit calls itself a rollback of this application in this environment."""
    return provenance.is_rollback and provenance.is_promotion(application, environment, ())


def already_rolled_back(last: Return, number: int | None, further: EarlierTag | None) -> str:
    """Return that the environment was rolled back, and how to go back once more.

    `number` is the pull request of the rollback, None if it is not known; `further` is the next tag to go back to.
    """
    origin = f"#{number}" if number is not None else f"commit {last.commit.sha[:12]}"
    option = f"--to {further.tag.name}" if further else "name an earlier tag with --to and --reason"
    return f"{last.left.name} was rolled back to {last.tag.name} by {origin}; to go back further: {option}"


def earlier_tags(points: Sequence[TagAt]) -> list[EarlierTag]:
    """Return the tags that an environment had before the one it has now, the last one first, each once.

    `points` is its timeline, newest first.
    """
    current = points[0].tag if points else None
    tags: list[Tag] = []
    for point in points:
        tag = point.tag
        if tag is not None and not any(same_tag(tag, earlier) for earlier in (current, *tags)):
            tags.append(tag)
    deployments = ((tag, deployment(points, tag)) for tag in tags)
    return [EarlierTag(tag=tag, deployment=newest) for tag, newest in deployments if newest is not None]


def choose(
    application: Application,
    environment: str,
    candidates: Sequence[EarlierTag],
    *,
    to: Tag | None,
    is_held: Callable[[EarlierTag], bool],
    is_green: Callable[[EarlierTag], bool],
) -> tuple[EarlierTag, bool]:
    """Return the tag that an environment goes back to, and whether it was green there.

    It is `to`, or without it the last of the `candidates` that was green and is not on hold. Raises UsageError if the
    environment never had `to`, or if no candidate was green and is not on hold.
    """
    names = ", ".join(earlier.tag.name for earlier in candidates[:_LISTED]) or "none that the history here shows"
    if to is not None:
        match = next((earlier for earlier in candidates if same_tag(earlier.tag, to)), None)
        if match is None:
            step = "name one of them" if candidates else "bring another one with `gitops-promotion promote`"
            raise UsageError(f"{environment} never had {application} {to.name}: it had {names}: {step}")
        return match, is_green(match)
    for earlier in candidates:
        if not is_held(earlier) and is_green(earlier):
            return earlier, True
    if not candidates:
        raise UsageError(
            f"{environment} had no other tag of {application} that the history here shows: bring another one with "
            "`gitops-promotion promote`"
        )
    raise UsageError(
        f"no earlier tag of {application} that is not on hold was green in {environment} (it had {names}): name one "
        "with --to and --reason"
    )
