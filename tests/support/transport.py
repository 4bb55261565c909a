"""`git ls-remote`, `fetch` and `push` of a plain remote, answered without a process.

They are most of what the verbs start, and each starts four more. What is not plain (a refusal, a race, a hook, another
transport, cut off history, a pack, settings of a person) is left to git itself; so is everything with --thorough, in
the tests of the git room and in the stories. `test_transport.py` compares both.
"""

import fnmatch
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.support import packs, refs
from tests.support.objects import FOLDER, Objects
from tests.support.plain import check
from tests.support.repositories import GITCONFIG, plain_config

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


def answer(arguments: Sequence[str], environ: Mapping[str, str], stdin: bytes) -> str:
    """Do what a command does and return its output. Raises NotPlainError or another of FAULTS."""
    verb, *options = arguments
    return VERBS[verb](_Plain(environ), options, os.fsdecode(stdin).splitlines())


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
        check(len(urls) == 1 and others == _SETTINGS and variables <= _VARIABLES)
        with open(f"{environ['HOME']}/.gitconfig", encoding="utf-8") as file:
            check(file.read() == GITCONFIG)
        [self.url] = urls
        self.remote = Path(self.url)
        self.private = Path(environ["GIT_DIR"])
        self.environ = environ
        check(self.url.startswith("/") and {*os.listdir(self.url)} == {"HEAD", "config", "objects", "refs"})
        check((self.remote / "config").read_bytes() == plain_config())
        check(not os.listdir(f"{self.url}/objects/pack") and not os.listdir(f"{self.url}/objects/info"))
        self.refs = refs.read_refs(self.remote, symbolic=False)
        self.head = refs.read_head(self.remote)


def _list(plain: _Plain, options: Sequence[str], _: Sequence[str]) -> str:
    check(list(options[:4]) == ["--symref", "--", _REMOTE, "HEAD"] and plain.head in plain.refs)
    patterns = options[3:]
    check(all(_PATTERN.fullmatch(pattern) for pattern in patterns))
    lines = [f"ref: {plain.head}\tHEAD", f"{plain.refs[plain.head]}\tHEAD"]
    for ref, sha in plain.refs.items():
        if any(fnmatch.fnmatchcase(f"/{ref}", f"*/{pattern}") for pattern in patterns):
            # git leaves out what is broken.
            check(packs.is_file(plain.url + "/objects", sha))
            lines.append(f"{sha}\t{ref}")
    return "".join(f"{line}\n" for line in lines)


def _fetch(plain: _Plain, options: Sequence[str], refspecs: Sequence[str]) -> str:
    check(list(options) == [*_FETCH, "--stdin", _REMOTE] and not (plain.private / "shallow").exists())
    found = {}
    for refspec in refspecs:
        source, colon, target = refspec.partition(":")
        source = source.removeprefix("+")
        sha = plain.refs.get(source) or source
        check(bool(colon and refspec[0] == "+" and _SHA.fullmatch(sha)))
        check(packs.is_file(f"{plain.url}/objects", sha) and bool(_REF.fullmatch(target)))
        found[target] = sha
    folders = packs.folders(plain.private)
    _copy(Objects(plain.remote, plain.environ), folders[0], found.values(), lambda sha: packs.has(folders, sha))
    for target, sha in found.items():
        (plain.private / target).write_text(f"{sha}\n", encoding="utf-8")
    return ""


def _push(plain: _Plain, options: Sequence[str], _: Sequence[str]) -> str:
    check(list(options[: len(_PUSH)]) == _PUSH)
    words = [option for option in options[len(_PUSH) :] if option != "--atomic"]
    start = words.index(_REMOTE)
    leases = dict(word.removeprefix("--force-with-lease=").split(":") for word in words[:start])
    news = {ref: sha for sha, _, ref in (word.partition(":") for word in words[start + 1 :])}
    check(leases.keys() == news.keys() and len(news) == len(words) - start - 1)
    folders = packs.folders(plain.private)
    changes: dict[str, tuple[str, str]] = {}
    lines = [f"To {plain.url}"]
    for ref, new in news.items():
        old = plain.refs.get(ref, "")
        check(bool(_REF.fullmatch(ref) and leases[ref] == old))
        if new == old:
            check(bool(new))
            lines.append(f"=\t{new}:{ref}\t[up to date]")
            continue
        check(_is_free(ref, {*plain.refs, *news}) and (ref != plain.head or bool(new)))
        check(not new or packs.has(folders, new))
        changes[ref] = old, new
        lines.append(f"{'-' if not new else '*' if not old else '+'}\t{new}:{ref}\t")
    store = Objects(plain.private, plain.environ)
    news_only = [new for _, new in changes.values() if new]
    _copy(store, f"{plain.url}/objects", news_only, lambda sha: packs.is_file(f"{plain.url}/objects", sha))
    _change(plain.remote, changes)
    return "".join(f"{line}\n" for line in [*lines, "Done"])


VERBS: Mapping[str, Callable[[_Plain, Sequence[str], Sequence[str]], str]] = {
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
            check((refs.resolve(folder, ref) or "") == old)
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
        check(source.has(sha))
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
        check(source.has(sha))
        kind, _ = source.read(sha)
        check(kind in ("commit", "tree", "blob"))
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
