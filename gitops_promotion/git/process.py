"""Running git: one command at a time or in a dialogue, and what its errors mean. The only importer of GitPython."""

import configparser
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from subprocess import PIPE
from typing import NoReturn

from gitops_promotion.core import untrusted
from gitops_promotion.errors import GitError

_NO_GIT = "git was not found: install git 2.39 or newer and put it on the PATH"
try:
    import git
except ImportError as error:  # GitPython runs git when it is imported
    raise GitError(_NO_GIT) from error

_NEXT_STEPS = (
    (r"couldn't find remote ref", "it was deleted or never existed, check its name or run again"),
    (
        r"returned error: 3\d\d|redirect",
        # Azure DevOps leads whom it does not know to the page where people sign in.
        "the remote has moved, put in its new address with `git remote set-url`; or it wants another token",
    ),
    (r"returned error: (?:429|5\d\d)", "it is busy or out of order, run again later"),
    (r"Permission denied|Host key verification", "check the ssh key, its rights and known_hosts"),
    (r"resolve host|refused|timed out|connect to|reset by peer|hung up|early EOF", "check the network and run again"),
    (
        r"not found|does not appear to be|does not exist|No such file",
        "check the remote's address and your access to it",
    ),
    (r"usage: git|unknown (?:option|switch)|is not a git command", "git 2.39 or newer is needed, update git"),
    (r"unrelated histories", "rebase the branch on the default branch"),
    (r"bad object|unable to read|missing|corrupt", "the repository is damaged or incomplete, clone it anew"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """How a git command ended; what it said on stderr is masked."""

    status: int
    stdout: bytes
    stderr: str


class Runner:
    """Starts git in one folder, counts its commands, and keeps secrets out of what is said about them."""

    def __init__(self, folder: Path) -> None:
        self.count = 0
        self.secrets: list[str] = []
        # Git(folder) would expand a `$x` in the folder's name, and on failure start in any folder.
        self._command = ["git", "-C", str(folder)]
        self._git = git.cmd.Git()

    def start(
        self, arguments: Sequence[str], environ: Mapping[str, str], unset: Sequence[str] = ()
    ) -> "git.cmd.Git.AutoInterrupt":
        """Start a command without the variables of `unset`. Raises GitError if there is no git."""
        self.count += 1
        # GitPython adds to the environment but takes nothing away.
        prefix = ["env", *(f"-u{name}" for name in unset)] if unset else []
        try:
            return self._git.execute([*prefix, *self._command, *arguments], istream=PIPE, as_process=True, env=environ)
        except git.exc.GitCommandNotFound as error:
            raise GitError(_NO_GIT) from error

    def run(
        self, arguments: Sequence[str], environ: Mapping[str, str], stdin: bytes = b"", unset: Sequence[str] = ()
    ) -> Done:
        """Run a command to its end, whatever it returns."""
        process = self.start(arguments, environ, unset)
        stdout, stderr = process.communicate(stdin)
        return Done(status=process.returncode, stdout=stdout, stderr=self.mask(stderr))

    def mask(self, stderr: bytes) -> str:
        """Decode what git said without secrets and terminal codes: part of it is the remote's own words."""
        text = stderr.decode(errors="replace")
        for secret in self.secrets:
            text = text.replace(secret, "***")
        text = re.sub(r"(https?://)[^/@\s]+@", r"\1", text)
        return untrusted.lines(text)


class Dialogue:
    """A git process that answers one question at a time."""

    def __init__(self, runner: Runner, arguments: Sequence[str], environ: Mapping[str, str]) -> None:
        self._runner = runner
        self._what = arguments[0]
        self._process = runner.start(arguments, environ)

    def ask(self, question: bytes) -> bytes:
        """Send one question and return the first line of its answer. Raises GitError if git has gone."""
        try:
            self._process.stdin.write(question)
            self._process.stdin.flush()
            line: bytes = self._process.stdout.readline()
        except BrokenPipeError:
            line = b""
        return line or self._fail()

    def read(self, size: int) -> bytes:
        """Read exactly `size` bytes of the answer."""
        data: bytes = self._process.stdout.read(size)
        return data if len(data) == size else self._fail()

    def end(self, rest: bytes = b"") -> bytes:
        """Send the rest, wait for git to end and return what else it printed. Raises GitError if it failed."""
        stdout, stderr = self._process.communicate(rest)
        if self._process.returncode:
            self._fail(stderr)
        return bytes(stdout)

    def stop(self) -> None:
        """Let git end without asking what came of it."""
        if self._process.poll() is None:
            self._process.communicate()

    def _fail(self, stderr: bytes | None = None) -> NoReturn:
        said = self._process.communicate()[1] if stderr is None else stderr
        raise GitError(f"git {self._what} failed: {first_line(self._runner.mask(said))}")


def find_repository(path: Path, environ: Mapping[str, str]) -> tuple[Path, Path]:
    """Return the top folder and the git folder of the repository that `path` is in. Raises GitError."""
    try:
        # Nothing is expanded: a folder may be called `$x`.
        with git.Repo(path.resolve(), search_parent_directories=True, expand_vars=False) as found:
            git_dir = Path(found.git_dir)
            return Path(found.working_tree_dir or git_dir), git_dir
    except git.exc.NoSuchPathError as error:
        raise GitError(f"{path} does not exist: name a folder of the repository with --sourcedir") from error
    except (git.exc.InvalidGitRepositoryError, configparser.Error, OSError) as error:
        if odd := [name for name in ("GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY") if name in environ]:
            # GitPython looks for a repository with these applied.
            raise GitError(f"{path} is in no git repository while {', '.join(odd)} is set: unset it") from error
        raise GitError(f"{path} is in no git repository: go into a clone or name one with --sourcedir") from error


def advice(stderr: str) -> str:
    """Pick the line of git's error that says most, with what to do about it."""
    if found := re.search(r"dubious ownership in repository at '(.*)'", stderr):
        return (
            f"{found[1]} belongs to another user: run as its owner, or trust it with "
            f"`git config --global --add safe.directory {found[1]}`"
        )
    for pattern, next_step in _NEXT_STEPS:
        if found := re.search(f".*(?:{pattern}).*", stderr):
            return f"{first_line(found[0])}: {next_step}"
    return f"{first_line(stderr)}: see what `git fetch` says in the same folder"


def first_line(stderr: str) -> str:
    """Return what git names as the reason, without its prefix."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()] or ["no reason given"]
    start = next((i for i, line in enumerate(lines) if line.startswith(("fatal: ", "error: "))), 0)
    told = re.sub(r"^(?:fatal|error|remote): +", "", lines[start]).removesuffix(".")
    return f"{told} {lines[start + 1]}" if told.endswith(":") and lines[start + 1 :] else told


def remote_words(stderr: str) -> str:
    """Return what the remote itself has to say."""
    return " ".join(re.findall(r"^remote: *(.*\S)", stderr, re.MULTILINE))[:500]
