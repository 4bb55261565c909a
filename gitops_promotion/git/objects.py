"""The objects of the private repository: reads them by their names, and writes new ones."""

import hashlib
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence

from gitops_promotion.core.commits import CommitHeader
from gitops_promotion.errors import GitError
from gitops_promotion.git.formats import SHA, full_sha, read_commit
from gitops_promotion.git.identity import Authorship
from gitops_promotion.git.private_repository import PrivateRepository, temporary_files
from gitops_promotion.git.process import Dialogue

OBJECT_LIMIT = 100 << 20
"""Bytes of one object that is read, such as a file: GitHub takes no larger file."""

_ANSWER = re.compile(rb"[0-9a-f]{40,64} ([a-z]+) (\d+)\n")
# As many bytes as the smallest pipe takes: git can always read on, and never waits for an answer to be read.
_PIPE = 4096


class Objects:
    """Reads and writes objects. Methods raise GitError."""

    def __init__(self, private: PrivateRepository) -> None:
        self._private = private
        self._reader: Dialogue | None = None
        self.fetch_blobs: Callable[[Sequence[str]], None] | None = None
        """Fetches blobs that are not here; None unless the repository is a partial clone (Fetched)."""

    def stop(self) -> None:
        """End the process that reads; the next question starts another."""
        if self._reader:
            self._reader.stop()
            self._reader = None

    def has(self, sha: str) -> bool:
        """Return True if a commit is here."""
        return bool(SHA.fullmatch(sha)) and self.kind(sha) == "commit"

    def kind(self, sha: str) -> str:
        """Return the kind of an object, "" if it is not here."""
        [(kind, _)] = self._ask("info", [full_sha(sha)])
        return kind

    def read(self, names: Sequence[str], kind: str) -> list[bytes]:
        """Return the contents of objects, named by object id or as `<id>^{tree}`.

        Raises GitError if one is not here, or of another kind.
        """
        if kind == "blob":
            self.bring(names)
        contents = []
        for name, (actual, content) in zip(names, self._ask("contents", names), strict=True):
            if actual != kind:
                raise GitError(f"the {kind} {name} is not in this repository: fetch it first")
            contents.append(content)
        return contents

    def bring(self, blobs: Iterable[str]) -> None:
        """In a partial clone, fetch the blobs that are not here, all at once."""
        if not self.fetch_blobs:
            return
        names = list(dict.fromkeys(blobs))
        missing = [name for name, (kind, _) in zip(names, self._ask("info", names), strict=True) if not kind]
        if missing:
            self.fetch_blobs(missing)

    def _ask(self, command: str, names: Sequence[str]) -> list[tuple[str, bytes]]:
        """Return kind and content of each object, "" if missing, by one process that lives until `stop`."""
        if not self._reader:
            arguments = ["cat-file", "--batch-command"]
            self._reader = Dialogue(self._private.runner, arguments, self._private.environ)
        questions = [f"{command} {name}\n".encode() for name in names]
        answers = []
        try:
            # Many questions at once save the time of waiting for each answer.
            for group in _groups(questions):
                self._reader.send(b"".join(group))
                answers += [self._answer(self._reader, content=command == "contents") for _ in group]
        except GitError:
            self._reader = None
            raise
        return answers

    @staticmethod
    def _answer(reader: Dialogue, *, content: bool) -> tuple[str, bytes]:
        header = _ANSWER.fullmatch(reader.line())
        if not header:
            return "", b""
        if not content:
            return header[1].decode(), b""
        if int(header[2]) > OBJECT_LIMIT:
            # git goes on writing, and the rest would be taken for the next answers.
            reader.terminate()
            raise GitError(
                f"a file of the repository has {int(header[2])} bytes, and more than {OBJECT_LIMIT >> 20} MiB are not "
                "read: take it out of the repository"
            )
        return header[1].decode(), reader.read(int(header[2]) + 1)[:-1]

    def message(self, commit: str) -> str:
        """Return a commit's message; "" if the commit is not here."""
        header = self.headers([commit]).get(commit)
        return header.message if header else ""

    def headers(self, commits: Sequence[str]) -> dict[str, CommitHeader]:
        """Return parents, author and message of these commits, as far as they are here."""
        names = [full_sha(commit) for commit in commits]
        answers = zip(names, self._ask("contents", names), strict=True)
        return {name: read_commit(content) for name, (kind, content) in answers if kind == "commit"}

    def is_child(self, commit: str, parent: str) -> bool:
        """Return True if a commit is here and has this parent, which is then the merge base of the two."""
        header = self.headers([commit]).get(commit)
        return header is not None and parent in header.parents

    def tree(self, commit: str) -> str:
        """Return the tree of a commit that is here."""
        [content] = self.read([full_sha(commit)], "commit")
        return content.partition(b"\n")[0].decode().removeprefix("tree ")

    def write_blob(self, content: bytes) -> str:
        """Store a blob as a loose object, for which no process is needed, and return its object id."""
        return self.write("blob", content)

    def write(self, kind: str, content: bytes) -> str:
        """Store an object, which a forge may have made, and return its object id."""
        data = b"%s %d\0%s" % (kind.encode(), len(content), content)
        object_id = hashlib.new(self._private.object_format, data, usedforsecurity=False).hexdigest()
        path = self._private.folder / "objects" / object_id[:2] / object_id[2:]
        if not path.exists():
            part = path.with_suffix(".part")
            with temporary_files():
                path.parent.mkdir(exist_ok=True)
                part.write_bytes(zlib.compress(data))
                part.replace(path)
        return object_id

    def commit(self, tree: str, parents: Sequence[str], message: str, authorship: Authorship) -> str:
        """Store a commit of a tree, and return it. Raises GitError if a parent is not here."""
        self.read([full_sha(parent) for parent in parents], "commit")
        lines = [f"tree {tree}", *(f"parent {parent}" for parent in parents)]
        lines += [f"{role} {line}" for role, line in authorship.lines]
        text = "\n".join([*lines, "", message.removesuffix("\n"), ""])
        return self.write("commit", text.encode(errors="surrogateescape"))


def _groups(questions: Iterable[bytes]) -> Iterator[list[bytes]]:
    """Split questions into groups that fit into a pipe."""
    group: list[bytes] = []
    size = 0
    for question in questions:
        if group and size + len(question) > _PIPE:
            yield group
            group, size = [], 0
        group.append(question)
        size += len(question)
    if group:
        yield group
