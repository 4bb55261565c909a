"""Rollbacks: which tags an environment had before, and to which of them it goes back (docs/rollback.md)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gitops_promotion.core.deployments import Deployment, TagAt, deployment, same_tag
from gitops_promotion.core.names import Application
from gitops_promotion.core.tags import Tag
from gitops_promotion.errors import UsageError

_LISTED = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Stay:
    """A tag that was in an environment and is not there any more, as it was written, and its newest time there."""

    tag: Tag
    deployment: Deployment


def earlier_stays(points: Sequence[TagAt]) -> list[Stay]:
    """Return the tags that an environment had before the one it has now, the last one first, each once.

    `points` is its timeline, newest first.
    """
    current = points[0].tag if points else None
    tags: list[Tag] = []
    for point in points:
        tag = point.tag
        if tag is not None and not any(same_tag(tag, earlier) for earlier in (current, *tags)):
            tags.append(tag)
    stays = ((tag, deployment(points, tag)) for tag in tags)
    return [Stay(tag=tag, deployment=newest) for tag, newest in stays if newest is not None]


def choose(
    application: Application,
    environment: str,
    stays: Sequence[Stay],
    *,
    to: Tag | None,
    is_held: Callable[[Stay], bool],
    is_green: Callable[[Stay], bool],
) -> tuple[Stay, bool]:
    """Return what an environment goes back to, and whether it was green: `to`, or the last green one without a hold.

    Raises UsageError where it never had `to`, and where no earlier tag will do.
    """
    names = ", ".join(stay.tag.name for stay in stays[:_LISTED]) or "none that the history here shows"
    if to is not None:
        match = next((stay for stay in stays if same_tag(stay.tag, to)), None)
        if match is None:
            step = "name one of them" if stays else "bring another one with `gitops-promotion promote`"
            raise UsageError(f"{environment} never had {application} {to.name}: it had {names}: {step}")
        return match, is_green(match)
    for stay in stays:
        if not is_held(stay) and is_green(stay):
            return stay, True
    if not stays:
        raise UsageError(
            f"{environment} had no other tag of {application} that the history here shows: bring another one with "
            "`gitops-promotion promote`"
        )
    raise UsageError(
        f"no earlier tag of {application} that is not on hold was green in {environment} (it had {names}): name one "
        "with --to and --reason"
    )
