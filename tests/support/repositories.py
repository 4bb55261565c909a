"""Repositories on disk that tests drive: real ones, with git for everything that is not worth a process."""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

from tests.support import clones, refs
from tests.support.objects import Objects, Signature
from tests.support.plain import FAULTS
from tests.support.snapshots import Snapshot

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)

GITCONFIG = (
    "[user]\n\tname = Dev\n\temail = dev@example.com\n"
    '[init]\n\tdefaultBranch = main\n[advice]\n\tdetachedHead = false\n[protocol "file"]\n\tallow = always\n'
    # Only for speed: no sample hooks to copy, no tidying up after each push, no waiting for the disk.
    "[init]\n\ttemplateDir =\n[receive]\n\tautogc = false\n[core]\n\tfsync = none\n"
    "[maintenance]\n\tauto = false\n[gc]\n\tauto = 0\n[pack]\n\tthreads = 1\n"
    # So that tests can read refs and objects from files.
    "[init]\n\tdefaultRefFormat = files\n[receive]\n\tunpackLimit = 10000\n"
)
"""The settings of the person who runs the tests."""

_SHA = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_REF = re.compile(r"[A-Za-z0-9][A-Za-z0-9_./-]*")
"""Names that no `^`, `~`, `:` or `@` makes an expression of."""

_ORIGIN = "\x1forigin\x1f"
"""The remote's path in a clone that is kept."""

