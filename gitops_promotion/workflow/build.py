"""An environment laid out on disk, to be built as it is and as edits would leave it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from gitops_promotion.core.config import Application
from gitops_promotion.core.feature import manifests, proof
from gitops_promotion.core.feature.copy import Copy
from gitops_promotion.core.feature.layout import Layout, suspects
from gitops_promotion.core.feature.manifests import Object
from gitops_promotion.core.feature.paths import differences
from gitops_promotion.core.feature.reach import outside
from gitops_promotion.core.names import check_name
from gitops_promotion.errors import BuildError, KustomizeError, ManifestError, RestrictedError, UsageError
from gitops_promotion.git import Tree
from gitops_promotion.kustomize import Kustomize
from gitops_promotion.workflow.session import Session

Finding = Callable[[], Kustomize]
"""Finds kustomize; asked only where something is to be built. Raises KustomizeError."""


@dataclass(slots=True, kw_only=True)
class Workbench:
    """A group's first environment at the tip of the default branch, and what builds it."""

    layout: Layout
    tree: Tree
    find: Finding
    _anywhere: bool = False

    @classmethod
    def of(cls, session: Session, group: str, find: Finding, tree: Tree | None = None) -> "Workbench":
        """Lay out the tree, or use one that is. Raises GitError."""
        laid = tree or session.repository.lay_out(session.tip)
        folder = session.config.path(group, session.config.first.name)
        return cls(layout=Layout(folder=folder, files=laid.below(folder)), tree=laid, find=find)

    def build(self, edits: Mapping[str, bytes | None]) -> tuple[Object, ...]:
        """Return what the environment gives with these edits. Raises KustomizeError."""
        made_up = self.layout.edited(edits).made_up()
        self.tree.apply({**edits, **made_up})
        kustomize = self.find()
        if not self._anywhere:
            try:
                return manifests.parse(kustomize.build(self.tree.root, self.layout.folder))
            except RestrictedError:
                # Flux restricts nothing but to the repository, and shared patches are often beside the environments.
                if (named := next(outside(self.tree.files), None)) is not None:
                    raise KustomizeError(f"{named} is not in the repository: name files of the repository") from None
                self._anywhere = True
        return manifests.parse(kustomize.build(self.tree.root, self.layout.folder, anywhere=True))

    def build_beside(self, edits: Mapping[str, bytes | None]) -> tuple[Object, ...]:
        """Return what the environment, which builds as it is, gives with a copy in it.

        Raises ManifestError that names what is in the way, KustomizeError.
        """
        try:
            return self.build(edits)
        except BuildError as error:
            found = self._part(edits, lambda _: True)
            culprit = f"{found} is in the way; let that name what it is for" if found else "something is in the way"
            raise ManifestError(
                f"{self.layout.folder} builds, but not with a copy in it: {error.said}: {culprit}, or set "
                "featureOverwrite: true for the application"
            ) from None

    def check_copy(
        self, edits: Mapping[str, bytes | None], before: Sequence[Object], copy: Copy, originals: Sequence[Object]
    ) -> None:
        """Build with a copy's edits and compare. Raises ManifestError that names what is in the way."""
        after = self.build_beside(edits)
        if fault := proof.of_copy(before, after, copy, originals):
            culprit = self._culprit(fault, edits, copy)
            raise ManifestError(f"{self.layout.folder} with the copy would not be as intended: {fault}{culprit}")

    def check_removal(self, edits: Mapping[str, bytes | None], features: Sequence[str]) -> None:
        """Build without the copies and compare. Raises ManifestError that names what is in the way."""
        try:
            before = self.build({})
        except KustomizeError:
            # A copy that no longer fits its environment must still be removable.
            before = None
        if fault := proof.of_removal(before, self.build(edits), features):
            raise ManifestError(f"{self.layout.folder} without the copy would not be as intended: {fault}")

    def _culprit(self, fault: proof.Fault, edits: Mapping[str, bytes | None], copy: Copy) -> str:
        """Name the part of the environment's kustomization without which the copy comes out as it was written."""
        wanted = next((each for each in copy.objects if each.id == fault.id), None)
        layout = self.layout.edited(edits)
        if layout.root is None or wanted is None or not fault.path:
            return "; rename what is in its way, or set featureOverwrite: true for the application"
        if found := self._part(edits, lambda objects: _is_right(wanted, fault.path, objects)):
            return f": {found} sets it; let that name what it is for, or set featureOverwrite: true"
        return f"; something that {layout.root} takes in sets it"

    def _part(self, edits: Mapping[str, bytes | None], fits: Callable[[Sequence[Object]], bool]) -> str:
        """Return the part of the environment's kustomization without which a build is as it should be, "" for none."""
        layout = self.layout.edited(edits)
        if layout.root is not None:
            for name, content in suspects(layout.files[layout.root], layout.root):
                try:
                    if fits(self.build({**edits, layout.root: content})):
                        return f"{name} of {layout.root}"
                except KustomizeError:
                    continue
        return ""


def _is_right(wanted: Object, path: str, objects: Sequence[Object]) -> bool:
    found = next((each for each in objects if each.id == wanted.id), None)
    return found is not None and path not in differences(wanted.content, found.content)


def application(session: Session, group: str, app: str) -> Application:
    """Return what the configuration says of an application. Raises UsageError if it does not have it."""
    check_name("group", group)
    check_name("application", app)
    found = session.config.groups.get(group, {}).get(app)
    if found is None:
        known = ", ".join(f"{name}/{each}" for name, apps in session.config.groups.items() for each in apps) or "none"
        raise UsageError(
            f"{group}/{app} is not below groups in {session.config_file}, which features need: add it there (has: "
            f"{known})"
        )
    return found


def refuse_ambiguous(session: Session, group: str, app: str, feature: str) -> None:
    """Raise UsageError for a feature whose branch or folder could be another application's (B32).

    Of two applications whose names begin alike the one with the longer name has its features.
    """
    config = session.config
    folder = config.path(group, config.first.name)
    for other_group, apps in config.groups.items():
        # A pathTemplate without {group} gives all groups one folder.
        sharing = other_group == group or config.path(other_group, config.first.name) == folder
        for other in apps:
            if (other_group, other) == (group, app):
                continue
            rest = _rest(f"{group}-{app}-", f"{other_group}-{other}-", feature)
            if sharing and not rest:
                rest = _rest(f"{app}-", f"{other}-", feature)
            if rest:
                raise UsageError(
                    f"feature {feature!r} of {group}/{app} cannot be told from feature {rest!r} of "
                    f"{other_group}/{other}: name it, or one of the applications, otherwise"
                )


def _rest(head: str, other: str, feature: str) -> str:
    """Return the feature that `<head><feature>` would be to the other; "" if it is none, or this one goes first."""
    whole = head + feature
    rest = whole.removeprefix(other)
    return rest if len(other) >= len(head) and rest != whole and rest.strip("-") == rest else ""
