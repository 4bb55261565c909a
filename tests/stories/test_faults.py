"""The forge fails at each request of each verb: a second run ends the same, nothing is doubled and nothing lost.

Each request of the API meets all the faults that pass, one after the other, in one run; in another one that goes on
after its effect until patience ends, and in the run after it one that is final. Git's requests fail too. Each has an
application of its own, so that one repository serves them all.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

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
    """What befalls one run: these faults at its requests from `number` on."""

    kind: Literal["api", "git"]
    number: int
    faults: tuple[Fault, ...]
    passes: bool = False


def troubles(story: "Story", run: Run, git: int) -> Iterator[tuple[Trouble, ...]]:
    """Everything that shall befall a verb that asks as much of API and git as this run did.

    Each item is the troubles of the runs for one application, one after the other.
    """
    stage = story.stage
    for number in range(1, len(run.requests) + 1):
        yield (Trouble(kind="api", number=number, faults=tuple(stage.passing), passes=True),)
        lasting = faults.server_error(503, done=True) if number % 4 < 2 else faults.reset(done=True)
        refusing = stage.refusing[number // 2 % len(stage.refusing)]
        pair = (
            Trouble(kind="api", number=number, faults=(lasting,) * ATTEMPTS),
            Trouble(kind="api", number=number, faults=(refusing,)),
        )
        # Where a verb asks twice as much, each request meets one of the two: as many runs in all.
        yield pair if stage.budgets.new <= FEW else (pair[number % 2],)
    # Of git a push that arrived, but whose answer did not; one that was not let in; and the very first request.
    for number, fault in ((git, faults.reset(done=True)), (git - 1, faults.server_error(502)), (1, faults.reset())):
        yield (Trouble(kind="git", number=number, faults=(fault,)),)


def hit(story: "Story", befallen: tuple[Trouble, ...], trigger: Trigger, *words: str) -> int:
    """Run a verb once for each trouble, while it fails; afterwards there is none any more. Returns the last code."""
    code = 0
    for trouble in befallen:
        for offset, fault in enumerate(trouble.faults):
            story.stage.faults.add(fault, kind=trouble.kind, number=trouble.number + offset)
        run = story.run(trigger, *words, again=True)
        story.stage.faults.clear()
        assert not trouble.passes or run.code == 0, (trouble, run.printed)
        assert run.code in (0, 5, 6), (trouble, run.printed)
        code = run.code
    return code


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
        if hit(story, trouble, trigger, "new"):
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
        if hit(story, trouble, trigger, "status"):
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
    names = [f"app{number}" for number in range(30)]
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
