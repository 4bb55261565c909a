"""What one command costs: time, memory, processes of git, requests and bytes."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

TOOL, FLOOR, GO_TOOL = "tool", "floor", "Go tool"
"""Who ran a command."""
IMPORT = "import"
"""The verb of a run that only imports libraries."""

Key = tuple[str, str, str]
"""The name of a size, the verb, and who ran it."""

PROGRAM = (sys.executable, "-c", "from gitops_promotion.cli import main; main()")
"""The installed tool, as the console script starts it."""
IMPORTS = (sys.executable, "-c", "import click, github, ruamel.yaml")
"""A program that only imports libraries: a verb on GitHub needs much of them, whatever it does."""

# Runs a command and writes what it cost. A process inherits the peak of the memory of the one that starts it, so that
# this one, which is small, stands between the benchmark and the command.
_LAUNCHER = """
import json, resource, subprocess, sys, time
begin = time.perf_counter()
code = subprocess.call(sys.argv[2:])
wall = time.perf_counter() - begin
usage = resource.getrusage(resource.RUSAGE_CHILDREN)
unit = 1 if sys.platform == "darwin" else 1024
cost = {"wall": wall, "cpu": usage.ru_utime + usage.ru_stime, "memory": usage.ru_maxrss * unit / 2**20}
with open(sys.argv[1], "w") as file:
    json.dump(cost, file)
sys.exit(code)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Seconds of wall clock and of CPU of a command and of all its children, and its largest process in MiB."""

    wall: float
    cpu: float
    memory: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What a command starts and sends.

    `commands` are the processes of git that it starts itself, `processes` also those that git starts. `requests` are
    those of the forge's API, `transfers` those of git over http, `sent` the bytes of all their answers.
    """

    commands: int = 0
    processes: int = 0
    requests: int = 0
    transfers: int = 0
    sent: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """The costs of several runs of one command, and its counts in one more."""

    costs: Sequence[Cost]
    counts: Counts = Counts()

    def median(self, value: Callable[[Cost], float]) -> float:
        """Return the median of a value of all runs."""
        return statistics.median(map(value, self.costs))

    @property
    def cpu(self) -> float:
        """The median of the CPU seconds."""
        return self.median(lambda cost: cost.cpu)

    @property
    def spread(self) -> float:
        """The CPU seconds between the cheapest and the dearest run."""
        seconds = [cost.cpu for cost in self.costs]
        return max(seconds) - min(seconds)


def environment(more: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a measured command: nothing of a CI system or of a person."""
    kept = {name: os.environ[name] for name in ("PATH", "TMPDIR", "LD_LIBRARY_PATH") if name in os.environ}
    person = {"HOME": "/nonexistent", "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    author = {"GIT_AUTHOR_NAME": "Bench", "GIT_AUTHOR_EMAIL": "bench@example.org"}
    committer = {"GIT_COMMITTER_NAME": "Bench", "GIT_COMMITTER_EMAIL": "bench@example.org"}
    return {**kept, **person, **author, **committer, **more}


def run(
    command: Sequence[str], folder: Path, variables: Mapping[str, str], *, codes: Iterable[int] = (0,)
) -> tuple[Cost, subprocess.CompletedProcess[str]]:
    """Run a command to its end; returns its cost, and what it printed. Raises RuntimeError for another exit code."""
    with tempfile.NamedTemporaryFile() as cost:
        launched = [sys.executable, "-I", "-S", "-c", _LAUNCHER, cost.name, *command]
        done = subprocess.run(launched, cwd=folder, env=dict(variables), capture_output=True, text=True, check=False)
        if done.returncode not in codes:
            raise RuntimeError(f"{command} ended with {done.returncode}:\n{done.stderr}")
        return Cost(**json.load(cost)), done


def count_processes(act: Callable[[Mapping[str, str]], object]) -> tuple[int, int]:
    """Return how many processes of git an act starts, without and with those that git starts itself.

    The act gets the variables with which git leaves one file a process (git's api-trace2).
    """
    with tempfile.TemporaryDirectory() as folder:
        act({"GIT_TRACE2_EVENT": folder})
        names = [_session(file) for file in Path(folder).iterdir()]
    return sum("/" not in name for name in names), len(names)


def _session(file: Path) -> str:
    """Return the id of a process of git, with those of the processes of git that started it before a slash."""
    with file.open(encoding="utf-8") as lines:
        return next(lines).partition('"sid":"')[2].partition('"')[0]
