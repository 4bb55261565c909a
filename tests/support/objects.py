"""Git objects, read and written without a process.

The tests make thousands of commits. A process for each of them would cost more time than the code under test. An object
that is not a file of its own (it is in a pack, or in an alternate) is read by git.
"""

import hashlib
import heapq
import itertools
import os
import subprocess
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Self, Union

from tests.support import files

FILE, FOLDER = b"100644", b"40000"

Entry = tuple[bytes, str]
"""Mode and object id."""
Draft = dict[bytes, Union[Entry, "Draft"]]
"""A tree that is being edited: entries by name; a folder that was opened is a draft itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """The author or committer of a commit."""

    name: str
    email: str
    when: datetime

    @classmethod
    def parse(cls, line: str) -> Self:
        """Read `Name <email> seconds +hhmm`."""
        person, _, rest = line.rpartition("> ")
        name, _, email = person.rpartition(" <")
        seconds, zone = rest.split()
        offset = timedelta(hours=int(zone[:3]), minutes=int(zone[0] + zone[3:]))
        return cls(name=name, email=email, when=datetime.fromtimestamp(int(seconds), timezone(offset)))

    @classmethod
    def of(cls, person: tuple[str, str], when: datetime) -> Self:
        name, email = person
        return cls(name=name, email=email, when=when)

    def __str__(self) -> str:
        # git leaves these characters out, too.
        name = self.name.strip(".,:;<>\"\\' ")
        return f"{name} <{self.email}> {int(self.when.timestamp())} {self.when:%z}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """A commit; its message without the newline at its end."""

    sha: str
    tree: str
    parents: tuple[str, ...]
    author: Signature
    committer: Signature
    message: str

    @property
    def subject(self) -> str:
        return self.message.partition("\n")[0]


_commits: dict[str, Commit] = {}
"""Commits that were read: their ids say what is in them."""


def _store(data: bytes) -> bytes:
    """Return data in the zlib format, as it is (RFC 1950, RFC 1951 3.2.4): zlib takes longer to begin than all else."""
    size = len(data)
    if size > 0xFFFF:
        return zlib.compress(data, 0)
    sizes = size.to_bytes(2, "little") + (size ^ 0xFFFF).to_bytes(2, "little")
    return b"\x78\x01\x01" + sizes + data + zlib.adler32(data).to_bytes(4, "big")


class Objects:
    """The objects of the repository with this git folder."""

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        self._folder = folder
        self._environ = environ

    @cached_property
    def _hash(self) -> Callable[..., "hashlib._Hash"]:
        """The function that makes ids."""
        return hashlib.sha256 if b"objectformat = sha256" in files.read(f"{self._folder}/config") else hashlib.sha1

    def has(self, sha: str) -> bool:
        """Return whether an object is a file of its own here."""
        return os.path.exists(self.path(sha))

    def path(self, sha: str) -> str:
        """Return the file of an object."""
        return f"{self._folder}/objects/{sha[:2]}/{sha[2:]}"

    def read(self, sha: str) -> tuple[str, bytes]:
        """Return kind and content of an object."""
        try:
            header, _, content = zlib.decompress(files.read(self.path(sha))).partition(b"\0")
        except FileNotFoundError:
            return self._read_packed(sha)
        return header.split()[0].decode(), content

    def _read_packed(self, sha: str) -> tuple[str, bytes]:
        command = ["git", f"--git-dir={self._folder}", "cat-file", "--batch"]
        done = subprocess.run(
            command, env=dict(self._environ), input=sha.encode() + b"\n", capture_output=True, check=True
        )
        header, _, content = done.stdout.partition(b"\n")
        kind = header.decode().split()[1]
        assert kind != "missing", f"object {sha} is not in {self._folder}"
        return kind, content[:-1]

    def write(self, kind: str, content: bytes) -> str:
        """Store an object and return its id."""
        data = b"%s %d\0%s" % (kind.encode(), len(content), content)
        sha = self._hash(data, usedforsecurity=False).hexdigest()
        path = self.path(sha)
        if not os.path.exists(path):
            with suppress(FileExistsError):
                os.mkdir(os.path.dirname(path))
            # A git that runs at the same time must not see half of it.
            draft = f"{path}.{os.getpid()}"
            with open(draft, "wb", buffering=0) as file:
                file.write(_store(data))
            os.rename(draft, path)
        return sha

    def copy(self, sha: str, target: "Objects") -> None:
        """Store a commit, and all that is in its tree, in another repository."""
        kind, content = self.read(sha)
        target.write(kind, content)
        if kind == "commit":
            self.copy(self.commit(sha).tree, target)
        elif kind == "tree":
            for _, entry in self.entries(sha).values():
                self.copy(entry, target)

    # -- trees

    def entries(self, tree: str) -> dict[bytes, Entry]:
        """Return the entries of a tree by name."""
        return read_entries(self.read(tree)[1], len(tree) // 2)

    def find(self, tree: str, path: str) -> Entry | None:
        """Return the entry at a path of a tree; None if there is none."""
        entry: Entry | None = (FOLDER, tree)
        for name in os.fsencode(path).split(b"/"):
            if entry is None or entry[0] != FOLDER:
                return None
            entry = self.entries(entry[1]).get(name)
        return entry

    def modes(self, tree: str, prefix: str = "") -> Iterator[tuple[str, str]]:
        """Yield path and mode of everything in a tree that is no folder."""
        for name, (mode, sha) in self.entries(tree).items():
            path = prefix + os.fsdecode(name)
            if mode == FOLDER:
                yield from self.modes(sha, f"{path}/")
            else:
                yield path, mode.decode()

    def edit(
        self,
        tree: str | None,
        files: Mapping[str, str | bytes | None],
        modes: Mapping[str, bytes] = MappingProxyType({}),
    ) -> str:
        """Return the tree with these files written in this order; None deletes a file or folder.

        `modes` has those of files that are not plain ones.
        """
        draft: Draft = dict(self.entries(tree)) if tree else {}
        for path, content in files.items():
            *folders, name = os.fsencode(path).split(b"/")
            folder = self._open(draft, folders, make=content is not None)
            if folder is None:
                continue
            if content is None:
                folder.pop(name, None)
            else:
                data = content.encode() if isinstance(content, str) else content
                folder[name] = (modes.get(path, FILE), self.write("blob", data))
        return self._write_tree(draft) or self.write("tree", b"")

    def _open(self, draft: Draft, folders: list[bytes], *, make: bool) -> Draft | None:
        for name in folders:
            entry = draft.get(name)
            if isinstance(entry, tuple) and entry[0] == FOLDER:
                entry = draft[name] = dict(self.entries(entry[1]))
            elif not isinstance(entry, dict):
                if not make:
                    return None
                entry = draft[name] = {}
            draft = entry
        return draft

    def _write_tree(self, draft: Draft) -> str | None:
        entries = {}
        for name, entry in draft.items():
            if isinstance(entry, tuple):
                entries[name] = entry
            elif sha := self._write_tree(entry):
                entries[name] = (FOLDER, sha)
        # git sorts a folder as if its name ended with a slash.
        names = sorted(entries, key=lambda name: name + b"/" if entries[name][0] == FOLDER else name)
        lines = (b"%s %s\0%s" % (entries[name][0], name, bytes.fromhex(entries[name][1])) for name in names)
        return self.write("tree", b"".join(lines)) if entries else None

    # -- commits

    def commit(self, sha: str) -> Commit:
        """Read a commit."""
        if sha not in _commits:
            _commits[sha] = self._read_commit(sha)
        return _commits[sha]

    def _read_commit(self, sha: str) -> Commit:
        kind, content = self.read(sha)
        assert kind == "commit", f"{sha} is a {kind}"
        head, _, message = content.decode(errors="surrogateescape").partition("\n\n")
        fields: dict[str, list[str]] = {}
        for line in head.split("\n"):
            key, _, value = line.partition(" ")
            fields.setdefault(key, []).append(value)
        return Commit(
            sha=sha,
            tree=fields["tree"][0],
            parents=tuple(fields.get("parent", ())),
            author=Signature.parse(fields["author"][0]),
            committer=Signature.parse(fields["committer"][0]),
            message=message.rstrip("\n"),
        )

    def write_commit(
        self, tree: str, parents: tuple[str, ...], message: str, author: Signature, committer: Signature
    ) -> str:
        """Store a commit and return its id."""
        lines = [f"tree {tree}", *(f"parent {parent}" for parent in parents)]
        lines += [f"author {author}", f"committer {committer}", "", message]
        return self.write("commit", "\n".join(lines).encode(errors="surrogateescape"))

    def log(self, tip: str, *, without: str = "") -> Iterator[Commit]:
        """Yield what `git log tip ^without` lists, in its order: newest first."""
        order = itertools.count()
        tips = [tip, without] if without else [tip]
        excluded = self.ancestors(*tips[1:])
        seen = set(tips)
        # git walks through what is excluded too, which decides between commits of the same second.
        queue = [self._queued(each, next(order)) for each in tips]
        while queue:
            *_, commit = heapq.heappop(queue)
            if commit.sha not in excluded:
                yield commit
            for parent in commit.parents:
                if parent not in seen:
                    seen.add(parent)
                    heapq.heappush(queue, self._queued(parent, next(order)))

    def _queued(self, sha: str, number: int) -> tuple[float, int, Commit]:
        commit = self.commit(sha)
        return -commit.committer.when.timestamp(), number, commit

    def ancestors(self, *tips: str) -> frozenset[str]:
        """Return these commits and all their ancestors."""
        found: set[str] = set()
        queue = list(tips)
        while queue:
            sha = queue.pop()
            if sha not in found:
                found.add(sha)
                queue += self.commit(sha).parents
        return frozenset(found)

    def merge_base(self, one: str, other: str) -> str | None:
        """Return the merge base of two commits; None if there is none or more than one."""
        common = self.ancestors(one) & self.ancestors(other)
        older = {parent for sha in common for parent in self.commit(sha).parents}
        best = common - older
        return next(iter(best)) if len(best) == 1 else None

    def merge_trees(self, base: str, ours: str, theirs: str) -> str | None:
        """Return the merge of two trees where each path was changed by one side only, and none was deleted.

        Everything else (a merge of lines, a conflict, a rename) is None and left to git.
        """
        if theirs in (base, ours):
            return ours
        if ours == base:
            return theirs
        before, left, right = self.entries(base), self.entries(ours), self.entries(theirs)
        if before.keys() - left.keys() or before.keys() - right.keys():
            return None
        merged: Draft = {}
        for name in left.keys() | right.keys():
            choices = before.get(name), left.get(name), right.get(name)
            entry = self._merge_entries(*choices)
            if entry is None:
                return None
            merged[name] = entry
        return self._write_tree(merged)

    def _merge_entries(self, base: Entry | None, ours: Entry | None, theirs: Entry | None) -> Entry | None:
        if theirs in (base, ours):
            return ours
        if ours == base:
            return theirs
        folders = [entry[1] for entry in (base, ours, theirs) if entry and entry[0] == FOLDER]
        sha = self.merge_trees(folders[0], folders[1], folders[2]) if len(folders) == 3 else None
        return (FOLDER, sha) if sha else None


def read_entries(content: bytes, size: int = 20) -> dict[bytes, Entry]:
    """Return the entries by name in the content of a tree, with ids of so many bytes."""
    found, start = {}, 0
    while start < len(content):
        space = content.index(b" ", start)
        end = content.index(b"\0", space)
        found[content[space + 1 : end]] = (content[start:space], content[end + 1 : end + 1 + size].hex())
        start = end + 1 + size
    return found
