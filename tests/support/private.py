"""Questions to the private repository's objects, answered without a process.

What is unusual, such as a damaged object, is left to git.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from tests.support import files, packs
from tests.support.objects import Objects
from tests.support.plain import FAULTS, NotPlainError, check

_NAME = re.compile(r"([0-9a-f]{40})(\^\{tree\})?")
_CONFIG = b"[core]\n\trepositoryformatversion = 0\n\tbare = true\n"


class Store(Objects):
    """The objects of the private repository, with those that it borrows."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        folder = Path(environ["GIT_DIR"])
        super().__init__(folder, environ)
        check(files.read(f"{folder}/config") == _CONFIG)
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
