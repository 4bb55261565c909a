"""Questions to the private repository's objects, and new commits there, answered without a process.

What is unusual (a damaged object, a path in need of quotes, a person with a strange name) is left to git.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from tests.support import packs
from tests.support.objects import FOLDER, Objects
from tests.support.plain import FAULTS, NotPlainError, check

_NAME = re.compile(r"([0-9a-f]{40})(\^\{tree\})?")
_PATH = re.compile(rb"[A-Za-z0-9_-][A-Za-z0-9_. -]*(?:/[A-Za-z0-9_-][A-Za-z0-9_. -]*)*")
_PERSON = re.compile(
    r"[A-Za-z0-9](?:[A-Za-z0-9 .-]*[A-Za-z0-9])? <[A-Za-z0-9](?:[A-Za-z0-9.@+-]*[A-Za-z0-9])?> \d+ \+0000"
)
_CONFIG = "[core]\n\trepositoryformatversion = 0\n\tbare = true\n"


class Store(Objects):
    """The objects of the private repository, with those that it borrows."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        folder = Path(environ["GIT_DIR"])
        super().__init__(folder, environ)
        check((folder / "config").read_text() == _CONFIG)
        self.folder = folder
        self._places = packs.folders(folder)

    def find_object(self, sha: str) -> tuple[str, bytes] | None:
        """Return kind and content of an object; None if it is not here."""
        return packs.read(self._places, sha)

    def read(self, sha: str) -> tuple[str, bytes]:
        found = self.find_object(sha)
        if found is None:
            raise NotPlainError
        return found


class Reader:
    """`git cat-file --batch-command`, which goes on as a real one from the first question that is not plain."""

    def __init__(self, environ: Mapping[str, str], start: Callable[[], Any]) -> None:
        self._environ = environ
        self._start = start
        self._git: Any = None
        self._answers = b""
        self.returncode: int | None = None
        self.stdin = self.stdout = self

    @cached_property
    def _store(self) -> Store:
        return Store(self._environ)

    def write(self, questions: bytes) -> None:
        for line in questions.splitlines(keepends=True):
            if not self._git:
                try:
                    self._answers += _answer(self._store, line)
                    continue
                except FAULTS:
                    self._git = self._start()
            self._git.stdin.write(line)

    def flush(self) -> None:
        if self._git:
            self._git.stdin.flush()

    def readline(self) -> bytes:
        if not self._answers:
            return self._git.stdout.readline() if self._git else b""
        line, newline, self._answers = self._answers.partition(b"\n")
        return line + newline

    def read(self, size: int) -> bytes:
        if not self._answers:
            return self._git.stdout.read(size) if self._git else b""
        data, self._answers = self._answers[:size], self._answers[size:]
        return data

    def communicate(self, questions: bytes = b"", timeout: float | None = None) -> tuple[bytes, bytes]:
        answers, errors = self._git.communicate(questions, timeout) if self._git else (b"", b"")
        self.returncode = self._git.returncode if self._git else 0
        return self._answers + answers, errors

    def poll(self) -> int | None:
        return self._git.poll() if self._git else self.returncode

    def terminate(self) -> None:
        if self._git:
            self._git.terminate()

    kill = terminate


def _answer(store: Store, line: bytes) -> bytes:
    command, _, name = line.decode().removesuffix("\n").partition(" ")
    asked = _NAME.fullmatch(name)
    check(asked is not None and command in ("info", "contents"))
    assert asked
    sha, found = asked[1], store.find_object(asked[1])
    if found and asked[2] and found[0] != "tree":
        check(found[0] == "commit")
        sha = store.commit(sha).tree
        found = store.find_object(sha)
    if not found:
        return f"{name} missing\n".encode()
    kind, content = found
    header = f"{sha} {kind} {len(content)}\n".encode()
    return header if command == "info" else b"%s%s\n" % (header, content)


