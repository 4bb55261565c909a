"""Real git repositories for every room's tests.

Tests get these by fixture; for annotations import the classes below under `TYPE_CHECKING` (`from tests.conftest import
Remote`), since test files are not importable by package name when they run.
"""

import gc
import os
import re
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests import reliability
from tests.kustomizations import program
from tests.support import bytecode, messages
from tests.support.forks import Forks
from tests.support.repositories import NOW, Checkout, Remote
from tests.support.surroundings import Surroundings

if TYPE_CHECKING:
    from gitops_promotion.git import Repository

__all__ = ["NOW", "WEBSHOP", "Checkout", "Remote"]

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


MEMORY = "/dev/shm"  # noqa: S108  looked at first: it may be small, missing or without the right to run programs
ENOUGH = 2 << 30
"""Bytes: what all tests write is a third of it."""


SURROUNDINGS = pytest.StashKey[Surroundings]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--thorough",
        action="store_true",
        help="meet every fault at every request, and ask the real kustomize each time: minutes",
    )
    parser.addoption(
        "--git",
        action="store_true",
        help="start git wherever the program does, in its place answer nothing, and try all cases that need it",
    )
    parser.addoption(
        "--stories",
        choices=("one", "other", "all"),
        default="one",
        help="tell each story on one forge, on the forges that this leaves out, or on all of them (as --thorough does)",
    )
    parser.addoption(
        "--reliability",
        metavar="FILE",
        type=Path,
        help="write what disturbed runs met, and how they ended, into the tables of this page",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Choose how many examples properties are tried with, and a place for temporary folders.

    They are kept in memory where there is room: they are a quarter of the time of tests with git.
    """
    bytecode.share(config)
    if not _leaves_tests_to_workers(config):
        from tests.support import examples  # here: hypothesis is a third of the time of a start

        examples.choose(thorough=config.getoption("--thorough"))
        gc.disable()
    page = config.getoption("--reliability")
    if page and not hasattr(config, "workerinput"):
        config.pluginmanager.register(reliability.Writer(page))
    if "TMPDIR" in os.environ or not os.access(MEMORY, os.W_OK | os.X_OK):
        return
    found = os.statvfs(MEMORY)
    if found.f_bavail * found.f_frsize > ENOUGH and not found.f_flag & getattr(os, "ST_NOEXEC", 0):
        os.environ["TMPDIR"] = MEMORY
        tempfile.tempdir = None


def _leaves_tests_to_workers(config: pytest.Config) -> bool:
    return bool(getattr(config.option, "numprocesses", None))


def pytest_sessionstart(session: pytest.Session) -> None:
    messages.trim(session.config)


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session: pytest.Session) -> None:
    bytecode.import_another_part_first(session.config)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest: one that begins last is waited for by one core alone."""
    items.sort(key=lambda item: item.path.stem not in ("test_at_once", "test_faults", "test_crowd"))


def pytest_collection_finish() -> None:
    """Let the garbage collector pass over all that imports and collection made: it is there to stay.

    What of it is garbage stays too: to find that takes longer than it is worth.
    """
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    gc.enable()


def pytest_report_header() -> str:
    real = program.real()
    return (
        f"kustomize: answers are {f'checked against {real[0]}' if real else 'the recorded ones, none is here to check'}"
    )


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Give each test the same variables, and spare what costs time in the rooms above git and says nothing there.

    A hook, and no fixtures: these cost every test, four times as much.
    """
    _surroundings(item.config).enter(item)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> Iterator[None]:
    try:
        return (yield)
    finally:
        _surroundings(item.config).leave()


def _surroundings(config: pytest.Config) -> Surroundings:
    if SURROUNDINGS not in config.stash:
        asked = config.getoption("--thorough") or config.getoption("--git")
        config.stash[SURROUNDINGS] = Surroundings(with_git=asked)
        config.add_cleanup(config.stash[SURROUNDINGS].close)
    return config.stash[SURROUNDINGS]


@pytest.fixture
def environ(request: pytest.FixtureRequest) -> dict[str, str]:
    """The whole environment of a test, its own process included: an empty HOME, a known identity, no CI runner."""
    return dict(_surroundings(request.config).variables)


@pytest.fixture
def record(request: pytest.FixtureRequest) -> reliability.Record:
    """Where a test adds the runs that it has disturbed, for docs/reliability.md."""
    return reliability.Record(request.node.user_properties)


@pytest.fixture(scope="session")
def forks() -> Iterator[Forks]:
    """Programs that are processes of their own and yet start in no time."""
    with Forks() as forks:
        yield forks


_used: Counter[str] = Counter()
"""How many folders were made for tests of a name."""


@pytest.fixture
def tmp_path(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of the test's own, with the name that pytest would give it.

    pytest looks for a free number in the folders of all tests before, which is half a millisecond.
    """
    name = re.sub(r"\W", "_", request.node.name)[:30]
    while True:
        path = tmp_path_factory.getbasetemp() / f"{name}{_used[name]}"
        _used[name] += 1
        # `test_a1` with 0 is `test_a` with 10.
        with suppress(FileExistsError):
            path.mkdir(mode=0o700)
            return path


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
        return Remote.create(tmp_path / name, environ, files, branch=branch, options=init)

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

    Where there is a real one they are checked: of tests marked `kustomize(check=True)`, each answer once a worker, and
    with --thorough of all.
    """
    folder = tmp_path / "programs"
    folder.mkdir()
    marker = request.node.get_closest_marker("kustomize")
    asked = marker is not None and marker.kwargs.get("check", False)
    thorough = request.config.getoption("--thorough") or program.RECORDING
    real = program.real() if asked or thorough else []
    program.put_on_path(folder, real)
    if not thorough:
        program.answer_here(monkeypatch, folder, check=bool(real))
    path = f"{folder}:{environ['PATH']}"
    monkeypatch.setenv("PATH", path)
    return path
