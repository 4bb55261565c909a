"""The entries of trees: the object and the kind at a path of a commit."""

import posixpath
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from gitops_promotion.core.commits import EntryKind, FileChange
from gitops_promotion.git.formats import FOLDER, KINDS, read_mode, read_tree
from gitops_promotion.git.objects import Objects


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a tree: git's mode, such as 100644, and the object's id."""

    mode: str
    sha: str

    @property
    def kind(self) -> EntryKind | Literal["folder"]:
        """The kind of the entry, by its mode."""
        return "folder" if self.mode == FOLDER else KINDS.get(self.mode, "file")


# What git writes for the side of a change on which there is no file.
_NOTHING = Entry("000000", "")


class Entries:
    """Finds entries by their paths. Each tree is read once, so that many paths of a large tree are cheap."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._trees: dict[str, dict[str, Entry]] = {}

    def find(self, commit: str, paths: Iterable[str]) -> dict[str, Entry]:
        """Return the entries of a commit or tree at these paths; paths without an entry are left out."""
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
        folder_entries = self.find(commit, filter(None, folders))
        trees = {
            folder: self._tree(folder_entries[folder].sha if folder else f"{commit}^{{tree}}") for folder in folders
        }
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

    def diff(self, old: str, new: str) -> list[FileChange]:
        """Return the paths that differ between two commits or trees, sorted; a rename is a deletion and an addition.

        Folders that are the same are not read: in a large repository this is cheaper than to start git.
        """
        changes: list[FileChange] = []
        pairs = [("", f"{old}^{{tree}}", f"{new}^{{tree}}")]
        while pairs:
            self._load({tree for _, *trees in pairs for tree in trees if tree})
            folders: list[tuple[str, str, str]] = []
            for path, old_tree, new_tree in pairs:
                before, after = self._trees.get(old_tree, {}), self._trees.get(new_tree, {})
                for name in before.keys() | after.keys():
                    sides = before.get(name), after.get(name)
                    if sides[0] == sides[1]:
                        continue
                    old_folder, new_folder = (side.sha if side and side.kind == "folder" else "" for side in sides)
                    if old_folder or new_folder:
                        folders.append((f"{path}{name}/", old_folder, new_folder))
                    changes += _file_change(f"{path}{name}", *sides)
            pairs = folders
        return sorted(changes, key=lambda change: change.path)

    def _tree(self, name: str) -> dict[str, Entry]:
        self._load({name})
        return self._trees[name]

    def _load(self, names: set[str]) -> None:
        """Read the trees that were not read yet, all at once."""
        missing = sorted(name for name in names if name not in self._trees)
        for name, content in zip(missing, self._objects.read(missing, "tree"), strict=True):
            lines = read_tree(content, id_size=len(name.removesuffix("^{tree}")) // 2)
            self._trees[name] = {
                line.name.decode(errors="surrogateescape"): Entry(read_mode(line.mode), line.id.hex()) for line in lines
            }


def _file_change(path: str, old: Entry | None, new: Entry | None) -> list[FileChange]:
    """Return the change of the file, link or submodule at a path, none where both sides are folders or nothing."""
    before, after = (side if side and side.kind != "folder" else _NOTHING for side in (old, new))
    if before == after:
        return []
    return [
        FileChange(
            path=path,
            old=before.sha or None,
            new=after.sha or None,
            old_kind=KINDS.get(before.mode, "file"),
            new_kind=KINDS.get(after.mode, "file"),
            old_mode=before.mode,
            new_mode=after.mode,
        )
    ]