class Importer:
    """`git fast-import` with the commands of one commit; a real one does the whole of what is not plain."""

    def __init__(self, environ: Mapping[str, str], start: Callable[[], Any]) -> None:
        self._environ = environ
        self._start = start
        self._git: Any = None
        self._questions: list[bytes] = []
        self._answers: list[bytes] = []
        self.returncode: int | None = None
        self.stdin = self.stdout = self

    @cached_property
    def _store(self) -> Store:
        return Store(self._environ)

    def write(self, question: bytes) -> None:
        if not self._git:
            self._questions.append(question)
            try:
                self._answers.append(_look(self._store, question))
            except FAULTS:
                self._begin(self._questions[:-1])
        if self._git:
            self._git.stdin.write(question)

    def _begin(self, asked: Sequence[bytes]) -> None:
        """Start git and ask it what was answered before: the answers are the same."""
        self._git = self._start()
        for question in asked:
            self._git.stdin.write(question)
            self._git.stdin.flush()
            self._git.stdout.readline()

    def flush(self) -> None:
        if self._git:
            self._git.stdin.flush()

    def readline(self) -> bytes:
        if self._answers:
            return self._answers.pop(0)
        line: bytes = self._git.stdout.readline()
        return line

    def communicate(self, commands: bytes = b"", timeout: float | None = None) -> tuple[bytes, bytes]:
        if not self._git:
            try:
                sha = _commit(self._store, commands)
            except FAULTS:
                self._begin(self._questions)
            else:
                self.returncode = 0
                return f"{sha}\n".encode(), b""
        output: tuple[bytes, bytes] = self._git.communicate(commands, timeout)
        self.returncode = self._git.returncode
        return output

    def poll(self) -> int | None:
        return self._git.poll() if self._git else 0

    def terminate(self) -> None:
        if self._git:
            self._git.terminate()

    kill = terminate


def _look(store: Store, question: bytes) -> bytes:
    asked = re.fullmatch(rb'ls ([0-9a-f]{40}) "([^"]*)"\n', question)
    check(asked is not None)
    assert asked
    check(bool(_PATH.fullmatch(asked[2])))
    entry = store.find(store.commit(asked[1].decode()).tree, asked[2].decode())
    if entry is None:
        return b"missing %s\n" % asked[2]
    mode, sha = entry
    kind = {FOLDER: b"tree", b"160000": b"commit"}.get(mode, b"blob")
    return b"%s %s %s\t%s\n" % (mode.rjust(6, b"0"), kind, sha.encode(), asked[2])


def _commit(store: Store, commands: bytes) -> str:
    """Do what these commands say; returns the new commit."""
    lines = _Lines(commands)
    check(lines.take() == b"commit refs/promotion/commit" and lines.take() == b"mark :1")
    author, committer = (_person(lines.take(), role) for role in (b"author ", b"committer "))
    message = lines.data()
    check(lines.take() == b"")
    parents = []
    while lines.next().startswith((b"from ", b"merge ")):
        parents.append(lines.take().partition(b" ")[2].decode())
    tree = store.commit(parents[0]).tree
    edits: dict[str, tuple[bytes, bytes] | None] = {}
    while line := lines.take():
        changed = re.fullmatch(rb'(D|M (\d{6}) inline) "([^"]*)"', line)
        check(changed is not None)
        assert changed
        check(bool(_PATH.fullmatch(changed[3])) and changed[2] in (None, b"100644", b"100755"))
        edits[changed[3].decode()] = (changed[2], lines.data()) if changed[2] else None
        check(lines.take() == b"" if changed[2] else True)
    check(commands.endswith(b"\n\nget-mark :1\ndone\n"))
    for parent in parents:
        check(store.read(parent)[0] == "commit")
    modes = {path: edit[0] for path, edit in edits.items() if edit}
    tree = store.edit(tree, {path: edit and edit[1] for path, edit in edits.items()}, modes)
    head = [f"tree {tree}".encode(), *(f"parent {parent}".encode() for parent in parents), author, committer, b""]
    sha = store.write("commit", b"\n".join([*head, message]))
    (store.folder / "refs/promotion/commit").write_text(f"{sha}\n")
    return sha


