"""An environment's folder: its kustomization, the copies in it, and the edits that add and remove a copy."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from gitops_promotion.core.feature import kustomization
from gitops_promotion.core.feature.copy import Copy
from gitops_promotion.core.feature.kustomization import Image
from gitops_promotion.core.feature.manifests import strings, write
from gitops_promotion.core.feature.names import FEATURE_LABEL
from gitops_promotion.core.feature.paths import first, slots
from gitops_promotion.errors import ManifestError

# The keys of a kustomization that change objects.
_TRANSFORMING_KEYS = (
    "namePrefix",
    "nameSuffix",
    "namespace",
    "commonLabels",
    "commonAnnotations",
    "labels",
    "images",
    "replicas",
    "components",
    "patches",
    "patchesStrategicMerge",
    "patchesJson6902",
    "replacements",
    "transformers",
)
Edits = dict[str, bytes | None]
"""New contents by path; None deletes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InstalledCopy:
    """A copy in an environment's folder; `subfolder` is the name of its own folder there."""

    app: str
    feature: str
    subfolder: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentFolder:
    """A folder and the files below it, by their paths from the repository's root."""

    path: str
    files: Mapping[str, bytes]

    @property
    def kustomization(self) -> str | None:
        """The path of the folder's own kustomization; None where Flux generates one."""
        return kustomization.find(self.path, list(self.files))

    def copies(self, apps: Iterable[str]) -> Iterator[InstalledCopy]:
        """Yield the copies of these applications; the label in a copy's own kustomization identifies it.

        A subfolder whose kustomization cannot be parsed is no copy (docs/migrating.md, B4).
        """
        names = list(apps)
        for subfolder in sorted({path.split("/")[0] for path in self._relative_paths() if "/" in path}):
            feature = self.feature_of(subfolder)
            # Applications and features may contain dashes: the feature is cut off as a whole (docs/migrating.md, B5).
            app = subfolder.removesuffix(f"-{feature}")
            if feature and app != subfolder and app in names:
                yield InstalledCopy(app=app, feature=feature, subfolder=subfolder)

    def feature_of(self, subfolder: str) -> str:
        """Return the feature whose copy a subfolder holds, "" for any other subfolder."""
        try:
            path = kustomization.find(f"{self.path}/{subfolder}", list(self.files))
            return kustomization.own_labels(self.files[path], path).get(FEATURE_LABEL, "") if path else ""
        except ManifestError:
            return ""

    def has(self, name: str) -> bool:
        """Return True if the folder has a subfolder or a file of that name."""
        return any(path == name or path.startswith(f"{name}/") for path in self._relative_paths())

    def with_copy(self, subfolder: str, copy: Copy) -> Edits:
        """Return the edits after which a subfolder holds exactly this copy; none if it already does.

        Raises ManifestError if the environment's kustomization cannot be edited.
        """
        edits = self.with_subfolder(subfolder, copy.files, copy.images)
        return {path: content for path, content in edits.items() if self.files.get(path) != content}

    def with_subfolder(self, subfolder: str, files: Mapping[str, bytes], images: Sequence[Image] = ()) -> Edits:
        """Return the edits after which a subfolder holds exactly these files and the kustomization lists it.

        Raises ManifestError if the environment's kustomization cannot be edited.
        """
        edits: Edits = dict.fromkeys(self._paths_below(subfolder))
        edits |= {f"{self.path}/{subfolder}/{name}": content for name, content in files.items()}
        root = self.kustomization
        if root is not None:
            edits[root] = kustomization.with_entries(
                self.files[root], root, resource=subfolder, images=images, prefix=f"{subfolder}/"
            )
        elif images:
            raise ManifestError(f"{self.path} has no kustomization, which the images of the copy need: add one")
        return edits

    def without(self, subfolders: Iterable[str]) -> Edits:
        """Return the edits that remove subfolders and their entries, byte for byte as before they were added.

        Raises ManifestError if the environment's kustomization cannot be edited.
        """
        edits: Edits = {}
        root = self.kustomization
        content = self.files[root] if root is not None else b""
        for subfolder in subfolders:
            edits |= dict.fromkeys(self._paths_below(subfolder))
            if root is not None:
                content = kustomization.without_entries(content, root, resource=subfolder, prefix=f"{subfolder}/")
        if root is not None and content != self.files[root]:
            edits[root] = content
        return edits

    def edited(self, edits: Mapping[str, bytes | None]) -> "EnvironmentFolder":
        """Return the folder with these edits."""
        files = {path: content for path, content in {**self.files, **edits}.items() if content is not None}
        return EnvironmentFolder(path=self.path, files=files)

    def label_sources(self) -> dict[str, str]:
        """Return the entry of the folder's kustomization that sets each label, such as `labels[0] of x`, by label."""
        root = self.kustomization
        if root is None:
            return {}
        settings = kustomization.value(self.files[root], root)
        sources = dict.fromkeys(strings(settings.get("commonLabels")), f"commonLabels of {root}")
        for number, slot in enumerate(slots(settings, "labels[]")):
            sources |= dict.fromkeys(strings(first(slot.value, "pairs")), f"labels[{number}] of {root}")
        return sources

    def generated_kustomization(self) -> Edits:
        """Return the kustomization that Flux generates for a folder without one; no edits for a folder with one.

        It lists all manifests; a subfolder with a kustomization of its own is one entry
        (https://fluxcd.io/flux/components/kustomize/kustomizations/#generate-kustomizationyaml).
        """
        if self.kustomization is not None:
            return {}
        paths = list(self._relative_paths())
        with_own = {path.rpartition("/")[0] for path in paths if path.rpartition("/")[2] in kustomization.NAMES}
        resources = set()
        for path in paths:
            segments = path.split("/")
            parents = ("/".join(segments[:depth]) for depth in range(1, len(segments)))
            if parent := next((parent for parent in parents if parent in with_own), None):
                resources.add(parent)
            elif path.endswith((".yaml", ".yml")):
                resources.add(path)
        return {f"{self.path}/kustomization.yaml": write({"resources": sorted(resources)})}

    def _relative_paths(self) -> Iterator[str]:
        prefix = f"{self.path}/"
        yield from (path.removeprefix(prefix) for path in self.files if path.startswith(prefix))

    def _paths_below(self, subfolder: str) -> list[str]:
        return [path for path in self.files if path.startswith(f"{self.path}/{subfolder}/")]


def without_each_part(content: bytes, path: str) -> Iterator[tuple[str, bytes]]:
    """Yield the name of each entry of a kustomization that changes objects, and the kustomization without the entry.

    Builds of these kustomizations show which entry prevents a copy. Raises ManifestError.
    """
    settings = kustomization.value(content, path)
    for key in _TRANSFORMING_KEYS:
        if isinstance(settings.get(key), list):
            entries = settings[key]
            for number in range(len(entries)):
                yield f"{key}[{number}]", write({**settings, key: entries[:number] + entries[number + 1 :]})
        elif key in settings:
            yield key, write({name: value for name, value in settings.items() if name != key})
