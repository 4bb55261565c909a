"""New trees: the files of a commit, some of them written or deleted.

Trees are written as git does, without a process (https://git-scm.com/book/en/v2/Git-Internals-Git-Objects).
"""

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

from gitops_promotion.errors import GitError
from gitops_promotion.git.entries import Entries
from gitops_promotion.git.formats import TreeLine, check_path, read_tree
from gitops_promotion.git.objects import Objects

_FILE, _FOLDER = b"100644", b"40000"
_FILE_MODES = ("", "100644", "100755")


def write_tree(objects: Objects, entries: Entries, base: str, edits: Mapping[str, bytes | None]) -> str:
    """Store the files of the commit `base` with these edits, of which None deletes a file, and return their tree.

    Files keep their mode, new ones are 100644. A folder without files is left out. All other entries stay as they are.
    Raises GitError if a path leads through anything but folders, or would replace anything but a file.
    """
    tree = objects.tree(base)
    modes = _modes(entries, tree, edits)
    lines: dict[bytes, TreeLine | None] = {}
    for path, content in edits.items():
        name = path.encode(errors="surrogateescape")
        lines[name] = None
        if content is not None:
            blob = objects.write_blob(content)
            lines[name] = TreeLine(modes[path].encode() or _FILE, name, bytes.fromhex(blob))
    return (_write(objects, tree, lines) or _write_lines(objects, [])) if lines else tree


def write_file_tree(objects: Objects, name: str, content: bytes) -> str:
    """Store a tree with one file, and return it."""
    return _write_lines(objects, [TreeLine(_FILE, name.encode(), bytes.fromhex(objects.write_blob(content)))])


def _modes(entries: Entries, tree: str, edits: Mapping[str, bytes | None]) -> dict[str, str]:
    """Return the mode of each file in `tree`, "" for a new one. Raises GitError for an entry that is not a file."""
    for path in edits:
        check_path(path)
    folders = {path: [str(folder) for folder in PurePosixPath(path).parents[-2::-1]] for path in edits}
    present = entries.find(tree, {*edits, *(folder for above in folders.values() for folder in above)})
    modes = {path: present[path].mode if path in present else "" for path in edits}
    for path, content in edits.items():
        for folder in folders[path]:
            if (folder in present and present[folder].kind != "folder") or edits.get(folder) is not None:
                raise GitError(f"cannot write {path}: {folder} is not a folder; move it out of the way by hand")
        if modes[path] not in (_FILE_MODES if content is not None else (*_FILE_MODES, "120000")):
            raise GitError(f"cannot change {path}: it is a folder, a symlink or a submodule; edit it by hand")
    return modes


def _write(objects: Objects, tree: str, edits: Mapping[bytes, TreeLine | None]) -> str:
    """Store a tree with these entries at these paths, and return it; "" for nothing, in `tree` and as the result."""
    old = read_tree(objects.read([tree], "tree")[0], id_size=len(tree) // 2) if tree else []
    new: dict[bytes, TreeLine | None] = {}
    below: dict[bytes, dict[bytes, TreeLine | None]] = {}
    for path, line in edits.items():
        name, slash, inner_path = path.partition(b"/")
        if slash:
            below.setdefault(name, {})[inner_path] = line
        else:
            new[name] = line and line._replace(name=name)
    folders = {line.name: line.id.hex() for line in old if line.is_folder}
    for name, inner in below.items():
        sha = _write(objects, folders.get(name, ""), inner)
        new[name] = TreeLine(_FOLDER, name, bytes.fromhex(sha)) if sha else None
    lines = [line for line in old if line.name not in new] + [line for line in new.values() if line]
    return _write_lines(objects, lines) if lines else ""


def _write_lines(objects: Objects, lines: Sequence[TreeLine]) -> str:
    """Store a tree of these lines, and return it."""
    # git sorts a folder as if its name ended with a slash.
    ordered = sorted(lines, key=lambda line: line.name + b"/" if line.is_folder else line.name)
    # Servers refuse modes with zeros before them, as trees of other programs have (`git fsck`: zeroPaddedFilemode).
    content = b"".join(b"%b %b\0%b" % (line.mode.lstrip(b"0"), line.name, line.id) for line in ordered)
    return objects.write("tree", content)
