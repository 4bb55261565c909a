"""The stages that the stories are told on.

A further forge adds its own fixture `<name>_stage` and its name to FORGES.
"""

from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.stories.azure_stage import AzureStage, azdo_stage
from tests.stories.github_stage import GitHubStage, github_stage
from tests.stories.stage import Stage
from tests.stories.story import Story

__all__ = ["AzureStage", "GitHubStage", "azdo_stage", "github_stage"]

FORGES = ("github", "azdo")


@pytest.fixture(params=FORGES)
def stage(request: pytest.FixtureRequest) -> Stage:
    """Each forge in turn."""
    found: Stage = request.getfixturevalue(f"{request.param}_stage")
    return found


@pytest.fixture
def story(stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Story:
    """The webshop at 1.0.0 everywhere, one cluster an environment, and our check a required one."""
    told = Story(stage=stage, folder=tmp_path, patch=monkeypatch, capsys=capsys)
    clock = SimpleNamespace(sleep=told.sleep, monotonic=lambda: told.now)
    monkeypatch.setattr("gitops_promotion.workflow.session.time", clock)
    for number, environment in enumerate(("dev", "qa", "prod")):
        told.cluster(environment, f"0c9c2e4{number}")
    return told
