"""The forge fails at each request of each verb: a second run ends the same, nothing is doubled and nothing lost.

A request of the API may meet faults that pass, one that goes on after its effect until patience ends, or one that is
final; git's requests fail too. Each run in trouble has an application of its own, so that one repository serves them
all. With --thorough, as in .ci/run, each request meets every fault; else each meets one kind, taken in turns.
"""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import pytest

from gitops_promotion.providers.http import ATTEMPTS
from tests.forges import faults
from tests.forges.faults import Fault
from tests.stories.stage import Pull, Run, Trigger, tag_in

if TYPE_CHECKING:
    from tests.stories.story import Story


LASTING = (faults.server_error(503, done=True), faults.reset(done=True), faults.truncated())
BROKEN = (faults.reset(done=True), faults.server_error(502), faults.reset())
"""What befalls git: an answer that does not come though a push has arrived; a request that is not let in; no answer."""


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """What befalls one run: these faults at its requests from `number` on."""

    kind: Literal["api", "git"]
    number: int
    faults: tuple[Fault, ...]
    passes: bool = False


@dataclass(frozen=True, kw_only=True)
class Ordeal:
    """All the trouble that there shall be."""

    thorough: bool

    def troubles(self, story: "Story", run: Run, git: int) -> Iterator[Trouble]:
        """Yield everything that shall befall a verb that asks as much of API and git as this run did."""
        passing, refusing = tuple(story.stage.passing), story.stage.refusing
        for number in range(1, len(run.requests) + 1):
            singly = [(fault,) for fault in passing] if self.thorough else []
            kinds = [
                [Trouble(kind="api", number=number, faults=few, passes=True) for few in (passing, *singly)],
                [Trouble(kind="api", number=number, faults=(fault,) * ATTEMPTS) for fault in LASTING],
                [Trouble(kind="api", number=number, faults=(fault,)) for fault in refusing],
            ]
            if self.thorough:
                yield from itertools.chain.from_iterable(kinds)
            else:
                kind = kinds[(number + len(run.requests)) % len(kinds)]
                yield kind[number // len(kinds) % len(kind)]
        if self.thorough:
            for number, fault in itertools.product(range(1, git + 1), BROKEN):
                yield Trouble(kind="git", number=number, faults=(fault,))
        else:
            yield Trouble(kind="git", number=git, faults=BROKEN[:1])


def hit(story: "Story", trouble: Trouble, trigger: Trigger, *words: str) -> int:
    """Run a verb in trouble; afterwards there is none any more. Returns its exit code."""
    for offset, fault in enumerate(trouble.faults):
        story.stage.faults.add(fault, kind=trouble.kind, number=trouble.number + offset)
    run = story.run(trigger, *words, again=True)
    story.stage.faults.clear()
    assert not trouble.passes or run.code == 0, (trouble, run.printed)
    assert run.code in (0, 5, 6), (trouble, run.printed)
    return run.code


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


def propose(story: "Story", ordeal: Ordeal, names: Sequence[str]) -> list[str]:
    """`new` in all its troubles; returns the applications that it was run for."""
    run, git = measured(story, dispatched(story, names[0]), "new")
    troubles = list(ordeal.troubles(story, run, git))
    # `promote` asks somewhat more than `new`: it needs more of them.
    used = names[: len(troubles) + 1 + (len(troubles) // 2 if ordeal.thorough else 2)]
    for app, trouble in itertools.zip_longest(used[1:], troubles):
        trigger = dispatched(story, app)
        if trouble is None or hit(story, trouble, trigger, "new"):
            assert story.run(trigger, "new", again=True).code == 0
    return list(used)


def promote(story: "Story", ordeal: Ordeal, apps: Sequence[str], pushes: Sequence[Trigger]) -> None:
    """`promote` in all its troubles, each for one application; one healing run is the second of them all."""

    def words(app: str) -> tuple[str, ...]:
        # Where no range is told it would look at all of them each time.
        told = story.stage.nothing_follows == "skipped"
        return ("promote",) if told else ("promote", "--group", "webshop", "--app", app, "--env", "qa")

    run, git = measured(story, pushes[0], *words(apps[0]))
    troubles = list(ordeal.troubles(story, run, git))
    assert len(troubles) < len(apps)
    for trouble, app, push in zip(troubles, apps[1:], pushes[1:], strict=False):
        hit(story, trouble, push, *words(app))
    assert story.run(story.stage.schedule(), "promote", "--all").code == 0


def check(story: "Story", ordeal: Ordeal, opened: Sequence[Trigger]) -> None:
    """`status` in all its troubles."""
    run, git = measured(story, opened[0], "status")
    troubles = list(ordeal.troubles(story, run, git))
    assert len(troubles) < len(opened)
    for trouble, trigger in zip(troubles, opened[1:], strict=False):
        if hit(story, trouble, trigger, "status"):
            assert story.run(trigger, "status", again=True).results == ["passed"]


def publish(story: "Story", ordeal: Ordeal, pulls: Sequence[Pull]) -> None:
    """`status --publish` in all its troubles, each for one pull request; one run for all is the second of them."""
    words = ("status", "--publish", "--pr")
    run, git = measured(story, story.stage.schedule(), *words, str(pulls[0].number))
    troubles = list(ordeal.troubles(story, run, git))
    assert len(troubles) < len(pulls)
    for trouble, pull in zip(troubles, pulls[1:], strict=False):
        hit(story, trouble, story.stage.schedule(), *words, str(pull.number))
    assert story.look().code == 0
    for pull in pulls:
        assert story.stage.verdicts(pull.sha)[0][0] == "success"
    assert set(story.look().results) == {"unchanged"}


def pass_checks(story: "Story", pulls: Iterable[Pull]) -> None:
    for pull in pulls:
        trigger = Trigger(kind="pull_request", branch=pull.branch, sha=pull.sha, number=pull.number)
        story.stage.report(trigger, passed=True)


def test_b27_whatever_fails_a_second_run_ends_the_same(story: "Story", pytestconfig: pytest.Config) -> None:
    ordeal = Ordeal(thorough=pytestconfig.getoption("--thorough"))
    for cluster in story.clusters:
        cluster.silent = True
    names = [f"app{number}" for number in range(200 if ordeal.thorough else 25)]
    story.add(*names)
    apps = propose(story, ordeal, names)
    pass_checks(story, one_each(story, apps, "dev").values())
    pushes = [trigger for trigger in story.stage.triggers() if trigger.kind == "push" and trigger.branch == "main"]
    assert len(pushes) == len(apps)
    promote(story, ordeal, apps, pushes)
    one_each(story, apps, "qa")
    story.report(story.clusters[0])
    check(story, ordeal, [trigger for trigger in story.stage.triggers() if trigger.kind == "pull_request"])
    pass_checks(story, [pull for pull in story.stage.pulls() if pull.state == "open"])
    story.report(story.clusters[1])
    assert story.run(story.stage.schedule(), "promote", "--all").code == 0
    prod = [pull for pull in story.stage.pulls() if pull.state == "open"]
    assert sorted(pull.branch for pull in prod) == sorted(f"promote/webshop-{app}" for app in apps)
    assert not any(pull.armed for pull in prod)
    publish(story, ordeal, prod)
    assert {story.tags(app) for app in apps} == {("2.0.0", "2.0.0", "1.0.0")}
