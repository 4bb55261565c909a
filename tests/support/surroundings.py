"""What surrounds each test: its variables, a HOME with nothing but git's settings, and what is spared in its room."""

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from functools import cache
from types import ModuleType
from typing import Any

import pytest

from tests.support import direct, processes
from tests.support.repositories import GITCONFIG

WITHOUT_PROCESSES = ("cli", "commands", "providers", "stories", "workflow")
"""The rooms of which the tests need no git for what is plain: it is the git room's own."""
WITH_CONNECTIONS = ("providers",)
"""Those of these rooms whose tests send all requests to a forge over a connection: it is the adapters' own."""
WITH_GIT = ("test_local_checkouts", "test_to_prod", "test_token")
"""Files of these rooms that need it all the same: they tell the whole way, or begin in every kind of checkout."""


class Surroundings:
    """Those of one session: `variables` are what the present test sees, in its own process too."""

    def __init__(self, *, with_git: bool) -> None:
        self._with_git = with_git
        self._before = dict(os.environ)
        self._patch = pytest.MonkeyPatch()
        self._homes = Homes()
        kept = {name: os.environ[name] for name in ("PATH", "TMPDIR", "LANG", "VIRTUAL_ENV") if name in os.environ}
        self._kept = kept | {"GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0"}
        self.variables: Mapping[str, str] = {}

    def enter(self, item: pytest.Item) -> None:
        """Give a test its variables, and spare processes and waits in the rooms above git."""
        self.variables = self._kept | {"HOME": self._homes.home()}
        _set_variables(self.variables)
        if item.path.parent.name in WITHOUT_PROCESSES:
            if item.path.stem not in WITH_GIT and not self._with_git:
                self._spare_processes(with_connections=item.path.parent.name in WITH_CONNECTIONS)
            # A story has a clock of its own.
            if "story" not in getattr(item, "fixturenames", ()):
                self._spare_waits()

    def leave(self) -> None:
        """Give the program back what was spared. The next test gets variables of its own."""
        self._patch.undo()

    def close(self) -> None:
        _set_variables(self._before)
        self._homes.close()

    def _spare_processes(self, *, with_connections: bool) -> None:
        processes.spare(self._patch.setattr)
        if with_connections:
            self._patch.setattr(direct, "on", False)
        config, parse = _parse_once()
        self._patch.setattr(config, "parse", parse)

    def _spare_waits(self) -> None:
        """Let the program wait without waiting: its own clock goes on by as much.

        Races that do not end alone are minutes of pauses.
        """
        from gitops_promotion.workflow import run  # here: the tests of core need no git

        self._patch.setattr(run, "time", Waits())


def _set_variables(wanted: Mapping[str, str]) -> None:
    for name in os.environ.keys() - wanted.keys():
        if not name.startswith(("PYTEST_", "PYTHON", "COV_")):
            del os.environ[name]
    for name, value in wanted.items():
        if os.environ.get(name) != value:
            os.environ[name] = value


class Homes:
    """Folders with nothing but git's settings. A test gets that of the test before, if that has left it alone."""

    def __init__(self) -> None:
        self._folder = tempfile.mkdtemp(prefix="homes-")
        self._number = 0
        self._home = ""
        self._state: object = None

    def home(self) -> str:
        if not self._home or self._state != _state(self._home):
            self._number += 1
            self._home = f"{self._folder}/{self._number}"
            os.mkdir(self._home)
            with open(f"{self._home}/.gitconfig", "w", encoding="utf-8") as file:
                file.write(GITCONFIG)
            self._state = _state(self._home)
        return self._home

    def close(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)


def _state(home: str) -> object:
    """Return what differs once somebody has written there. Times alone do not: their unit may be some milliseconds."""
    try:
        found = [os.stat(path) for path in (home, f"{home}/.gitconfig")]
        names = os.listdir(home)
    except OSError:
        return None
    return names, [(stat.st_ino, stat.st_mode, stat.st_size, stat.st_ctime_ns) for stat in found]


class Waits:
    """Stands in for the module `time`: seconds that go on, and by those of each sleep at once."""

    def __init__(self) -> None:
        self._slept = 0.0

    def sleep(self, seconds: float) -> None:
        self._slept += seconds

    def monotonic(self) -> float:
        return time.monotonic() + self._slept


@cache
def _parse_once() -> tuple[ModuleType, Callable[..., Any]]:
    """Return the room of the configuration and its `parse`, which reads the same text once: most tests have the same.

    YAML is a tenth of the time of a verb.
    """
    from gitops_promotion.core import config

    return config, cache(config.parse)
