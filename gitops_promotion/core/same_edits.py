"""Whether two changes make the same edits: then an approval of one counts for the other (docs/approvals.md).

Two changes make the same edits if the path and the mode of every changed file are the same, and so are the old and new
bytes of its changed lines, in order.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from gitops_promotion.core.commits import FileChange

_MOST_COMPARISONS = 4_000_000
"""The most pairs of lines that are compared; a larger change counts as one change of all lines between equal ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Hunk:
    """Old lines that are replaced by new ones.

    `before` is the line in front of lines that are only added. `number` is how many earlier places of the file have the
    same old lines: the same edit of another block that looks the same is another edit.
    """

    old: bytes
    new: bytes
    before: bytes
    number: int


def same_edits(first: Sequence[FileChange], second: Sequence[FileChange], blobs: Mapping[str, bytes]) -> bool:
    """Return True if two diffs make the same edits, each on its own base.

    `blobs` has the contents of all regular files of both. Links and submodules are compared by their targets.
    """
    before, after = ({change.path: change for change in changes} for changes in (first, second))
    return before.keys() == after.keys() and all(_is_same(before[path], after[path], blobs) for path in before)


def _is_same(first: FileChange, second: FileChange, blobs: Mapping[str, bytes]) -> bool:
    if (first.old_mode, first.new_mode) != (second.old_mode, second.new_mode):
        return False
    if first.old == second.old or first.new == second.new:
        # With one base, or one result, only the same blobs make the same edits.
        return (first.old, first.new) == (second.old, second.new)
    if not all(change.old_file and change.new_file for change in (first, second)):
        # All lines of a file that is added or deleted change, and a link has no lines.
        return False
    return _hunks(first, blobs) == _hunks(second, blobs)


def _hunks(change: FileChange, blobs: Mapping[str, bytes]) -> list[_Hunk]:
    old, new = (blobs[oid or ""].splitlines(keepends=True) for oid in (change.old_file, change.new_file))
    hunks = []
    for start, end, new_start, new_end in _differences(old, new):
        before = old[start - 1 : start] if start == end else []
        place = old[start:end] or before
        first = start if start < end else start - len(before)
        number = sum(old[i : i + len(place)] == place for i in range(first))
        hunks.append(
            _Hunk(
                old=b"".join(old[start:end]),
                new=b"".join(new[new_start:new_end]),
                before=b"".join(before),
                number=number,
            )
        )
    return hunks


def _differences(old: Sequence[bytes], new: Sequence[bytes]) -> Iterator[tuple[int, int, int, int]]:
    """Yield the lines that differ, as the ranges of `difflib`."""
    start = 0
    while start < min(len(old), len(new)) and old[start] == new[start]:
        start += 1
    end = 0
    while end < min(len(old), len(new)) - start and old[-1 - end] == new[-1 - end]:
        end += 1
    middle, new_middle = old[start : len(old) - end], new[start : len(new) - end]
    if len(middle) * len(new_middle) > _MOST_COMPARISONS:
        yield start, start + len(middle), start, start + len(new_middle)
        return
    for kind, a, b, c, d in SequenceMatcher(None, middle, new_middle, autojunk=False).get_opcodes():
        if kind != "equal":
            yield start + a, start + b, start + c, start + d
