"""Which files of a repository an environment reads: its own manifests, and all that its kustomizations name.

Everything that kustomize would fetch from elsewhere is reported as a problem before anything is built
(docs/unmanaged-images.md).
"""

import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from posixpath import join, normpath
from typing import Any

from gitops_promotion.core.untrusted import quoted
from gitops_promotion.errors import ManifestError

NAMES = ("kustomization.yaml", "kustomization.yml", "Kustomization")
"""The file names that kustomize accepts."""

# Texts that kustomize reads as a repository or a page even if a file has that name: NewRepoSpecFromURL, IsRemoteFile in
# https://github.com/kubernetes-sigs/kustomize/blob/master/api/internal/git/repospec.go
_REMOTE = re.compile(r"://|^git::|^gh:|^[^/]*[@:]|github\.com|\.git(?:/|\?|$)|_git/|\?|//")
_LISTS = ("resources", "bases", "components", "crds", "configurations")
_PLUGINS = ("generators", "transformers", "validators")
_PATCHES = ("patches", "patchesstrategicmerge", "patchesjson6902", "replacements")
_GENERATORS = ("configmapgenerator", "secretgenerator")
_HELM = ("helmcharts", "helmchartinflationgenerator")
_MANIFESTS = (".yaml", ".yml", ".json")
_MOST_FILES = 20_000
_MOST_LINKS = 40
_MOST_BEHIND_LINKS = 5_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """The files and the symbolic links of a tree; `links` has the target of each link, as it is written."""

    files: frozenset[str]
    links: Mapping[str, str] = field(default_factory=dict)
    folders: frozenset[str] = frozenset()

    @classmethod
    def of(cls, files: Collection[str], links: Mapping[str, str]) -> "Listing":
        """Return the listing of these files and links."""
        folders = {parent for path in files for parent in _parents(path)}
        return cls(files=frozenset(files), links=links, folders=frozenset(folders))

    def behind_links(self) -> Iterator[str]:
        """Yield the paths that files have through links to them, or to their folders.

        Raises ManifestError if links to folders give too many paths.
        """
        count = 0
        for link in self.links:
            target = self.resolve(link)
            if target is None:
                continue
            if target[0] in self.files:
                yield link
            elif target[0] in self.folders:
                prefix = f"{target[0]}/"
                count += len(self.files)
                if count > _MOST_BEHIND_LINKS:
                    raise ManifestError("symbolic links to folders make too many paths: write files in their place")
                yield from (f"{link}/{path.removeprefix(prefix)}" for path in self.files if path.startswith(prefix))

    def resolve(self, path: str) -> tuple[str, tuple[str, ...]] | None:
        """Return the path without links, and the links that lead there; None if it is outside of the repository."""
        used: list[str] = []
        for _ in range(_MOST_LINKS):
            if path in ("", "."):
                return "", tuple(used)
            if path.split("/")[0] == ".." or path.startswith("/"):
                return None
            link = next((head for head in [*_parents(path), path] if head in self.links), None)
            if link is None:
                return path, tuple(used)
            used.append(link)
            target = self.links[link]
            if target.startswith("/"):
                return None
            path = normpath(join(link.rpartition("/")[0], target, path[len(link) + 1 :]))
        return None


@dataclass(slots=True, kw_only=True)
class Sources:
    """What an environment reads.

    `roots` are the folders that kustomize builds, and `built` are the files that it reads for them. `loose` are the
    manifests outside of these folders, and `beside` are these manifests with the links that lead to them. `problems`
    say why the folders must not be built.
    """

    roots: tuple[str, ...] = ()
    built: set[str] = field(default_factory=set)
    loose: tuple[str, ...] = ()
    problems: list[str] = field(default_factory=list)

    beside: set[str] = field(default_factory=set)

    @property
    def files(self) -> frozenset[str]:
        """All files that it reads, and the links that lead to them."""
        return frozenset(self.built | self.beside)


