"""How long many runs of `new` take at the same time, compared with the same runs one after another.

Run as `python -m benchmarks races [RUNS]`, 100 without a number. Each run is a process of its own, of an application of
its own, on a remote that is a plain path: there the tool merges by itself, so that all runs change the same branch.
The table has seconds on the clock, CPU seconds of all processes, and how often each git command was started. Exits 1 if
the runs at the same time take more than LIMIT times as long as those one after another, or one fails or loses its tag.
"""

import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.repositories import Size, build_size, git

LIMIT = 3.0
PROGRAM = [
    sys.executable,
    "-c",
    "import sys\n"
    "from gitops_promotion.git.process import Runner\n"
    "started = []\n"
    "start = Runner.start\n"
    "Runner.start = lambda self, words, *more, **options: (\n"
    "    started.append(words[0]), start(self, words, *more, **options)\n"
    ")[1]\n"
    "from gitops_promotion.cli import main\n"
    "try:\n"
    "    main()\n"
    "finally:\n"
    "    print(*started, file=sys.stderr)\n",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What all runs together took: seconds on the clock, CPU seconds, git commands, and lost races."""

    wall: float
    cpu: float
    commands: Counter[str]
    races: int


def build(root: Path, applications: int) -> Path:
    """Return a checkout of a new repository with so many applications, with its bare remote beside it."""
    remote = build_size(root / "remote.git", Size(name="", applications=applications))
    git(root, "clone", "--quiet", str(remote), str(root / "checkout"))
    return root / "checkout"


def command(checkout: Path, number: int) -> list[str]:
    """Return the command line of the run for an application."""
    words = ["new", "--group", "shop", "--app", f"app{number}", "--tag", "1.0.1", "--sourcedir", str(checkout)]
    return [*PROGRAM, *words]


def one_after_another(checkout: Path, runs: int) -> list[str]:
    """Return what each run printed."""
    return [
        subprocess.run(command(checkout, number), capture_output=True, text=True, check=True).stderr
        for number in range(runs)
    ]


def at_once(checkout: Path, runs: int) -> list[str]:
    """Return what each run printed."""
    started = [
        subprocess.Popen(command(checkout, number), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        for number in range(runs)
    ]
    printed = []
    for process in started:
        _, text = process.communicate()
        assert process.returncode == 0, text
        printed.append(text)
    return printed


def measure(way: Callable[[Path, int], list[str]], checkout: Path, runs: int) -> Spent:
    """Run all of them on a fresh copy of the remote, and return what they took."""
    remote = checkout.parent / "remote.git"
    backup = checkout.parent / "backup.git"
    shutil.copytree(remote, backup)
    before, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    printed = way(checkout, runs)
    wall = time.monotonic() - wall
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    for number in range(runs):
        shown = ["git", "show", f"main:shop/dev/app{number}/deployment.yaml"]
        text = subprocess.run(shown, cwd=remote, capture_output=True, text=True, check=True).stdout
        assert ":1.0.1 #" in text, f"app{number} has lost its tag"
    shutil.rmtree(remote)
    backup.rename(remote)
    return Spent(
        wall=wall,
        cpu=after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        commands=Counter(word for text in printed for word in text.splitlines()[-1].split()),
        races=sum(text.count("trying again") for text in printed),
    )


def main(arguments: Sequence[str]) -> int:
    """Print a row for each way and return the exit code."""
    runs = int(arguments[0]) if arguments else 100
    with tempfile.TemporaryDirectory() as folder:
        checkout = build(Path(folder), runs)
        alone = measure(one_after_another, checkout, runs)
        together = measure(at_once, checkout, runs)
    print(f"{runs} runs of new         clock      CPU   git commands   races told")
    for name, spent in (("one after another", alone), ("at the same time", together)):
        print(f"{name:20} {spent.wall:6.1f} s {spent.cpu:6.1f} s {spent.commands.total():14} {spent.races:12}")
        print("    " + ", ".join(f"{word} {count}" for word, count in spent.commands.most_common()))
    ratio = together.wall / alone.wall
    cpu = together.cpu / alone.cpu
    print(f"{ratio:.2f} times on the clock, {cpu:.2f} times in CPU; limit {LIMIT}, {os.cpu_count()} processors")
    return int(ratio > LIMIT)
