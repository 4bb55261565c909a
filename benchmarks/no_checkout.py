"""What `new --repo` fetches of a repository of 100,000 files, beside a clone of its newest commit.

Run as `python benchmarks/no_checkout.py [FILES]`. Bytes are those of the packs that the server sent; the clones are
`git clone --depth=1`, with and without `--filter=blob:none`. Exits 1 if the first run fetches more than LIMIT of the
clone. The second run has the cache of the first.
"""

import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LIMIT = 0.25
SHARE = 300
"""Files of one application's folder and environment, and applications in all: FILES / SHARE."""

PROGRAM = [sys.executable, "-c", "from gitops_promotion.cli import main; main()"]
ENVIRONMENTS = ("dev", "qa", "prod")
CONFIG = "environments:\n" + "".join(f"  - {{name: {name}, auto: true}}\n" for name in ENVIRONMENTS)
CONFIG += 'pathTemplate: "{group}/{env}/{app}"\n'
# As long as many a manifest is, and no two alike.
TEXT = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: app{number}
  labels: {{id: "{id}", checksum: "{checksum}"}}
spec:
  replicas: {number}
  template:
    spec:
      containers:
        - name: app
          image: ghcr.io/acme/app{number}:1.0.0{marker}
          resources: {{limits: {{cpu: {number}m, memory: {number}Mi}}}}
          readinessProbe: {{httpGet: {{path: /healthz/{number}, port: 8080}}}}
"""


def build(root: Path, files: int) -> Path:
    """Return a bare repository that can leave out the contents of files."""
    remote = root / "remote.git"
    git(root, "init", "--quiet", "--bare", "--initial-branch=main", str(remote))
    git(remote, "config", "uploadpack.allowFilter", "true")
    stream = [b"commit refs/heads/main\ncommitter Bench <bench@example.org> 1700000000 +0000\ndata 5\nStart\n"]
    stream.append(f"M 100644 inline gitops-promotion.yaml\ndata {len(CONFIG)}\n{CONFIG}\n".encode())
    for number in range(files - 1):
        application, rest = divmod(number, SHARE)
        environment = ENVIRONMENTS[rest % 3]
        marker = f' # {{"$imagepolicy": "shop:app{application}"}}' if rest < len(ENVIRONMENTS) else ""
        random = os.urandom(24).hex()
        text = TEXT.format(number=number, id=random[:16], checksum=random[16:], marker=marker)
        stream.append(f"M 100644 inline shop/{environment}/app{application}/{rest}.yaml\ndata {len(text)}\n".encode())
        stream.append(f"{text}\n".encode())
    git(remote, "fast-import", "--quiet", stdin=b"".join(stream))
    git(remote, "repack", "-adq", "--write-bitmap-index")
    return remote


def git(where: Path, *args: str, stdin: bytes = b"") -> None:
    """Run git, loudly."""
    subprocess.run(["git", *args], cwd=where, input=stdin, check=True, capture_output=True)


def packs(folder: Path) -> int:
    """Return the bytes of the packs below a folder."""
    return sum(file.stat().st_size for file in folder.rglob("*.pack"))


def measured(command: list[str], where: Path) -> str:
    """Run a command to its end; returns its wall time and the CPU time of it and of its children."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    done = subprocess.run(command, cwd=where, capture_output=True, text=True, check=False)
    wall = time.perf_counter() - start
    assert done.returncode in (0, 4), done.stderr
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    commands = re.search(r"(\d+) git commands", done.stderr)
    return f"{wall:6.2f} s wall {cpu:6.2f} s CPU  {commands[0] if commands else ''}"


def main() -> int:
    """Print a row a way, and return the exit code."""
    files = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        url = build(root, files).as_uri()
        sizes: dict[str, int] = {}
        for way, options in (("clone", []), ("clone without files", ["--filter=blob:none", "--no-checkout"])):
            target = root / way.replace(" ", "-")
            times = measured(["git", "clone", "--quiet", "--bare", "--depth=1", *options[:1], url, str(target)], root)
            sizes[way] = packs(target)
            print(f"{way:22} {sizes[way] / 1e6:8.2f} MB {sizes[way] / sizes['clone']:7.1%}  {times}")
        before = 0
        for way, tag in (("new --repo", "1.0.1"), ("new --repo, again", "1.0.2")):
            verb = ["new", "--group", "shop", "--app", "app1", "--tag", tag, "--verbose"]
            times = measured([*PROGRAM, *verb, "--repo", url, "--cache-dir", str(root / "cache")], root)
            sizes[way] = packs(root / "cache") - before
            before += sizes[way]
            print(f"{way:22} {sizes[way] / 1e6:8.2f} MB {sizes[way] / sizes['clone']:7.1%}  {times}")
    print(f"{files} files, limit {LIMIT:.0%} of the clone, {os.cpu_count()} processors")
    return int(sizes["new --repo"] > LIMIT * sizes["clone"])


if __name__ == "__main__":
    sys.exit(main())
