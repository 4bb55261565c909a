"""Runs at the same time: a whole run of a rival between two git commands of a verb, and many runs at once.

A race is no failure: each run ends by itself with exit code 0. With --thorough the rival comes before each git command,
and the crowds are large.
"""

import itertools
from typing import TYPE_CHECKING, Any

import pytest

from tests.commands.scenes import NEW, ROLLBACK, WORDS, Played, Stage, play
from tests.support.shares import chosen

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Pair = tuple[str, tuple[str, ...]]
"""A scene, and the verb that is run in the middle of it."""

SAME: list[Pair] = [
    # Two identical runs end like one.
    ("new", (*NEW, "1.4.2")),
    ("new by hand", (*NEW, "1.4.2")),
    ("new takes over what is armed", (*NEW, "1.4.3")),
    ("new takes over what was rejected", (*NEW, "1.4.3")),
    ("promote", ("promote",)),
    ("promote all", ("promote", "--all")),
    ("promote all heals", ("promote", "--all")),
    ("status", ("status", "--publish")),
    ("publish", ("status", "--publish")),
    ("rollback", (*ROLLBACK, "--no-hold")),
]
OTHER: list[Pair] = [
    ("new", (*NEW, "1.4.9")),
    ("new takes over", ("promote", "--all")),
    ("new takes over what is armed", ("status", "--publish")),
    ("promote", (*NEW, "1.4.9")),
    ("promote all heals", (*NEW, "1.4.9")),
    ("status", (*NEW, "1.4.9")),
    ("publish", ("promote", "--all")),
    ("rollback", ("promote", "--all")),
    ("rollback", (*NEW, "1.4.9")),
]


def interrupt(
    stage: Stage, pairs: "Sequence[Pair]", count: int, *, thorough: bool
) -> "Iterator[tuple[Played, dict[str, Any], str]]":
    """Yield scene, end and place: a rival came before each git command of each verb, or before one of `count` verbs."""
    for name, rival in pairs if thorough else chosen(count, pairs, "rivals"):
        scene = play(stage, name)
        numbers = range(1, len(scene.commands) + 1)
        for number in numbers if thorough else chosen(1, numbers, name):
            verb = " ".join(word for word in rival if word in WORDS)
            assert stage.disturb(scene, "before", number, f"a whole `{verb}` before it", rival=rival)
            yield scene, stage.state(), f"{name}: `{' '.join(rival)}` came before git command {number}"


def test_two_runs_for_the_same_end_like_one(stage: Stage, pytestconfig: pytest.Config) -> None:
    for scene, state, place in interrupt(stage, SAME, 2, thorough=pytestconfig.getoption("--thorough")):
        assert state == scene.state, place


def test_no_run_fails_because_of_another(stage: Stage, pytestconfig: pytest.Config) -> None:
    for _, state, place in interrupt(stage, OTHER, 2, thorough=pytestconfig.getoption("--thorough")):
        assert state["empty merges"] == 0, place
        open_heads = [pull["head"] for pull in state["pulls"] if pull["state"] == "open"]
        assert len(open_heads) == len(set(open_heads)), place


def test_a_rejection_is_kept_whoever_takes_the_branch_first(stage: Stage, pytestconfig: pytest.Config) -> None:
    name = "new takes over what was rejected"
    pairs: list[Pair] = [(name, (*NEW, "1.4.9")), (name, ("promote", "--all"))]
    for scene, state, place in interrupt(stage, pairs, 1, thorough=pytestconfig.getoption("--thorough")):
        kept = [rejection for pull in state["pulls"] for rejection in pull["rejected"]]
        assert set(kept) == {("qa", "1.4.2", "bob")}, place
        assert state["branches"]["main"].keys() == scene.state["branches"]["main"].keys(), place
        assert state["empty merges"] == 0, place


def apps(stage: Stage, count: int) -> list[str]:
    names = [f"app{number}" for number in range(count)]
    text = 'image: ghcr.io/webshop/{0}:1.0.0 # {{"$imagepolicy": "webshop:{0}"}}\n'
    files = itertools.product(("dev", "qa", "prod"), names)
    stage.remote.commit({f"webshop/{environment}/{name}.yaml": text.format(name) for environment, name in files})
    return names


@pytest.fixture
def crowd(pytestconfig: pytest.Config) -> int:
    return 20 if pytestconfig.getoption("--thorough") else 3


