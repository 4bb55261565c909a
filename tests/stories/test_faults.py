"""The forge fails at each request of each verb: a second run ends the same, nothing is doubled and nothing lost.

A request of the API may meet faults that pass, one that goes on after its effect until patience ends, or one that is
final; git's requests fail too. In the story each faulty run has an application of its own, so that one repository
serves them all; each run of a scene begins where the scene does. With --thorough, as in .ci/run, each request meets
every fault; else half of those of the story meet one kind, taken in turns, and two of those of a few scenes meet one.
"""

import itertools
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import pytest

from gitops_promotion.providers.http import ATTEMPTS
from tests.forges import faults
from tests.forges.faults import Fault
from tests.kustomizations import program
from tests.reliability import Met, effect_of
from tests.stories.scenes import SCENES, state
from tests.stories.stage import Pull, Run, Trigger, tag_in
from tests.support import processes
from tests.support.shares import chosen

if TYPE_CHECKING:
    from pathlib import Path

    from tests.stories.story import Story

VERBS = (
    *("new", "promote", "--all", "status", "--publish", "rollback", "--no-hold", "hold", "release"),
    *("feature", "feature-delete", "feature-stale", "approve", "decline"),
)
"""The words of a command line that tell its verb."""

EVERY_DAY = 2
"""Scenes of which the verb meets a few faults where --thorough is not given."""
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
    """Which faults a verb meets: each at each request if `thorough`, else one kind at half of them."""

    thorough: bool

    def faulty_runs(self, story: "Story", run: Run, git: int) -> Iterator[FaultyRun]:
        """Yield the faulty runs of a verb that sends as many requests to API and git as this run did."""
        passing, refusing = tuple(story.stage.passing), story.stage.refusing
        numbers = range(1, len(run.requests) + 1)
        for number in numbers if self.thorough else sorted(chosen(max(1, len(numbers) // 2), numbers, run.verb)):
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


def hit(
    story: "Story",
    faulty: FaultyRun,
    trigger: Trigger,
    *words: str,
    again: bool = True,
    is_end: Callable[[], bool] = lambda: True,
) -> bool:
    """Run a verb with these faults, and remove what is left of them. Returns whether it needs one more run.

    It needs one after an error, or where it is not at its end and warns of that.
    """
    for offset, fault in enumerate(faulty.faults):
        story.stage.faults.add(fault, kind=faulty.kind, number=faulty.number + offset)
    before = len(story.stage.requests)
    # In the checkout of a run before, git has less to ask for than in that of the measured run.
    run = story.run(trigger, *words, again=again and faulty.kind == "api")
    story.stage.faults.clear()
    spoilt = next((request for request in story.stage.requests[before:] if request.fault), None)
    assert not faulty.passes or run.code == 0, (faulty, run.printed)
    assert run.code in (0, 5, 6), (faulty, run.printed)
    failures = [outcome["message"] for outcome in run.outcomes if outcome["exit_code"]]
    assert bool(failures) == bool(run.code), (faulty, run.printed)
    assert all(message and "\n" not in message for message in failures), (faulty, failures)
    alone = run.code == 0 and is_end()
    assert alone or failures or any(outcome["warnings"] for outcome in run.outcomes), (faulty, run.printed)
    # How often git asks depends on what it has.
    assert spoilt or faulty.kind == "git", (faulty, "no request has met it")
    if spoilt:
        verb = " ".join(word for word in words if word in VERBS)
        effect = effect_of(spoilt)
        met = Met(provider=story.stage.name, verb=verb, effect=effect, fault=faulty.name, alone=alone)
        story.record.add(met)
    return not alone


def git_requests(story: "Story") -> int:
    return sum(request.kind == "git" for request in story.stage.requests)


def measured(story: "Story", trigger: Trigger, *words: str) -> tuple[Run, int]:
    """Run a verb without faults; returns it and the number of requests of git."""
    before = git_requests(story)
    run = story.run(trigger, *words)
    assert run.code == 0, run.printed
    return run, git_requests(story) - before


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
    run, git = measured(story, story.dispatched("2.0.0", app=names[0]), "new")
    faulty_runs = list(plan.faulty_runs(story, run, git))
    # The other verbs ask more than `new`, `status --publish` the most: they need more of them.
    used = names[: len(faulty_runs) + 1 + (len(faulty_runs) * 2 // 3 if plan.thorough else 2)]
    for app, faulty in itertools.zip_longest(used[1:], faulty_runs):
        trigger = story.dispatched("2.0.0", app=app)
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
    names = [f"app{number}" for number in range(200 if plan.thorough else 12)]
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


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "scene" in metafunc.fixturenames:
        names, thorough = list(SCENES), metafunc.config.getoption("--thorough")
        metafunc.parametrize("scene", names if thorough else chosen(EVERY_DAY, names, "faults"))


@pytest.fixture
def recorded_kustomize(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: "Path") -> None:
    """Put a kustomize on the PATH whose answers are all recorded: no fault is one of its own."""
    (folder := tmp_path / "programs").mkdir()
    program.put_on_path(folder, [])
    program.answer_here(monkeypatch, folder, check=False)
    monkeypatch.setenv("PATH", f"{folder}:{environ['PATH']}")


@pytest.fixture
def plain_git(monkeypatch: pytest.MonkeyPatch, pytestconfig: pytest.Config) -> None:
    """Start no git for what is plain, with --thorough either: it would be most of the time of thousands of runs."""
    if not pytestconfig.getoption("--git"):
        processes.spare(monkeypatch.setattr)


@pytest.mark.usefixtures("plain_git", "recorded_kustomize")
def test_a_verb_whose_request_fails_is_finished_by_the_same_verb(
    scene: str, story: "Story", pytestconfig: pytest.Config
) -> None:
    line, thorough = SCENES[scene](story), pytestconfig.getoption("--thorough")
    restore = story.stage.save()
    run, git = measured(story, line.trigger, *line.words)
    end = state(story.stage)
    faulty_runs = list(FaultPlan(thorough=True).faulty_runs(story, run, git))

    def is_end() -> bool:
        return state(story.stage) == end

    for faulty in faulty_runs if thorough else chosen(2, faulty_runs, scene):
        restore()
        if hit(story, faulty, line.trigger, *line.words, again=False, is_end=is_end):
            # What only a person may merge is armed at no moment.
            seen = state(story.stage)["pulls"]
            assert all("environment prod" not in pull["texts"][0] for pull in seen if pull["armed"]), faulty
            again = story.run(line.trigger, *line.words)
            assert again.code == 0, (faulty, again.printed)
            assert state(story.stage) == end, faulty
        for folder in story.folder.glob("step*"):
            shutil.rmtree(folder)
