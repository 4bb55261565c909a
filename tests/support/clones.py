"""`git clone`, `fetch`, `push`, `config` and `remote set-url` of a test's own set-up, without a process.

They do what git does, but for reflogs and FETCH_HEAD. What is not plain raises one of FAULTS and is git's: settings
besides those of these tests, tags, packs of the remote, a history that is cut off, a refusal.
"""

import os
import re
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha1
from pathlib import Path

from tests.support import copies, packs, refs
from tests.support.objects import FILE, FOLDER, Objects, read_entries
from tests.support.plain import check
from tests.support.snapshots import Snapshot

_LINK = b"120000"
_MODES = {FILE: 0o644, b"100755": 0o755}
_HEADS = "refs/heads/"
_REMOTES = "refs/remotes/origin/"
_VARIABLES = {"GIT_CONFIG_NOSYSTEM", "GIT_TERMINAL_PROMPT"}
_NAME = r"[A-Za-z0-9_./-]+"
_BRANCH = re.compile(_NAME)
_CONFIG = re.compile(
    rf'\[remote "origin"\]\n\turl = (/{_NAME})\n\tfetch = \+refs/heads/\*:refs/remotes/origin/\*\n'
    rf'(?:\[branch "{_NAME}"\]\n\tremote = origin\n\tmerge = refs/heads/{_NAME}\n)*'
)
_KEY = re.compile(r"([A-Za-z0-9-]+)\.(?:([^\n\0]+)\.)?([A-Za-z][A-Za-z0-9-]*)")
_ADDRESS = re.compile(r"[A-Za-z0-9_./:@%~+-]+")
_URL = re.compile(r"(?m)^\turl = .*$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plain:
    """The configuration that is plain: of a person, of a bare repository, and of one with a working tree."""

    person: str
    bare: bytes
    worktree: bytes

    def clone(self, remote: Path, environ: Mapping[str, str], url: str) -> Snapshot:
        """Return what `git clone` makes, which reaches the remote by `url` then."""
        self._check_person(environ)
        branches = self._branches(remote)
        head = refs.read_head(remote).removeprefix(_HEADS)
        tip = branches[head]
        objects = Objects(remote, environ)
        contents = _reachable(objects, branches.values())
        name, pack, index = packs.write(contents)
        entries = list(_entries(contents, contents[tip][1][5:45].decode()))
        config = f'[remote "origin"]\n\turl = {url}\n\tfetch = +{_HEADS}*:{_REMOTES}*\n'
        config += f'[branch "{head}"]\n\tremote = origin\n\tmerge = {_HEADS}{head}\n'
        packed = "".join(f"{sha} {_REMOTES}{branch}\n" for branch, sha in branches.items())
        files = {
            ".git/HEAD": f"ref: {_HEADS}{head}\n".encode(),
            ".git/config": self.worktree + config.encode(),
            ".git/index": _index(entries, contents),
            ".git/packed-refs": f"# pack-refs with: peeled fully-peeled sorted \n{packed}".encode(),
            f".git/{_HEADS}{head}": f"{tip}\n".encode(),
            f".git/{_REMOTES}HEAD": f"ref: {_REMOTES}{head}\n".encode(),
        }
        written = {path: (0o644, content) for path, content in files.items()}
        written |= {
            f".git/objects/pack/pack-{name}.{end}": (0o444, data) for end, data in (("pack", pack), ("idx", index))
        }
        paths = {os.fsdecode(path): (mode, contents[sha][1]) for path, mode, sha in entries}
        links = {path: os.fsdecode(content) for path, (mode, content) in paths.items() if mode == _LINK}
        written |= {path: (_MODES[mode], content) for path, (mode, content) in paths.items() if path not in links}
        folders = {f"{parent}" for path in [*written, *links] for parent in [*Path(path).parents][:-1]}
        folders |= {".git/objects/info", ".git/refs/tags"}
        return Snapshot(folders=tuple(sorted(folders)), files=written, links=links)

    def fetch(self, folder: Path, environ: Mapping[str, str]) -> None:
        """Do `git fetch origin` in a clone."""
        self._check_person(environ)
        remote = self._origin(folder)
        changed = {
            f"{_REMOTES}{branch}": sha
            for branch, sha in self._branches(remote).items()
            if refs.resolve(folder, f"{_REMOTES}{branch}") != sha
        }
        _give(Objects(remote, environ), folder, changed.values())
        for ref, sha in changed.items():
            check(refs.change(folder, ref, sha))

    def push(self, folder: Path, environ: Mapping[str, str], refspec: str) -> None:
        """Do `git push origin REFSPEC` in a clone, to a branch that it goes on from."""
        self._check_person(environ)
        remote = self._origin(folder)
        source, _, branch = refspec.rpartition(":")
        old = self._branches(remote)[branch]
        check(source in ("", "HEAD"))
        new = refs.resolve(folder, source or f"{_HEADS}{branch}") or ""
        objects = Objects(folder, environ)
        check(objects.has(new) and old in objects.ancestors(new))
        _give(objects, remote, [new])
        check(refs.change(remote, f"{_HEADS}{branch}", new, old))
        check(refs.change(folder, f"{_REMOTES}{branch}", new))

    def _check_person(self, environ: Mapping[str, str]) -> None:
        check({name for name in environ if name.startswith(("GIT_", "XDG_"))} <= _VARIABLES)
        check(Path(environ["HOME"], ".gitconfig").read_text(encoding="utf-8") == self.person)

    def _branches(self, remote: Path) -> dict[str, str]:
        """Return the branches of a remote, which must be bare, without tags and packs."""
        check({*os.listdir(remote)} == {"HEAD", "config", "objects", "refs"})
        check((remote / "config").read_bytes() == self.bare)
        check(not os.listdir(remote / "objects/pack") and not os.listdir(remote / "objects/info"))
        found = refs.read_refs(remote, symbolic=False)
        branches = {ref.removeprefix(_HEADS): sha for ref, sha in found.items() if ref.startswith(_HEADS)}
        check(not any(ref.startswith("refs/tags/") for ref in found))
        check(all(_BRANCH.fullmatch(branch) and len(sha) == 40 for branch, sha in branches.items()))
        return branches

    def _origin(self, folder: Path) -> Path:
        """Return the remote that a clone was made of; there must be no other settings, and all of its history."""
        config = (folder / "config").read_bytes()
        found = _CONFIG.fullmatch(config.removeprefix(self.worktree).decode())
        check(found is not None and config.startswith(self.worktree))
        check(not (folder / "shallow").exists() and not (folder / "objects/info/alternates").exists())
        assert found
        return Path(found[1])


def configure(file: Path, key: str, value: str) -> None:
    """Do `git config KEY VALUE` in a file that does not have the key."""
    text = file.read_text(encoding="utf-8")
    parts = _KEY.fullmatch(key)
    check(parts is not None and value.isprintable())
    assert parts
    section, subsection, name = parts.groups()
    check(name.casefold() not in text.casefold() and text.endswith("\n"))
    header = f'[{section} "{_escaped(subsection)}"]' if subsection else f"[{section}]"
    file.write_text(f'{text}{header}\n\t{name} = "{_escaped(value)}"\n', encoding="utf-8")


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def set_url(file: Path, url: str) -> None:
    """Do `git remote set-url` in the configuration of a repository with one remote."""
    text = file.read_text(encoding="utf-8")
    check(_ADDRESS.fullmatch(url) is not None and len(_URL.findall(text)) == 1)
    file.write_text(_URL.sub(lambda _: f"\turl = {url}", text), encoding="utf-8")


def _give(source: Objects, target: Path, tips: Iterable[str]) -> None:
    folders = packs.folders(target)
    copies.copy(source, folders[0], tips, packs.find(folders), shutil.copyfile)


def _reachable(objects: Objects, tips: Iterable[str]) -> dict[str, tuple[str, bytes]]:
    """Return kind and content of these objects and all that they consist of."""
    found: dict[str, tuple[str, bytes]] = {}
    pending = [*tips]
    while pending:
        sha = pending.pop()
        if sha not in found:
            found[sha] = objects.read(sha)
            pending += copies.parts_of(objects, sha)
    return found


def _entries(
    contents: Mapping[str, tuple[str, bytes]], tree: str, prefix: bytes = b""
) -> Iterable[tuple[bytes, bytes, str]]:
    """Yield path, mode and id of the files and links in a tree, in the order of git."""
    for name, (mode, sha) in read_entries(contents[tree][1]).items():
        # git does not take some of these names, and heeds what is in other ones.
        check(not name.lower().startswith((b".git", b"git~")) or name in (b".github", b".gitignore"))
        check(name not in (b".", b".."))
        if mode == FOLDER:
            yield from _entries(contents, sha, prefix + name + b"/")
        else:
            check(mode == _LINK or mode in _MODES)
            yield prefix + name, mode, sha


def _index(entries: Iterable[tuple[bytes, bytes, str]], contents: Mapping[str, tuple[str, bytes]]) -> bytes:
    """Return an index by version 2 of gitformat-index(5), without the times of files: git reads them once more."""
    rows = []
    for path, mode, sha in entries:
        numbers = (0, 0, 0, 0, 0, 0, int(mode, 8), 0, 0, len(contents[sha][1]))
        row = b"".join(number.to_bytes(4, "big") for number in numbers)
        row += bytes.fromhex(sha) + min(len(path), 0xFFF).to_bytes(2, "big") + path
        rows.append(row + bytes(8 - len(row) % 8))
    index = b"DIRC\0\0\0\2" + len(rows).to_bytes(4, "big") + b"".join(rows)
    return index + sha1(index, usedforsecurity=False).digest()
