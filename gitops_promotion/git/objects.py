"""The objects of the private repository: any of them read by its name, and new ones."""

import hashlib
import re
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from gitops_promotion.errors import GitError
from gitops_promotion.git.borrowed import PrivateRepository, temporary_files
from gitops_promotion.git.formats import SHA, check_path, file_text, full_sha, quote
from gitops_promotion.git.identity import Signature
from gitops_promotion.git.process import Dialogue

_OBJECT = re.compile(rb"[0-9a-f]{40,64} ([a-z]+) (\d+)\n")


class Objects:
    """Reads and writes objects. Methods raise GitError."""

    def __init__(self, private: PrivateRepository) -> None:
        self._private = private
        self._reader: Dialogue | None = None

    def stop(self) -> None:
        """End the process that reads; the next question starts another."""
        if self._reader:
            self._reader.stop()
            self._reader = None

    def ask(self, command: str, name: str) -> tuple[str, bytes]:
        """Return kind and content of an object, by one process that lives until `stop`; an empty kind if missing."""
        if not self._reader:
            arguments = ["cat-file", "--batch-command", "-z"]
            self._reader = Dialogue(self._private.runner, arguments, self._private.environ)
        question = name.encode(errors="surrogateescape")
        try:
            answer = self._reader.ask(command.encode() + b" " + question + b"\0")
            if not (header := _OBJECT.fullmatch(answer)):
                # The answer repeats the name, which may have line breaks: read on to its end.
                self._reader.read(max(0, len(question + b" missing\n") - len(answer)))
                return "", b""
            content = self._reader.read(int(header[2]) + 1)[:-1] if command == "contents" else b""
        except GitError:
            self._reader = None
            raise
        return header[1].decode(), content

    def has(self, sha: str) -> bool:
        """Return True if a commit is here."""
        return bool(SHA.fullmatch(sha)) and self.ask("info", sha)[0] == "commit"

    def message(self, commit: str) -> str:
        """Return a commit's message; "" if the commit is not here."""
        kind, content = self.ask("contents", full_sha(commit))
        return content.partition(b"\n\n")[2].decode(errors="surrogateescape") if kind == "commit" else ""

    def write_blob(self, content: bytes) -> str:
        """Store a blob as a loose object, for which no process is needed, and return its object id."""
        data = b"blob %d\0%s" % (len(content), content)
        algorithm = "sha256" if "objectFormat = sha256" in file_text(self._private.folder / "config") else "sha1"
        object_id = hashlib.new(algorithm, data, usedforsecurity=False).hexdigest()
        path = self._private.folder / "objects" / object_id[:2] / object_id[2:]
        with temporary_files():
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(zlib.compress(data))
        return object_id

    def commit(
        self, parents: Sequence[str], edits: Mapping[str, bytes | None], message: str, signature: Signature
    ) -> str:
        """Make a commit of the first parent's files with these edits, and return it."""
        base = full_sha(parents[0])
        for path in edits:
            check_path(path)
        arguments = ["fast-import", "--quiet", "--force", "--done"]
        process = Dialogue(self._private.runner, arguments, self._private.environ)
        try:
            modes = _modes(process, base, edits)
        except GitError:
            process.stop()
            raise
        text = message.encode(errors="surrogateescape")
        lines = [b"commit refs/promotion/commit\nmark :1\n"]
        lines += [f"{role} {line}\n".encode() for role, line in signature.lines]
        lines += [b"data %d\n%s\nfrom %s\n" % (len(text), text, base.encode())]
        lines += [f"merge {full_sha(parent)}\n".encode() for parent in parents[1:]]
        for path, content in edits.items():
            if content is None:
                lines += [b"D %s\n" % quote(path)]
            else:
                mode = modes[path] or b"100644"
                lines += [b"M %s inline %s\ndata %d\n%s\n" % (mode, quote(path), len(content), content)]
        lines += [b"\nget-mark :1\ndone\n"]
        return process.end(b"".join(lines)).decode().strip()

    def commit_tree(self, tree: str, parents: Sequence[str], message: str, signature: Signature) -> str:
        """Make a commit of a tree, and return it."""
        arguments = ["commit-tree", tree, *(word for parent in parents for word in ("-p", parent)), "-F", "-"]
        text = message.encode(errors="surrogateescape")
        return self._private.git(*arguments, stdin=text, variables=signature.variables).decode().strip()


def _modes(process: Dialogue, base: str, edits: Mapping[str, bytes | None]) -> dict[str, bytes]:
    """Return the mode of each file in `base`, b"" for a new one. Raises GitError for what is no file."""
    modes: dict[str, bytes] = {}

    def mode(path: str) -> bytes:
        if path not in modes:
            answer = process.ask(b"ls %s %s\n" % (base.encode(), quote(path)))
            modes[path] = b"" if answer.startswith(b"missing ") else answer.split()[0]
        return modes[path]

    for path, content in edits.items():
        for folder in Path(path).parents[-2::-1]:
            if mode(str(folder)) not in (b"", b"040000") or edits.get(str(folder)) is not None:
                raise GitError(f"cannot write {path}: {folder} is no folder; move it out of the way by hand")
        allowed = (b"", b"100644", b"100755") if content is not None else (b"", b"100644", b"100755", b"120000")
        if mode(path) not in allowed:
            raise GitError(f"cannot change {path}: it is a folder, a symlink or a submodule; edit it by hand")
    return modes
