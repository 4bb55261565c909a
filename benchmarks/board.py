"""What the board, the history and `why` cost on 300 applications in 6 environments after 10,000 promotions.

Run as `python benchmarks/board.py [PROMOTIONS [FOLDER]]`. The repository is generated: each promotion is a merge commit
with a head of its own, as forges make them, and 20 more are open. The table has seconds of wall clock and of CPU, the
largest memory of Python in MiB, and the git commands. Exits 1 if a command exceeds its limit of CPU seconds.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

GROUPS, APPLICATIONS = 12, 300
ENVIRONMENTS = ("dev", "qa", "stage", "eu", "us", "asia")
OPEN = 20
START = 1_750_000_000
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

CONFIG = "environments:\n" + "".join(f"  - {{name: {name}, auto: true}}\n" for name in ENVIRONMENTS)
# Prints the CPU seconds of itself and of its children, and its memory, at its end.
MEASURED = [
    sys.executable,
    "-c",
    "import resource, sys\n"
    "from gitops_promotion.cli import main\n"
    "try:\n"
    "    main()\n"
    "finally:\n"
    "    own, git = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))\n"
    "    cpu = sum(usage.ru_utime + usage.ru_stime for usage in (own, git))\n"
    "    print('measured', cpu, own.ru_maxrss / 1024, file=sys.stderr)\n",
]


def manifest(app: int, tag: str) -> str:
    """Return a manifest of some lines with one marker."""
    return (
        f"apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: app{app}\nspec:\n  replicas: 2\n  template:\n"
        f"    spec:\n      containers:\n        - name: app\n"
        f'          image: ghcr.io/acme/app{app}:{tag} # {{"$imagepolicy": "team{app % GROUPS}:app{app}"}}\n'
        f"          env:\n            - name: SETTING\n              value: '{app}'\n"
    )


def path(app: int, environment: str) -> str:
    """Return the place of an application's manifest in an environment."""
    return f"team{app % GROUPS}/{environment}/app{app}/deployment.yaml"


def blob(name: str, text: str) -> str:
    """Return the line of a file in a commit of fast-import."""
    return f"M 100644 inline {name}\ndata {len(text)}\n{text}\n"


def commit(ref: str, mark: int, at: int, message: str, *lines: str) -> str:
    """Return one commit of fast-import."""
    return (
        f"commit refs/heads/{ref}\nmark :{mark}\ncommitter Ann <ann@example.org> {at} +0000\n"
        f"data {len(message)}\n{message}\n" + "".join(lines)
    )


def stream(promotions: int) -> Iterator[str]:
    """Yield a history in which tags move from environment to environment, and some promotions that are open."""
    files = [blob(path(app, name), manifest(app, "1.0.0")) for app in range(APPLICATIONS) for name in ENVIRONMENTS]
    yield commit("main", 1, START, "Start", blob("gitops-promotion.yaml", CONFIG), *files)
    versions: dict[tuple[int, int], int] = {}
    mark = 1
    for number in range(1, promotions + 1):
        app, place = number * 7 % APPLICATIONS, number // APPLICATIONS % len(ENVIRONMENTS)
        versions[app, place] = versions.get((app, place), 0) + 1 if place == 0 else versions.get((app, place - 1), 1)
        tag, environment = f"1.{versions[app, place]}.0", ENVIRONMENTS[place]
        title = f"Promote team{app % GROUPS}/app{app} version {tag} to environment {environment}"
        trailers = f"Promotion: team{app % GROUPS}/app{app}\nEnvironment: {environment}\nTag: {tag}\n"
        at = START + number * STEP
        change = blob(path(app, environment), manifest(app, tag))
        yield commit("work", mark + 1, at, f"{title}\n\n{trailers}", f"from :{mark}\n", change)
        yield commit(
            "main",
            mark + 2,
            at + 60,
            f"Merge pull request #{number}: {title}\n",
            f"from :{mark}\n",
            f"merge :{mark + 1}\n",
            change,
        )
        mark += 2


def build(root: Path, promotions: int) -> Path:
    """Return a checkout of the generated repository, with its bare remote beside it and promotions open."""
    remote, checkout = root / "remote.git", root / "checkout"
    git(root, "init", "--quiet", "--bare", "--initial-branch=main", str(remote))
    git(remote, "fast-import", "--quiet", stdin="".join(stream(promotions)).encode())
    git(remote, "update-ref", "-d", "refs/heads/work")
    git(root, "clone", "--quiet", str(remote), str(checkout))
    for app in range(OPEN):
        run(checkout, "new", "--group", f"team{app % GROUPS}", "--app", f"app{app}", "--tag", "9.0.0")
    run(checkout, "promote", "--all")
    return checkout


def git(folder: Path, *arguments: str, stdin: bytes = b"") -> None:
    """Run git; a failure is an error."""
    subprocess.run(["git", *arguments], cwd=folder, input=stdin, check=True, capture_output=True)


def run(checkout: Path, *arguments: str) -> tuple[str, str]:
    """Run a command line as a process of its own and return its output and error output."""
    ended = subprocess.run([*MEASURED, *arguments], cwd=checkout, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout, ended.stderr


def main() -> int:
    """Print a line for each command and return the exit code."""
    promotions = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    slow = 0
    with tempfile.TemporaryDirectory(dir=sys.argv[2] if len(sys.argv) > 2 else None) as folder:
        checkout = build(Path(folder), promotions)
        opened = json.loads(run(checkout, "board", "-o", "json")[0])
        waiting = sum(bool(cell["open"]) for each in opened["applications"] for cell in each["environments"])
        print(f"{APPLICATIONS} applications, {len(ENVIRONMENTS)} environments, {promotions} promotions, {waiting} open")
        print(f"{'command':28} {'seconds':>8} {'CPU':>8} {'MiB':>6} {'git':>5}")
        for command, limit in LIMITS.items():
            words = [str(Path(folder, "board.html")) if word == "FILE" else word for word in command.split()]
            begin = time.monotonic()
            _, log = run(checkout, *words, "--verbose")
            seconds = time.monotonic() - begin
            cpu, memory = map(float, log.splitlines()[-1].split()[1:])
            commands = next(line.split()[0] for line in log.splitlines() if line.endswith("git commands"))
            slow += cpu > limit
            print(f"{command:28} {seconds:8.2f} {cpu:8.2f} {memory:6.0f} {commands:>5}")
        print(f"the page has {Path(folder, 'board.html').stat().st_size / 1e6:.1f} MB")
    return int(slow > 0)


if __name__ == "__main__":
    sys.exit(main())
