"""`kill -9` before and after each git command of a verb, then the same verb again: the end of an undisturbed run.

All effects on a plain remote are pushes, and so git commands (docs/architecture.md#the-order-of-effects). With
--thorough each verb is killed at each of them; else at a few, which change with the code.
"""

from typing import Any

import pytest

from tests.commands.scenes import NEW, SCENES, Stage, chosen, moments, play

EVERY_DAY = 4
"""Scenes of which the verb is killed, once each, where --thorough is not given."""
SCHEDULE = (("promote", "--all"), ("status", "--publish"))
PROMOTIONS = [name for name, scene in SCENES.items() if scene.words[0] not in ("new", "rollback")]


def run_schedule(stage: Stage) -> dict[str, Any]:
    """Run what a schedule starts, twice: the second time for what the first one merged. Returns the end."""
    for words in SCHEDULE * 2:
        stage.run(words)
    return stage.state()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "name" in metafunc.fixturenames:
        names, thorough = list(SCENES), metafunc.config.getoption("--thorough")
        metafunc.parametrize("name", names if thorough else chosen(EVERY_DAY, names, "scenes"))


def test_a_killed_run_is_finished_by_the_same_verb(name: str, stage: Stage, pytestconfig: pytest.Config) -> None:
    scene = play(stage, name)
    points = moments(scene.commands)
    for moment, number in points if pytestconfig.getoption("--thorough") else chosen(1, points, name):
        killed = stage.disturb(scene, moment, number, f"killed {moment} it")
        assert killed, f"not killed {moment} git command {number}"
        # What only a person may merge is armed at no moment.
        assert all("environment prod" not in pull["title"] for pull in stage.state()["pulls"] if pull["armed"])
        stage.run(scene.words)
        assert stage.state() == scene.state, f"killed {moment} git command {number}"


def test_a_killed_promotion_is_finished_by_the_schedule(stage: Stage, pytestconfig: pytest.Config) -> None:
    thorough = pytestconfig.getoption("--thorough")
    for name in PROMOTIONS if thorough else chosen(1, PROMOTIONS, "schedule"):
        scene = play(stage, name)
        stage.restore(scene.after)
        end = run_schedule(stage)
        points = moments(scene.commands)
        for moment, number in points if thorough else chosen(1, points, name):
            killed = stage.disturb(scene, moment, number, f"killed {moment} it, left to the schedule")
            assert killed, f"{name}: not killed {moment} git command {number}"
            assert run_schedule(stage) == end, f"{name}: killed {moment} git command {number}"


def test_a_run_that_is_not_killed_says_so(stage: Stage) -> None:
    scene = play(stage, "new")
    stage.restore(scene.before)
    assert stage.run((*NEW, "1.4.2"), "after", len(scene.commands) + 1) == scene.commands
    assert stage.state() == scene.state
