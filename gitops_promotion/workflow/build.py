"""The first environment, laid out on disk and built by kustomize with and without edits."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from gitops_promotion.core.config import Config
from gitops_promotion.core.feature import manifests, proof
from gitops_promotion.core.feature.copy import Copy
from gitops_promotion.core.feature.folder import EnvironmentFolder, without_each_part
from gitops_promotion.core.feature.manifests import Object
from gitops_promotion.core.feature.paths import differences
from gitops_promotion.core.feature.reach import outside
from gitops_promotion.core.names import Application
from gitops_promotion.errors import BuildError, KustomizeError, ManifestError, RestrictedError
from gitops_promotion.git import Tree
from gitops_promotion.kustomize import Kustomize
from gitops_promotion.workflow.run import Run

KustomizeFinder = Callable[[], Kustomize]
"""Finds kustomize, and is called only if something is built. Raises KustomizeError."""

_OVERWRITE = "or set featureOverwrite: true for the application"


def feature_environment(config: Config, application: Application) -> str:
    """Return the name of the environment that holds an application's features: the first on its way."""
    return config.way(application).entry.name


def feature_folder(config: Config, application: Application) -> str:
    """Return the folder that holds the copies of an application, relative, without a final slash.

    Raises UsageError if the layout gives the application no such folder.
    """
    return config.layout.folder(application, feature_environment(config, application))


@dataclass(slots=True, kw_only=True)
class EnvironmentBuilder:
    """An application's folder in the first environment at the tip, and the kustomize that builds it."""

    folder: EnvironmentFolder
    tree: Tree
    find_kustomize: KustomizeFinder
    _unrestricted: bool = False

    @classmethod
    def of(
        cls, run: Run, application: Application, find_kustomize: KustomizeFinder, tree: Tree | None = None
    ) -> "EnvironmentBuilder":
        """Return a builder for the tip's tree, or for one that is laid out already. Raises UsageError, GitError."""
        path = feature_folder(run.tip.config, application)
        tree = tree or run.tip.repository.lay_out(run.tip.sha)
        folder = EnvironmentFolder(path=path, files=tree.below(path))
        return cls(folder=folder, tree=tree, find_kustomize=find_kustomize)

    def build(self, edits: Mapping[str, bytes | None]) -> tuple[Object, ...]:
        """Return the environment's objects with these edits. Raises KustomizeError."""
        generated = self.folder.edited(edits).generated_kustomization()
        self.tree.apply({**edits, **generated})
        kustomize = self.find_kustomize()
        if not self._unrestricted:
            try:
                return manifests.parse(kustomize.build(self.tree.root, self.folder.path))
            except RestrictedError:
                # Flux lets a kustomization name any file of the repository, such as a patch that environments share.
                if (path := next(outside(self.tree.files), None)) is not None:
                    raise KustomizeError(
                        f"{path} is outside the repository: kustomizations may name files inside it only"
                    ) from None
                self._unrestricted = True
        return manifests.parse(kustomize.build(self.tree.root, self.folder.path, unrestricted=True))

    def build_with_copy(self, edits: Mapping[str, bytes | None]) -> tuple[Object, ...]:
        """Return the objects of an environment that builds without these edits, which add a copy.

        Raises ManifestError naming the entry of the kustomization that prevents the copy, KustomizeError.
        """
        try:
            return self.build(edits)
        except BuildError as error:
            entry = self._entry_without_which(edits, lambda _: True)
            advice = f"{entry} also applies to the copy; narrow its target" if entry else "correct the kustomization"
            raise ManifestError(
                f"{self.folder.path} builds, but not with a copy in it: {error.reason}: {advice}, {_OVERWRITE}"
            ) from None

    def check_copy(
        self, edits: Mapping[str, bytes | None], before: Sequence[Object], copy: Copy, originals: Sequence[Object]
    ) -> None:
        """Build with a copy's edits and compare with the environment before. Raises ManifestError, KustomizeError."""
        after = self.build_with_copy(edits)
        if problem := proof.problem_with_copy(before, after, copy, originals):
            advice = self._advice(problem, edits, copy)
            raise ManifestError(f"{self.folder.path} with the copy would be wrong: {problem}{advice}")

    def check_removal(self, edits: Mapping[str, bytes | None], features: Sequence[str]) -> None:
        """Build without the copies of features and compare. Raises ManifestError, KustomizeError."""
        try:
            before = self.build({})
        except KustomizeError:
            # A copy that no longer fits its environment must still be removable.
            before = None
        if problem := proof.problem_with_removal(before, self.build(edits), features):
            advice = problem.advice or "take the copy's entries out by hand"
            raise ManifestError(f"{self.folder.path} without the copy would be wrong: {problem}: {advice}")

    def _advice(self, problem: proof.Problem, edits: Mapping[str, bytes | None], copy: Copy) -> str:
        """Return the end of the message about a problem: the next step, and the entry that causes the problem."""
        if problem.advice:
            return f": {problem.advice}"
        intended = next((obj for obj in copy.objects if obj.id == problem.id), None)
        root = self.folder.edited(edits).kustomization
        if root is None or intended is None or not problem.path:
            return f": change that object, {_OVERWRITE}"
        if entry := self._entry_without_which(edits, lambda objects: _agrees(intended, problem.path, objects)):
            return f": {entry} also applies to the copy; narrow its target, {_OVERWRITE}"
        return f": a file that {root} includes also applies to the copy; narrow its target, {_OVERWRITE}"

    def _entry_without_which(
        self, edits: Mapping[str, bytes | None], is_right: Callable[[Sequence[Object]], bool]
    ) -> str:
        """Return the entry of the kustomization without which a build succeeds and is right, "" if there is none."""
        edited = self.folder.edited(edits)
        if (root := edited.kustomization) is not None:
            for name, content in without_each_part(edited.files[root], root):
                try:
                    if is_right(self.build({**edits, root: content})):
                        return f"{name} of {root}"
                except KustomizeError:
                    continue
        return ""


def _agrees(intended: Object, path: str, objects: Sequence[Object]) -> bool:
    """Return True if the object is among these and has the intended value at a path."""
    rendered = next((obj for obj in objects if obj.id == intended.id), None)
    return rendered is not None and path not in differences(intended.content, rendered.content)
