"""Rollbacks: which tags an environment had before, the newest first (docs/rollback.md)."""

from collections.abc import Sequence
from dataclasses import dataclass

from gitops_promotion.core.deployments import Deployment, TagAt, deployment, same_tag
from gitops_promotion.core.tags import Tag


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
