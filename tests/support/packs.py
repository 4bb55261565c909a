"""Objects in the folders that a repository reads from: files of their own, and packs."""

import os
import subprocess
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from hashlib import sha1
from pathlib import Path

from tests.support import files
from tests.support.plain import check

_SMALL = 2000
"""Objects of a pack that is kept in memory."""

_ids: dict[str, frozenset[str]] = {}
_contents: dict[str, dict[str, tuple[str, bytes]]] = {}
"""What is in a pack, by its name, which says it."""


def folders(repository: Path) -> list[str]:
    """Return the folders of objects that a repository reads from, its own the first."""
    found = [f"{repository}/objects"]
    for folder in found:
        with suppress(FileNotFoundError):
            for line in files.read(f"{folder}/info/alternates").decode().splitlines():
                check("\\" not in line)
                found.append(line.strip('"'))
    return found


def is_file(folder: str, sha: str) -> bool:
    """Return whether an object is a file of its own here."""
    return os.path.exists(f"{folder}/{sha[:2]}/{sha[2:]}")


def find(places: Sequence[str]) -> Callable[[str], bool]:
    """Return what says whether an object is in one of these folders. Their packs are those of this moment."""
    packed = [_index(folder, name) for folder in places for name in _names(folder)]

    def has(sha: str) -> bool:
        return any(sha in ids for ids in packed) or any(is_file(folder, sha) for folder in places)

    return has


def read(places: Sequence[str], sha: str) -> tuple[str, bytes] | None:
    """Return kind and content of an object; None if it is in none of these folders."""
    for folder in places:
        try:
            compressed = files.read(f"{folder}/{sha[:2]}/{sha[2:]}")
        except FileNotFoundError:
            continue
        header, _, content = zlib.decompress(compressed).partition(b"\0")
        kind, size = header.decode().split()
        check(int(size) == len(content))
        return kind, content
    for folder in places:
        if name := _find_pack(folder, sha):
            return _open(folder, name)[sha]
    return None


def _find_pack(folder: str, sha: str) -> str | None:
    return next((name for name in _names(folder) if sha in _index(folder, name)), None)


def _names(folder: str) -> list[str]:
    """Return the names of the indexes of the packs in a folder of objects."""
    try:
        names = os.listdir(f"{folder}/pack")
    except FileNotFoundError:
        return []
    return [name for name in names if name.endswith(".idx")]


def _index(folder: str, name: str) -> frozenset[str]:
    """Return the ids in the index of a pack, as gitformat-pack(5) describes version 2."""
    if name not in _ids:
        data = files.read(f"{folder}/pack/{name}")
        check(data[:8] == b"\xfftOc\0\0\0\2")
        count = int.from_bytes(data[1028:1032], "big")
        ids = data[1032 : 1032 + 20 * count]
        _ids[name] = frozenset(ids[start : start + 20].hex() for start in range(0, len(ids), 20))
    return _ids[name]


def _open(folder: str, name: str) -> dict[str, tuple[str, bytes]]:
    if name not in _contents:
        ids = _index(folder, name)
        check(len(ids) <= _SMALL)
        command = ["git", f"--git-dir={os.path.dirname(folder)}", "cat-file", "--batch"]
        questions = "".join(f"{sha}\n" for sha in ids).encode()
        output = subprocess.run(command, input=questions, capture_output=True, check=True).stdout
        found, start = {}, 0
        while start < len(output):
            end = output.index(b"\n", start)
            sha, kind, size = output[start:end].decode().split()
            start = end + 1 + int(size) + 1
            found[sha] = kind, output[end + 1 : start - 1]
        _contents[name] = found
    return _contents[name]


_TYPES = {"commit": 1, "tree": 2, "blob": 3}
_packed: dict[str, bytes] = {}
"""Objects as they are in a pack, by their ids."""


def write(contents: Mapping[str, tuple[str, bytes]]) -> tuple[str, bytes, bytes]:
    """Return the name of a pack of these objects, the pack and its index, as gitformat-pack(5) describes version 2."""
    pack = bytearray(b"PACK\0\0\0\2" + len(contents).to_bytes(4, "big"))
    rows = []
    for sha, (kind, content) in contents.items():
        if sha not in _packed:
            _packed[sha] = bytes(_size(_TYPES[kind], len(content))) + zlib.compress(content, 1)
        rows.append((bytes.fromhex(sha), zlib.crc32(_packed[sha]).to_bytes(4, "big"), len(pack).to_bytes(4, "big")))
        pack += _packed[sha]
    pack += (digest := sha1(pack, usedforsecurity=False)).digest()
    rows.sort()
    counts = (sum(row[0][0] <= first for row in rows).to_bytes(4, "big") for first in range(256))
    columns = (b"".join(column) for column in zip(*rows, strict=True))
    index = b"".join([b"\xfftOc\0\0\0\2", *counts, *columns, digest.digest()])
    return digest.hexdigest(), bytes(pack), index + sha1(index, usedforsecurity=False).digest()


def _size(kind: int, size: int) -> Iterator[int]:
    low, size = kind << 4 | size & 15, size >> 4
    while size:
        yield low | 128
        low, size = size & 127, size >> 7
    yield low