def test_many_builds_of_one_application_at_once_are_merged_or_skipped(stage: Stage, crowd: int) -> None:
    stage.run_at_once(*[(*NEW, f"1.4.{number}") for number in range(crowd)])
    state = stage.state()
    # A run that loses a race to one that started later is skipped.
    assert {pull["state"] for pull in state["pulls"]} == {"merged"}
    assert (state["commits of main"], state["empty merges"]) == (1 + len(state["pulls"]), 0)
    assert list(state["branches"]) == ["main"]


def test_of_many_builds_of_one_application_at_once_the_newest_stays(stage: Stage, crowd: int) -> None:
    built = [f"2026-01-01T00:{number:02}:00Z" for number in range(crowd)]
    stage.run_at_once(*[(*NEW, f"1.4.{number}", "--built-at", at) for number, at in enumerate(built)])
    state = stage.state()
    assert f"webui:1.4.{crowd - 1} #" in stage.remote.show("webshop/dev/webui.yaml", "main")
    # What an older build finds is skipped, or was merged before a newer one.
    assert {pull["state"] for pull in state["pulls"]} == {"merged"}
    assert (state["commits of main"], state["empty merges"]) == (1 + len(state["pulls"]), 0)
    assert list(state["branches"]) == ["main"]


def test_the_same_build_announced_many_times_at_once_is_one_pull_request(stage: Stage, crowd: int) -> None:
    stage.run_at_once(*[(*NEW, "1.4.2")] * crowd)
    state, alone = stage.state(), play(stage, "new").state
    assert state == alone


def test_two_rollbacks_at_once_are_one(stage: Stage) -> None:
    alone = play(stage, "rollback")
    stage.restore(alone.before)
    stage.run_at_once((*ROLLBACK, "--no-hold"), (*ROLLBACK, "--no-hold"))
    assert stage.state() == alone.state


def test_many_applications_at_once_need_one_run_each(stage: Stage, pytestconfig: pytest.Config) -> None:
    names = apps(stage, 100 if pytestconfig.getoption("--thorough") else 3)
    stage.run_at_once(*[("new", "--group", "webshop", "--app", name, "--tag", "2.0.0") for name in names])
    state = stage.state()
    assert [pull["state"] for pull in state["pulls"]] == ["merged"] * len(names)
    assert state["empty merges"] == 0
    assert all(":2.0.0 #" in stage.remote.show(f"webshop/dev/{name}.yaml", "main") for name in names)


def test_runs_of_all_verbs_and_people_at_once_end_like_runs_in_a_row(stage: Stage, pytestconfig: pytest.Config) -> None:
    thorough = pytestconfig.getoption("--thorough")
    names = apps(stage, 20 if thorough else 3)
    schedules = [("promote", "--all"), ("status", "--publish")] * (3 if thorough else 1)
    stage.run_at_once(*[("new", "--group", "webshop", "--app", name, "--tag", "2.0.0") for name in names], *schedules)
    stage.run(("promote", "--all"))
    stage.heal("dev")
    numbers = {pull["head"]: str(pull["number"]) for pull in stage.state()["pulls"] if pull["state"] == "open"}
    assert sorted(numbers) == sorted(f"promote/webshop-{name}" for name in names)
    closed, merged, newer = names[:3]
    stage.run_at_once(
        ("new", "--group", "webshop", "--app", newer, "--tag", "3.0.0"),
        *schedules,
        ("local", "close", numbers[f"promote/webshop-{closed}"]),
        ("local", "merge", numbers[f"promote/webshop-{merged}"]),
    )
    for environment in ("dev", "dev", "qa"):
        stage.heal(environment)
        for words in (("promote", "--all"), ("status", "--publish")):
            stage.run(words)
    state = stage.state()
    declined = {pull["head"] for pull in state["pulls"] if pull["state"] == "closed"}
    assert declined <= {f"promote/webshop-{closed}"}
    waiting = [pull["head"] for pull in state["pulls"] if pull["state"] == "open"]
    assert sorted(waiting) == sorted({f"promote/webshop-{name}" for name in names} - declined)
    for name in names:
        tag = "3.0.0" if name == newer else "2.0.0"
        wanted = {"dev": tag, "qa": "1.0.0" if f"promote/webshop-{name}" in declined else tag, "prod": "1.0.0"}
        for environment, expected in wanted.items():
            assert f":{expected} #" in stage.remote.show(f"webshop/{environment}/{name}.yaml", "main"), name
    assert state["empty merges"] == 0
    assert not any(pull["armed"] for pull in state["pulls"] if pull["state"] == "open")
