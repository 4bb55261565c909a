"""`git ls-remote`, `fetch` and `push` of a plain remote, a folder or a forge of this process, without a process.

What is not plain (a refusal, a race, a hook, a history that stays cut off, a pack, settings of a person) is git's.
"""

import fnmatch
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path

from tests.support import copies, files, packs, refs, served
from tests.support.listings import SETTINGS
from tests.support.objects import Objects
from tests.support.plain import NotPlainError, check
from tests.support.repositories import GITCONFIG, plain_config

_REMOTE = "promotion"
_GITCONFIG = GITCONFIG.encode()
_REF = re.compile(r"refs/[A-Za-z0-9_-]+(?:/[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*)+")
_PATTERN = re.compile(r"[A-Za-z0-9_./*-]+")
_SHA = re.compile(r"[0-9a-f]{40}")
_SETTINGS = SETTINGS | {"http.lowSpeedLimit": "1", "http.lowSpeedTime": "300"}
_VARIABLES = {
    *("DIR", "COMMON_DIR", "WORK_TREE", "INDEX_FILE", "OBJECT_DIRECTORY", "GRAFT_FILE", "NO_REPLACE_OBJECTS"),
    *("LITERAL_PATHSPECS", "TERMINAL_PROMPT", "SSH_COMMAND", "CONFIG_NOSYSTEM", "CONFIG_COUNT"),
}
_NO_PROMPT = {"ASKPASS", "TRACE_REDACT", "TRACE2_CONFIG_PARAMS", "TRACE2_ENV_VARS"}
# What a verb adds in a CI job, and what a clone was made with.
_HARMLESS = {"safe.directory": "*", "protocol.file.allow": "always"}
# What signs commits: a push is signed only where it is asked to be.
_OF_COMMITS = {"commit.gpgsign", "gpg.program"}
_NO_FORCE = b'[receive]\n\tdenyNonFastForwards = "true"\n'
"""The configuration of a repository that takes no forced push, as tests/support/clones.py writes it."""
# The settings of a forge's server.
_SERVER = re.compile(
    r"(?:\[(?:http|uploadpack|receive|gc|fastimport)\]\n"
    r"\t(?:receivepack|allow(?:AnySHA1InWant|Filter)|hideRefs|auto(?:gc)?|unpackLimit) = \S+\n)*"
)
_FETCH = ["--no-tags", "--no-write-fetch-head", "--no-recurse-submodules", "--no-prune", "--quiet"]
_PUSH = ["--porcelain", "--no-verify", "--no-follow-tags", "--no-signed", "--no-recurse-submodules"]


def answer(arguments: Sequence[str], environ: Mapping[str, str], stdin: bytes) -> str:
    """Do what a command does and return its output. Raises one of FAULTS for what is not plain."""
    verb, *options = arguments
    client = _Client(environ)
    lines = os.fsdecode(stdin).splitlines()

    def act(folder: Path) -> str:
        return VERBS[verb](client, _Remote(folder, served=client.served), options, lines)

    def act_if_all_is_here(folder: Path) -> None:
        if _has_all(client, _Remote(folder, served=client.served), options, lines):
            answers.append(act(folder))

    if not client.served:
        return act(Path(client.url))
    # What git would send to a forge: the requests of version 2 of the protocol, the older ones for a push.
    address = client.url, client.authorization, "receive-pack" if verb == "push" else "upload-pack"
    answers: list[str] = []
    served.ask(*address, method="GET")
    if verb == "fetch":
        served.ask(*address, act=act_if_all_is_here)
    if not answers:
        served.ask(*address, act=lambda folder: answers.append(act(folder)))
    return answers[0]


