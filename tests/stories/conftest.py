"""The stages that the stories are told on.

A further forge adds its own fixture `<name>_stage` and its name to FORGES. A run tells each story on one forge, because
the stories are the slowest tests; `--stories` says on which.
"""

from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.reliability import Record
from tests.stories.azure_stage import AzureStage, azdo_stage
from tests.stories.github_stage import GitHubStage, github_stage
from tests.stories.stage import Stage
from tests.stories.story import Story

__all__ = ["AzureStage", "GitHubStage", "azdo_stage", "github_stage"]

FORGES = ("github", "azdo")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Choose the forges that a story is told on."""
    if "stage" not in metafunc.fixturenames:
        return
    marker = metafunc.definition.get_closest_marker("forges")
    forges = marker.args if marker else FORGES
    told = "all" if metafunc.config.getoption("--thorough") else metafunc.config.getoption("--stories")
    # The length of its name is what tells each story on the same forge every time, and half of them on each.
    first = forges[len(metafunc.function.__name__) % len(forges)]
    others = [forge for forge in forges if forge != first]
    nowhere = [pytest.param(first, marks=pytest.mark.skip(reason="no other forge can tell it"))]
    chosen = {"all": forges, "one": [first], "other": others or nowhere}[told]
    metafunc.parametrize("stage", chosen, indirect=True)


@pytest.fixture
def stage(request: pytest.FixtureRequest) -> Stage:
    """The forge of this name."""
    found: Stage = request.getfixturevalue(f"{request.param}_stage")
    return found


@pytest.fixture
def story(
    stage: Stage,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    record: Record,
) -> Story:
    """The webshop at 1.0.0 everywhere, one cluster an environment, and our check a required one."""
    told = Story(stage=stage, folder=tmp_path, patch=monkeypatch, capsys=capsys, record=record)
    clock = SimpleNamespace(sleep=told.sleep, monotonic=lambda: told.now)
    monkeypatch.setattr("gitops_promotion.workflow.run.time", clock)
    # What is done anew after a pause has another commit: their dates are in seconds, and the pause takes no time.
    dates = SimpleNamespace(now=lambda zone: datetime.now(zone) + timedelta(seconds=told.moments))
    monkeypatch.setattr("gitops_promotion.git.repository.datetime", dates)
    for number, environment in enumerate(("dev", "qa", "prod")):
        told.cluster(environment, f"0c9c2e4{number}")
    return told
