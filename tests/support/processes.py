"""Commands of the package that are answered without a process where they are plain.

Each verb starts some ten git commands, those that reach the remote start four more each, and tests run thousands of
verbs. What is not plain is left to git itself; so is everything with --thorough, in the tests of the git room and in
some of the stories. `test_processes.py` compares both. Where git is spared, connections to a forge are too (`direct`).
"""

import os
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from types import SimpleNamespace
from typing import Any

from tests.support import direct, files, listings, private, transport
from tests.support.plain import FAULTS, GIT, check
from tests.support.repositories import GITCONFIG

Start = Callable[..., Any]
Answer = Callable[[Sequence[str], Mapping[str, str], bytes], bytes]


_QUESTIONS: Mapping[str, Callable[[Mapping[str, str], Sequence[str]], bytes]] = {
    "merge-base": private.merge_bases,
    "merge-tree": private.merge_trees,
}


class Command:
    """A git command as `gitops_promotion.git.process` sees it: it runs when its end is waited for."""

    returncode: int | None = None

    def __init__(self, answer: Callable[[bytes], bytes | tuple[int, bytes]], start: Callable[[], Any]) -> None:
        self._answer = answer
        self._start = start
        self._git: Any = None

    def communicate(self, stdin: bytes = b"", timeout: float | None = None) -> tuple[bytes, bytes]:
        if not self._git:
            try:
                answer = self._answer(stdin)
            except FAULTS:
                self._git = self._start()
            else:
                self.returncode, output = (0, answer) if isinstance(answer, bytes) else answer
                return output, b""
        stdout, stderr = self._git.communicate(stdin, timeout)
        self.returncode = self._git.returncode
        return stdout, stderr

    def poll(self) -> int | None:
        return self._git.poll() if self._git else 0

    def terminate(self) -> None:
        self._git.terminate()

    def kill(self) -> None:
        self._git.kill()


def spare(change: Callable[[object, str, object], None]) -> None:
    """Answer what is plain; `change` is `setattr`, or that of a pytest.MonkeyPatch."""
    from gitops_promotion.git import process

    git: Start = process._start

    def start(command: Sequence[str], environ: Mapping[str, str], **options: bool) -> Any:
        program, _, folder, *arguments = command

        def real() -> Any:
            return git(command, environ, **options)

        if program != GIT or options:
            return real()
        verb = arguments[0]
        if arguments == ["cat-file", "--batch-command"]:
            return private.Reader(environ, real)
        if verb in _QUESTIONS:
            return Command(lambda _: _QUESTIONS[verb](environ, arguments[1:]), real)
        if verb in ("diff-tree", "grep", "log", "ls-tree", "rev-list"):
            return Command(lambda _: _list(environ, arguments, real), real)
        if verb in transport.VERBS:
            return Command(
                lambda stdin: transport.answer(arguments, environ, stdin).encode(errors="surrogateescape"), real
            )
        if arguments == ["config", "--list", "-z", "--show-scope", "--includes"]:
            return Command(lambda _: _settings(folder, environ, real), real)
        return real()

    change(process, "_start", start)
    change(direct, "on", True)
    # Where git is on this PATH: looking costs more than an answer.
    change(process, "shutil", SimpleNamespace(which=cache(shutil.which)))


def _list(environ: Mapping[str, str], arguments: Sequence[str], start: Callable[[], Any]) -> tuple[int, bytes]:
    try:
        return listings.answer(environ, arguments)
    except FAULTS:
        return private.remembered(environ, arguments, start)


_GITCONFIG = GITCONFIG.encode()
_URL = re.compile(rb"\turl = ([A-Za-z0-9_./:-]+)\n")
_known: dict[object, bytes] = {}
"""What git said of settings, by all that it depends on."""


def _settings(folder: str, environ: Mapping[str, str], start: Callable[[], Any]) -> bytes:
    """Return what git says of the settings that it sees in a folder, from the last time that they were the same.

    The address of the remote is another one in each test.
    """
    own = files.read(f"{folder}/.git/config")
    [url] = _URL.findall(own)
    check(os.stat(folder).st_uid == os.geteuid() and b"worktree" not in own and b"include" not in own)
    check("GIT_CONFIG_NOSYSTEM" in environ and environ.keys() & {"XDG_CONFIG_HOME", "GIT_CONFIG_GLOBAL"} == set())
    home = environ["HOME"]
    check(files.read(f"{home}/.gitconfig") == _GITCONFIG and not os.path.exists(f"{home}/.config"))
    check(url not in _GITCONFIG and own.count(url) == 1)
    # Which git is asked is known before.
    key = own.replace(url, b"\1"), *sorted(item for item in environ.items() if item[0] not in ("HOME", "PATH"))
    if key not in _known:
        process = start()
        output: bytes = process.communicate()[0]
        check(process.returncode == 0 and output.count(url) == 1)
        _known[key] = output.replace(url, b"\1")
    return _known[key].replace(b"\1", url)
