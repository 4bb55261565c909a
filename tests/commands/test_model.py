"""A model of all that moves tags: what the tool does by itself never breaks its promises, whatever people and Flux do.

A run of hypothesis is a sequence of steps on one repository, with settings of its own. After each step everything is
compared with what the step may have changed. `tests/stories/test_model.py` plays the same on the forges.
"""

import shutil
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st

from tests.model.model import Model
from tests.model.plain_git import PlainGit
from tests.model.steps import sequence
from tests.model.world import CHANNEL, OTHER_FILES, Settings, rule_time
from tests.support.examples import examples
from tests.support.snapshots import Snapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.commands.conftest import Shop
    from tests.notify.receivers import Web

CHECKS = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


@pytest.fixture
def is_long(pytestconfig: pytest.Config) -> bool:
    """Return whether there is time for long sequences."""
    return bool(pytestconfig.getoption("--thorough"))


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch, is_long: bool) -> "Iterator[Web | None]":
    if not is_long:
        yield None
        return
    from tests.notify.receivers import web_server  # here: it takes longer than a sequence

    with web_server() as server:
        monkeypatch.setenv(CHANNEL, f"{server.url}/path")
        yield server


@pytest.fixture
def begin(shop: "Shop", web: "Web | None", monkeypatch: pytest.MonkeyPatch) -> "Callable[[Settings], PlainGit]":
    """Make the world of a sequence, in which nothing has happened yet."""
    shop.edit(OTHER_FILES)
    start = Snapshot.take(shop.remote.path)

    def begin_with(chosen: Settings) -> PlainGit:
        shutil.rmtree(shop.remote.path)
        start.write(shop.remote.path)
        if web:
            web.calls.clear()
        world = PlainGit(shop=shop, web=web)
        rule_time(world, monkeypatch)
        world.edit({"gitops-promotion.yaml": chosen.config()})
        return world

    return begin_with


@settings(parent=examples(60, every_day=5), suppress_health_check=CHECKS, phases=[Phase.explicit, Phase.generate])
@given(seed=st.integers(min_value=0, max_value=10**9))
def test_whatever_happens_the_promises_hold(begin: "Callable[[Settings], PlainGit]", is_long: bool, seed: int) -> None:
    chosen, steps = sequence(seed, is_long=is_long)
    note(f"{chosen}")
    Model(world=begin(chosen), settings=chosen, is_thorough=is_long).play(steps)