_started: dict[object, Snapshot] = {}
"""Remotes by their first commit and the options of `git init`."""
_checked_out: dict[str, Snapshot] = {}
"""What the checkouts of a commit have in common, by the commit."""
_clones: dict[object, Snapshot] = {}
"""Clones by all that they depend on: the same tests begin with the same clone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkout:
    """A repository on disk, bare or not, that a test drives with real git."""

    path: Path
    environ: Mapping[str, str]

    @property
    def folder(self) -> Path:
        """Where git keeps its files."""
        dot = self.path / ".git"
        return dot if dot.is_dir() else self.path

    @property
    def objects(self) -> Objects:
        return Objects(self.folder, self.environ)

    def git(self, *arguments: str, stdin: str | bytes = "") -> str:
        """Run git here and return what it printed; a failure shows its error."""
        data = stdin.encode() if isinstance(stdin, str) else stdin
        if (self.folder / "refs").is_dir():
            plain = self._answer(arguments, data)
            if plain is not None:
                return plain
            with suppress(*FAULTS):
                if self._act(arguments):
                    return ""
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.path,
            env=dict(self.environ),
            input=data,
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, f"git {' '.join(arguments)}: {os.fsdecode(done.stderr)}"
        return os.fsdecode(done.stdout).strip()

    def _answer(self, arguments: tuple[str, ...], data: bytes) -> str | None:
        """Return what git would print, having done what it does, of commands that need no git; None for others."""
        match arguments:
            case ("hash-object", "-w", "--stdin"):
                return self.objects.write("blob", data)
            case ("cat-file", "blob", name):
                sha = self._find(name)
                if sha and self.objects.has(sha):
                    kind, content = self.objects.read(sha)
                    return os.fsdecode(content).strip() if kind == "blob" else None
            case ("for-each-ref",):
                found = self._refs("refs/")
                if found is not None and all(map(self.objects.has, found.values())):
                    return "\n".join(f"{sha} {self.objects.read(sha)[0]}\t{name}" for name, sha in found.items())
            case ("for-each-ref", "--format=%(refname)", *prefixes) if len(prefixes) < 2:
                found = self._refs("refs/")
                if found is not None:
                    start = (*prefixes, "refs")[0].rstrip("/")
                    return "\n".join(name for name in found if name == start or name.startswith(f"{start}/"))
            case ("update-ref", name, revision) if self._keeps_no_log(name):
                sha = self._find(revision)
                if sha and self.objects.has(sha) and refs.change(self.folder, name, sha):
                    return ""
            case ("update-ref", "-d", name) if self._keeps_no_log(name):
                sha = refs.resolve(self.folder, name)
                if sha and refs.delete(self.folder, name, sha):
                    return ""
        return None

    def _act(self, arguments: tuple[str, ...]) -> bool:
        """Do what a command that prints nothing does, where that is plain; returns False for others."""
        match arguments:
            case ("config", key, value):
                clones.configure(self.folder / "config", key, value)
            case ("config", "--global", key, value):
                clones.configure(Path(self.environ["HOME"], ".gitconfig"), key, value)
            case ("remote", "set-url", "origin", url):
                clones.set_url(self.folder / "config", url)
            case ("fetch", "-q" | "--quiet", "origin"):
                _plain().fetch(self.folder, self.environ)
            case ("push", "-q" | "--quiet", "origin", refspec):
                _plain().push(self.folder, self.environ, refspec)
            case _:
                return False
        return True

    def _refs(self, prefix: str) -> dict[str, str] | None:
        """Return the refs below a prefix; None where one is symbolic."""
        try:
            return refs.read_refs(self.folder, prefix, symbolic=False)
        except ValueError:
            return None

    def _keeps_no_log(self, name: str) -> bool:
        """Return whether a ref can be changed as a file alone."""
        is_bare = self.folder == self.path
        return is_bare and name.startswith("refs/") and _REF.fullmatch(name) is not None

    def sha(self, revision: str = "HEAD") -> str:
        return self._find(revision) or self.git("rev-parse", "--verify", revision)

    def has(self, revision: str) -> bool:
        """Return whether a ref or object is here, without failing when it is not."""
        sha = self._find(revision)
        if sha and (sha != revision or self.objects.has(sha)):
            return True
        if revision.startswith("refs/") and _REF.fullmatch(revision):
            return False
        if sha and not self._has_packs():
            return False
        command = ["git", "rev-parse", "--verify", "--quiet", f"{revision}^{{object}}"]
        return subprocess.run(command, cwd=self.path, env=dict(self.environ), capture_output=True).returncode == 0

    def _has_packs(self) -> bool:
        """Return whether objects may be here that are no files of their own."""
        objects = self.folder / "objects"
        return not objects.is_dir() or any(objects.glob("pack/*")) or (objects / "info/alternates").exists()

    def _find(self, revision: str) -> str | None:
        if _SHA.fullmatch(revision):
            return revision
        # A worktree or a submodule has its refs elsewhere.
        if _REF.fullmatch(revision) and (self.folder / "refs").is_dir():
            return refs.find(self.folder, revision)
        return None

    def show(self, path: str, revision: str = "HEAD") -> str:
        """Return one file of a commit, every byte of it."""
        objects = self.objects
        entry = objects.find(objects.commit(self.sha(revision)).tree, path)
        assert entry, f"{path} is not in {revision}"
        kind, content = objects.read(entry[1])
        assert kind == "blob", f"{path} is a {kind}"
        return content.decode()

    def files(self, revision: str = "HEAD") -> dict[str, str]:
        """Return all paths of a commit with their modes."""
        objects = self.objects
        return dict(objects.modes(objects.commit(self.sha(revision)).tree))

    def snapshot(self) -> dict[str, tuple[int, int, bytes]]:
        """Return mode, time of change and content of everything in the folder, git's own files included."""
        found = {}
        for path in sorted(self.path.rglob("*")):
            status = path.lstat()
            content = os.fsencode(path.readlink()) if path.is_symlink() else b""
            if path.is_file() and not path.is_symlink():
                content = path.read_bytes()
            found[str(path.relative_to(self.path))] = (status.st_mode, status.st_mtime_ns, content)
        return found

    def commit(
        self,
        files: Mapping[str, str | bytes | None],
        message: str = "Change",
        *,
        branch: str = "main",
        start: str | None = None,
        author: str = "Dev <dev@example.com>",
    ) -> str:
        """Commit onto a branch without touching a working tree: None deletes.

        A new branch begins at `start`, else at HEAD.
        """
        tip, folder = f"refs/heads/{branch}", self.folder
        parent = self.sha(start) if start else refs.resolve(folder, tip) or refs.resolve(folder, "HEAD")
        objects = Objects(folder, self.environ)
        tree = objects.edit(objects.commit(parent).tree if parent else None, files)
        person = Signature.parse(f"{author} {int(NOW.timestamp())} +0000")
        sha = objects.write_commit(tree, (parent,) if parent else (), message, person, person)
        assert refs.change(folder, tip, sha), f"{tip} is locked"
        return sha


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote(Checkout):
    """A bare repository that plays the forge's git server."""

    @classmethod
    def create(
        cls,
        path: Path,
        environ: Mapping[str, str],
        files: Mapping[str, str | bytes] | None = None,
        *,
        branch: str = "main",
        options: tuple[str, ...] = (),
    ) -> Self:
        """Make a bare repository, with one commit if there are files; `options` are those of `git init`."""
        remote = cls(path=path, environ=environ)
        key = branch, options, tuple((files or {}).items())
        if key in _started:
            _started[key].write(path)
        else:
            _new(branch, options, bare=True).write(path)
            if files:
                remote.commit(files, "Start", branch=branch)
            _started[key] = Snapshot.take(path)
        return remote

    @property
    def url(self) -> str:
        return str(self.path)

    def clone(self, name: str = "checkout", *options: str) -> Checkout:
        """Clone it beside itself; through `file://`, since options such as `--depth` mean nothing for a plain path."""
        return self.clone_to(self.path.parent / name, *options)

    def clone_to(self, path: Path, *options: str, url: str = "", environ: Mapping[str, str] | None = None) -> Checkout:
        """Clone it into a folder, which then reaches it by `url`."""
        checkout = Checkout(path=path, environ=environ or self.environ)
        key = (*options, *self._state(checkout.environ))
        if key not in _clones:
            _clones[key] = self._clone(path, options, checkout.environ)
        _clones[key].replace(_ORIGIN, url or self.url).write(path)
        return checkout

    def _clone(self, path: Path, options: tuple[str, ...], environ: Mapping[str, str]) -> Snapshot:
        """Return a clone; git makes it in a folder where it is not plain."""
        if not options:
            with suppress(*FAULTS):
                return _plain().clone(self.path, environ, _ORIGIN)
        command = ("-c", "protocol.file.allow=always", "clone", "--quiet", *options)
        Checkout(path=path.parent, environ=environ).git(*command, self.path.as_uri(), str(path))
        snapshot = Snapshot.take(path)
        shutil.rmtree(path)
        return snapshot.replace(self.path.as_uri(), _ORIGIN)

    def check_out(
        self, path: Path, environ: Mapping[str, str], sha: str, ref: str, *, url: str, branch: str
    ) -> Checkout:
        """Make what the checkout step of a forge makes: one commit without history, fetched to `ref` from `url`.

        `branch` is the one that is checked out, "" for none. There is no index: nothing under test reads one.
        """
        if sha in _checked_out:
            _checked_out[sha].write(path)
        else:
            self._write_checkout(path, sha)
            _checked_out[sha] = Snapshot.take(path)
        checkout = Checkout(path=path, environ=environ)
        folder = checkout.folder
        with (folder / "config").open("a") as config:
            config.write(f'[remote "origin"]\n\turl = {url}\n\tfetch = +refs/heads/*:refs/remotes/origin/*\n')
        (folder / "shallow").write_text(f"{sha}\n")
        refs.change(folder, ref, sha)
        if branch:
            refs.change(folder, f"refs/heads/{branch}", sha)
        (folder / "HEAD").write_text(f"ref: refs/heads/{branch}\n" if branch else f"{sha}\n")
        return checkout

    def _write_checkout(self, path: Path, sha: str) -> None:
        """Write what the checkouts of a commit have in common: its objects and files."""
        _new("main", (), bare=False).write(path)
        self.objects.copy(sha, Objects(path / ".git", self.environ))
        for name in self.files(sha):
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            (path / name).write_text(self.show(name, sha))

    def _state(self, environ: Mapping[str, str]) -> tuple[object, ...]:
        """Return all that a clone of this depends on."""
        names = ("HEAD", "config", "shallow", "packed-refs", "objects/info/alternates")
        files = [self.folder / name for name in names] + [Path(environ["HOME"]) / ".gitconfig"]
        own = {name: value for name, value in environ.items() if name.startswith("GIT_")}
        return (
            *sorted(own.items()),
            *(path.read_bytes() if path.exists() else b"" for path in files),
            *refs.read_refs(self.folder).items(),
        )

    def branches(self) -> dict[str, str]:
        """Return all refs below refs/heads/ with their commits."""
        found = refs.read_refs(self.folder, "refs/heads/")
        return {name.removeprefix("refs/heads/"): sha for name, sha in found.items()}


def plain_config() -> bytes:
    """Return the configuration of a bare repository to which nothing was added."""
    return _new("main", (), bare=True).files["config"][1]


@cache
def _plain() -> clones.Plain:
    return clones.Plain(
        person=GITCONFIG, bare=plain_config(), worktree=_new("main", (), bare=False).files[".git/config"][1]
    )


@cache
def _new(branch: str, options: tuple[str, ...], *, bare: bool) -> Snapshot:
    with TemporaryDirectory() as folder:
        kind = ["--bare"] if bare else []
        command = ["git", "init", "--quiet", *kind, "--template=", f"--initial-branch={branch}", *options, folder]
        environ = {"PATH": os.environ["PATH"], "HOME": folder, "GIT_CONFIG_NOSYSTEM": "1"}
        # Tests read refs from files.
        environ["GIT_DEFAULT_REF_FORMAT"] = "files"
        subprocess.run(command, env=environ, check=True, capture_output=True)
        return Snapshot.take(Path(folder))
