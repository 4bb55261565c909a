"""What `new --repo` fetches of a repository of 100,000 files, beside a clone of its newest commit.

Run as `python -m benchmarks no_checkout [FILES]`. Bytes are those of the packs that the server sent; the clones are
`git clone --depth=1`, with and without `--filter=blob:none`. Exits 1 if the first run fetches more than LIMIT of the
clone. The second run has the cache of the first.
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

CONFIG = config(ENVIRONMENTS) + 'pathTemplate: "{group}/{env}/{app}"\n'
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
    lines = [blob("gitops-promotion.yaml", CONFIG)]
    for number in range(files - 1):
        application, rest = divmod(number, SHARE)
        environment = ENVIRONMENTS[rest % 3]
        marker = f' # {{"$imagepolicy": "shop:app{application}"}}' if rest < len(ENVIRONMENTS) else ""
        random = os.urandom(24).hex()
        text = TEXT.format(number=number, id=random[:16], checksum=random[16:], marker=marker)
        lines.append(blob(f"shop/{environment}/app{application}/{rest}.yaml", text))
    settings = {"uploadpack.allowFilter": "true"}
    return build_bare(root / "remote.git", [commit("main", "Start", *lines)], settings=settings)


def packs(folder: Path) -> int:
    """Return the bytes of the packs below a folder."""
    return sum(file.stat().st_size for file in folder.rglob("*.pack"))


def measured(command: Sequence[str], where: Path) -> str:
    """Run a command to its end; returns its time and that of its children, and how often it started git."""
    cost, done = run(command, where, environment({}), codes=(0, 4))
    commands = re.search(r"(\d+) git commands", done.stderr)
    return f"{cost.wall:6.2f} s wall {cost.cpu:6.2f} s CPU  {commands[0] if commands else ''}"


def main(arguments: Sequence[str]) -> int:
    """Print a row a way, and return the exit code."""
    files = int(arguments[0]) if arguments else 100_000
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
