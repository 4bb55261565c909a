"""The forge fails at each request of each verb: a second run ends the same, nothing is doubled and nothing lost.

A request of the API may meet faults that pass, one that goes on after its effect until patience ends, or one that is
final; git's requests fail too. Each faulty run has an application of its own, so that one repository serves them
all. With --thorough, as in .ci/run, each request meets every fault; else each meets one kind, taken in turns.
"""

import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import pytest

from gitops_promotion.providers.http import ATTEMPTS
from tests.forges import faults
from tests.forges.faults import Fault
from tests.reliability import Met, effect_of
from tests.stories.stage import Pull, Run, Trigger, tag_in

if TYPE_CHECKING:
    from tests.stories.story import Story


LASTING = (faults.server_error(503, done=True), faults.reset(done=True), faults.truncated())
BROKEN = (faults.reset(done=True), faults.server_error(502), faults.reset())
"""Faults of git: an answer that is lost after a push has arrived; a request that is refused; no answer."""


@dataclass(frozen=True, kw_only=True)
class FaultyRun:
    """The faults of one run, at its requests from `number` on."""

    kind: Literal["api", "git"]
    number: int
    faults: tuple[Fault, ...]
    passes: bool = False

    @property
    def name(self) -> str:
        """The faults in few words, for the tables."""
        fault = self.faults[0]
        when = ", after its effect" if fault.done else ""
        waits = fault.answer is not None and "Retry-After" in fault.answer.headers
        first = "asked to wait" if waits else re.sub(r"^(\d+) .*", r"\1", fault.name)
        if len(self.faults) == 1:
            return f"{first}{when}, once"
        alike = all(each is fault for each in self.faults)
        return f"{first}{when}, each time" if alike else "four faults in a row"


