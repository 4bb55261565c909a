"""The verbs beside their floor, on small and large repositories, on the loopback GitHub.

Run as `python -m benchmarks verbs [ROUNDS]`. In each round every verb runs once as the floor and once as the tool, on a
fresh server. If GITOPS_PROMOTION_GO is the path of the Go tool, built for the API
at GITHUB_API_URL and GITHUB_GRAPHQL_URL, it runs too. The numbers replace those of docs/performance.md. Exits 1 if a
goal is missed.
"""

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import floor, report
from benchmarks.hosts import Host, host, push_event
from benchmarks.measure import (
    FLOOR,
    GO_TOOL,
    IMPORT,
    IMPORTS,
    PROGRAM,
    TOOL,
    Cost,
    Counts,
    Key,
    Row,
    count_processes,
    environment,
    run,
)
from benchmarks.repositories import GROUP, Size, build_size, git

SIZES = (
    Size(name="30 files", applications=9, files=30),
    Size(name="10,000 files", applications=1000, files=10_000),
    Size(name="100,000 files", applications=1000, files=100_000),
)
"""Repositories for the verbs about one application."""
APPLICATIONS = (
    Size(name="10 applications", applications=10),
    Size(name="1,000 applications", applications=1000),
    Size(name="5,000 applications", applications=5000),
)
"""Repositories for the verbs about all applications."""
OPEN = 5
"""Promotions that are open while the verbs about all applications run."""
# The application that each of them promotes, so that all meet the same repository; and without a checkout.
_APPS = {FLOOR: "app2", TOOL: "app1", GO_TOOL: "app3"}
_MORE_APPS = {FLOOR: "app5", TOOL: "app4", GO_TOOL: "app6"}
_TAG = "1.0.1"


class Recorder:
    """Collects the costs and counts of runs."""

    def __init__(self) -> None:
        """Begin without a run."""
        self._costs: dict[Key, list[Cost]] = {}
        self._counts: dict[Key, Counts] = {}

    def run(self, host: Host, key: Key, command: Sequence[str], variables: Mapping[str, str]) -> None:
        """Run a command in the checkout and note what it cost."""
        before = len(host.server.requests)

        def act(more: Mapping[str, str]) -> None:
            cost, _ = run(command, host.checkout, {**host.variables, **variables, **more})
            self._costs.setdefault(key, []).append(cost)

        processes = count_processes(act)
        self._counts[key] = host.counts(before, processes)

    def rows(self) -> dict[Key, Row]:
        """Return the row of each command, in the order of the first round."""
        return {key: Row(costs=costs, counts=self._counts[key]) for key, costs in self._costs.items()}


def main(arguments: Sequence[str]) -> int:
    """Measure, write the numbers into the documentation, and return the exit code."""
    rounds = int(arguments[0]) if arguments else 3
    text, missed = report.of_verbs(measure(rounds), rounds)
    report.replace_part(report.PERFORMANCE, text)
    print(text)
    return int(missed > 0)


def measure(
    rounds: int, sizes: Sequence[Size] = SIZES, applications: Sequence[Size] = APPLICATIONS
) -> Mapping[Key, Row]:
    """Run all verbs on all sizes, and return what they cost."""
    recorder = Recorder()
    with TemporaryDirectory(prefix="benchmark-") as folder:
        root = Path(folder)
        prepared = [_prepared(root, size) for size in (*sizes, *applications)]
        for number in range(rounds):
            for size, template, checkout in prepared:
                print(f"round {number + 1} of {rounds}: {size.name}", file=sys.stderr, flush=True)
                with host(root / f"{size.name} {number}", template, checkout) as github:
                    if size in sizes:
                        _one_application(recorder, github, size.name, root)
                    else:
                        _all_applications(recorder, github, size.name)
    return recorder.rows()


