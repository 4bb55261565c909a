"""A newer build takes over a promotion in the middle of the run that proposes it: the newer one merges by itself.

With --thorough it comes before each request to the API.
"""

from typing import TYPE_CHECKING, Any

import pytest

from gitops_promotion.providers.azure_devops import api as azure
from gitops_promotion.providers.github import api as github

if TYPE_CHECKING:
    from tests.stories.stage import Trigger
    from tests.stories.story import Story

FEW = (1, 2, 8)
"""Before the listing of pull requests, behind it, and before it is armed."""
MANY = 17


def dispatched(story: "Story", tag: str) -> "Trigger":
    story.stage.dispatch("webshop", "webui", tag)
    [trigger] = [each for each in story.stage.triggers() if each.kind == "dispatch"]
    return trigger


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Choose the requests before which the newer build comes."""
    metafunc.parametrize("number", range(1, MANY + 1) if metafunc.config.getoption("--thorough") else FEW)


def test_a_newer_build_that_takes_over_a_promotion_merges_by_itself(
    number: int, story: "Story", monkeypatch: pytest.MonkeyPatch
) -> None:
    story.stage.require_verdict()
    story.way = "published"
    for cluster in story.clusters:
        cluster.silent = True
    assert story.run(dispatched(story, "2.0.0"), "new").code == 0
    assert story.run(story.stage.schedule(), "status", "--publish").code == 0
    story.report(story.clusters[0])
    story.lose()
    newer, requests = dispatched(story, "3.0.0"), 0
    owner: Any = github.Api if story.stage.name == "GitHub" else azure.Api
    method = "_send" if story.stage.name == "GitHub" else "send"
    real = getattr(owner, method)

    def send(self: Any, *arguments: Any, **options: Any) -> Any:
        nonlocal requests
        requests += 1
        if requests == number:
            assert story.run(newer, "new").code == 0
        return real(self, *arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(owner, method, send)
        assert story.run(story.stage.schedule(), "promote", "--all").code == 0
    if requests < number:
        assert story.run(newer, "new").code == 0
    publishing = story.run(story.stage.schedule(), "status", "--publish").only
    assert story.tag("dev") == "3.0.0"
    assert publishing["pull_request"]["title"] == "Promote webshop/webui version 3.0.0 to environment dev"
