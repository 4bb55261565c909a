"""A build takes the place of a rejected promotion, and is killed or overtaken: the rejection stays in force.

With --thorough that happens before each request to the API.
"""

from typing import TYPE_CHECKING

import pytest

from tests.stories.api_requests import before_request

if TYPE_CHECKING:
    from tests.stories.story import Story

CONFIG = """
environments:
  - {name: dev, auto: true}
  - {name: qa, auto: true, approvals: {approvers: [cat]}}
"""
MOST = 16
"""No run of `new` sends more requests here."""
BETWEEN = {"GitHub": 4, "Azure DevOps": 9}
"""The request after the push, which gives the pull request its new texts."""


class KilledError(BaseException):
    """The end of a run that nothing in it catches."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Choose how the run is disturbed, and before which request; 0 is the one after the push."""
    thorough = metafunc.config.getoption("--thorough")
    every = [(end, number) for end in ("killed", "overtaken") for number in range(1, MOST + 1)]
    places = every if thorough else [("killed", 0)]
    metafunc.parametrize(("end", "number"), places)


@pytest.fixture
def rejected(story: "Story") -> "Story":
    """The promotion of 2.0.0 into qa is open, and cat has rejected it."""
    story.stage.push("main", {"gitops-promotion.yaml": CONFIG}, message="Ask cat")
    story.publish_verdicts()
    assert story.run(story.dispatched("2.0.0"), "new").code == 0
    for words in (("status", "--publish"), ("promote", "--all")):
        assert story.run(story.stage.schedule(), *words).code == 0
    [number] = story.open()
    story.stage.review(number, "cat", approve=False)
    story.lose()
    return story


def test_the_rejection_stays_in_force(
    end: str, number: int, rejected: "Story", monkeypatch: pytest.MonkeyPatch
) -> None:
    story = rejected
    place = number or BETWEEN[story.stage.name]
    newer, newest = story.dispatched("3.0.0"), story.dispatched("4.0.0")

    def disturb() -> None:
        if end == "killed":
            raise KilledError
        assert story.run(newest, "new").code == 0

    with monkeypatch.context() as patch:
        requests = before_request(patch, story.stage, place, disturb)
        try:
            assert story.run(newer, "new").code == 0
        except KilledError:
            assert end == "killed"
    assert story.run(newest, "new").code == 0
    words = ("wait", "--group", "webshop", "--app", "webui", "--env", "qa", "--tag", "2.0.0", "--timeout", "0s")
    waited = story.run(story.stage.schedule(), *words)
    assert (waited.code, "was rejected by cat" in waited.only["message"]) == (3, True), waited.printed
    assert number or len(requests) == place, "it was not killed there"
