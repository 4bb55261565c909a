"""An environment's folder: what stands at its root, which copies it holds, and the edits that put one in and out."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from gitops_promotion.core.feature import kustomization
from gitops_promotion.core.feature.copy import Copy
from gitops_promotion.core.feature.kustomization import Image
from gitops_promotion.core.feature.manifests import strings, write
from gitops_promotion.core.feature.names import FEATURE_LABEL
from gitops_promotion.core.feature.paths import first, slots
from gitops_promotion.errors import ManifestError

_CHANGING = (
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
class Held:
    """A copy that is in an environment: `folder` is its own folder, inside the environment's."""

    app: str
    feature: str
    folder: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The files below an environment's folder, by their paths from the repository's root."""

    folder: str
    files: Mapping[str, bytes]

    @property
    def root(self) -> str | None:
        """The environment's own kustomization; None where there is none, and Flux makes one up."""
        return kustomization.find(self.folder, list(self.files))

    def copies(self, apps: Iterable[str]) -> Iterator[Held]:
        """Yield the copies of these applications: known by the label in their own kustomization (B4), never by name.

        A kustomization that does not parse holds none that could be told.
        """
        names = list(apps)
        for folder in sorted({path.split("/")[0] for path in self._inside() if "/" in path}):
            feature = self._feature(folder)
            app = folder.removesuffix(f"-{feature}")
            # The exact name is taken apart from its end (B5): applications and features may have dashes themselves.
            if feature and app != folder and app in names:
                yield Held(app=app, feature=feature, folder=folder)

    def feature_of(self, folder: str) -> str:
        """Return which feature's copy a folder is, "" for a folder of something else."""
        return self._feature(folder)

    def has(self, folder: str) -> bool:
        """Tell whether there is a folder, or a file, of that name."""
        return any(path == folder or path.startswith(f"{folder}/") for path in self._inside())

    def with_copy(self, folder: str, copy: Copy) -> Edits:
        """Return the edits that leave exactly this copy in its folder; none where it is there already.

        Raises ManifestError if the environment's kustomization cannot be edited.
        """
        edits = self.with_folder(folder, copy.files, copy.images)
        return {path: content for path, content in edits.items() if self.files.get(path) != content}

    def with_folder(self, folder: str, files: Mapping[str, bytes], images: Sequence[Image] = ()) -> Edits:
        """Return all that makes a folder of the environment hold these files, named by its kustomization."""
        edits: Edits = dict.fromkeys(self._of(folder))
        edits |= {f"{self.folder}/{folder}/{name}": content for name, content in files.items()}
        if self.root is not None:
            edits[self.root] = kustomization.with_entries(
                self.files[self.root], self.root, resource=folder, images=images, prefix=f"{folder}/"
            )
        elif images:
            raise ManifestError(f"{self.folder} has no kustomization that could replace images")
        return edits

    def without(self, folders: Iterable[str]) -> Edits:
        """Return the edits that take folders out again, byte for byte as if they had never been there."""
        edits: Edits = {}
        content = self.files[self.root] if self.root is not None else b""
        for folder in folders:
            edits |= dict.fromkeys(self._of(folder))
            if self.root is not None:
                content = kustomization.without_entries(content, self.root, resource=folder, prefix=f"{folder}/")
        if self.root is not None and content != self.files[self.root]:
            edits[self.root] = content
        return edits

    def edited(self, edits: Mapping[str, bytes | None]) -> "Layout":
        """Return the layout that edits give."""
        files = {path: content for path, content in {**self.files, **edits}.items() if content is not None}
        return Layout(folder=self.folder, files=files)

    def setters(self) -> dict[str, str]:
        """Return where the environment's own kustomization sets each label that it sets, such as `labels[0] of x`."""
        if self.root is None:
            return {}
        whole = kustomization.value(self.files[self.root], self.root)
        found = dict.fromkeys(strings(whole.get("commonLabels")), f"commonLabels of {self.root}")
        for number, slot in enumerate(slots(whole, "labels[]")):
            found |= dict.fromkeys(strings(first(slot.value, "pairs")), f"labels[{number}] of {self.root}")
        return found

    def made_up(self) -> Edits:
        """Return the kustomization that Flux makes up where there is none; nothing where there is one.

        Like Flux's: all manifests, and of folders with a kustomization of their own that alone.
        """
        if self.root is not None:
            return {}
        own = {path.rpartition("/")[0] for path in self._inside() if path.rpartition("/")[2] in kustomization.NAMES}
        found = set()
        for path in self._inside():
            parts = path.split("/")
            above = ("/".join(parts[:depth]) for depth in range(1, len(parts)))
            if holder := next((folder for folder in above if folder in own), None):
                found.add(holder)
            elif path.endswith((".yaml", ".yml")):
                found.add(path)
        return {f"{self.folder}/kustomization.yaml": write({"resources": sorted(found)})}

    def _inside(self) -> Iterator[str]:
        head = f"{self.folder}/"
        yield from (path.removeprefix(head) for path in self.files if path.startswith(head))

    def _of(self, folder: str) -> list[str]:
        return [path for path in self.files if path.startswith(f"{self.folder}/{folder}/")]

    def _feature(self, folder: str) -> str:
        try:
            path = kustomization.find(f"{self.folder}/{folder}", list(self.files))
            return kustomization.own_labels(self.files[path], path).get(FEATURE_LABEL, "") if path else ""
        except ManifestError:
            return ""


def suspects(content: bytes, path: str) -> Iterator[tuple[str, bytes]]:
    """Yield each part of a kustomization that changes objects, by name, and the kustomization without it.

    For finding out which of them stands in a copy's way; the text is for building only.
    """
    whole = kustomization.value(content, path)
    for key in _CHANGING:
        if isinstance(whole.get(key), list):
            for number in range(len(whole[key])):
                yield f"{key}[{number}]", write({**whole, key: whole[key][:number] + whole[key][number + 1 :]})
        elif key in whole:
            yield key, write({name: each for name, each in whole.items() if name != key})
