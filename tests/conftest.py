"""Real git repositories for every room's tests.

Tests get these by fixture; for annotations import the classes below under `TYPE_CHECKING` (`from tests.conftest import
Remote`), since test files are not importable by package name when they run.
"""

import gc
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.kustomizations import program

if TYPE_CHECKING:
    from gitops_promotion.git import Repository

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)

WEBSHOP = {
    "README.md": "# Webshop\n",
    "gitops-promotion.yaml": (
        "environments:\n"
        "  - {name: dev, auto: true}\n"
        "  - {name: qa, auto: true}\n"
        "  - {name: prod, auto: false}\n"
        "groups:\n"
        "  webshop:\n"
        "    applications:\n"
        "      webui: {}\n"
    ),
    **{
        f"webshop/{environment}/webui.yaml": (
            "apiVersion: apps/v1\n"
            "kind: Deployment\n"
            "spec:\n"
            '  image: ghcr.io/webshop/webui:1.0.0 # {"$imagepolicy": "webshop:webui"}\n'
        )
        for environment in ("dev", "qa", "prod")
    },
}
"""The smallest repository worth promoting in: one application, three environments, all at 1.0.0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkout:
    """A repository on disk, bare or not, that a test drives with real git."""

    path: Path
    environ: Mapping[str, str]

    def git(self, *arguments: str, stdin: str | bytes = "") -> str:
        """Run git here and return what it printed; a failure shows its error."""
        data = stdin.encode() if isinstance(stdin, str) else stdin
        done = subprocess.run(
            ["git", *arguments], cwd=self.path, env=dict(self.environ), input=data, capture_output=True, check=False
        )
        assert done.returncode == 0, f"git {' '.join(arguments)}: {os.fsdecode(done.stderr)}"
        return os.fsdecode(done.stdout).strip()

    def sha(self, revision: str = "HEAD") -> str:
        return self.git("rev-parse", "--verify", revision)

    def has(self, revision: str) -> bool:
        """Tell whether a ref or object is here, without failing when it is not."""
        command = ["git", "rev-parse", "--verify", "--quiet", f"{revision}^{{object}}"]
        return subprocess.run(command, cwd=self.path, env=dict(self.environ), capture_output=True).returncode == 0

    def show(self, path: str, revision: str = "HEAD") -> str:
        """One file of a commit, every byte of it."""
        command = ["git", "cat-file", "blob", f"{revision}:{path}"]
        done = subprocess.run(command, cwd=self.path, env=dict(self.environ), capture_output=True, check=True)
        return done.stdout.decode()

    def files(self, revision: str = "HEAD") -> dict[str, str]:
        """All paths of a commit with their modes."""
        listed = self.git("ls-tree", "-r", "-z", revision).split("\0")
        return {path: entry.split()[0] for entry, _, path in (line.partition("\t") for line in listed) if path}

    def snapshot(self) -> dict[str, tuple[int, int, bytes]]:
        """Mode, time of change and content of everything in the folder, git's own files and all."""
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
        tip = f"refs/heads/{branch}"
        start = start or next((revision for revision in (tip, "HEAD") if self.has(revision)), None)
        text = message.encode()
        stream = [b"commit %s\n" % tip.encode(), f"author {author} {int(NOW.timestamp())} +0000\n".encode()]
        stream += [b"committer %s %d +0000\n" % (author.encode(), int(NOW.timestamp()))]
        stream += [b"data %d\n%s\n" % (len(text), text)]
        if start:
            stream += [f"from {self.sha(start)}\n".encode()]
        for path, content in files.items():
            name = path.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
            if content is None:
                stream += [os.fsencode(f'D "{name}"\n')]
            else:
                data = content.encode() if isinstance(content, str) else content
                stream += [os.fsencode(f'M 100644 inline "{name}"\n'), b"data %d\n%s\n" % (len(data), data)]
        self.git("fast-import", "--quiet", "--force", stdin=b"".join(stream))
        return self.sha(tip)


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote(Checkout):
    """A bare repository that plays the forge's git server."""

    @property
    def url(self) -> str:
        return str(self.path)

    def clone(self, name: str = "checkout", *options: str) -> Checkout:
        """Clone it beside itself; through `file://`, since options such as `--depth` mean nothing for a plain path."""
        target = self.path.parent / name
        self.git("clone", "--quiet", *options, self.path.as_uri(), str(target))
        checkout = Checkout(path=target, environ=self.environ)
        checkout.git("remote", "set-url", "origin", self.url)
        return checkout

    def branches(self) -> dict[str, str]:
        """All refs below refs/heads/ with their commits."""
        listed = self.git("for-each-ref", "--format=%(refname:lstrip=2) %(objectname)", "refs/heads/")
        return dict(line.rsplit(" ", 1) for line in listed.splitlines())


