"""A newer build takes over a promotion in the middle of a run that is at work on it: the newer one merges by itself.

With --thorough it comes before each request to the API.
"""

from typing import TYPE_CHECKING, Any

import pytest

from tests.stories.api_requests import before_request

if TYPE_CHECKING:
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


def scheduled(story: "Story", *words: str) -> dict[str, Any]:
    run = story.run(story.stage.schedule(), *words)
    assert run.code == 0
    return run.outcomes[0]


def propose(story: "Story", into: str) -> None:
    """Bring a tag into the environments before prod, or into dev alone; `promote` has nothing to do, or has done it."""
    assert story.run(story.dispatched("2.0.0"), "new").code == 0
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
    story.publish_verdicts()
    # A promotion into prod waits for a person, and a run that publishes its verdict disarms it.
    propose(story, into="qa" if verb == ALL else "prod")
    newer = story.dispatched("3.0.0")

    def build() -> None:
        assert story.run(newer, "new").code == 0

    with monkeypatch.context() as patch:
        requests = before_request(patch, story.stage, number, build)
        scheduled(story, *verb)
    if len(requests) < number:
        build()
    published = scheduled(story, *PUBLISH)
    assert story.tag("dev") == "3.0.0"
    assert published["pull_request"]["title"] == "Promote webshop/webui version 3.0.0 to environment dev"
