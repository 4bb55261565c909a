"""Git refs, read and changed without a process, by the rules of gitrepository-layout(5)."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import EllipsisType

from tests.support import files

_SYMBOLIC = "ref: "


def read_refs(folder: Path, prefix: str = "refs/", *, symbolic: bool = True) -> dict[str, str]:
    """Return the object id of each ref below a prefix that ends with a slash, sorted by name.

    Symbolic refs are left out; without `symbolic` they are a ValueError.
    """
    found = {name: sha for name, sha in _packed(folder).items() if name.startswith(prefix)}
    for name, text in _files(f"{folder}/", prefix):
        if not symbolic and text.startswith(_SYMBOLIC):
            raise ValueError(f"{name} is symbolic")
        if not name.endswith(".lock") and text and not text.startswith(_SYMBOLIC):
            found[name] = text
    return dict(sorted(found.items()))


def _files(start: str, prefix: str) -> Iterator[tuple[str, str]]:
    """Yield name and text of each file below a folder: all is read here again and again, so by few calls."""
    # A push at the same time makes and deletes files and folders here.
    try:
        entries = list(os.scandir(start + prefix))
    except (FileNotFoundError, NotADirectoryError):
        return
    for entry in entries:
        name = prefix + entry.name
        if entry.is_dir(follow_symlinks=False):
            yield from _files(start, f"{name}/")
            continue
        try:
            text = files.read(start + name).decode().strip()
        except FileNotFoundError:
            continue
        yield name, text


def read_head(folder: Path) -> str:
    """Return the branch that HEAD names, as `refs/heads/...`; "" for a detached HEAD."""
    text = files.read(f"{folder}/HEAD").decode().strip()
    return text.removeprefix(_SYMBOLIC) if text.startswith(_SYMBOLIC) else ""


def resolve(folder: Path, name: str) -> str | None:
    """Return the object id of a ref; None if there is none of exactly this name."""
    for _ in range(5):
        try:
            text = files.read(f"{folder}/{name}").decode().strip()
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            return _packed(folder).get(name)
        if not text.startswith(_SYMBOLIC):
            return text or None
        name = text.removeprefix(_SYMBOLIC)
    return None


def find(folder: Path, name: str) -> str | None:
    """Return the object id of a ref by its full or short name, as gitrevisions(7) looks it up."""
    for prefix in ("", "refs/", "refs/tags/", "refs/heads/", "refs/remotes/"):
        if sha := resolve(folder, prefix + name):
            return sha
    return None


def change(folder: Path, name: str, new: str, expected: str | EllipsisType | None = ...) -> bool:
    """Point a ref to an object if it is as expected (None: if there is no such ref); returns whether it was.

    Takes the lock that git takes.
    """
    path, lock = f"{folder}/{name}", f"{folder}/{name}.lock"
    try:
        descriptor = open_lock(lock)
    except FileExistsError:
        return False
    os.write(descriptor, f"{new}\n".encode())
    os.close(descriptor)
    if expected is not ... and resolve(folder, name) != expected:
        os.unlink(lock)
        return False
    # An empty folder is what is left of `a` after `a/b` was deleted.
    with suppress(FileNotFoundError, NotADirectoryError):
        os.rmdir(path)
    os.rename(lock, path)
    return True


def open_lock(path: str) -> int:
    """Make the file of a lock, and its folder. Raises FileExistsError if somebody else has the lock."""
    for _ in range(5):
        try:
            return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        except FileNotFoundError:
            # A push that deletes the last ref of a folder deletes the folder.
            os.makedirs(os.path.dirname(path), exist_ok=True)
    raise FileNotFoundError(path)


def delete(folder: Path, name: str, expected: str) -> bool | None:
    """Delete a ref if it is as expected; returns whether it was, and None for a packed one, which is left to git."""
    path, lock = folder / name, f"{folder / name}.lock"
    if name in _packed(folder):
        return None
    try:
        os.close(os.open(lock, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
    except FileExistsError:
        return False
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        if resolve(folder, name) != expected or path.is_symlink():
            return False
        path.unlink()
    finally:
        os.unlink(lock)
    return True


def _packed(folder: Path) -> dict[str, str]:
    try:
        lines = files.read(f"{folder}/packed-refs").decode().splitlines()
    except FileNotFoundError:
        return {}
    pairs = (line.split(" ", 1) for line in lines if line[:1] not in "#^")
    return {name: sha for sha, name in pairs}
