"""`git ls-remote`, `fetch` and `push` of a plain remote, answered without a process.

They are most of what the verbs start, and each starts four more. What is not plain (a refusal, a race, a hook, another
transport, cut off history, a pack, settings of a person) is left to git itself; so is everything with --thorough, in
the tests of the git room and in the stories. `test_transport.py` compares both.
"""

import fnmatch
import os
import re
import shutil
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.support import refs
from tests.support.objects import FOLDER, Objects
from tests.support.repositories import GITCONFIG, plain_config

Start = Callable[[Sequence[str], Mapping[str, str]], Any]

_GIT = shutil.which("git")
_REMOTE = "promotion"
_REF = re.compile(r"refs/[A-Za-z0-9_-]+(?:/[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*)+")
_PATTERN = re.compile(r"[A-Za-z0-9_./*-]+")
_SHA = re.compile(r"[0-9a-f]{40}")
_SETTINGS = {
    "core.hooksPath": "/dev/null",
    "core.fsmonitor": "false",
    "core.attributesFile": "/dev/null",
    "protocol.ext.allow": "never",
    "push.pushOption": "",
    "gc.auto": "0",
    "maintenance.auto": "false",
}
_VARIABLES = {
    *("DIR", "COMMON_DIR", "WORK_TREE", "INDEX_FILE", "OBJECT_DIRECTORY", "GRAFT_FILE", "NO_REPLACE_OBJECTS"),
    *("LITERAL_PATHSPECS", "TERMINAL_PROMPT", "SSH_COMMAND", "CONFIG_NOSYSTEM", "CONFIG_COUNT"),
}
_FETCH = ["--no-tags", "--no-write-fetch-head", "--no-recurse-submodules", "--no-prune", "--quiet"]
_PUSH = ["--porcelain", "--no-verify", "--no-follow-tags", "--no-signed", "--no-recurse-submodules"]


class NotPlainError(Exception):
    """git itself must answer."""


class Command:
    """A git command as `gitops_promotion.git.process` sees it: it runs when its end is waited for."""

    returncode: int | None = None

    def __init__(self, arguments: Sequence[str], environ: Mapping[str, str], start: Callable[[], Any]) -> None:
        self._arguments = arguments
        self._environ = environ
        self._start = start
        self._git: Any = None

    def communicate(self, stdin: bytes = b"", timeout: float | None = None) -> tuple[bytes, bytes]:
        if not self._git:
            try:
                answer = _answer(self._arguments, self._environ, stdin)
            except (NotPlainError, OSError, ValueError, IndexError, zlib.error):
                self._git = self._start()
            else:
                self.returncode = 0
                return answer.encode(errors="surrogateescape"), b""
        stdout, stderr = self._git.communicate(stdin, timeout)
        self.returncode = self._git.returncode
        return stdout, stderr

    def poll(self) -> int | None:
        return self._git.poll() if self._git else 0

    def terminate(self) -> None:
        self._git.terminate()

    def kill(self) -> None:
        self._git.kill()


def use(patch: pytest.MonkeyPatch) -> None:
    """Answer the commands of the package that are plain; the others are git's."""
    from gitops_promotion.git import process

    git: Start = process._start

    def start(command: Sequence[str], environ: Mapping[str, str]) -> Any:
        program, _, _, *arguments = command
        if program == _GIT and arguments[0] in _ANSWERS:
            return Command(arguments, environ, lambda: git(command, environ))
        return git(command, environ)

    patch.setattr(process, "_start", start)


def _answer(arguments: Sequence[str], environ: Mapping[str, str], stdin: bytes) -> str:
    verb, *options = arguments
    return _ANSWERS[verb](_Plain(environ), options, os.fsdecode(stdin).splitlines())


