"""Runs of all verbs at the same time, as processes, and people beside them: no run fails, and the end is right.

With --thorough there are many of them.
"""

import os
import subprocess
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from tests.stories.stage import Pull, Trigger

if TYPE_CHECKING:
    from pathlib import Path

    from tests.stories.story import Story
    from tests.support.forks import Forks

Wish = tuple[Trigger, tuple[str, ...]]
"""What starts a run, and its verb."""
ALL = ("promote", "--all")
PUBLISH = ("status", "--publish")


def run_at_once(story: "Story", program: "Path", wishes: Sequence[Wish], people: Callable[[], object]) -> None:
    """Run verbs at the same time, with people at work until the last has ended; none may fail."""
    started = []
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    for trigger, words in wishes:
        folder = story.folder / f"run{len(list(story.folder.iterdir()))}"
        folder.mkdir()
        story.stage.checkout(trigger, folder / "workspace")
        environ = {**story.stage.environ(trigger, folder, reads=False), **kept}
        where = (*story.stage.arguments(trigger), "--sourcedir", str(folder / "workspace"))
        started.append((words, folder, [str(program), *words, *where], environ))
    running = []
    for words, folder, command, environ in started:
        with (folder / "log").open("w") as log:
            running.append((words, folder, subprocess.Popen(command, env=environ, stdout=log, stderr=log)))
    for words, folder, process in running:
        while process.poll() is None:
            people()
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=0.05)
        assert process.returncode == 0, (words, (folder / "log").read_text())


def dispatched(story: "Story", app: str, tag: str) -> Wish:
    return story.dispatched(tag, app=app), ("new",)


def open_pulls(story: "Story") -> dict[str, Pull]:
    """The open pull requests by application; there is one of each at most."""
    pulls = [pull for pull in story.stage.pulls() if pull.state == "open"]
    found = {pull.branch.removeprefix("promote/webshop-"): pull for pull in pulls}
    assert len(found) == len(pulls), pulls
    return found


def settle(story: "Story") -> None:
    """Let Flux report and the schedules run until everything is where it can go."""
    for _ in range(3):
        assert story.run(story.stage.schedule(), *PUBLISH).code == 0
        for cluster in story.clusters:
            story.report(cluster)
        assert story.run(story.stage.schedule(), *ALL).code == 0


def test_runs_of_all_verbs_and_people_at_once_end_like_runs_in_a_row(
    story: "Story", forks: "Forks", pytestconfig: pytest.Config
) -> None:
    thorough = pytestconfig.getoption("--thorough")
    story.publish_verdicts()
    apps = [f"app{number}" for number in range(12 if thorough else 3)]
    story.add(*apps)
    program = forks.write_program(story.folder / "run", "gitops_promotion.cli:main")
    schedules: list[Wish] = [(story.stage.schedule(), words) for words in (ALL, PUBLISH) * (3 if thorough else 1)]
    run_at_once(story, program, [*(dispatched(story, app, "2.0.0") for app in apps), *schedules], lambda: None)
    assert story.run(story.stage.schedule(), *PUBLISH).code == 0
    assert {story.tag("dev", app) for app in apps} == {"2.0.0"}
    # The second round has health in dev, a newer build, and a person who merges one promotion and closes another.
    story.report(story.clusters[0])
    assert story.run(story.stage.schedule(), *ALL).code == 0
    closed, merged, newer = apps[:3]
    into_qa = {app: pull.number for app, pull in open_pulls(story).items()}
    acts = [(story.stage.close, into_qa[closed]), (story.stage.merge, into_qa[merged])]

    def people() -> None:
        open_pulls(story)
        if acts:
            act, number = acts.pop()
            # A run may be faster.
            with suppress(Exception):
                act(number)

    run_at_once(story, program, [dispatched(story, newer, "3.0.0"), *schedules], people)
    settle(story)
    declined = {pull.branch for pull in story.stage.pulls() if pull.state == "closed"}
    for app in apps:
        tag = "3.0.0" if app == newer else "2.0.0"
        is_declined = f"promote/webshop-{app}" in declined
        assert app == closed or not is_declined
        assert story.tags(app) == (tag, "1.0.0" if is_declined else tag, "1.0.0"), app
        assert (app in open_pulls(story)) != is_declined
    assert not any(pull.armed for pull in open_pulls(story).values())