@dataclass(frozen=True, kw_only=True)
class FaultPlan:
    """Which faults a verb meets: each at each request if `thorough`, else one kind at each."""

    thorough: bool

    def faulty_runs(self, story: "Story", run: Run, git: int) -> Iterator[FaultyRun]:
        """Yield the faulty runs of a verb that sends as many requests to API and git as this run did."""
        passing, refusing = tuple(story.stage.passing), story.stage.refusing
        for number in range(1, len(run.requests) + 1):
            singly = [(fault,) for fault in passing] if self.thorough else []
            kinds = [
                [FaultyRun(kind="api", number=number, faults=few, passes=True) for few in (passing, *singly)],
                [FaultyRun(kind="api", number=number, faults=(fault,) * ATTEMPTS) for fault in LASTING],
                [FaultyRun(kind="api", number=number, faults=(fault,)) for fault in refusing],
            ]
            if self.thorough:
                yield from itertools.chain.from_iterable(kinds)
            else:
                kind = kinds[(number + len(run.requests)) % len(kinds)]
                yield kind[number // len(kinds) % len(kind)]
        if self.thorough:
            for number, fault in itertools.product(range(1, git + 1), BROKEN):
                yield FaultyRun(kind="git", number=number, faults=(fault,))
        else:
            yield FaultyRun(kind="git", number=git, faults=BROKEN[:1])


def hit(story: "Story", faulty: FaultyRun, trigger: Trigger, *words: str) -> int:
    """Run a verb with these faults, and remove what is left of them. Returns its exit code."""
    for offset, fault in enumerate(faulty.faults):
        story.stage.faults.add(fault, kind=faulty.kind, number=faulty.number + offset)
    before = len(story.stage.requests)
    run = story.run(trigger, *words, again=True)
    story.stage.faults.clear()
    spoilt = next((request for request in story.stage.requests[before:] if request.fault), None)
    assert not faulty.passes or run.code == 0, (faulty, run.printed)
    assert run.code in (0, 5, 6), (faulty, run.printed)
    if spoilt:
        verb = " ".join(word for word in words if word in ("new", "promote", "status", "--publish"))
        effect, alone = effect_of(spoilt), run.code == 0
        met = Met(provider=story.stage.name, verb=verb, effect=effect, fault=faulty.name, alone=alone)
        story.record.add(met)
    return run.code


def git_requests(story: "Story") -> int:
    return sum(request.kind == "git" for request in story.stage.requests)


def measured(story: "Story", trigger: Trigger, *words: str) -> tuple[Run, int]:
    """Run a verb without faults; returns it and the number of requests of git."""
    before = git_requests(story)
    run = story.run(trigger, *words)
    assert run.code == 0, run.printed
    return run, git_requests(story) - before


def dispatched(story: "Story", app: str) -> Trigger:
    story.stage.dispatch("webshop", app, "2.0.0")
    [trigger] = [each for each in story.stage.triggers() if each.kind == "dispatch"]
    return trigger


def one_each(story: "Story", apps: list[str], environment: str) -> dict[str, Pull]:
    """The one open pull request of each application, armed and saying what it should."""
    pulls = {pull.branch: pull for pull in story.stage.pulls() if pull.state == "open"}
    count = [pull.branch for pull in story.stage.pulls() if pull.state == "open"]
    assert sorted(count) == sorted(f"promote/webshop-{app}" for app in apps)
    found = {app: pulls[f"promote/webshop-{app}"] for app in apps}
    for app, pull in found.items():
        assert tag_in(story.stage.show(pull.sha, f"webshop/{environment}/{app}.yaml")) == "2.0.0", app
        assert pull.armed, app
    return found


def propose(story: "Story", plan: FaultPlan, names: Sequence[str]) -> list[str]:
    """Run `new` with all its faults; returns the applications that it was run for."""
    run, git = measured(story, dispatched(story, names[0]), "new")
    faulty_runs = list(plan.faulty_runs(story, run, git))
    # The other verbs ask more than `new`, `status --publish` the most: they need more of them.
    used = names[: len(faulty_runs) + 1 + (len(faulty_runs) * 2 // 3 if plan.thorough else 2)]
    for app, faulty in itertools.zip_longest(used[1:], faulty_runs):
        trigger = dispatched(story, app)
        if faulty is None or hit(story, faulty, trigger, "new"):
            assert story.run(trigger, "new", again=True).code == 0
    return list(used)


def promote(story: "Story", plan: FaultPlan, apps: Sequence[str], pushes: Sequence[Trigger]) -> None:
    """Run `promote` with all its faults, each for one application; one healing run is the second run of all of them."""

    def words(app: str) -> tuple[str, ...]:
        # Where no range is told it would look at all of them each time.
        told = story.stage.nothing_follows == "skipped"
        return ("promote",) if told else ("promote", "--group", "webshop", "--app", app, "--env", "qa")

    run, git = measured(story, pushes[0], *words(apps[0]))
    faulty_runs = list(plan.faulty_runs(story, run, git))
    assert len(faulty_runs) < len(apps)
    for faulty, app, push in zip(faulty_runs, apps[1:], pushes[1:], strict=False):
        hit(story, faulty, push, *words(app))
    assert story.run(story.stage.schedule(), "promote", "--all").code == 0


def check(story: "Story", plan: FaultPlan, opened: Sequence[Trigger]) -> None:
    """Run `status` with all its faults."""
    run, git = measured(story, opened[0], "status")
    faulty_runs = list(plan.faulty_runs(story, run, git))
    assert len(faulty_runs) < len(opened)
    for faulty, trigger in zip(faulty_runs, opened[1:], strict=False):
        if hit(story, faulty, trigger, "status"):
            assert story.run(trigger, "status", again=True).results == ["passed"]


def publish(story: "Story", plan: FaultPlan, pulls: Sequence[Pull]) -> None:
    """Run `status --publish` with all its faults, each for one pull request; the second run is one for all of them."""
    words = ("status", "--publish", "--pr")
    run, git = measured(story, story.stage.schedule(), *words, str(pulls[0].number))
    faulty_runs = list(plan.faulty_runs(story, run, git))
    assert len(faulty_runs) < len(pulls)
    for faulty, pull in zip(faulty_runs, pulls[1:], strict=False):
        hit(story, faulty, story.stage.schedule(), *words, str(pull.number))
    assert story.look().code == 0
    for pull in pulls:
        assert story.stage.verdicts(pull.sha)[0][0] == "success"
    assert set(story.look().results) == {"unchanged"}


def pass_checks(story: "Story", pulls: Iterable[Pull]) -> None:
    for pull in pulls:
        trigger = Trigger(kind="pull_request", branch=pull.branch, sha=pull.sha, number=pull.number)
        story.stage.report(trigger, passed=True)


def test_b27_whatever_fails_a_second_run_ends_the_same(story: "Story", pytestconfig: pytest.Config) -> None:
    plan = FaultPlan(thorough=pytestconfig.getoption("--thorough"))
    for cluster in story.clusters:
        cluster.silent = True
    names = [f"app{number}" for number in range(200 if plan.thorough else 25)]
    story.add(*names)
    apps = propose(story, plan, names)
    pass_checks(story, one_each(story, apps, "dev").values())
    pushes = [trigger for trigger in story.stage.triggers() if trigger.kind == "push" and trigger.branch == "main"]
    assert len(pushes) == len(apps)
    promote(story, plan, apps, pushes)
    one_each(story, apps, "qa")
    story.report(story.clusters[0])
    check(story, plan, [trigger for trigger in story.stage.triggers() if trigger.kind == "pull_request"])
    pass_checks(story, [pull for pull in story.stage.pulls() if pull.state == "open"])
    story.report(story.clusters[1])
    assert story.run(story.stage.schedule(), "promote", "--all").code == 0
    prod = [pull for pull in story.stage.pulls() if pull.state == "open"]
    assert sorted(pull.branch for pull in prod) == sorted(f"promote/webshop-{app}" for app in apps)
    assert not any(pull.armed for pull in prod)
    publish(story, plan, prod)
    assert {story.tags(app) for app in apps} == {("2.0.0", "2.0.0", "1.0.0")}
