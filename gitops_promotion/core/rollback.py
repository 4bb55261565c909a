"""Rollbacks: which tags an environment had before, and to which of them it goes back (docs/rollback.md)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gitops_promotion.core.deployments import Deployment, TagAt, deployment, same_tag
from gitops_promotion.core.names import Application
from gitops_promotion.core.tags import Tag
from gitops_promotion.errors import UsageError

_LISTED = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierTag:
    """A tag that an environment had and has no longer, as it was written, and the newest time that it was there."""

    tag: Tag
    deployment: Deployment


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