def _prepared(root: Path, size: Size) -> tuple[Size, Path, Path]:
    """Return a size with its repository and a checkout of it."""
    template = build_size(root / f"{size.name}.git", size)
    checkout = root / f"{size.name} checkout"
    git(root, "clone", "--quiet", str(template), str(checkout))
    # The compiled modules are written now, as an installation does.
    run((*PROGRAM, "status", "--help"), root, environment({}))
    return size, template, checkout


def _one_application(recorder: Recorder, host: Host, size: str, root: Path) -> None:
    """Propose a tag, promote it after its merge, and check that promotion."""
    recorder.run(host, (size, IMPORT, ""), IMPORTS, {})
    for who, app, command in _programs(host, "new", "--group", GROUP, "--app", "{app}", "--tag", _TAG):
        recorder.run(host, (size, "new", who), command, _variables(app))
    host.pass_checks()
    host.update_checkout()
    merges = {_app_of(pull.head_ref): pull.merge_sha or "" for pull in host.hosted.pulls()}
    for who, app, command in _programs(host, "promote"):
        before = git(host.checkout, "rev-parse", f"{merges[app]}^")
        event = {} if who == GO_TOOL else push_event(root, before, merges[app])
        variables = {**_variables(app), **event, "BEFORE": before, "AFTER": merges[app]}
        recorder.run(host, (size, "promote", who), command, variables)
    opened = {_app_of(pull.head_ref): str(pull.number) for pull in host.hosted.pulls() if pull.open}
    for who, app, command in _programs(host, "status", "--pr", "{pull}", pulls=opened):
        if who == GO_TOOL:
            # It looks at the branch that is checked out.
            host.check_out(f"promote/{GROUP}-{app}")
        recorder.run(host, (size, "status", who), command, {**_variables(app), "PULL": opened[app]})
    new = ("new", "--group", GROUP, "--app", "{app}", "--tag", _TAG, "--repo", host.hosted.url)
    for who, app, command in _programs(host, *new, apps=_MORE_APPS):
        if who != GO_TOOL:
            recorder.run(host, (size, "new --repo", who), command, _variables(app))


def _all_applications(recorder: Recorder, host: Host, size: str) -> None:
    """Compare all applications with nothing due, publish the verdicts of open promotions, and show the board."""
    for number in range(OPEN):
        new = (*PROGRAM, "new", "--group", GROUP, "--app", f"app{number}", "--tag", _TAG)
        run(new, host.checkout, host.variables)
    host.pass_checks()
    run((*PROGRAM, "promote", "--all"), host.checkout, host.variables)
    host.update_checkout()
    for verb in ("promote --all", "status --publish", "board"):
        for who, _, command in _programs(host, *verb.split()):
            if who != GO_TOOL:
                recorder.run(host, (size, verb, who), command, {})


def _programs(
    host: Host, verb: str, *options: str, pulls: Mapping[str, str] | None = None, apps: Mapping[str, str] = _APPS
) -> Iterator[tuple[str, str, Sequence[str]]]:
    """Yield the floor, the tool, and the Go tool where it is given, each with its application and its command line."""
    option = next((word for word in options if word in ("--all", "--publish", "--repo")), "")
    yield FLOOR, apps[FLOOR], (*floor.SHELL, floor.SCRIPTS[f"{verb} {option}".strip()])

    def filled(app: str) -> list[str]:
        return [word.format(app=app, pull=(pulls or {}).get(app, "")) for word in options]

    yield TOOL, apps[TOOL], (*PROGRAM, verb, *filled(apps[TOOL]))
    if program := os.environ.get("GITOPS_PROMOTION_GO"):
        known = filled(apps[GO_TOOL]) if verb == "new" else []
        common = ("--provider", "github", "--token", host.server.token, "--sourcedir", str(host.checkout))
        yield GO_TOOL, apps[GO_TOOL], (program, verb, *common, *known)


def _variables(app: str) -> dict[str, str]:
    """Return the variables of the floor's script for an application."""
    return {"APP": app, "TAG": _TAG, "TIME": "1750000001"}


def _app_of(branch: str) -> str:
    """Return the application of a promotion branch."""
    return branch.rpartition("-")[2]