class _Client:
    """The repository that reaches a plain remote, with its settings."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.url, self.authorization = _read_settings(tuple(item for item in environ.items() if item[0][:4] == "GIT_"))
        self.served = bool(self.authorization)
        check(files.read(f"{environ['HOME']}/.gitconfig") == _GITCONFIG)
        self.folder = Path(environ["GIT_DIR"])
        self.environ = environ


@lru_cache(maxsize=8)
def _read_settings(variables: tuple[tuple[str, str], ...]) -> tuple[str, str]:
    """Return the address of the remote, and how a forge is reached, "" where it is a folder.

    A verb asks several times with the same settings.
    """
    environ = dict(variables)
    numbers = range(int(environ["GIT_CONFIG_COUNT"]))
    settings = [(environ[f"GIT_CONFIG_KEY_{number}"], environ[f"GIT_CONFIG_VALUE_{number}"]) for number in numbers]
    [url] = {value for key, value in settings if key in (f"remote.{_REMOTE}.url", f"remote.{_REMOTE}.pushurl")}
    authorization, expected, known = "", _SETTINGS, _VARIABLES
    if url.startswith("http://127.0.0.1:"):
        header = f"http.{url}.extraHeader"
        expected = expected | {
            f"url.{url}.insteadOf": url,
            f"http.{url}.followRedirects": "false",
            "credential.helper": "",
        }
        [reset, line] = [value for key, value in settings if key == header]
        authorization = line.removeprefix("Authorization: ")
        check(reset == "" and line.startswith("Authorization: ") and bool(authorization))
        settings = [(key, value) for key, value in settings if key != header]
        known = known | _NO_PROMPT
    else:
        check(url.startswith("/"))
    others = {
        key: value for key, value in settings if not key.startswith(f"remote.{_REMOTE}.") and key not in _OF_COMMITS
    }
    for name, value in _HARMLESS.items():
        check(others.pop(name, value) == value)
    given = {name[4:] for name in environ} - {
        f"CONFIG_{part}_{number}" for part in ("KEY", "VALUE") for number in numbers
    }
    check(others == expected and given <= known)
    return url, authorization


class _Remote:
    """The files of a plain remote."""

    def __init__(self, folder: Path, *, served: bool) -> None:
        names = {*os.listdir(folder)}
        config = files.read(f"{folder}/config")
        if served:
            names -= {"hooks", "protected"}
            check(os.listdir(f"{folder}/hooks") == ["update"])
            check(config.startswith(plain_config()))
            check(bool(_SERVER.fullmatch(config.removeprefix(plain_config()).decode())))
        else:
            check(config.removesuffix(_NO_FORCE) == plain_config())
        check(names == {"HEAD", "config", "objects", "refs"})
        self.folder = folder
        self.takes_forced = not config.endswith(_NO_FORCE)
        self.objects = f"{folder}/objects"
        check(not os.listdir(f"{self.objects}/pack") and not os.listdir(f"{self.objects}/info"))
        self.refs = refs.read_refs(folder, symbolic=False)
        self.head = refs.read_head(folder)

    def protected(self) -> list[str]:
        """Return the refs that no push may change."""
        path = self.folder / "protected"
        return path.read_text().splitlines() if path.exists() else []


def _list(_: _Client, remote: _Remote, options: Sequence[str], __: Sequence[str]) -> str:
    check(list(options[:4]) == ["--symref", "--", _REMOTE, "HEAD"] and remote.head in remote.refs)
    patterns = options[3:]
    check(all(_PATTERN.fullmatch(pattern) for pattern in patterns))
    lines = [f"ref: {remote.head}\tHEAD", f"{remote.refs[remote.head]}\tHEAD"]
    for ref, sha in remote.refs.items():
        if any(_matches(f"/{ref}", pattern) for pattern in patterns):
            # git leaves out what is broken.
            check(packs.is_file(remote.objects, sha))
            lines.append(f"{sha}\t{ref}")
    return "".join(f"{line}\n" for line in lines)


def _matches(ref: str, pattern: str) -> bool:
    return fnmatch.fnmatchcase(ref, f"*/{pattern}") if "*" in pattern else ref.endswith(f"/{pattern}")


def _fetch(client: _Client, remote: _Remote, options: Sequence[str], refspecs: Sequence[str]) -> str:
    cut_off = _cut_off(client.folder)
    depth = [option for option in options if option.startswith("--depth=")]
    check(list(options) == [*_FETCH, *depth, "--stdin", _REMOTE] and len(depth) == bool(cut_off))
    found = {}
    for refspec in refspecs:
        source, _, target = refspec.removeprefix("+").partition(":")
        sha = remote.refs.get(source) or source
        # An object that is fetched for its history has no target.
        check(bool(_REF.fullmatch(target)) if refspec[0] == "+" else source == refspec)
        check(bool(_SHA.fullmatch(sha)) and packs.is_file(remote.objects, sha))
        found[target or sha] = sha
    folders = packs.folders(client.folder)
    store = Objects(remote.folder, client.environ)
    history = _history(store, [*found.values()], int(depth[0].partition("=")[2])) if depth else set()
    # A commit that is here need not have its history here: what is asked for is looked through.
    has, lacking = packs.find(folders), cut_off | history
    copies.copy(store, folders[0], found.values(), lambda sha: sha not in lacking and has(sha))
    if cut_off & history:
        rest = "".join(f"{sha}\n" for sha in sorted(cut_off - history))
        (client.folder / "shallow").write_text(rest) if rest else (client.folder / "shallow").unlink()
    for target, sha in found.items():
        if target != sha:
            with open(f"{client.folder}/{target}", "w", encoding="utf-8") as file:
                file.write(f"{sha}\n")
    return ""


def _has_all(client: _Client, remote: _Remote, options: Sequence[str], refspecs: Sequence[str]) -> bool:
    """Return whether git has all that it would ask for, and then asks for nothing; to deepen a history it asks."""
    has = packs.find(packs.folders(client.folder))
    sources = (refspec.removeprefix("+").partition(":")[0] for refspec in refspecs)
    return not any(option.startswith("--depth=") for option in options) and all(
        has(remote.refs.get(source) or source) for source in sources
    )


def _cut_off(folder: Path) -> frozenset[str]:
    try:
        return frozenset(files.read(f"{folder}/shallow").decode().split())
    except FileNotFoundError:
        return frozenset()


def _history(store: Objects, tips: Sequence[str], depth: int) -> set[str]:
    """Return all ancestors of commits, where there are fewer generations than `depth`, which cuts off none then."""
    generation = {sha for sha in tips if store.read(sha)[0] == "commit"}
    found: set[str] = set()
    for _ in range(depth):
        if not generation:
            return found
        found |= generation
        generation = {parent for sha in generation for parent in store.commit(sha).parents} - found
    raise NotPlainError


def _push(client: _Client, remote: _Remote, options: Sequence[str], _: Sequence[str]) -> str:
    check(list(options[: len(_PUSH)]) == _PUSH)
    words = [option for option in options[len(_PUSH) :] if option != "--atomic"]
    start = words.index(_REMOTE)
    leases = dict(word.removeprefix("--force-with-lease=").split(":") for word in words[:start])
    news = {ref: sha for sha, _, ref in (word.partition(":") for word in words[start + 1 :])}
    check(leases.keys() == news.keys() and len(news) == len(words) - start - 1)
    has = packs.find(packs.folders(client.folder))
    changes: dict[str, tuple[str, str]] = {}
    lines = [f"To {client.url}"]
    protected = remote.protected()
    for ref, new in news.items():
        old = remote.refs.get(ref, "")
        check(bool(_REF.fullmatch(ref) and leases[ref] == old) and not ref.startswith("refs/pull/"))
        if new == old:
            check(bool(new))
            lines.append(f"=\t{new}:{ref}\t[up to date]")
            continue
        check(_is_free(ref, {*remote.refs, *news}) and (ref != remote.head or bool(new)) and ref not in protected)
        check(not new or has(new))
        # git finds out which are forced.
        check(remote.takes_forced or not (old and new) or not ref.startswith("refs/heads/"))
        changes[ref] = old, new
        lines.append(f"{'-' if not new else '*' if not old else '+'}\t{new}:{ref}\t")
    store = Objects(client.folder, client.environ)
    made = [new for _, new in changes.values() if new]
    copies.copy(store, remote.objects, made, lambda sha: packs.is_file(remote.objects, sha))
    _change(remote.folder, changes)
    return "".join(f"{line}\n" for line in [*lines, "Done"])


VERBS: Mapping[str, Callable[[_Client, _Remote, Sequence[str], Sequence[str]], str]] = {
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
            path = f"{folder}/{ref}"
            if new:
                # An empty folder is what is left of `a` after `a/b` was deleted.
                with suppress(FileNotFoundError, NotADirectoryError):
                    os.rmdir(path)
                os.rename(f"{path}.lock", path)
            else:
                os.unlink(path)
    for ref, (_, new) in changes.items():
        if not new:
            with suppress(OSError):
                parent = ref
                while (parent := os.path.dirname(parent)).count("/"):
                    os.rmdir(f"{folder}/{parent}")


@contextmanager
def _locked(folder: Path, changes: Mapping[str, tuple[str, str]]) -> Iterator[None]:
    """Hold the locks that git takes; the lock of a new value has that in it."""
    locks = []
    try:
        for ref, (_, new) in changes.items():
            lock = f"{folder}/{ref}.lock"
            descriptor = refs.open_lock(lock)
            locks.append(lock)
            os.write(descriptor, f"{new}\n".encode())
            os.close(descriptor)
        yield
    finally:
        for lock in locks:
            with suppress(FileNotFoundError):
                os.unlink(lock)