def sources(listing: Listing, own_files: Iterable[str], read: Callable[[str], bytes]) -> Sources:
    """Return what an environment reads; `own_files` are the files in its folders, `read` returns the content of one."""
    own_paths = list(own_files)
    folders = {path.rpartition("/")[0] for path in own_paths if path.rpartition("/")[2] in NAMES}
    highest = [folder for folder in folders if folder and folders.isdisjoint(["", *_parents(folder)])]
    highest = [""] if "" in folders else highest
    result = Sources()
    walk = _Walk(listing=listing, read=read, sources=result)
    for folder in sorted(highest):
        walk.folder(folder, "")
    separate = []
    for folder in sorted(folders - set(highest), key=lambda name: (name.count("/"), name)):
        # A folder further below that no kustomization names: Flux may apply it by itself.
        if folder not in walk.folders and not walk.is_component(folder):
            separate.append(folder)
            walk.folder(folder, "")
    result.roots = (*sorted(highest), *separate)
    prefixes = [f"{folder}/" if folder else "" for folder in folders]
    result.loose = tuple(
        path
        for path in own_paths
        if path.casefold().endswith(_MANIFESTS) and not any(path.startswith(folder) for folder in prefixes)
    )
    for path in result.loose:
        target = listing.resolve(path)
        result.beside |= {path, target[0], *target[1]} if target else {path}
    return result


@dataclass(slots=True, kw_only=True)
class _Walk:
    """Follows what kustomizations name."""

    listing: Listing
    read: Callable[[str], bytes]
    sources: Sources
    folders: set[str] = field(default_factory=set)

    def is_component(self, folder: str) -> bool:
        return any(value.get("kind") == "Component" for value in self._kustomizations(folder))

    def _kustomizations(self, folder: str) -> Iterator[Mapping[str, Any]]:
        for name in NAMES:
            path = join(folder, name)
            target = self.listing.resolve(path)
            if target and target[0] in self.listing.files:
                yield from (value for value in self._documents(target[0]) if isinstance(value, dict))

    def folder(self, folder: str, named_by: str) -> None:
        """Follow the kustomization of a folder."""
        if folder in self.folders:
            return
        self.folders.add(folder)
        paths = [join(folder, name) for name in NAMES]
        kustomizations = [
            path for path in paths if (real := self.listing.resolve(path)) and real[0] in self.listing.files
        ]
        if not kustomizations:
            self._fail(named_by, f"{quoted(folder)} has no kustomization")
        for path in kustomizations:
            self._note(path)
            for value in self._documents(self._real(path)):
                if isinstance(value, dict):
                    self._kustomization(value, folder, path)

    def _real(self, path: str) -> str:
        target = self.listing.resolve(path)
        return target[0] if target else path

    def _kustomization(self, value: Mapping[str, Any], folder: str, path: str) -> None:
        for key in _HELM:
            if value.get(key):
                self._fail(path, "charts are not inflated, here as in Flux: keep the output of helmCharts in files")
        for key in _LISTS:
            for entry in _texts(value.get(key)):
                self._entry(entry, folder, path)
        for key in _PLUGINS:
            for entry in _texts(value.get(key)):
                self._plugins(entry, folder, path)
        for key in _PATCHES:
            for item in value.get(key) or () if isinstance(value.get(key), list) else ():
                if isinstance(item, dict):
                    self._plugin(item, folder, path)
                else:
                    self._patch(item, folder, path)
        for key in _GENERATORS:
            for item in value.get(key) or () if isinstance(value.get(key), list) else ():
                self._plugin(item, folder, path)
        openapi = value.get("openapi")
        if isinstance(openapi, dict):
            self._plugin(openapi, folder, path)

    def _plugins(self, text: str, folder: str, path: str) -> None:
        """Follow what generators, transformers or validators name: those in a file, or in the text itself.

        Each must be a builtin one as it stands. What a folder or a list makes is known only when it is built, and could
        name any file of this machine (https://github.com/kubernetes-sigs/kustomize/blob/master/api/internal/target).
        """
        if _is_inline(text):
            # kustomize looks for a file of that name first.
            self._require_inside(text, folder, path)
            documents = _parsed(text.encode(), path, self.sources)
        elif (target := self._entry(text, folder, path, may_be_folder=False)) is not None:
            documents, folder = self._documents(target), target.rpartition("/")[0]
        else:
            return
        for document in documents:
            if not isinstance(document, dict) or document.get("apiversion") != "builtin" or "items" in document:
                self._fail(path, f"{quoted(text, 200)} is no builtin generator, transformer or validator alone")
                continue
            self._plugin(document, folder, path)

    def _plugin(self, value: Any, folder: str, path: str) -> None:
        """Follow the files that a generator, a transformer or a patch names."""
        if not isinstance(value, dict):
            return
        if value.get("kind") == "HelmChartInflationGenerator":
            self._fail(path, "HelmChartInflationGenerator: charts are not inflated, here as in Flux")
        for entry in _texts(value.get("files")):
            # With a key for the content, `KEY=PATH`.
            self._entry(entry.partition("=")[2] or entry, folder, path)
        for key in ("path", "envs", "env"):
            for entry in _texts(value.get(key)):
                self._entry(entry, folder, path)
        for entry in _texts(value.get("paths")):
            self._patch(entry, folder, path)
        for key in ("replacements", "patches", *_GENERATORS):
            items = value.get(key)
            for item in items if isinstance(items, list) else ():
                self._plugin(item, folder, path)

    def _patch(self, text: Any, folder: str, path: str) -> None:
        """Follow a strategic merge patch: the name of a file, or the patch itself."""
        if isinstance(text, str) and text:
            if _is_inline(text):
                self._require_inside(text, folder, path)
            else:
                self._entry(text, folder, path)

    def _require_inside(self, text: str, folder: str, path: str) -> tuple[str, tuple[str, ...]] | None:
        """Return the path that a text is as the name of a file, and its links; None with a problem if it leads out."""
        target = self.listing.resolve(normpath(join(folder, text)))
        if target is None:
            self._fail(path, f"{quoted(text, 200)} leads out of the repository")
        return target

    def _entry(self, text: str, folder: str, path: str, *, may_be_folder: bool = True) -> str | None:
        """Note a file, or follow a folder; return the file without links, None for anything else."""
        if _REMOTE.search(text) or text.startswith(("/", "~")):
            self._fail(path, f"{quoted(text, 200)} is not in the repository, and nothing is fetched: add it")
            return None
        target = self._require_inside(text, folder, path)
        if target is None:
            return None
        if target[0] in self.listing.files:
            self._note(normpath(join(folder, text)))
            return target[0]
        is_folder = target[0] in self.listing.folders or not target[0]
        if is_folder and may_be_folder:
            self.sources.built.update(target[1])
            self.folder(target[0], path)
        elif is_folder:
            self._fail(path, f"{quoted(text, 200)} is a folder, and only plugins in files are followed: name its files")
        else:
            self._fail(path, f"{quoted(text, 200)} is missing")
        return None

    def _note(self, path: str) -> None:
        target = self.listing.resolve(path)
        if target is not None:
            self.sources.built |= {target[0], *target[1]}
        if len(self.sources.built) > _MOST_FILES:
            raise ManifestError(f"an environment reads more than {_MOST_FILES} files: split it")

    def _documents(self, path: str) -> list[Any]:
        return _parsed(self.read(path), path, self.sources)

    def _fail(self, path: str, problem: str) -> None:
        self.sources.problems.append(f"{path}: {problem}" if path else problem)


