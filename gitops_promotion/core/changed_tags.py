"""What a diff changes: the tags of applications in environments, and markers of no environment."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gitops_promotion.core.commits import FileChange
from gitops_promotion.core.layout import Layout, MarkerName
from gitops_promotion.core.markers import Marker, is_manifest, scan
from gitops_promotion.core.names import Site
from gitops_promotion.core.strays import Stray
from gitops_promotion.errors import ManifestError


@dataclass(frozen=True, slots=True, kw_only=True)
class TagChanges:
    """All tags that a diff changes, by the environment that claims them, and the manifests that no longer parse.

    `unclaimed` are the changed markers that no environment claims.
    """

    changes: tuple[Site, ...] = ()
    unclaimed: tuple[Stray, ...] = ()
    broken: tuple[ManifestError, ...] = ()


Markers = Mapping[MarkerName, Sequence[Marker]]


def changed_tags(changes: Sequence[FileChange], blobs: Mapping[str, bytes], layout: Layout) -> TagChanges:
    """Return the applications whose marked values differ between the two sides of a diff.

    A manifest that did not parse before counts as empty: everything that it says now is a change.
    """
    claims: dict[Site, None] = {}
    unclaimed: list[Stray] = []
    broken: list[ManifestError] = []
    for change in changes:
        if not is_manifest(change.path):
            continue
        try:
            after = _markers(change.path, change.new_file, blobs)
        except ManifestError as error:
            broken.append(error)
            continue
        try:
            before = _markers(change.path, change.old_file, blobs)
        except ManifestError:
            before = {}
        for name in sorted(before.keys() | after.keys()):
            old, new = before.get(name, ()), after.get(name, ())
            if _values(old) == _values(new):
                continue
            owners = layout.claims(change.path, name)
            claims |= dict.fromkeys(owners)
            if not owners:
                unclaimed.append(Stray(change.path, (*new, *old)[0].line, name))
    return TagChanges(changes=tuple(sorted(claims)), unclaimed=tuple(unclaimed), broken=tuple(broken))


def _markers(path: str, blob: str | None, blobs: Mapping[str, bytes]) -> Markers:
    markers: dict[MarkerName, list[Marker]] = {}
    for marker in scan(blobs[blob], path).markers if blob else ():
        markers.setdefault(MarkerName(marker.group, marker.app), []).append(marker)
    return markers


def _values(markers: Sequence[Marker]) -> list[tuple[str, str]]:
    return [(marker.part.suffix, marker.value) for marker in markers]
