"""What the board, the history and `why` cost on 300 applications in 6 environments after 10,000 promotions.

Run as `python -m benchmarks board [PROMOTIONS [FOLDER]]`. The repository is generated: each promotion is a merge commit
with a head of its own, as forges make them, and 20 more are open. The table has seconds of wall clock and of CPU, the
largest memory of Python in MiB, and the git commands. Exits 1 if a command exceeds its limit of CPU seconds.
"""

import json
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.measure import PROGRAM, environment, run
from benchmarks.repositories import START, blob, commit, config, git, manifest, manifest_path
from benchmarks.repositories import build as build_bare

GROUPS, APPLICATIONS = 12, 300
ENVIRONMENTS = ("dev", "qa", "stage", "eu", "us", "asia")
OPEN = 20
STEP = 600
"""Seconds between two promotions."""

LIMITS = {
    "history": 30.0,
    "history --app app7 -o csv": 10.0,
    "history --metrics -o json": 30.0,
    "board -o json": 40.0,
    "board --html FILE": 40.0,
    "why --app app7 --env qa": 10.0,
}
"""CPU seconds of each command, generous: what grows with the square of something takes minutes."""


def content(app: int, environment: str, tag: str) -> str:
    """Return the lines of an application's manifest in a commit of fast-import."""
    group = f"team{app % GROUPS}"
    return blob(manifest_path(f"app{app}", environment, group), manifest(f"app{app}", tag, group))


def stream(promotions: int) -> Iterator[str]:
    """Yield a history in which tags move from environment to environment, and some promotions that are open."""
    files = [content(app, name, "1.0.0") for app in range(APPLICATIONS) for name in ENVIRONMENTS]
    yield commit("main", "Start", blob("gitops-promotion.yaml", config(ENVIRONMENTS)), *files)
    versions: dict[tuple[int, int], int] = {}
    mark = 1
    for number in range(1, promotions + 1):
        app, place = number * 7 % APPLICATIONS, number // APPLICATIONS % len(ENVIRONMENTS)
        versions[app, place] = versions.get((app, place), 0) + 1 if place == 0 else versions.get((app, place - 1), 1)
        tag, environment = f"1.{versions[app, place]}.0", ENVIRONMENTS[place]
        title = f"Promote team{app % GROUPS}/app{app} version {tag} to environment {environment}"
        trailers = f"Promotion: team{app % GROUPS}/app{app}\nEnvironment: {environment}\nTag: {tag}\n"
        at = START + number * STEP
        change = content(app, environment, tag)
        yield commit("work", f"{title}\n\n{trailers}", change, mark=mark + 1, at=at, parents=[mark])
        merge = f"Merge pull request #{number}: {title}\n"
        yield commit("main", merge, change, mark=mark + 2, at=at + 60, parents=[mark, mark + 1])
        mark += 2


def build(root: Path, promotions: int) -> Path:
    """Return a checkout of the generated repository, with its bare remote beside it and promotions open."""
    remote, checkout = root / "remote.git", root / "checkout"
    build_bare(remote, stream(promotions))
    git(remote, "update-ref", "-d", "refs/heads/work")
    git(root, "clone", "--quiet", str(remote), str(checkout))
    for app in range(OPEN):
        words = ("new", "--group", f"team{app % GROUPS}", "--app", f"app{app}", "--tag", "9.0.0")
        run((*PROGRAM, *words), checkout, environment({}))
    run((*PROGRAM, "promote", "--all"), checkout, environment({}))
    return checkout


def main(arguments: Sequence[str]) -> int:
    """Print a line for each command and return the exit code."""
    promotions = int(arguments[0]) if arguments else 10_000
    slow = 0
    with tempfile.TemporaryDirectory(dir=arguments[1] if len(arguments) > 1 else None) as folder:
        checkout = build(Path(folder), promotions)
        opened = json.loads(run((*PROGRAM, "board", "-o", "json"), checkout, environment({}))[1].stdout)
        waiting = sum(bool(cell["open"]) for each in opened["applications"] for cell in each["environments"])
        print(f"{APPLICATIONS} applications, {len(ENVIRONMENTS)} environments, {promotions} promotions, {waiting} open")
        print(f"{'command':28} {'seconds':>8} {'CPU':>8} {'MiB':>6} {'git':>5}")
        for command, limit in LIMITS.items():
            words = [str(Path(folder, "board.html")) if word == "FILE" else word for word in command.split()]
            cost, done = run((*PROGRAM, *words, "--verbose"), checkout, environment({}))
            log = done.stderr.splitlines()
            commands = next(line.split()[0] for line in log if line.endswith("git commands"))
            slow += cost.cpu > limit
            print(f"{command:28} {cost.wall:8.2f} {cost.cpu:8.2f} {cost.memory:6.0f} {commands:>5}")
        print(f"the page has {Path(folder, 'board.html').stat().st_size / 1e6:.1f} MB")
    return int(slow > 0)
