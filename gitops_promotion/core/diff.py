"""Unified diffs of bytes, as `git diff` shows them."""

import difflib
from collections.abc import Mapping


def unified(old: Mapping[str, bytes], edits: Mapping[str, bytes | None]) -> str:
    """Return the diff of all edited paths, sorted by path; None in `edits` deletes a file.

    Bytes that are not UTF-8 become U+FFFD.
    """
    return "".join(_file_diff(path, old.get(path), edits[path]) for path in sorted(edits))


def _file_diff(path: str, old: bytes | None, new: bytes | None) -> str:
    lines = difflib.diff_bytes(
        difflib.unified_diff,
        _lines(old or b""),
        _lines(new or b""),
        b"/dev/null" if old is None else b"a/" + path.encode(errors="surrogateescape"),
        b"/dev/null" if new is None else b"b/" + path.encode(errors="surrogateescape"),
    )
    return b"".join(
        line if line.endswith(b"\n") else line + b"\n\\ No newline at end of file\n" for line in lines
    ).decode(errors="replace")


def _lines(content: bytes) -> list[bytes]:
    # Only \n ends a line for git; bytes.splitlines would also break at a lone \r.
    lines = content.split(b"\n")
    return [line + b"\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])
