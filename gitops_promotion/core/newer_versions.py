"""The tags that came to an environment after another one, and were not taken away again."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from gitops_promotion.core.deployments import same_tag
from gitops_promotion.core.history import Event, parsed
from gitops_promotion.core.tags import Tag


@dataclass(frozen=True, slots=True)
class Version:
    """A tag of an environment, since when (None: not known), and how many events of the environment are newer."""

    tag: Tag
    since: datetime | None
    newer_events: int


def newer_versions(events: Sequence[Event], tag: Tag) -> list[Version] | None:
    """Return the tags that came to an environment after `tag`, oldest first; None if it never had `tag`.

    Tags that a rollback or a revert took away do not count, so the list is empty if the environment went back from
    `tag` and has had no newer one since. `events` are those of one application there, newest first.
    """
    versions = _without_taken_away(events)
    position = next((n for n, version in enumerate(reversed(versions)) if same_tag(version.tag, tag)), None)
    if position is not None:
        return versions[len(versions) - position :]
    loss = next((n for n, event in enumerate(events) if same_tag(parsed(event.previous_tag), tag)), None)
    return None if loss is None else [version for version in versions if version.newer_events < loss]


def _without_taken_away(events: Sequence[Event]) -> list[Version]:
    """Return the tags of an environment, oldest first, without those that a rollback or a revert took away.

    A promotion that brings an older tag again is no rollback: the tag goes on its way as a new one does.
    """
    versions: list[Version] = []
    positions: dict[str, list[int]] = {}

    def add(version: Version) -> None:
        positions.setdefault(version.tag.name, []).append(len(versions))
        versions.append(version)

    def keep(number: int) -> None:
        while len(versions) > number:
            positions[versions.pop().tag.name].pop()

    if events and (first := parsed(events[-1].previous_tag)):
        add(Version(first, None, len(events)))
    for number in range(len(events) - 1, -1, -1):
        event, tag = events[number], parsed(events[number].tag)
        if tag is None:
            continue
        earlier = next((n for n in reversed(positions.get(tag.name, ())) if same_tag(versions[n].tag, tag)), None)
        if earlier is not None and event.kind in ("rollback", "manual"):
            keep(earlier + 1)
        elif event.kind == "rollback":
            # The history in which the tag came was not read.
            keep(0)
            add(Version(tag, None, len(events)))
        else:
            add(Version(tag, event.time, number))
    return versions
