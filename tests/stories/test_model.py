"""The model of tests/commands/test_model.py on the forges: many sequences with --thorough, none without."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st

from tests.model.model import Model
from tests.model.on_forge import OnForge
from tests.model.steps import sequence
from tests.model.world import CHANNEL, OTHER_FILES, Settings, rule_time
from tests.notify.receivers import Web, web_server
from tests.support.examples import examples

if TYPE_CHECKING:
    from tests.stories.azure_stage import AzureStage
    from tests.stories.github_stage import GitHubStage
    from tests.stories.story import Story

CHECKS = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    with web_server() as server:
        monkeypatch.setenv(CHANNEL, f"{server.url}/path")
        yield server


@pytest.fixture
def begin(
    stage: "GitHubStage | AzureStage",
    story: "Story",
    web: Web,
    webshop: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    pytestconfig: pytest.Config,
) -> Callable[[Settings], OnForge]:
    """Make the world of a sequence, a repository of its own."""
    if not pytestconfig.getoption("--thorough"):
        pytest.skip("tests/commands/test_model.py plays it on plain git; here with --thorough")

    def begin_with(chosen: Settings) -> OnForge:
        story.stage = repository = stage.another(webshop | OTHER_FILES | {"gitops-promotion.yaml": chosen.config()})
        web.calls.clear()
        world = OnForge(stage=repository, story=story, web=web)
        rule_time(world, monkeypatch)
        return world

    return begin_with


@settings(parent=examples(10), suppress_health_check=CHECKS, phases=[Phase.explicit, Phase.generate])
@given(seed=st.integers(min_value=0, max_value=10**9))
def test_whatever_happens_the_promises_hold(begin: Callable[[Settings], OnForge], seed: int) -> None:
    chosen, steps = sequence(seed, is_long=True)
    note(f"{chosen}")
    Model(world=begin(chosen), settings=chosen, is_thorough=True).play(steps)