def _parsed(content: bytes, path: str, result: Sources) -> list[Any]:
    """Return the documents of a file; for one that cannot be read add a problem to `result`, and return none."""
    import yaml

    from gitops_promotion.core.feature.manifests import of_node
    from gitops_promotion.errors import KustomizeError

    try:
        nodes = list(yaml.compose_all(content.removeprefix(b"\xef\xbb\xbf").decode(), Loader=yaml.CSafeLoader))
        return [_folded(of_node(node, 100 * len(content))) for node in nodes if node is not None]
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError, KustomizeError, ManifestError) as error:
        reason = " ".join(str(error).split())[:200]
        result.problems.append(f"{path}: cannot be read ({json.dumps(reason)})")
        return []


def _folded(value: Any) -> Any:
    """Return a value with its keys in lower case: kustomize takes `Resources` for `resources`.

    It decodes them as https://pkg.go.dev/encoding/json#Unmarshal does. Raises ManifestError for a key that is there
    twice.
    """
    if isinstance(value, list):
        return [_folded(item) for item in value]
    if not isinstance(value, dict):
        return value
    keys = [key.casefold() for key in value]
    if "<<" in keys:
        raise ManifestError("a merge key (<<) is not followed: write out what it stands for")
    if len(set(keys)) < len(keys):
        repeated = next(key for key in keys if keys.count(key) > 1)
        raise ManifestError(f"the key {quoted(repeated)} is there twice (case ignored)")
    return {key.casefold(): _folded(item) for key, item in value.items()}


def _is_inline(text: str) -> bool:
    """Return True if a text where a patch or a plugin may stand is one itself, not the name of its file."""
    return "\n" in text or text.lstrip().startswith("{")


def _texts(value: Any) -> Sequence[str]:
    """Return the texts of a value or of a list of them."""
    from gitops_promotion.core.feature.manifests import text

    values = value if isinstance(value, list) else [value]
    return [scalar for item in values if (scalar := text(item))]


def _parents(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:depth]) for depth in range(1, len(parts))]
