"""What verbs with `--repo` fetch of a repository of 100,000 files, beside a clone of its newest commit.

Run as `python -m benchmarks no_checkout [FILES]`. Bytes are those of the packs that the server sent; the clones are
`git clone --depth=1`, with and without `--filter=blob:none`. The second `new` has the cache of the first. Each verb
runs for three layouts of the same files. Exits 1 if the first `new` fetches more than LIMIT of the clone in the first
layout.
"""

import os
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.measure import PROGRAM, environment, run
from benchmarks.repositories import ENVIRONMENTS, blob, commit, config
from benchmarks.repositories import build as build_bare

LIMIT = 0.25
SHARE = 300
"""Files of one application's folder and environment, and applications in all: FILES / SHARE."""

LAYOUTS = (("{group}/{env}/{app}", 1), ("{group}/{env}", 10), ("{group}/{env}", 1))
"""Each `pathTemplate` with the number of groups that share the files."""
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


def build(bare: Path, files: int, template: str, groups: int) -> Path:
    """Make a bare repository that can leave out the contents of files, and return it."""
    lines = [blob("gitops-promotion.yaml", f'{config(ENVIRONMENTS)}pathTemplate: "{template}"\n')]
    for number in range(files - 1):
        application, rest = divmod(number, SHARE)
        environment = ENVIRONMENTS[rest % 3]
        group = f"shop{application % groups}"
        marker = f' # {{"$imagepolicy": "{group}:app{application}"}}' if rest < len(ENVIRONMENTS) else ""
        random = os.urandom(24).hex()
        text = TEXT.format(number=number, id=random[:16], checksum=random[16:], marker=marker)
        lines.append(blob(f"{group}/{environment}/app{application}/{rest}.yaml", text))
    settings = {"uploadpack.allowFilter": "true"}
    return build_bare(bare, [commit("main", "Start", *lines)], settings=settings)


def packs(folder: Path) -> int:
    """Return the bytes of the packs below a folder."""
    return sum(file.stat().st_size for file in folder.rglob("*.pack"))


def measured(command: Sequence[str], where: Path) -> str:
    """Run a command to its end; returns its time and that of its children, and how often it started git."""
    cost, done = run(command, where, environment({}), codes=(0, 4))
    commands = re.search(r"(\d+) git commands", done.stderr)
    return f"{cost.wall:6.2f} s wall {cost.cpu:6.2f} s CPU  {commands[0] if commands else ''}"


def compare(root: Path, files: int, template: str, groups: int) -> float:
    """Print a row for each way to get the files of one layout; returns the part of the clone that `new` fetches."""
    url = build(root / "remote.git", files, template, groups).as_uri()
    print(f'{files} files, pathTemplate "{template}", {groups} groups')
    whole = 0
    for way, options in (("clone", []), ("clone without files", ["--filter=blob:none"])):
        target = root / way.replace(" ", "-")
        times = measured(["git", "clone", "--quiet", "--bare", "--depth=1", *options, url, str(target)], root)
        size = packs(target)
        whole = whole or size
        print(f"{way:22} {size / 1e6:8.2f} MB {size / whole:7.1%}  {times}")
    application = ("--group", "shop1" if groups > 1 else "shop0", "--app", "app1")
    part = 0.0
    runs = (
        ("new --repo", "first", ("new", *application, "--tag", "1.0.1")),
        ("new --repo, again", "first", ("new", *application, "--tag", "1.0.2")),
        ("promote --repo", "second", ("promote", *application, "--env", "qa")),
    )
    for way, cache, verb in runs:
        before = packs(root / cache)
        times = measured([*PROGRAM, *verb, "--verbose", "--repo", url, "--cache-dir", str(root / cache)], root)
        size = packs(root / cache) - before
        part = part or size / whole
        print(f"{way:22} {size / 1e6:8.2f} MB {size / whole:7.1%}  {times}")
    return part


def main(arguments: Sequence[str]) -> int:
    """Print a row for each way and layout, and return the exit code."""
    files = int(arguments[0]) if arguments else 100_000
    parts = []
    for template, groups in LAYOUTS:
        with tempfile.TemporaryDirectory() as name:
            parts.append(compare(Path(name), files, template, groups))
    print(f"limit {LIMIT:.0%} of the clone with {LAYOUTS[0][0]}, {os.cpu_count()} processors")
    return int(parts[0] > LIMIT)
