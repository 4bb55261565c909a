"""Plays the workflows of the examples on a stage, with Flux and with time that passes only while somebody waits."""

import heapq
import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest

from gitops_promotion import cli
from gitops_promotion.core.forge import OWN_CONTEXT
from tests.reliability import Record
from tests.stories.stage import CHECKS, Run, Stage, Trigger, tag_in

ENVIRONMENTS = ("dev", "qa", "prod")
GROUP = "webshop"
MOST_RUNS = 80
"""Of one play; more is a circle of workflows that start each other."""


@dataclass(kw_only=True)
class Cluster:
    """The Flux of one cluster: now and then it reconciles whatever main says then, and reports on that commit alone.

    `sick` are the tags that do not become healthy there. A `silent` one reports nothing (its provider is misconfigured,
    or the cluster is away).
    """

    environment: str
    uid: str
    interval: float = 60.0
    sick: set[str] = field(default_factory=set)
    silent: bool = False


@dataclass(kw_only=True)
class Story:
    """One repository's life. `way` is which of the two kinds of status workflow it has.

    `moments` counts pauses and runs: no two of them are in the same second.
    """

    stage: Stage
    folder: Path
    patch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]
    record: Record
    way: Literal["waiting", "published"] = "waiting"
    apps: list[str] = field(default_factory=lambda: ["webui"])
    clusters: list[Cluster] = field(default_factory=list)
    now: float = 0.0
    runs: list[Run] = field(default_factory=list)
    options: tuple[str, ...] = ()
    moments: int = 0
    _step: Path = Path()
    _waits: int = 0
    _agenda: list[tuple[float, int, Callable[[], object]]] = field(default_factory=list)
    _count: Iterator[int] = field(default_factory=itertools.count)
    _files: dict[tuple[str, str], str] = field(default_factory=dict)
    _said: set[tuple[str, str, bool]] = field(default_factory=set)

    # -- time

    def sleep(self, seconds: float) -> None:
        """Let time pass, with all that was to happen meanwhile."""
        self._waits += 1
        self.moments += 1
        end = self.now + seconds
        while self._agenda and self._agenda[0][0] <= end:
            at, _, act = heapq.heappop(self._agenda)
            self.now = max(self.now, at)
            act()
        self.now = end

    def later(self, seconds: float, act: Callable[[], object]) -> None:
        """Have something happen while time passes."""
        heapq.heappush(self._agenda, (self.now + seconds, next(self._count), act))

    # -- Flux

    def cluster(self, environment: str, uid: str = "0c9c2e41", *, interval: float = 60.0) -> Cluster:
        """Start a cluster; its first look at main is half an interval away."""
        cluster = Cluster(environment=environment, uid=uid, interval=interval)
        self.clusters.append(cluster)
        self.later(interval / 2, lambda: self._reconcile(cluster))
        return cluster

    def _reconcile(self, cluster: Cluster) -> None:
        self.later(cluster.interval, lambda: self._reconcile(cluster))
        if not cluster.silent:
            self.report(cluster)

    def report(self, cluster: Cluster) -> None:
        """Have a cluster look at main now; it posts an equal status on a commit only once.

        docs/facts/flux.md#commit-statuses
        """
        sha = self.stage.branches()["main"]
        healthy = cluster.sick.isdisjoint(self._tag(sha, cluster.environment, app) for app in self.apps)
        said = (sha, f"{cluster.environment}/{cluster.uid}", healthy)
        if said not in self._said:
            self._said.add(said)
            self._said.discard((*said[:2], not healthy))
            description = "reconciliation succeeded" if healthy else "health check failed"
            self.stage.flux(
                sha, f"{GROUP}-{cluster.environment}", cluster.uid, healthy=healthy, description=description
            )

    # -- workflows

    def publish_verdicts(self) -> None:
        """Require the published verdict, and let clusters report only when they are asked to."""
        self.stage.require_verdict()
        self.way = "published"
        for cluster in self.clusters:
            cluster.silent = True

    def dispatched(self, tag: str, *, app: str = "webui") -> Trigger:
        """Have the build of an application announce an image; returns the event, which starts nothing yet."""
        self.stage.dispatch(GROUP, app, tag)
        [trigger] = [trigger for trigger in self.stage.triggers() if trigger.kind == "dispatch"]
        return trigger

    def build(self, tag: str, *, until: str = "") -> list[Run]:
        """Have the build of `webui` announce an image, and play what comes of it."""
        self.stage.dispatch(GROUP, "webui", tag)
        return self.play(until={"webui": tag}, environment=until) if until else self.play()

    def play(self, *, until: Mapping[str, str] | None = None, environment: str = "") -> list[Run]:
        """Start the workflow of each event until no more come; returns the runs in order.

        Or until these applications have these tags in the environment: what would follow then never happens.
        """
        runs: list[Run] = []
        while triggers := self.stage.triggers():
            for number, trigger in enumerate(triggers):
                # Their concurrency group keeps the newest that waits.
                stale = trigger.kind == "status" and any(each.kind == "status" for each in triggers[number + 1 :])
                if (words := self._workflow(trigger)) and not stale:
                    runs.append(self.run(trigger, *words))
                if until and all(self.tag(environment, app) == tag for app, tag in until.items()):
                    return runs
            assert len(runs) < MOST_RUNS, [run.verb for run in runs]
        return runs

    def _workflow(self, trigger: Trigger) -> tuple[str, ...]:
        if trigger.kind == "dispatch":
            return ("new",)
        if trigger.kind == "push":
            return ("promote",) if trigger.branch == "main" else ()
        if self.way == "published":
            return () if trigger.context == OWN_CONTEXT else ("status", "--publish")
        return ("status",) if trigger.kind in CHECKS else ()

    def wait(self, seconds: float) -> list[Run]:
        """Let time pass and play what came of it."""
        self.sleep(seconds)
        return self.play()

    def heal(self, *, until: str = "") -> list[Run]:
        """Let the hourly workflow run, and play what comes of it; at most until `webui` is the same there as in dev."""
        healed = self.run(self.stage.schedule(), "promote", "--all")
        wanted = {"webui": self.tag("dev")} if until else None
        return [healed, *self.play(until=wanted, environment=until)]

    def look(self) -> Run:
        """Let the scheduled workflow of the published way run."""
        return self.run(self.stage.schedule(), "status", "--publish")

    def lose(self) -> list[Trigger]:
        """Have the events so far start nothing: the runners were away."""
        return self.stage.triggers()

    def run(self, trigger: Trigger, *words: str, again: bool = False) -> Run:
        """Run a verb as a workflow's step: a fresh shallow checkout, the runner's environment, the real program.

        With `again` it runs in the checkout of the last step, whatever that one was for: it costs less.
        """
        if not again:
            self._step = self.folder / f"step{next(self._count)}"
            self._step.mkdir()
            self.stage.checkout(trigger, self._step / "workspace")
        folder = self._step
        self.moments += 1
        reads = words == ("status",)
        self.capsys.readouterr()
        before, self._waits = len(self.stage.requests), 0
        code: object = 0
        with self.patch.context() as patch:
            for name, value in self.stage.environ(trigger, folder, reads=reads).items():
                patch.setenv(name, value)
            try:
                # Looking more often, as it does by default, would only take longer here.
                more = ("--interval", "30s") if words == ("status",) else ()
                where = ("--sourcedir", str(folder / "workspace"), "--output", "json", *self.options)
                cli.main([*words, *more, *self.stage.arguments(trigger), *where])
            except SystemExit as ended:
                code = ended.code or 0
        printed = self.capsys.readouterr()
        assert isinstance(code, int)
        assert code != 1, printed.err
        done = Run(
            verb=" ".join(words),
            trigger=trigger,
            code=code,
            outcomes=json.loads(printed.out)["outcomes"],
            printed=printed.out + printed.err,
            waits=self._waits,
            requests=tuple(f"{r.method} {r.path}" for r in self.stage.requests[before:] if r.kind != "git"),
        )
        if trigger.kind in CHECKS and self.way == "waiting":
            self.stage.report(trigger, passed=code == 0)
        self.runs.append(done)
        return done

    # -- what is now

    def tag(self, environment: str, app: str = "webui") -> str:
        return self._tag(self.stage.branches()["main"], environment, app)

    def _tag(self, sha: str, environment: str, app: str) -> str:
        path = f"{GROUP}/{environment}/{app}.yaml"
        if (sha, path) not in self._files:
            self._files[sha, path] = tag_in(self.stage.show(sha, path))
        return self._files[sha, path]

    def tags(self, app: str = "webui") -> tuple[str, ...]:
        return tuple(self.tag(environment, app) for environment in ENVIRONMENTS)

    def open(self) -> list[int]:
        """The numbers of the open pull requests."""
        return [pull.number for pull in self.stage.pulls() if pull.state == "open"]

    def add(self, *apps: str) -> None:
        """Have a person add applications to all environments; nothing is to be promoted of that."""
        manifests = {app: f'image: ghcr.io/webshop/{app}:1.0.0 # {{"$imagepolicy": "{GROUP}:{app}"}}\n' for app in apps}
        files: Mapping[str, str] = {
            f"{GROUP}/{name}/{app}.yaml": text for app, text in manifests.items() for name in ENVIRONMENTS
        }
        self.stage.push("main", files, message=f"Add {', '.join(apps)}")
        self.apps += apps
        self.lose()
