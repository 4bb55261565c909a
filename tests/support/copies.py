"""Objects that one repository gets from another, without a process."""

import os
from collections.abc import Callable, Iterable
from contextlib import suppress

from tests.support.objects import FOLDER, Objects
from tests.support.plain import check

_parts: dict[str, tuple[str, ...]] = {}
"""What each commit and tree that was copied consists of: their ids say it."""


def copy(
    source: Objects,
    target: str,
    tips: Iterable[str],
    has: Callable[[str], bool],
    transfer: Callable[[str, str], object] = os.link,
) -> None:
    """Give a folder of objects these objects and all that they consist of, unless they are there."""
    found: list[str] = []
    seen: set[str] = set()
    missing = dict.fromkeys(sha for sha in tips if not has(sha))
    for sha in missing:
        # A damaged one is git's to find.
        check(source.has(sha))
        source.read(sha)
    pending = [*missing]
    while pending:
        sha = pending.pop()
        if sha in seen:
            continue
        seen.add(sha)
        if sha in missing or not has(sha):
            found.append(sha)
            pending += parts_of(source, sha)
    for sha in reversed(found):
        folder = f"{target}/{sha[:2]}"
        with suppress(FileExistsError):
            os.mkdir(folder)
        with suppress(FileExistsError):
            transfer(source.path(sha), f"{folder}/{sha[2:]}")


def parts_of(source: Objects, sha: str) -> tuple[str, ...]:
    """Return the objects that an object names: the tree and the parents of a commit, the entries of a tree."""
    if sha not in _parts:
        # One that is in a pack, or borrowed, is git's to copy.
        check(source.has(sha))
        kind, _ = source.read(sha)
        check(kind in ("commit", "tree", "blob"))
        if kind == "commit":
            commit = source.commit(sha)
            _parts[sha] = (*commit.parents, commit.tree)
        elif kind == "tree":
            entries = source.entries(sha).values()
            _parts[sha] = tuple(entry for mode, entry in entries if mode != b"160000")
            _parts.update((entry, ()) for mode, entry in entries if mode not in (FOLDER, b"160000"))
        else:
            _parts[sha] = ()
    return _parts[sha]
