"""Running git: one command at a time, or in a dialogue.

A git process gets the given environment and nothing else. GitPython adds the variables of this program, so it has no
others while git starts (docs/decisions/0002-private-object-store.md).
"""

import logging
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from subprocess import PIPE
from typing import IO, TYPE_CHECKING, NoReturn

from gitops_promotion.core.secrets import masked
from gitops_promotion.core.untrusted import LINE_LIMIT, cut, lines
from gitops_promotion.errors import GitError
from gitops_promotion.git.advice import LOCAL_STEP, advice
from gitops_promotion.partial_import import without_init

if TYPE_CHECKING:
    from git.cmd import Git
    from git.exc import GitCommandNotFound

_log = logging.getLogger(__name__)
# Arguments of a command that are logged.
_LOGGED_WORDS = 20
_GRACE = 5.0
"""Seconds that git has to end when it is asked to."""
_NO_GIT = "git was not found: install git 2.39 or newer and put it on the PATH"
# GitPython sets these for each command (`Git.execute` in git/cmd.py).
_ADDED_BY_GITPYTHON = ("LANGUAGE", "LC_ALL")
# The path of `env` in the first line of many scripts; the given PATH need not have it.
_ENV = "/usr/bin/env"
# The exit codes of `env` for a program that it cannot start, and its words then.
_NOT_STARTED = (126, 127)
_NOT_STARTED_REASON = re.compile(rb"\A\S*env: .*: (.+)\n\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How a git command ended, and what it printed; secrets in `stderr` are masked."""

    status: int
    stdout: bytes
    stderr: str


class Runner:
    """Starts git in one folder, counts its commands, and masks secrets in its error output."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.count = 0
        self.secrets: list[str] = []

    def start(
        self, arguments: Sequence[str], environ: Mapping[str, str], *, own_session: bool = False
    ) -> "Git.AutoInterrupt":
        """Start a command with this environment and no other variable. Raises GitError if git does not start.

        With `own_session` it and the programs that it starts have no terminal.
        """
        self.count += 1
        program = shutil.which("git", path=environ.get("PATH", os.defpath))
        if program is None:
            raise GitError(_NO_GIT)
        added = [name for name in _ADDED_BY_GITPYTHON if name not in environ]
        unset = [_ENV, *(f"-u{name}" for name in added)] if added else []
        options = {"start_new_session": True} if own_session else {}
        return _start([*unset, program, "-C", str(self.folder), *arguments], environ, **options)

    def run(
        self,
        arguments: Sequence[str],
        environ: Mapping[str, str],
        stdin: bytes = b"",
        *,
        seconds: float | None = None,
        own_session: bool = False,
    ) -> Result:
        """Run a command to its end, whatever its status is. Raises GitError if git does not start.

        With `seconds` a command that takes longer is ended, and TimeoutError raised. With `own_session` it has no
        terminal, and all programs that it started are ended with it.
        """
        start = time.monotonic()
        process = self.start(arguments, environ, own_session=own_session)
        try:
            stdout, stderr = process.communicate(stdin, timeout=seconds)
        except BaseException as error:
            _end_session(process) if own_session else _terminate(process)
            if isinstance(error, subprocess.TimeoutExpired):
                raise TimeoutError from None
            raise
        self.log(arguments, process.returncode, start)
        if process.returncode in _NOT_STARTED and (reason := _NOT_STARTED_REASON.search(stderr)):
            raise _start_error(self.mask(reason[1]))
        return Result(status=process.returncode, stdout=stdout, stderr=self.mask(stderr))

    def log(self, arguments: Sequence[str], status: int, start: float) -> None:
        """Log a command that has ended, for `--verbose`; `start` is a time of `time.monotonic`, in seconds."""
        if not _log.isEnabledFor(logging.DEBUG):
            return
        # A setting may hold anything, and a list of objects is long.
        words = [word for word in arguments if not word.startswith("-c")][:_LOGGED_WORDS]
        text = self.mask(" ".join([*words, *["..."] * (len(words) < len(arguments))]).encode(errors="replace"))
        failed = f" (exit code {status})" if status else ""
        _log.debug("git %s%s %.0f ms", cut(text.replace("\n", " "), LINE_LIMIT), failed, _milliseconds(start))

    def mask(self, stderr: bytes) -> str:
        """Decode output of git without secrets and terminal codes: part of it is the remote's own text."""
        if not stderr:
            return ""
        text = masked(stderr.decode(errors="replace"), self.secrets)
        return lines(re.sub(r"(https?://)[^/@\s]+@", r"\1", text))


class Dialogue:
    """A git process that answers questions."""

    def __init__(self, runner: Runner, arguments: Sequence[str], environ: Mapping[str, str]) -> None:
        self._runner = runner
        self._command = arguments[0]
        self._arguments = arguments
        self._started = time.monotonic()
        self._process = runner.start(arguments, environ)
        self._stdin: IO[bytes] = self._process.stdin
        self._stdout: IO[bytes] = self._process.stdout

    def send(self, questions: bytes) -> None:
        """Send questions, of which git must be able to read all before it writes. Raises GitError if git has ended."""
        try:
            self._stdin.write(questions)
            self._stdin.flush()
        except BrokenPipeError:
            self._fail()

    def line(self) -> bytes:
        """Return the next line of git's answers. Raises GitError if git has ended."""
        return self._stdout.readline() or self._fail()

    def read(self, size: int) -> bytes:
        """Read exactly `size` bytes of the answer. Raises GitError if git has ended."""
        data = self._stdout.read(size)
        return data if len(data) == size else self._fail()

    def stop(self) -> None:
        """Let git end, whatever its status is."""
        if self._process.poll() is None:
            self._process.communicate()
            self._runner.log(self._arguments, self._process.returncode, self._started)

    def terminate(self) -> None:
        """End git at once."""
        _terminate(self._process)

    def _fail(self) -> NoReturn:
        reason = advice(self._runner.mask(self._process.communicate()[1]), LOCAL_STEP)
        raise GitError(f"git {self._command} failed: {reason}")


def _milliseconds(start: float) -> float:
    return (time.monotonic() - start) * 1000


def _start(command: Sequence[str], environ: Mapping[str, str], **options: bool) -> "Git.AutoInterrupt":
    try:
        git_class, not_found = _gitpython()
    except ImportError as error:
        raise _start_error(str(error).partition("\n")[0]) from error
    try:
        with _only_variables(environ):
            return git_class().execute(command, env=environ, istream=PIPE, as_process=True, **options)
    except not_found as error:
        cause = error.__cause__
        raise _start_error(cause.strerror if isinstance(cause, OSError) else f"{command[0]} is missing") from error
    except OSError as error:
        raise _start_error(error.strerror) from error


@cache
def _gitpython() -> "tuple[type[Git], type[GitCommandNotFound]]":
    """Return GitPython's class that starts git, and its error, without the rest of the package.

    `git/__init__.py` also loads repositories, index and remotes, which are not used here, and runs `git version`: more
    than half of the time.
    """
    with without_init("git"):
        from git.cmd import Git
        from git.exc import GitCommandNotFound
    return Git, GitCommandNotFound


@contextmanager
def _only_variables(environ: Mapping[str, str]) -> Iterator[None]:
    """Let this program have no other variable than these while it starts another, which inherits them (`Git.execute`).

    Unsetting them by `env` would be one more process for each command.
    """
    removed = {name: value for name, value in os.environ.items() if name not in environ}
    try:
        for name in removed:
            del os.environ[name]
        yield
    finally:
        os.environ.update(removed)


def _start_error(reason: str | None) -> GitError:
    return GitError(f"git cannot be started ({reason}): check the program `git` and run again")


def _end_session(process: "Git.AutoInterrupt") -> None:
    """End a command that has a session of its own, and all programs in it."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=_GRACE)
            return


def _terminate(process: "Git.AutoInterrupt") -> None:
    if process.poll() is not None:
        return
    # git deletes its lock files and temporary files at this signal.
    process.terminate()
    try:
        process.communicate(timeout=_GRACE)
    except subprocess.TimeoutExpired:
        process.kill()
        # A child of git, such as ssh, may keep its output open for longer.
        with suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=_GRACE)
