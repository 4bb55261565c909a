"""A bad release at night: rolled back, kept out while everything goes on, and replaced in the morning."""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.stories.story import Story

CONFIG = """
environments:
  - {name: dev, auto: true}
  - {name: qa, auto: true}
  - {name: prod, auto: true}
"""
ROLLBACK = ("rollback", "--group", "webshop", "--app", "webui", "--env", "prod")


@pytest.fixture
def automatic(story: "Story") -> "Story":
    """Everything merges by itself, by the published verdict."""
    story.stage.push("main", {"gitops-promotion.yaml": CONFIG}, message="Let prod merge by itself")
    story.stage.require_verdict()
    story.way = "published"
    story.cluster("prod")
    story.lose()
    return story


def passes(story: "Story", minutes: int = 3) -> None:
    """Let time pass with the scheduled workflows that it brings."""
    for _ in range(minutes):
        story.wait(60)
        story.look()
        story.play()


def test_a_bad_release_is_rolled_back_and_stays_away_until_a_fixed_one_comes(automatic: "Story") -> None:
    story = automatic
    story.build("1.4.1")
    passes(story)
    assert story.tags() == ("1.4.1", "1.4.1", "1.4.1")
    prod = next(cluster for cluster in story.clusters if cluster.environment == "prod")
    prod.sick = {"1.4.2"}
    story.build("1.4.2")
    passes(story)
    assert story.tags() == ("1.4.2", "1.4.2", "1.4.2")

    rolled_back = story.run(story.stage.schedule(), *ROLLBACK)
    assert (rolled_back.only["result"], rolled_back.only["tag"]) == ("opened", "1.4.1")
    passes(story, 1)
    assert story.tags() == ("1.4.2", "1.4.2", "1.4.1")
    # All night: CI builds the bad tag again, and the healing runs.
    story.build("1.4.2")
    story.heal()
    passes(story, 1)
    assert story.tags() == ("1.4.2", "1.4.2", "1.4.1")
    assert "1.4.2" in story.stage.show("main", "gitops-promotion.holds.yaml")

    story.build("1.4.3")
    passes(story)
    assert story.tags() == ("1.4.3", "1.4.3", "1.4.3")
    assert "1.4.2" not in story.stage.show("main", "gitops-promotion.holds.yaml")
    assert {run.code for run in story.runs} <= {0}
