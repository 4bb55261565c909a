"""`kill -9` before and after each git command of a verb, then the same verb again: the end of an undisturbed run.

All effects on a plain remote are pushes, and so git commands (docs/architecture.md#the-order-of-effects). With
--thorough each verb is killed at each of them; else at a few, which change with the code.
"""

from typing import TYPE_CHECKING, Any

import pytest

from tests.commands.features import FILES
from tests.commands.scenes import NEW, SCENES, Played, Stage, moments, play
from tests.support.shares import chosen
from tests.support.snapshots import Snapshot

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.commands.conftest import Shop
    from tests.conftest import Remote

EVERY_DAY = 4
"""Scenes of which the verb is killed, once each, where --thorough is not given."""
SCHEDULE = (("promote", "--all"), ("status", "--publish"))
PROMOTIONS = [name for name, scene in SCENES.items() if scene.words[0] in ("promote", "status")]


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


def test_a_rejection_outlives_a_killed_run_that_the_schedule_finishes(
    stage: Stage, pytestconfig: pytest.Config
) -> None:
    name = "new takes over what was rejected"
    scene = play(stage, name)
    points = moments(scene.commands)
    for moment, number in points if pytestconfig.getoption("--thorough") else chosen(1, points, name):
        assert stage.disturb(scene, moment, number, f"killed {moment} it, left to the schedule")
        pulls = run_schedule(stage)["pulls"]
        place = f"killed {moment} git command {number}"
        # Either the run has changed nothing, and the rejected promotion is as it was, or the rejection is kept.
        if ("Promote webshop/webui version 1.4.2 to environment qa", "open") in {
            (p["title"], p["state"]) for p in pulls
        }:
            assert [p["verdict"] for p in pulls if p["state"] == "open"] == ["failure"], place
        else:
            assert [r for p in pulls for r in p["rejected"]] == [("qa", "1.4.2", "bob")], place


@pytest.mark.kustomize
@pytest.mark.usefixtures("kustomize")
def test_a_killed_verb_of_features_is_finished_by_the_same_verb(
    make_remote: "Callable[..., Remote]",
    make_shop: "Callable[[Remote], Shop]",
    make_stage: "Callable[[Remote, Path], Stage]",
    pytestconfig: pytest.Config,
) -> None:
    shop = make_shop(make_remote(FILES))
    stage = make_stage(shop.remote, shop.checkout.path)
    web = ("--group", "shop", "--app", "web")
    thorough = pytestconfig.getoption("--thorough")
    lines = [
        ("feature", *web, "--feature", "pr-1", "--tag", "pr-1-a"),
        ("feature", *web, "--feature", "pr-1", "--tag", "pr-1-b"),
        ("feature-delete", *web, "--feature", "pr-1"),
        ("feature", *web, "--feature", "pr-2", "--tag", "pr-2-a"),
        ("feature-stale", "--max-age", "0"),
    ]
    for words in lines if thorough else lines[:1]:
        before, commands = Snapshot.take(shop.remote.path), stage.run(words)
        assert commands
        after, state = Snapshot.take(shop.remote.path), stage.state()
        scene = Played(words=words, before=before, after=after, state=state, commands=commands)
        points = moments(commands)
        for moment, number in points if thorough else chosen(1, points, "features"):
            assert stage.disturb(scene, moment, number, f"killed {moment} it")
            stage.run(words)
            assert stage.state() == state, f"{' '.join(words)}: killed {moment} git command {number}"
        stage.restore(after)


def test_a_run_that_is_not_killed_says_so(stage: Stage) -> None:
    scene = play(stage, "new")
    stage.restore(scene.before)
    assert stage.run((*NEW, "1.4.2"), "after", len(scene.commands) + 1) == scene.commands
    assert stage.state() == scene.state
