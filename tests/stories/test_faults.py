"""The forge fails at each request of each verb: a second run ends the same, nothing is doubled and nothing lost.

Each request meets, in runs of their own: all the faults that pass, one after the other; one that goes on after its
effect until patience ends; and one that is final. Each such run has an application of its own, so that one repository
serves them all.
"""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gitops_promotion.providers import ATTEMPTS
from tests.forges import faults
from tests.forges.faults import Fault
from tests.stories.stage import Pull, Run, Trigger, tag_in

if TYPE_CHECKING:
    from tests.stories.story import Story


FEW = 5
"""Requests of `new`."""


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """What befalls one run: these faults at its requests from `number` on; `kind` any but "git" is the API's."""

    kind: str
    number: int
    faults: tuple[Fault, ...]
    passes: bool

    def befall(self, story: "Story") -> None:
        for offset, fault in enumerate(self.faults):
            story.stage.faults.add(fault, kind="git" if self.kind == "git" else "api", number=self.number + offset)


def troubles(story: "Story", run: Run, git: int) -> Iterator[Trouble]:
    """Everything that shall befall a verb that asks as much of API and git as this run did."""
    stage = story.stage
    for number in range(1, len(run.requests) + 1):
        yield Trouble(kind="api", number=number, faults=tuple(stage.passing), passes=True)
        # Where a verb asks twice as much, each request meets one of these two: as many runs in all.
        both = stage.budgets.new <= FEW
        if both or number % 2:
            lasting = faults.server_error(503, done=True) if number % 4 < 2 else faults.reset(done=True)
            yield Trouble(kind="api", number=number, faults=(lasting,) * ATTEMPTS, passes=False)
        if both or not number % 2:
            refusing = stage.refusing[number // 2 % len(stage.refusing)]
            yield Trouble(kind="api", number=number, faults=(refusing,), passes=False)
    broken = itertools.cycle([faults.server_error(502), faults.reset(done=True), faults.reset()])
    # The last come first, since pushes are the last.
    for number, fault in zip(range(git, 0, -1), broken, strict=False):
        yield Trouble(kind="git", number=number, faults=(fault,), passes=False)


def hit(story: "Story", trouble: Trouble, trigger: Trigger, *words: str) -> Run:
    """Run a verb in trouble; afterwards there is none any more."""
    trouble.befall(story)
    run = story.run(trigger, *words, again=True)
    story.stage.faults.clear()
    assert not trouble.passes or run.code == 0, (trouble, run.printed)
    assert run.code in (0, 5, 6), (trouble, run.printed)
    return run


def git_requests(story: "Story") -> int:
    return sum(request.kind == "git" for request in story.stage.requests)


def measured(story: "Story", trigger: Trigger, *words: str) -> tuple[Run, int]:
    """Run a verb without trouble; returns it and how often git asked."""
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


def propose(story: "Story", names: Iterator[str]) -> list[str]:
    """`new` in all its troubles; returns the applications that it was run for."""
    used = [next(names)]
    run, git = measured(story, dispatched(story, used[0]), "new")
    for trouble in troubles(story, run, git):
        used.append(next(names))
        trigger = dispatched(story, used[-1])
        if hit(story, trouble, trigger, "new").code:
            assert story.run(trigger, "new", again=True).code == 0
    return used


def promote(story: "Story", apps: Sequence[str], pushes: Sequence[Trigger]) -> None:
    """`promote` in all its troubles, each for one application; one healing run is the second of them all."""

    def words(app: str) -> tuple[str, ...]:
        # Where no range is told it would look at all of them each time.
        told = story.stage.nothing_follows == "skipped"
        return ("promote",) if told else ("promote", "--group", "webshop", "--app", app, "--env", "qa")

    run, git = measured(story, pushes[0], *words(apps[0]))
    for trouble, app, push in zip(troubles(story, run, git), apps[1:], pushes[1:], strict=False):
        hit(story, trouble, push, *words(app))
    assert story.run(story.stage.schedule(), "promote", "--all").code == 0


def check(story: "Story", opened: Sequence[Trigger]) -> None:
    """`status` in all its troubles."""
    run, git = measured(story, opened[0], "status")
    for trouble, trigger in zip(troubles(story, run, git), opened[1:], strict=False):
        if hit(story, trouble, trigger, "status").code:
            assert story.run(trigger, "status", again=True).results == ["passed"]


def publish(story: "Story", pulls: Sequence[Pull]) -> None:
    """`status --publish` in all its troubles, each for one pull request; one run for all is the second of them."""
    words = ("status", "--publish", "--pr")
    run, git = measured(story, story.stage.schedule(), *words, str(pulls[0].number))
    for trouble, pull in zip(troubles(story, run, git), pulls[1:], strict=False):
        hit(story, trouble, story.stage.schedule(), *words, str(pull.number))
    assert story.look().code == 0
    for pull in pulls:
        assert story.stage.verdicts(pull.sha)[0][0] == "success"
    assert set(story.look().results) == {"unchanged"}


def pass_checks(story: "Story", pulls: Iterable[Pull]) -> None:
    for pull in pulls:
        trigger = Trigger(kind="pull_request", branch=pull.branch, sha=pull.sha, number=pull.number)
        story.stage.report(trigger, passed=True)


def test_b27_whatever_fails_a_second_run_ends_the_same(story: "Story") -> None:
    for cluster in story.clusters:
        cluster.silent = True
    names = [f"app{number}" for number in range(26)]
    story.add(*names)
    apps = propose(story, iter(names))
    pass_checks(story, one_each(story, apps, "dev").values())
    pushes = [trigger for trigger in story.stage.triggers() if trigger.kind == "push" and trigger.branch == "main"]
    assert len(pushes) == len(apps)
    promote(story, apps, pushes)
    one_each(story, apps, "qa")
    story.report(story.clusters[0])
    check(story, [trigger for trigger in story.stage.triggers() if trigger.kind == "pull_request"])
    pass_checks(story, [pull for pull in story.stage.pulls() if pull.state == "open"])
    story.report(story.clusters[1])
    assert story.run(story.stage.schedule(), "promote", "--all").code == 0
    prod = [pull for pull in story.stage.pulls() if pull.state == "open"]
    assert sorted(pull.branch for pull in prod) == sorted(f"promote/webshop-{app}" for app in apps)
    assert not any(pull.armed for pull in prod)
    publish(story, prod)
    assert {story.tags(app) for app in apps} == {("2.0.0", "2.0.0", "1.0.0")}
