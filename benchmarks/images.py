"""What comparing the images of an environment costs, beside the builds that it consists of.

Run as `python -m benchmarks images [ROUNDS]`, 3 without a number. A promotion into an environment is open on the
loopback GitHub, and `status --pr` looks at it in turn with `unmanagedImages: off` and with `report`. A shell script
then runs the builds of `report` and nothing else: the same program on the same folders, in checkouts from before and
after the merge. The numbers replace a part of docs/performance.md. Exits 1 if `report` costs more than LIMIT times
those builds.
"""

import os
import shlex
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import report
from benchmarks.hosts import Host, host
from benchmarks.measure import PROGRAM, Row, environment, run
from benchmarks.repositories import ENVIRONMENTS, GROUP, blob, build, commit, config, git
from benchmarks.verbs import Recorder
from gitops_promotion.kustomize import Kustomize

LIMIT = 1.5
"""How many times the CPU of the builds alone `report` may cost beyond that of `off`."""
APPLICATIONS = 9
ENVIRONMENT = "qa"
"""Whose images are compared."""
OFF, REPORT = "off", "report"
BUILDS = "builds"
"""Who runs the builds alone."""
_ALLOW = ("--load-restrictor", "LoadRestrictionsNone")

BASE = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {app}
spec:
  replicas: 1
  selector: {{matchLabels: {{app: {app}}}}}
  template:
    metadata: {{labels: {{app: {app}}}}}
    spec:
      containers:
        - name: app
          image: ghcr.io/acme/{app}
        - name: log
          image: ghcr.io/acme/log:1.0.0
---
apiVersion: v1
kind: Service
metadata:
  name: {app}
spec:
  selector: {{app: {app}}}
  ports: [{{port: 80}}]
"""
OVERLAY = """\
resources: [../../base/{app}]
namespace: {environment}
patches:
  - target: {{kind: Deployment}}
    patch: |
      - {{op: replace, path: /spec/replicas, value: 2}}
images:
  - name: ghcr.io/acme/{app}
    newTag: "1.0.0" # {{"$imagepolicy": "{group}:{app}:tag"}}
