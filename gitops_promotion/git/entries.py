"""The entries of trees: the object and the kind at a path of a commit."""

import posixpath
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from gitops_promotion.core.commits import EntryKind
from gitops_promotion.git.formats import KINDS
from gitops_promotion.git.objects import Objects


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a tree: git's mode, such as 100644, and the object's id."""

    mode: str
    sha: str

    @property
    def kind(self) -> EntryKind | Literal["folder"]:
        """The kind of the entry, by its mode."""
        return "folder" if self.mode == "40000" else KINDS.get(self.mode, "file")


class Entries:
    """Finds entries by their paths. Each tree is read once, so that many paths of a large tree are cheap."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._trees: dict[str, dict[str, Entry]] = {}

    def find(self, commit: str, paths: Iterable[str]) -> dict[str, Entry]:
        """Return the entries of a commit or tree at these paths; paths of nothing are left out."""
        entries = {}
        for path in paths:
            *folders, name = path.split("/")
            tree = self._tree(f"{commit}^{{tree}}")
            for folder in folders:
                entry = tree.get(folder)
                tree = self._tree(entry.sha) if entry and entry.kind == "folder" else {}
            if name in tree:
                entries[path] = tree[name]
        return entries

    def links_beside(self, commit: str, paths: Iterable[str]) -> dict[str, str]:
        """Return the symbolic links in the folders of these paths, each with the path that it leads to.

        That path begins with `..` or `/` outside of the repository.
        """
        folders = sorted({path.rpartition("/")[0] for path in paths})
        found = self.find(commit, filter(None, folders))
        trees = {folder: self._tree(found[folder].sha if folder else f"{commit}^{{tree}}") for folder in folders}
        links = {
            posixpath.join(folder, name): entry.sha
            for folder, tree in trees.items()
            for name, entry in tree.items()
            if entry.kind == "symlink"
        }
        targets = self._objects.read(list(links.values()), "blob")
        return {
            path: posixpath.normpath(posixpath.join(posixpath.dirname(path), target.decode(errors="surrogateescape")))
            for path, target in zip(links, targets, strict=True)
        }

    def _tree(self, name: str) -> dict[str, Entry]:
        if name not in self._trees:
            [content] = self._objects.read([name], "tree")
            id_size = len(name.removesuffix("^{tree}")) // 2
            self._trees[name] = dict(_parse(content, id_size))
        return self._trees[name]


def _parse(tree: bytes, id_size: int) -> Iterator[tuple[str, Entry]]:
    """Read a tree object: mode, blank, name, NUL and the binary object id of each entry."""
    start = 0
    while start < len(tree):
        blank = tree.index(b" ", start)
        nul = tree.index(b"\0", blank)
        end = nul + 1 + id_size
        name = tree[blank + 1 : nul].decode(errors="surrogateescape")
        yield name, Entry(tree[start:blank].decode(), tree[nul + 1 : end].hex())
        start = end