MEMORY = "/dev/shm"  # noqa: S108  looked at first: it may be small, missing or without the right to run programs
ENOUGH = 2 << 30
"""Bytes: what all tests write is a third of it."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--thorough",
        action="store_true",
        help="meet every fault at every request, and ask the real kustomize each time: minutes",
    )


def pytest_configure() -> None:
    """Keep temporary folders in memory where there is room: they are a quarter of the time of tests with git."""
    if "TMPDIR" in os.environ or not os.access(MEMORY, os.W_OK | os.X_OK):
        return
    found = os.statvfs(MEMORY)
    if found.f_bavail * found.f_frsize > ENOUGH and not found.f_flag & getattr(os, "ST_NOEXEC", 0):
        os.environ["TMPDIR"] = MEMORY
        tempfile.tempdir = None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest: one that begins last is waited for by one core alone."""
    items.sort(key=lambda item: item.path.stem not in ("test_faults", "test_crowd"))


def pytest_collection_finish() -> None:
    """Let the garbage collector pass over all that imports and collection made: it is there to stay."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def pytest_report_header() -> str:
    real = program.real()
    return (
        f"kustomize: answers are {f'checked against {real[0]}' if real else 'the recorded ones, none is here to check'}"
    )


@pytest.fixture(autouse=True)
def environ(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The whole environment of a test, its own process included: an empty HOME, a known identity, no CI runner."""
    home = tmp_path_factory.mktemp("home")
    (home / ".gitconfig").write_text(
        "[user]\n\tname = Dev\n\temail = dev@example.com\n"
        '[init]\n\tdefaultBranch = main\n[advice]\n\tdetachedHead = false\n[protocol "file"]\n\tallow = always\n'
        # Only for speed: no sample hooks to copy, no tidying up after each push, no waiting for the disk.
        "[init]\n\ttemplateDir =\n[receive]\n\tautogc = false\n[core]\n\tfsync = none\n"
        "[maintenance]\n\tauto = false\n[gc]\n\tauto = 0\n[pack]\n\tthreads = 1\n"
    )
    kept = {name: os.environ[name] for name in ("PATH", "TMPDIR", "LANG", "VIRTUAL_ENV") if name in os.environ}
    wanted = kept | {"HOME": str(home), "GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0"}
    for name in set(os.environ) - set(wanted) - {"PYTEST_CURRENT_TEST"}:
        if not name.startswith(("PYTEST_", "PYTHON", "COV_")):
            monkeypatch.delenv(name)
    for name, value in wanted.items():
        monkeypatch.setenv(name, value)
    return wanted


@pytest.fixture
def now() -> datetime:
    return NOW


@pytest.fixture
def webshop() -> dict[str, str]:
    """A fresh copy of the webshop's files, for tests that vary them."""
    return dict(WEBSHOP)


@pytest.fixture
def make_remote(tmp_path: Path, environ: dict[str, str]) -> Callable[..., Remote]:
    """Make a bare remote: `make_remote(files, name="remote.git", branch="main", init=())`; no files, no commit."""

    def make(
        files: Mapping[str, str | bytes] | None = None,
        *,
        name: str = "remote.git",
        branch: str = "main",
        init: tuple[str, ...] = (),
    ) -> Remote:
        path = tmp_path / name
        command = ["git", "init", "--quiet", "--bare", f"--initial-branch={branch}", *init, str(path)]
        subprocess.run(command, env=environ, check=True, capture_output=True)
        remote = Remote(path=path, environ=environ)
        if files:
            remote.commit(files, "Start", branch=branch)
        return remote

    return make


@pytest.fixture
def open_repository(environ: dict[str, str]) -> Iterator[Callable[..., "Repository"]]:
    """Open a checkout at a fixed time: `open_repository(path, **options of Repository.open)`; closed by itself."""
    from gitops_promotion.git import Repository  # here: the tests of core need no git

    with ExitStack() as opened:

        def open_one(path: Path, **options: Any) -> Repository:
            defaults: dict[str, Any] = {"environ": environ, "user": "x-access-token", "clock": lambda: NOW}
            return opened.enter_context(Repository.open(path, **(defaults | options)))

        yield open_one


@pytest.fixture
def remote(make_remote: Callable[..., Remote], webshop: dict[str, str]) -> Remote:
    """A bare remote that holds the webshop on `main`."""
    return make_remote(webshop)


@pytest.fixture
def checkout(remote: Remote) -> Checkout:
    """A full clone of the webshop, its `origin` a plain path."""
    return remote.clone()


@pytest.fixture
def kustomize(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, request: pytest.FixtureRequest
) -> str:
    """Put a kustomize on the PATH, and return that; its answers are recorded.

    Where there is a real one they are checked: of tests marked `kustomize(check=True)`, and with --thorough of all.
    """
    folder = tmp_path / "programs"
    folder.mkdir()
    marker = request.node.get_closest_marker("kustomize")
    asked = marker is not None and marker.kwargs.get("check", False)
    thorough = request.config.getoption("--thorough") or program.RECORDING
    program.put_on_path(folder, program.real() if asked or thorough else [])
    path = f"{folder}:{environ['PATH']}"
    monkeypatch.setenv("PATH", path)
    return path
