"""A channel hears of the way of a tag: each step once, whoever took it."""

import json
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from tests.notify.receivers import Web, web_server
from tests.support.repositories import NOW

if TYPE_CHECKING:
    from tests.stories.story import Story

CONFIG = """
environments:
  - {name: dev, auto: true}
  - {name: qa, auto: true}
  - name: prod
    auto: true
    approvals: {strategy: four-eyes, groups: [ops]}
approverGroups:
  ops: [bob, cat, dan]
notifications:
  - {name: team, type: webhook}
"""


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    with web_server() as server:
        # The forges live on this day.
        monkeypatch.setattr("gitops_promotion.workflow.run._now", lambda: NOW + timedelta(hours=2))
        monkeypatch.setenv("GITOPS_PROMOTION_NOTIFY_TEAM", f"{server.url}/very-secret-path")
        yield server


def told(web: Web) -> Counter[tuple[str, str]]:
    """Count the messages of each event in each environment."""
    bodies = [json.loads(call.body) for call in web.calls]
    return Counter((body["event"], body["environment"]) for body in bodies)


def test_each_step_of_a_tag_is_told_once_whoever_took_it(story: "Story", web: Web) -> None:
    story.stage.push("main", {"gitops-promotion.yaml": CONFIG}, message="Ask ops")
    story.stage.require_verdict()
    story.way = "published"
    story.lose()
    story.build("1.4.2")
    for _ in range(3):
        story.wait(60)
    [number] = story.open()
    story.heal()
    first = {(event, environment) for environment in ("dev", "qa") for event in ("proposed", "merged", "healthy")}
    assert told(web) == Counter(first | {("proposed", "prod"), ("waiting", "prod")})
    web.calls.clear()
    for login in ("bob", "cat"):
        story.stage.review(number, login, approve=True)
    story.play()
    assert story.tags() == ("1.4.2", "1.4.2", "1.4.2")
    story.wait(90)
    story.heal()
    assert told(web) == Counter({("approved", "prod"), ("merged", "prod"), ("healthy", "prod")})
    assert all("very-secret-path" not in run.printed for run in story.runs)
    assert [run.printed for run in story.runs if "channel" in run.printed] == []
