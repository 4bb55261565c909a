"""The published way: no run waits; each event looks once at all that is open, and a required verdict holds it."""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.stories.story import Story


@pytest.fixture
def published(story: "Story") -> "Story":
    story.stage.require_verdict()
    story.way = "published"
    return story


def test_an_image_goes_to_prods_door_by_verdicts_alone(published: "Story") -> None:
    runs = published.build("1.4.2")
    assert [(run.verb, *run.results) for run in runs][:2] == [("new", "opened"), ("status --publish", "updated")]
    published.wait(60)
    published.wait(60)
    published.wait(60)
    assert published.tags() == ("1.4.2", "1.4.2", "1.0.0")
    [prod] = [pull for pull in published.stage.pulls() if pull.state == "open"]
    assert not prod.armed
    assert published.stage.verdicts(prod.sha)[0][0] == "success"
    assert published.look().results == ["unchanged"]
    assert all(len(said) <= 140 for pull in published.stage.pulls() for _, said in published.stage.verdicts(pull.sha))