class _Plain:
    """A plain remote and the repository that reaches it. Raises NotPlainError for any other."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        settings = [
            (environ[f"GIT_CONFIG_KEY_{number}"], environ[f"GIT_CONFIG_VALUE_{number}"])
            for number in range(int(environ["GIT_CONFIG_COUNT"]))
        ]
        urls = {value for key, value in settings if key in (f"remote.{_REMOTE}.url", f"remote.{_REMOTE}.pushurl")}
        others = {key: value for key, value in settings if not key.startswith(f"remote.{_REMOTE}.")}
        # What a verb adds in a CI job.
        others.pop("safe.directory", None)
        variables = {name[4:] for name in environ if name.startswith("GIT_")} - {
            f"CONFIG_{part}_{number}" for part in ("KEY", "VALUE") for number in range(len(settings))
        }
        _check(len(urls) == 1 and others == _SETTINGS and variables <= _VARIABLES)
        with open(f"{environ['HOME']}/.gitconfig", encoding="utf-8") as file:
            _check(file.read() == GITCONFIG)
        [self.url] = urls
        self.remote = Path(self.url)
        self.private = Path(environ["GIT_DIR"])
        self.environ = environ
        _check(self.url.startswith("/") and {*os.listdir(self.url)} == {"HEAD", "config", "objects", "refs"})
        _check((self.remote / "config").read_bytes() == plain_config())
        _check(not os.listdir(f"{self.url}/objects/pack") and not os.listdir(f"{self.url}/objects/info"))
        self.refs = refs.read_refs(self.remote, symbolic=False)
        self.head = refs.read_head(self.remote)

    def alternates(self) -> list[str]:
        """Return the folders of objects that the private repository reads from, its own the first."""
        folders = [f"{self.private}/objects"]
        for folder in folders:
            with suppress(FileNotFoundError), open(f"{folder}/info/alternates", encoding="utf-8") as file:
                for line in file.read().splitlines():
                    _check("\\" not in line)
                    folders.append(line.strip('"'))
        return folders


def _check(plain: bool) -> None:
    if not plain:
        raise NotPlainError


def _list(plain: _Plain, options: Sequence[str], _: Sequence[str]) -> str:
    _check(list(options[:4]) == ["--symref", "--", _REMOTE, "HEAD"] and plain.head in plain.refs)
    patterns = options[3:]
    _check(all(_PATTERN.fullmatch(pattern) for pattern in patterns))
    lines = [f"ref: {plain.head}\tHEAD", f"{plain.refs[plain.head]}\tHEAD"]
    for ref, sha in plain.refs.items():
        if any(fnmatch.fnmatchcase(f"/{ref}", f"*/{pattern}") for pattern in patterns):
            # git leaves out what is broken.
            _check(_has(plain.url + "/objects", sha))
            lines.append(f"{sha}\t{ref}")
    return "".join(f"{line}\n" for line in lines)


def _fetch(plain: _Plain, options: Sequence[str], refspecs: Sequence[str]) -> str:
    _check(list(options) == [*_FETCH, "--stdin", _REMOTE] and not (plain.private / "shallow").exists())
    found = {}
    for refspec in refspecs:
        source, colon, target = refspec.partition(":")
        source = source.removeprefix("+")
        sha = plain.refs.get(source) or source
        _check(bool(colon and refspec[0] == "+" and _SHA.fullmatch(sha)))
        _check(_has(f"{plain.url}/objects", sha) and bool(_REF.fullmatch(target)))
        found[target] = sha
    folders = plain.alternates()
    _copy(Objects(plain.remote, plain.environ), folders[0], found.values(), lambda sha: _has_any(folders, sha))
    for target, sha in found.items():
        (plain.private / target).write_text(f"{sha}\n", encoding="utf-8")
    return ""


def _push(plain: _Plain, options: Sequence[str], _: Sequence[str]) -> str:
    _check(list(options[: len(_PUSH)]) == _PUSH)
    words = [option for option in options[len(_PUSH) :] if option != "--atomic"]
    start = words.index(_REMOTE)
    leases = dict(word.removeprefix("--force-with-lease=").split(":") for word in words[:start])
    news = {ref: sha for sha, _, ref in (word.partition(":") for word in words[start + 1 :])}
    _check(leases.keys() == news.keys() and len(news) == len(words) - start - 1)
    folders = plain.alternates()
    changes: dict[str, tuple[str, str]] = {}
    lines = [f"To {plain.url}"]
    for ref, new in news.items():
        old = plain.refs.get(ref, "")
        _check(bool(_REF.fullmatch(ref) and leases[ref] == old))
        if new == old:
            _check(bool(new))
            lines.append(f"=\t{new}:{ref}\t[up to date]")
            continue
        _check(_is_free(ref, {*plain.refs, *news}) and (ref != plain.head or bool(new)))
        _check(not new or _has_any(folders, new))
        changes[ref] = old, new
        lines.append(f"{'-' if not new else '*' if not old else '+'}\t{new}:{ref}\t")
    store = Objects(plain.private, plain.environ)
    news_only = [new for _, new in changes.values() if new]
    _copy(store, f"{plain.url}/objects", news_only, lambda sha: _has(f"{plain.url}/objects", sha))
    _change(plain.remote, changes)
    return "".join(f"{line}\n" for line in [*lines, "Done"])


_ANSWERS: Mapping[str, Callable[[_Plain, Sequence[str], Sequence[str]], str]] = {
    "ls-remote": _list,
    "fetch": _fetch,
    "push": _push,
}


def _is_free(ref: str, names: set[str]) -> bool:
    """Return whether no other name stands where this one, or its folder, is a file; and none is ambiguous to git."""
    return not any(
        name.startswith(f"{ref}/") or ref.startswith(f"{name}/") or name.endswith(f"/{ref}") for name in names - {ref}
    )


def _change(folder: Path, changes: Mapping[str, tuple[str, str]]) -> None:
    """Change all refs from one object to another, "" for none; or raise NotPlainError and change nothing."""
    with _locked(folder, changes):
        for ref, (old, _) in changes.items():
            _check((refs.resolve(folder, ref) or "") == old)
        for ref, (_, new) in changes.items():
            path = folder / ref
            if new:
                with suppress(FileNotFoundError, NotADirectoryError):
                    path.rmdir()
                os.rename(f"{path}.lock", path)
            else:
                path.unlink()
    for ref, (_, new) in changes.items():
        if not new:
            with suppress(OSError):
                for parent in [*(folder / ref).parents][: ref.count("/") - 1]:
                    parent.rmdir()


@contextmanager
def _locked(folder: Path, changes: Mapping[str, tuple[str, str]]) -> Iterator[None]:
    """Hold the locks that git takes; the lock of a new value has that in it."""
    locks = []
    try:
        for ref, (_, new) in changes.items():
            lock = f"{folder}/{ref}.lock"
            os.makedirs(os.path.dirname(lock), exist_ok=True)
            descriptor = os.open(lock, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
            locks.append(lock)
            os.write(descriptor, f"{new}\n".encode())
            os.close(descriptor)
        yield
    finally:
        for lock in locks:
            with suppress(FileNotFoundError):
                os.unlink(lock)


# -- objects

_parts: dict[str, tuple[str, ...]] = {}
"""What each commit and tree that was copied consists of: their ids say it."""


def _copy(source: Objects, target: str, tips: Iterable[str], has: Callable[[str], bool]) -> None:
    """Give a folder of objects these objects and all that they consist of, unless they are there."""
    found: list[str] = []
    seen: set[str] = set()
    pending = [sha for sha in tips if not has(sha)]
    for sha in pending:
        # A damaged one is git's to find.
        _check(source.has(sha))
        source.read(sha)
    while pending:
        sha = pending.pop()
        if sha in seen:
            continue
        seen.add(sha)
        if not has(sha):
            found.append(sha)
            pending += _parts_of(source, sha)
    for sha in reversed(found):
        folder = f"{target}/{sha[:2]}"
        with suppress(FileExistsError):
            os.mkdir(folder)
        with suppress(FileExistsError):
            os.link(source.path(sha), f"{folder}/{sha[2:]}")


def _parts_of(source: Objects, sha: str) -> tuple[str, ...]:
    if sha not in _parts:
        # One that is in a pack, or borrowed, is git's to copy.
        _check(source.has(sha))
        kind, _ = source.read(sha)
        _check(kind in ("commit", "tree", "blob"))
        if kind == "commit":
            commit = source.commit(sha)
            _parts[sha] = (*commit.parents, commit.tree)
        elif kind == "tree":
            entries = source.entries(sha).values()
            _parts[sha] = tuple(entry for mode, entry in entries if mode != b"160000")
            _parts.update((entry, ()) for mode, entry in entries if mode not in (FOLDER, b"160000"))
        else:
            _parts[sha] = ()
    return _parts[sha]


def _has(folder: str, sha: str) -> bool:
    return os.path.exists(f"{folder}/{sha[:2]}/{sha[2:]}")


def _has_any(folders: Sequence[str], sha: str) -> bool:
    return any(_has(folder, sha) or _has_packed(folder, sha) for folder in folders)


def _has_packed(folder: str, sha: str) -> bool:
    names = os.listdir(f"{folder}/pack") if os.path.isdir(f"{folder}/pack") else []
    return any(sha in _packed(f"{folder}/pack/{name}", name) for name in names if name.endswith(".idx"))


_packs: dict[str, frozenset[str]] = {}


def _packed(path: str, name: str) -> frozenset[str]:
    """Return the ids in the index of a pack, whose name says what is in it (gitformat-pack(5), version 2)."""
    if name not in _packs:
        with open(path, "rb") as file:
            data = file.read()
        _check(data[:8] == b"\xfftOc\0\0\0\2")
        count = int.from_bytes(data[1028:1032], "big")
        ids = data[1032 : 1032 + 20 * count]
        _packs[name] = frozenset(ids[start : start + 20].hex() for start in range(0, len(ids), 20))
    return _packs[name]
