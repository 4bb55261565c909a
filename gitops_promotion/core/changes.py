"""What a diff changes: the tags of applications, and markers that are removed together with their tag."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gitops_promotion.core.commits import FileChange
from gitops_promotion.core.layout import Layout, MarkerName
from gitops_promotion.core.markers import is_manifest, scan
from gitops_promotion.core.names import Application
from gitops_promotion.errors import ManifestError


@dataclass(frozen=True, slots=True, order=True)
class TagChange:
    """The marked values of one application that a diff changes in one environment ("": in none), by path."""

    application: Application
    environment: str
    marker: MarkerName
    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TagChanges:
    """All tags that a diff changes, and the manifests that no longer parse."""

    changes: tuple[TagChange, ...] = ()
    broken: tuple[ManifestError, ...] = ()

    def in_environments(self) -> list[TagChange]:
        """Return the changes that an environment claims."""
        return [change for change in self.changes if change.environment]


Values = Mapping[MarkerName, Sequence[tuple[str, str]]]


def changed_tags(changes: Sequence[FileChange], blobs: Mapping[str, bytes], layout: Layout) -> TagChanges:
    """Return the applications whose marked values differ between the two sides of a diff.

    A manifest that did not parse before counts as empty: whatever it says now is a change.
    """
    paths: dict[tuple[Application, str, MarkerName], list[str]] = {}
    broken: list[ManifestError] = []
    for change in changes:
        if not is_manifest(change.path):
            continue
        try:
            after = _values(change.path, change.new_file, blobs)
        except ManifestError as error:
            broken.append(error)
            continue
        try:
            before = _values(change.path, change.old_file, blobs)
        except ManifestError:
            before = {}
        for name in sorted(before.keys() | after.keys()):
            if before.get(name) != after.get(name):
                owners = [(claim.application, claim.environment) for claim in layout.claims(change.path, name)]
                for application, environment in owners or [(Application(name.group, name.app), "")]:
                    paths.setdefault((application, environment, name), []).append(change.path)
    return TagChanges(
        changes=tuple(
            TagChange(application, environment, name, tuple(changed))
            for (application, environment, name), changed in sorted(paths.items())
        ),
        broken=tuple(broken),
    )


def _values(path: str, blob: str | None, blobs: Mapping[str, bytes]) -> Values:
    values: dict[MarkerName, list[tuple[str, str]]] = {}
    for marker in scan(blobs[blob], path).markers if blob else ():
        values.setdefault(MarkerName(marker.group, marker.app), []).append((marker.part.suffix, marker.value))
    return values
