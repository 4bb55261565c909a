"""Which tag an application had in an environment after each commit of the default branch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gitops_promotion.core import markers
from gitops_promotion.core.commits import Commit
from gitops_promotion.core.markers.scan import is_manifest, mentions
from gitops_promotion.core.tags import Tag
from gitops_promotion.errors import ManifestError


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A first-parent commit and the tag after it; None where the markers disagree or there is none."""

    entry: Commit
    tag: Tag | None

    @property
    def sha(self) -> str:
        """The commit's id."""
        return self.entry.sha


@dataclass(frozen=True, slots=True, kw_only=True)
class Stay:
    """The newest unbroken time an application had a tag: `points` newest first, `before` all older ones.

    `current`: it still has it. `arrival` is the commit that brought the tag, None if history known here does not
    reach back to it.
    """

    points: tuple[Point, ...]
    before: tuple[Point, ...]
    current: bool
    arrival: Commit | None


def timeline(
    entries: Sequence[Commit],
    tip: Mapping[str, bytes],
    blobs: Mapping[str, bytes],
    *,
    folder: str,
    group: str,
    app: str,
) -> list[Point]:
    """Return the points of a first-parent history, newest first.

    `tip` holds the files with this application's markers below `folder` at the newest commit; `blobs` the contents
    of all manifests that the entries change there.
    """
    files = dict(tip)
    tag = _tag(files, group, app)
    points: list[Point] = []
    for entry in entries:
        points.append(Point(entry=entry, tag=tag))
        touched = False
        for change in entry.changes:
            if not change.path.startswith(folder + "/") or not is_manifest(change.path):
                continue
            before = blobs[change.old] if change.old else b""
            if mentions(before, group, app):
                files[change.path] = before
                touched = True
            elif files.pop(change.path, None) is not None:
                touched = True
        if touched:
            tag = _tag(files, group, app)
    return points


def _tag(files: Mapping[str, bytes], group: str, app: str) -> Tag | None:
    try:
        return markers.read_tag(files, group, app)
    except ManifestError:
        return None


def stay(points: Sequence[Point], tag: Tag) -> Stay | None:
    """Return the newest stay of `tag`, None if it never was there as far as is known."""
    first = next((i for i, point in enumerate(points) if same(point.tag, tag)), None)
    if first is None:
        return None
    end = next((i for i in range(first, len(points)) if not same(points[i].tag, tag)), len(points))
    oldest = points[end - 1].entry
    # Without an older point the oldest one brought the tag only if it is the very first commit.
    known = end < len(points) or (oldest.complete and not oldest.parents)
    return Stay(
        points=tuple(points[first:end]),
        before=tuple(points[end:]),
        current=first == 0,
        arrival=oldest if known else None,
    )


def same(left: Tag | None, right: Tag | None) -> bool:
    """Return True if both name the same image version; a digest only one of them carries does not count."""
    if left is None or right is None or left.name != right.name:
        return False
    return not (left.digest and right.digest) or left.digest == right.digest
