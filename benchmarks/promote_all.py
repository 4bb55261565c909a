"""How much CPU `promote --all` takes on 1,000 applications in 3 environments, of which 5 are due.

Run as `python benchmarks/promote_all.py [ROUNDS]`. The table has CPU seconds of Python and of git for repositories of
10, 100 and 1,000 applications, and the ratio of each to the smallest one: all are measured in turn within one run, so
that a slow machine slows all. Exits 1 if the ratio of the largest exceeds LIMIT.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

LIMIT = 4.0
SIZES = (10, 100, 1000)
DUE = 5
ENVIRONMENTS = ("dev", "qa", "prod")
PROGRAM = [sys.executable, "-c", "from gitops_promotion.cli import main; main()"]
# The program, which prints the CPU seconds of itself and of its children at its end.
MEASURED = [
    sys.executable,
    "-c",
    "import resource, sys\n"
    "from gitops_promotion.cli import main\n"
    "try:\n"
    "    main()\n"
    "finally:\n"
    "    own, git = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))\n"
    "    print(own.ru_utime + own.ru_stime, git.ru_utime + git.ru_stime, file=sys.stderr)\n",
]

CONFIG = "environments:\n" + "".join(f"  - {{name: {name}, auto: true}}\n" for name in ENVIRONMENTS)
MANIFEST = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: app{number}
spec:
  replicas: 2
  template:
    spec:
      containers:
        - name: app
          image: ghcr.io/acme/app{number}:1.0.0 # {{"$imagepolicy": "shop:app{number}"}}
          env:
            - name: SETTING
              value: "{number}"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cpu:
    """CPU seconds of one run: of Python, and of git."""

    python: float
    git: float

    @property
    def total(self) -> float:
        """The sum of both."""
        return self.python + self.git


def build(root: Path, applications: int) -> Path:
    """Return a checkout of a new repository in which DUE applications are due, with its bare remote beside it."""
    stream = ["commit refs/heads/main\ncommitter Bench <bench@example.org> 1700000000 +0000\ndata 5\nStart\n"]
    stream.append(blob("gitops-promotion.yaml", CONFIG))
    for number in range(applications):
        manifest = MANIFEST.format(number=number)
        stream += [blob(f"shop/{name}/app{number}/deployment.yaml", manifest) for name in ENVIRONMENTS]
    remote = root / "remote.git"
    git(root, "init", "--quiet", "--bare", "--initial-branch=main", str(remote))
    git(remote, "fast-import", "--quiet", stdin="".join(stream).encode())
    git(root, "clone", "--quiet", str(remote), str(root / "checkout"))
    for number in range(DUE):
        run(PROGRAM, root / "checkout", "new", "--group", "shop", "--app", f"app{number}", "--tag", "1.0.1")
    return root / "checkout"


def blob(path: str, text: str) -> str:
    """Return the line of a file in a commit of fast-import."""
    return f"M 100644 inline {path}\ndata {len(text)}\n{text}\n"


def git(folder: Path, *arguments: str, stdin: bytes = b"") -> None:
    """Run git; a failure is an error."""
    subprocess.run(["git", *arguments], cwd=folder, input=stdin, check=True, capture_output=True)


def run(program: list[str], checkout: Path, *arguments: str) -> tuple[str, str]:
    """Run a command line as a process of its own and return its output and error output."""
    ended = subprocess.run([*program, *arguments], cwd=checkout, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout, ended.stderr


def measure(checkout: Path) -> Cpu:
    """Return the CPU time of `promote --all`; the remote is afterwards as it was before."""
    remote = checkout.parent / "remote.git"
    backup = checkout.parent / "backup.git"
    shutil.copytree(remote, backup)
    stdout, stderr = run(MEASURED, checkout, "promote", "--all", "--output", "json")
    assert [outcome["result"] for outcome in json.loads(stdout)["outcomes"]] == ["opened"] * DUE, stdout
    python, of_git = map(float, stderr.splitlines()[-1].split())
    shutil.rmtree(remote)
    backup.rename(remote)
    return Cpu(python=python, git=of_git)


def main() -> int:
    """Print a row for each size and return the exit code."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    with tempfile.TemporaryDirectory() as folder:
        checkouts = {}
        for size in SIZES:
            root = Path(folder, str(size))
            root.mkdir()
            checkouts[size] = build(root, size)
        measured: dict[int, list[Cpu]] = {size: [] for size in SIZES}
        for _ in range(rounds):
            for size, checkout in checkouts.items():
                measured[size].append(measure(checkout))
    print("applications   Python      git    total   ms an application   ratio")
    smallest = statistics.median(cpu.total for cpu in measured[SIZES[0]])
    ratio = 1.0
    for size, runs in measured.items():
        total = statistics.median(cpu.total for cpu in runs)
        python, of_git = (statistics.median(values) for values in zip(*((c.python, c.git) for c in runs), strict=True))
        ratio = total / smallest
        print(f"{size:12} {python:7.2f}s {of_git:7.2f}s {total:7.2f}s {1000 * total / size:19.2f} {ratio:7.2f}")
    print(f"limit {LIMIT} on {os.cpu_count()} processors")
    return int(ratio > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
