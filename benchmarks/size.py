"""How much longer `new` and `status` take on 10,000 files and 1,000 applications than on 30 files.

Run as `python benchmarks/size.py [ROUNDS]`. Both repositories are timed in turn within one run, so that a slow machine
slows both; the medians' ratio is what counts. Exits 1 if a ratio exceeds LIMIT.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LIMIT = 2.0
ENVIRONMENTS = ("dev", "qa", "prod")
PROGRAM = [sys.executable, "-c", "from gitops_promotion.cli import main; main()"]

CONFIG = "environments:\n" + "".join(f"  - {{name: {name}, auto: true}}\n" for name in ENVIRONMENTS)
MANIFEST = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: app{number}
spec:
  template:
    spec:
      containers:
        - name: app
          image: ghcr.io/acme/app{number}:1.0.0 # {{"$imagepolicy": "shop:app{number}"}}
"""
PLAIN = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: config-{number}\ndata:\n  key: value-{number}\n"


def build(root: Path, *, applications: int, files: int) -> Path:
    """Return a checkout of a new repository, with its bare remote beside it."""
    contents = {"gitops-promotion.yaml": CONFIG}
    for number in range(applications):
        for environment in ENVIRONMENTS:
            contents[f"shop/{environment}/app{number}/deployment.yaml"] = MANIFEST.format(number=number)
    for number in range(files - len(contents)):
        environment = ENVIRONMENTS[number % 3]
        contents[f"shop/{environment}/config/{number % 100}/config-{number}.yaml"] = PLAIN.format(number=number)
    stream = [b"commit refs/heads/main\ncommitter Bench <bench@example.org> 1700000000 +0000\ndata 5\nStart\n"]
    for path, text in contents.items():
        stream.append(f"M 100644 inline {path}\ndata {len(text)}\n{text}\n".encode())
    remote = root / "remote.git"
    git(root, "init", "--quiet", "--bare", "--initial-branch=main", str(remote))
    git(remote, "fast-import", "--quiet", stdin=b"".join(stream))
    git(root, "clone", "--quiet", str(remote), str(root / "checkout"))
    return root / "checkout"


def git(where: Path, *args: str, stdin: bytes = b"") -> None:
    """Run git, loudly."""
    subprocess.run(["git", *args], cwd=where, input=stdin, check=True, capture_output=True)


def seconds(checkout: Path, *args: str) -> float:
    """Return the wall time of one command line as a whole process."""
    start = time.perf_counter()
    done = subprocess.run([*PROGRAM, *args], cwd=checkout, capture_output=True, text=True, check=False)
    took = time.perf_counter() - start
    assert done.returncode in (0, 4), done.stderr
    return took


def main() -> int:
    """Print a row a verb and return the exit code."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    with tempfile.TemporaryDirectory() as folder:
        small, large = Path(folder, "small"), Path(folder, "large")
        for root in (small, large):
            root.mkdir()
        checkouts = {
            "30 files": build(small, applications=3, files=30),
            "10,000 files": build(large, applications=1000, files=10_000),
        }
        for checkout in checkouts.values():
            seconds(checkout, "new", "--group", "shop", "--app", "app0", "--tag", "1.0.1")
            seconds(checkout, "promote", "--group", "shop", "--app", "app0", "--env", "qa")
        worst = 0.0
        for verb in ("new", "status"):
            took: dict[str, list[float]] = {name: [] for name in checkouts}
            for number in range(rounds):
                for name, checkout in checkouts.items():
                    args = {
                        "new": ["new", "--group", "shop", "--app", "app1", "--tag", f"2.0.{number}"],
                        "status": ["status", "--pr", "2", "--dry-run"],
                    }[verb]
                    took[name].append(seconds(checkout, *args))
            few, many = (statistics.median(times) for times in took.values())
            worst = max(worst, many / few)
            print(f"{verb:7} 30 files {few:.3f} s   10,000 files {many:.3f} s   ratio {many / few:.2f}")
    print(f"limit {LIMIT} on {os.cpu_count()} processors")
    return int(worst > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
