"""The forge's own ways: how it merges, what it shows late, loses, or demands."""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.stories.stage import Method
    from tests.stories.story import Story


@pytest.mark.parametrize("method", ["squash", "rebase"])
def test_b26_promotions_go_on_however_they_were_merged(story: "Story", method: "Method") -> None:
    assert method in story.stage.methods
    story.stage.merge_by(method)
    story.build("1.4.2", until="qa")
    [push] = [trigger for trigger in story.stage.triggers() if trigger.kind == "push" and trigger.branch == "main"]
    assert story.run(push, "promote").results == ["opened"]
    [prod] = story.open()
    story.stage.merge(prod)
    assert story.tags() == ("1.4.2", "1.4.2", "1.4.2")
    assert story.heal()[0].results == ["unchanged"]


def test_b27_a_merge_that_is_shown_late_is_waited_for(story: "Story") -> None:
    story.stage.be_late(3)
    story.build("1.4.2", until="qa")
    assert story.tags() == ("1.4.2", "1.4.2", "1.0.0")


def test_b28_of_several_merges_in_one_push_all_are_promoted(story: "Story") -> None:
    story.add("cart")
    for app in story.apps:
        story.stage.dispatch("webshop", app, "2.0.0")
    [*news] = [story.run(trigger, "new") for trigger in story.stage.triggers()]
    assert [run.results for run in news] == [["opened"]] * 2
    story.lose()
    story.stage.merge_together(story.open())
    [push] = story.stage.triggers()
    promoted = story.run(push, "promote")
    assert promoted.results == ["opened"] * 2
    story.play(until=dict.fromkeys(story.apps, "2.0.0"), environment="qa")
    for app in story.apps:
        assert story.tags(app) == ("2.0.0", "2.0.0", "1.0.0")


@pytest.mark.forges("github")
def test_b28_a_queue_merges_what_is_armed_in_its_own_time(story: "Story") -> None:
    story.add("cart")
    story.stage.queue(2)
    story.stage.dispatch("webshop", "webui", "2.0.0")
    story.stage.dispatch("webshop", "cart", "2.0.0")
    story.play(until=dict.fromkeys(story.apps, "2.0.0"), environment="qa")
    for app in story.apps:
        assert story.tags(app) == ("2.0.0", "2.0.0", "1.0.0")
    groups = [run for run in story.runs if run.trigger.kind == "merge_group"]
    assert len(groups) >= 4
    assert all(run.results == ["passed"] for run in groups)


def test_a_push_that_started_nothing_is_made_up_for(story: "Story") -> None:
    story.stage.dispatch("webshop", "webui", "1.4.2")
    [dispatch] = story.stage.triggers()
    story.run(dispatch, "new")
    [opened] = [trigger for trigger in story.stage.triggers() if trigger.kind == "pull_request"]
    story.run(opened, "status")
    assert story.tags() == ("1.4.2", "1.0.0", "1.0.0")
    assert story.lose()
    story.heal(until="qa")
    assert story.tags() == ("1.4.2", "1.4.2", "1.0.0")


@pytest.mark.forges("github")
def test_where_branches_must_be_up_to_date_the_healing_run_keeps_them_so(story: "Story") -> None:
    story.stage.require_check(up_to_date=True)
    story.clusters[0].silent = True
    story.later(20, lambda: story.stage.push("main", {"README.md": "# Other work\n"}))
    story.later(40, lambda: setattr(story.clusters[0], "silent", False))
    story.build("1.4.2")
    assert story.tags() == ("1.4.2", "1.0.0", "1.0.0")
    assert story.heal(until="qa")[0].results == ["updated"]
    assert story.tags() == ("1.4.2", "1.4.2", "1.0.0")
