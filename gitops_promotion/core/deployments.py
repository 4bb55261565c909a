"""Which tag an application had in an environment, since when, and by which commit of the default branch."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from gitops_promotion.core import markers
from gitops_promotion.core.commits import Commit
from gitops_promotion.core.layout import MarkerName
from gitops_promotion.core.markers import is_manifest, mentions
from gitops_promotion.core.tags import Tag
from gitops_promotion.errors import ManifestError


@dataclass(frozen=True, slots=True, kw_only=True)
class TagAt:
    """The tag of an application after a first-parent commit; None where the markers disagree or there is none."""

    commit: Commit
    tag: Tag | None

    @property
    def sha(self) -> str:
        """The commit's id."""
        return self.commit.sha


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """The newest unbroken time during which an application had a tag.

    `points` are the commits of that time, newest first, `before` all older ones. `current`: it still has the tag; if it
    does not, `replaced_by` is the commit that replaced the tag. `arrival` is the commit that brought the tag, None if
    the history that was read does not reach back to it.
    """

    points: tuple[TagAt, ...]
    before: tuple[TagAt, ...]
    current: bool
    arrival: Commit | None
    replaced_by: Commit | None = None

    def has_digest(self, tag: Tag) -> bool:
        """Return True if the tag was there with exactly this digest; always True for a tag without a digest."""
        return not tag.digest or any(point.tag is not None and point.tag.digest == tag.digest for point in self.points)


def timeline(
    commits: Sequence[Commit],
    tip: Mapping[str, bytes],
    blobs: Mapping[str, bytes],
    *,
    holds: Callable[[str], bool],
    marker: MarkerName,
) -> list[TagAt]:
    """Return an application's tag after each commit of a first-parent history, newest first.

    `tip` has the files with the application's marker at the newest commit, `blobs` the contents of all manifests that
    the commits change. `holds` says whether a path is one of the environment's.
    """
    files = dict(tip)
    tag = _tag(files, marker)
    points: list[TagAt] = []
    for commit in commits:
        points.append(TagAt(commit=commit, tag=tag))
        is_changed = False
        for change in commit.changes:
            if not is_manifest(change.path) or not holds(change.path):
                continue
            content_before = blobs[change.old_file] if change.old_file else b""
            if mentions(content_before, marker.group, marker.app):
                files[change.path] = content_before
                is_changed = True
            elif files.pop(change.path, None) is not None:
                is_changed = True
        if is_changed:
            tag = _tag(files, marker)
    return points


def _tag(files: Mapping[str, bytes], marker: MarkerName) -> Tag | None:
    try:
        return markers.read_tag(files, marker.group, marker.app)
    except ManifestError:
        return None


def deployment(points: Sequence[TagAt], tag: Tag) -> Deployment | None:
    """Return the newest deployment of `tag`, None if the timeline has none."""
    first = next((i for i, point in enumerate(points) if same_tag(point.tag, tag)), None)
    if first is None:
        return None
    end = next((i for i in range(first, len(points)) if not same_tag(points[i].tag, tag)), len(points))
    oldest = points[end - 1].commit
    # Without an older point the oldest commit brought the tag only if it is the very first of the repository.
    arrival_is_known = end < len(points) or (oldest.complete and not oldest.parents)
    return Deployment(
        points=tuple(points[first:end]),
        before=tuple(points[end:]),
        current=first == 0,
        arrival=oldest if arrival_is_known else None,
        replaced_by=points[first - 1].commit if first else None,
    )


def same_tag(left: Tag | None, right: Tag | None) -> bool:
    """Return True if both name the same version of an image; a digest that only one of them has does not count."""
    if left is None or right is None or left.name != right.name:
        return False
    return not (left.digest and right.digest) or left.digest == right.digest
