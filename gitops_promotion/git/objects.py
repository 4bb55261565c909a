"""The objects of the private repository: any of them read by its name, and new commits."""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from gitops_promotion.errors import GitError
from gitops_promotion.git.formats import check_path, full_sha, quote
from gitops_promotion.git.identity import Identity
from gitops_promotion.git.process import Dialogue, Runner, advice, first_line

_OBJECT = re.compile(rb"[0-9a-f]{40,64} ([a-z]+) (\d+)\n")


class Objects:
    """Reads and writes objects. Methods raise GitError."""

    def __init__(self, runner: Runner, environ: Mapping[str, str]) -> None:
        self._runner = runner
        self._environ = environ
        self._reader: Dialogue | None = None

    def stop(self) -> None:
        """End the process that reads; the next question starts another."""
        if self._reader:
            self._reader.stop()
            self._reader = None

    def ask(self, command: str, name: str) -> tuple[str, bytes]:
        """Return kind and content of an object, by one process that lives on until `stop`; '' if missing."""
        if not self._reader:
            self._reader = Dialogue(self._runner, ["cat-file", "--batch-command", "-z"], self._environ)
        question = name.encode(errors="surrogateescape")
        try:
            answer = self._reader.ask(command.encode() + b" " + question + b"\0")
            if not (header := _OBJECT.fullmatch(answer)):
                # The name comes back, with the line ends it may have: read on to its end.
                self._reader.read(max(0, len(question + b" missing\n") - len(answer)))
                return "", b""
            content = self._reader.read(int(header[2]) + 1)[:-1] if command == "contents" else b""
        except GitError:
            self._reader = None
            raise
        return header[1].decode(), content

    def files(self, listed: Iterable[str]) -> dict[str, tuple[str, bytes]]:
        """Return mode and content by path of what `git ls-tree` listed; submodules have neither."""
        found = {}
        for line in listed:
            entry, _, path = line.partition("\t")
            mode, kind, sha = entry.split()
            if kind == "blob":
                found[path] = (mode, self.ask("contents", sha)[1])
        return found

    def commit(
        self,
        parents: Sequence[str],
        edits: Mapping[str, bytes | None],
        message: str,
        signers: Sequence[tuple[str, Identity]],
        seconds: int,
    ) -> str:
        """Make a commit of the first parent's files with these edits, signed at `seconds` since 1970, and return it."""
        base = full_sha(parents[0])
        for path in edits:
            check_path(path)
        process = Dialogue(self._runner, ["fast-import", "--quiet", "--force", "--done"], self._environ)
        try:
            modes = self._modes(process, base, edits)
        except GitError:
            process.stop()
            raise
        text = message.encode(errors="surrogateescape")
        lines = [b"commit refs/promotion/commit\nmark :1\n"]
        lines += [f"{role} {who.name} <{who.email}> {seconds} +0000\n".encode() for role, who in signers]
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

    def merge_trees(self, ours: str, theirs: str) -> tuple[str, tuple[str, ...]]:
        """Merge two commits; returns the tree and the paths that are in conflict, () for a clean one."""
        options = ["--write-tree", "--no-messages", "--name-only", "-z"]
        done = self._runner.run(["merge-tree", *options, full_sha(ours), full_sha(theirs)], self._environ)
        tree, *names = done.stdout.decode(errors="surrogateescape").split("\0")
        paths = tuple(name for name in names if name)
        if done.status != bool(paths):  # 1 says conflicts, and also that git does not know the command
            raise GitError(f"cannot merge {theirs} into {ours}: {advice(done.stderr)}")
        return tree, paths

    def commit_tree(
        self,
        tree: str,
        parents: Sequence[str],
        message: str,
        signers: Sequence[tuple[str, Identity]],
        seconds: int,
    ) -> str:
        """Make a commit of a tree, signed at `seconds` since 1970, and return it."""
        people: dict[str, str] = {}
        for role, who in signers:
            people |= {f"GIT_{role.upper()}_NAME": who.name, f"GIT_{role.upper()}_EMAIL": who.email}
            people |= {f"GIT_{role.upper()}_DATE": f"@{seconds} +0000"}
        arguments = ["commit-tree", tree, *(word for parent in parents for word in ("-p", parent)), "-F", "-"]
        made = self._runner.run(arguments, {**self._environ, **people}, message.encode(errors="surrogateescape"))
        if made.status:
            raise GitError(f"git commit-tree failed: {first_line(made.stderr)}")
        return made.stdout.decode().strip()

    @staticmethod
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