"""
# Takes the place of kustomize or kubectl on the PATH, and notes each call.
_NOTING = '#!/bin/sh\nprintf "%s\\n" "$*" >> {log}\nexec {program} "$@"\n'


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls:
    """How often a run starts kustomize, and the folders that it builds then, each as often as it does."""

    starts: int
    folders: Sequence[str]


def main(arguments: Sequence[str]) -> int:
    """Measure, write the numbers into the documentation, and return the exit code."""
    rounds = int(arguments[0]) if arguments else 3
    kustomize = Kustomize.find(environment({}))
    rows, calls = measure(rounds, kustomize)
    multiple = (rows[REPORT].cpu - rows[OFF].cpu) / rows[BUILDS].cpu
    program = f"{Path(kustomize.command[0]).name} with kustomize {kustomize.version}"
    text = _text(rows, calls, multiple, f"`python -m benchmarks images {rounds}` on {report.machine()}, {program}")
    report.replace_part(report.PERFORMANCE, text, "images")
    print(text)
    return int(multiple > LIMIT)


def measure(rounds: int, kustomize: Kustomize) -> tuple[Mapping[str, Row], Mapping[str, Calls]]:
    """Run all three in turn, and return what each cost, and what each called."""
    recorder = Recorder()
    calls: dict[str, Calls] = {}
    with TemporaryDirectory(prefix="benchmark-") as folder:
        root = Path(folder)
        prepared = [_prepared(root, policy) for policy in (OFF, REPORT)]
        for number in range(rounds):
            for policy, template, checkout in prepared:
                print(f"round {number + 1} of {rounds}: {policy}", file=sys.stderr, flush=True)
                with host(root / f"{policy}-{number}", template, checkout) as github:
                    pull, branch = _promotion(github)
                    look = (*PROGRAM, "status", "--pr", pull)
                    recorder.run(github, ("", policy, ""), look, {})
                    if not number:
                        calls[policy] = _calls(github, look, kustomize, root / f"{policy}-noting")
                    if policy == REPORT:
                        sides = _sides(github, branch, root / f"sides-{number}")
                        script = "\n".join(_builds(kustomize, sides, calls[REPORT].folders))
                        recorder.run(github, ("", BUILDS, ""), ("sh", "-euc", script), {})
    calls[BUILDS] = Calls(starts=len(calls[REPORT].folders), folders=calls[REPORT].folders)
    return {who: row for (_, who, _), row in recorder.rows().items()}, calls


def _prepared(root: Path, policy: str) -> tuple[str, Path, Path]:
    """Return a policy with a repository that has it, and a checkout of that."""
    settings = config(ENVIRONMENTS).replace(
        f"{{name: {ENVIRONMENT},", f"{{name: {ENVIRONMENT}, unmanagedImages: {policy},"
    )
    lines = [blob("gitops-promotion.yaml", settings), *_files()]
    template = build(root / f"{policy}.git", [commit("main", "Start", *lines)])
    checkout = root / f"{policy}-checkout"
    git(root, "clone", "--quiet", str(template), str(checkout))
    # The compiled modules are written now, as an installation does.
    run((*PROGRAM, "status", "--help"), root, environment({}))
    return policy, template, checkout


def _files() -> Iterator[str]:
    """Yield the base of each application, and its kustomization in each environment."""
    for number in range(APPLICATIONS):
        app = f"app{number}"
        yield blob(f"{GROUP}/base/{app}/manifests.yaml", BASE.format(app=app))
        yield blob(f"{GROUP}/base/{app}/kustomization.yaml", "resources: [manifests.yaml]\n")
        for name in ENVIRONMENTS:
            text = OVERLAY.format(app=app, environment=name, group=GROUP)
            yield blob(f"{GROUP}/{name}/{app}/kustomization.yaml", text)


def _promotion(host: Host) -> tuple[str, str]:
    """Open a promotion into the environment; returns the number of its pull request, and its branch."""
    application = ("--group", GROUP, "--app", "app1")
    run((*PROGRAM, "new", *application, "--tag", "1.0.1"), host.checkout, host.variables)
    host.pass_checks()
    host.update_checkout()
    run((*PROGRAM, "promote", *application, "--env", ENVIRONMENT), host.checkout, host.variables)
    (pull,) = (each for each in host.hosted.pulls() if each.open)
    return str(pull.number), pull.head_ref


def _calls(host: Host, command: Sequence[str], kustomize: Kustomize, folder: Path) -> Calls:
    """Run a command once more, and return how it calls kustomize."""
    folder.mkdir()
    log = folder / "log"
    log.touch()
    program, *words = kustomize.command
    noting = folder / Path(program).name
    noting.write_text(_NOTING.format(log=shlex.quote(str(log)), program=shlex.quote(program)), encoding="utf-8")
    noting.chmod(0o755)
    variables = host.variables
    _, done = run(command, host.checkout, {**variables, "PATH": f"{folder}{os.pathsep}{variables['PATH']}"})
    lines = log.read_text(encoding="utf-8").splitlines()
    built = [line for line in lines if line.startswith(f"{' '.join(words)} ")]
    assert all(line.endswith(" ".join(_ALLOW)) for line in built)
    # A build that fails is only a warning under `report`.
    assert (f"images of {ENVIRONMENT}: none changes" in done.stdout) == bool(built), done.stdout
    return Calls(starts=len(lines), folders=[f"{GROUP}/{line.split()[1].partition(f'/{GROUP}/')[2]}" for line in built])


def _sides(host: Host, branch: str, folder: Path) -> Sequence[Path]:
    """Return a checkout from before and one from after the merge of a branch."""
    sides = [folder / "before", folder / "after"]
    for side in sides:
        git(folder.parent, "clone", "--quiet", "--branch", "main", str(host.hosted.git.path), str(side))
    git(sides[1], "merge", "--quiet", "--ff-only", f"origin/{branch}")
    return sides


def _builds(kustomize: Kustomize, sides: Sequence[Path], folders: Sequence[str]) -> Iterator[str]:
    """Yield a line of shell for each build; every folder is built once on each side."""
    assert folders
    assert set(Counter(folders).values()) == {len(sides)}
    for side in sides:
        for folder in dict.fromkeys(folders):
            yield f"{shlex.join([*kustomize.command, str(side / folder), *_ALLOW])} > /dev/null"


def _text(rows: Mapping[str, Row], calls: Mapping[str, Calls], multiple: float, command: str) -> str:
    names = {
        OFF: "`status --pr` with `unmanagedImages: off`",
        REPORT: "`status --pr` with `unmanagedImages: report`",
        BUILDS: "the builds alone",
    }
    lines = [
        f"{command}. Medians; the spread is between the cheapest and the dearest run.",
        "",
        "| command | wall s | CPU ms | spread ms | MiB | git | kustomize |",
        "| --- | --: | --: | --: | --: | --: | --: |",
    ]
    for who, row in rows.items():
        cells = [
            names[who],
            f"{row.median(lambda cost: cost.wall):.2f}",
            f"{1000 * row.cpu:.0f}",
            f"{1000 * row.spread:.0f}",
            f"{row.median(lambda cost: cost.memory):.0f}",
            f"{row.counts.commands} of {row.counts.processes}",
            str(calls[who].starts),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    more = 1000 * (rows[REPORT].cpu - rows[OFF].cpu)
    lines += [
        "",
        f"`report` costs {more:.0f} ms of CPU more than `off`: **{multiple:.2f} times** the builds alone. The goal is "
        f"at most {LIMIT:g} times: {'met' if multiple <= LIMIT else '**missed**'}.",
    ]
    return "\n".join(lines) + "\n"