class _Lines:
    """What was sent to fast-import, line by line, with the data in between."""

    def __init__(self, text: bytes) -> None:
        self._text = text
        self._start = 0

    def next(self) -> bytes:
        return self._text[self._start : self._text.index(b"\n", self._start)]

    def take(self) -> bytes:
        line = self.next()
        self._start += len(line) + 1
        return line

    def data(self) -> bytes:
        size = int(self.take().removeprefix(b"data "))
        self._start += size
        return self._text[self._start - size : self._start]


def _person(line: bytes, role: bytes) -> bytes:
    check(line.startswith(role) and bool(_PERSON.fullmatch(line.removeprefix(role).decode())))
    return line


def write_tree_commit(environ: Mapping[str, str], arguments: Sequence[str], message: bytes) -> str:
    """Do what `git commit-tree` does with a message from its input; returns the new commit."""
    tree, *words = arguments
    parents, rest = words[1:-2:2], [*words[:-2:2], *words[-2:]]
    check(rest == ["-p"] * len(parents) + ["-F", "-"] and message.isascii())
    store = Store(environ)
    check(store.read(tree)[0] == "tree" and all(store.read(parent)[0] == "commit" for parent in parents))
    people = []
    for role in ("author", "committer"):
        name, email, date = (environ[f"GIT_{role.upper()}_{part}"] for part in ("NAME", "EMAIL", "DATE"))
        people.append(_person(f"{role} {name} <{email}> {date.removeprefix('@')}".encode(), f"{role} ".encode()))
    head = [f"tree {tree}".encode(), *(f"parent {parent}".encode() for parent in parents), *people, b""]
    return store.write("commit", b"\n".join([*head, message])) + "\n"


def _tree(store: Store, sha: str) -> str:
    check(re.fullmatch(r"[0-9a-f]{40}", sha) is not None)
    kind, _ = store.read(sha)
    check(kind in ("commit", "tree"))
    return store.commit(sha).tree if kind == "commit" else sha


def merge_trees(environ: Mapping[str, str], arguments: Sequence[str]) -> bytes:
    """Return what `git merge-tree -z` prints of a merge of which each file is of one side alone."""
    *options, one, other = arguments
    check(options == ["--write-tree", "--no-messages", "--name-only", "-z"])
    store = Store(environ)
    base = store.merge_base(one, other)
    check(base is not None and not (store.folder / "shallow").exists())
    assert base
    tree = store.merge_trees(*(_tree(store, sha) for sha in (base, one, other)))
    check(tree is not None)
    return f"{tree}\0".encode()


def merge_bases(environ: Mapping[str, str], arguments: Sequence[str]) -> bytes:
    """Return what `git merge-base --all` prints where there is one."""
    option, one, other = arguments
    store = Store(environ)
    check(option == "--all" and not (store.folder / "shallow").exists())
    for sha in (one, other):
        _tree(store, sha)
    base = store.merge_base(one, other)
    check(base is not None)
    return f"{base}\n".encode()


_known: dict[object, tuple[int, bytes]] = {}
"""What git said of commits and trees whose ids were in the question: that stays the same."""


def remembered(environ: Mapping[str, str], arguments: Sequence[str], start: Callable[[], Any]) -> tuple[int, bytes]:
    """Return what git said when it was asked the same before, in whatever repository, or says now."""
    store = Store(environ)
    check(not (store.folder / "shallow").exists())
    settings = sorted((name, value) for name, value in environ.items() if name.startswith("GIT_CONFIG_"))
    key = (*arguments, environ["GIT_LITERAL_PATHSPECS"], *settings)
    shas = [sha for word in arguments for sha in re.findall(r"[0-9a-f]{40}", word)]
    check(bool(shas) and all(store.find_object(sha) is not None for sha in shas))
    if key not in _known:
        process = start()
        output, errors = process.communicate()
        if errors or process.returncode not in (0, 1):
            raise NotPlainError
        _known[key] = process.returncode, output
    return _known[key]
