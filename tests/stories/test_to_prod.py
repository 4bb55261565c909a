"""From an image that was built to prod, in the workflows of the examples."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.stories.story import Story


def test_an_image_goes_through_all_environments_and_a_person_lets_it_into_prod(story: "Story") -> None:
    runs = story.build("1.4.2")
    assert [(run.verb, *run.results) for run in runs] == [
        ("new", "opened"),
        ("status", "passed"),  # the first environment waits for nothing: it merges by itself
        ("promote", "opened"),
        ("status", "passed"),  # waited until Flux called dev healthy
        ("promote", "opened"),
        ("status", "passed"),  # likewise qa, and prod waits for a person
    ]
    assert story.now > 0
    assert story.tags() == ("1.4.2", "1.4.2", "1.0.0")
    [prod] = [pull for pull in story.stage.pulls() if pull.state == "open"]
    assert not prod.armed
    assert story.wait(600) == []
    story.stage.merge(prod.number)
    [promoted] = story.play()
    assert (promoted.verb, promoted.results) == ("promote", [story.stage.nothing_follows])
    assert story.tags() == ("1.4.2", "1.4.2", "1.4.2")
    assert [run.results for run in story.heal()] == [["unchanged"]]
