"""A newer build takes over a promotion in the middle of a run that is at work on it: the newer one merges by itself.

With --thorough it comes before each request to the API.
"""

from typing import TYPE_CHECKING, Any

import pytest

from gitops_promotion.providers.azure_devops import api as azure
from gitops_promotion.providers.github import api as github

if TYPE_CHECKING:
    from tests.stories.stage import Trigger
    from tests.stories.story import Story

ALL = ("promote", "--all")
PUBLISH = ("status", "--publish")
FEW = {ALL: (1, 2, 8), PUBLISH: (3,)}
"""Before the listing of pull requests, behind it, before one is armed; and before one is disarmed."""
MANY = {ALL: 17, PUBLISH: 9}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Choose the verbs and the requests before which the newer build comes."""
    thorough = metafunc.config.getoption("--thorough")
    places = [(verb, n) for verb in FEW for n in (range(1, MANY[verb] + 1) if thorough else FEW[verb])]
    metafunc.parametrize(("verb", "number"), places, ids=[f"{' '.join(verb)}-{number}" for verb, number in places])


def dispatched(story: "Story", tag: str) -> "Trigger":
    story.stage.dispatch("webshop", "webui", tag)
    [trigger] = [each for each in story.stage.triggers() if each.kind == "dispatch"]
    return trigger


def scheduled(story: "Story", *words: str) -> dict[str, Any]:
    run = story.run(story.stage.schedule(), *words)
    assert run.code == 0
    return run.outcomes[0]


def propose(story: "Story", into: str) -> None:
    """Bring a tag into the environments before prod, or into dev alone; `promote` has nothing to do, or has done it."""
    assert story.run(dispatched(story, "2.0.0"), "new").code == 0
    scheduled(story, *PUBLISH)
    story.report(story.clusters[0])
    if into == "prod":
        for words in (ALL, PUBLISH, ALL):
            scheduled(story, *words)
        story.report(story.clusters[1])
    story.lose()


def test_a_newer_build_that_takes_over_a_promotion_merges_by_itself(
    verb: tuple[str, ...], number: int, story: "Story", monkeypatch: pytest.MonkeyPatch
) -> None:
    story.stage.require_verdict()
    story.way = "published"
    for cluster in story.clusters:
        cluster.silent = True
    # A promotion into prod waits for a person, and a run that publishes its verdict disarms it.
    propose(story, into="qa" if verb == ALL else "prod")
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
        scheduled(story, *verb)
    if requests < number:
        assert story.run(newer, "new").code == 0
    published = scheduled(story, *PUBLISH)
    assert story.tag("dev") == "3.0.0"
    assert published["pull_request"]["title"] == "Promote webshop/webui version 3.0.0 to environment dev"
