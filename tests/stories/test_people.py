"""People merge, close, push and edit in the middle of it."""

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.stories.story import Story

BRANCH = "promote/webshop-webui"


def test_what_a_person_closes_stays_closed_until_there_is_something_new(story: "Story") -> None:
    story.clusters[0].silent = True
    story.later(20, lambda: story.stage.close(story.open()[0]))
    story.build("1.4.2")
    assert [run.results for run in story.heal()] == [["declined"]]
    assert story.open() == []
    story.clusters[0].silent = False
    story.build("1.4.3", until="qa")
    assert story.tags() == ("1.4.3", "1.4.3", "1.0.0")


def test_b11_a_push_into_a_promotion_ends_its_check_and_is_never_overwritten(story: "Story") -> None:
    story.clusters[0].silent = True
    mine: list[str] = []
    story.later(20, lambda: mine.append(story.stage.push(BRANCH, {"webshop/qa/extra.yaml": "a: 1\n"})))
    story.stage.dispatch("webshop", "webui", "1.4.2")
    story.play()
    waited = [run for run in story.runs if run.verb == "status" and run.trigger.sha != mine[0]][-1]
    assert waited.results == ["refused"]
    assert "superseded" in waited.printed
    [pull] = [pull for pull in story.stage.pulls() if pull.state == "open"]
    assert pull.sha == mine[0]
    stopped = story.build("1.4.3")[0]
    assert (stopped.verb, stopped.results, stopped.code) == ("new", ["failed"], 2)
    assert f"{mine[0][:7]} 'Change'" in stopped.printed
    [pull] = [pull for pull in story.stage.pulls() if pull.state == "open"]
    assert (pull.sha, pull.armed) == (mine[0], False)
    assert story.tags() == ("1.4.2", "1.0.0", "1.0.0")
    # The person has their way: what was merged with it goes on as any promotion.
    story.clusters[0].silent = False
    story.stage.merge(pull.number)
    assert story.play()[0].results == ["opened"]
    assert story.tags() == ("1.4.2", "1.4.2", "1.0.0")


def test_a_newer_image_overtakes_the_one_that_waits(story: "Story") -> None:
    story.clusters[0].sick = {"1.4.2"}
    story.later(40, lambda: story.stage.dispatch("webshop", "webui", "1.4.3"))
    story.stage.dispatch("webshop", "webui", "1.4.2")
    story.play(until={"webui": "1.4.3"}, environment="qa")
    assert story.tags() == ("1.4.3", "1.4.3", "1.0.0")
    assert [pull.state for pull in story.stage.pulls()] == ["merged", "merged", "merged"]


def test_what_people_change_by_hand_is_not_promoted_and_not_undone(story: "Story") -> None:
    for environment, tag in (("prod", "1.0.0-fix"), ("dev", "9.9.9")):
        path = f"webshop/{environment}/webui.yaml"
        text = story.stage.show("main", path).replace("1.0.0", tag)
        story.stage.push("main", {path: text}, message=f"Set {tag}")
    assert {result for run in story.play() for result in run.results} == {"skipped"}
    assert {result for run in story.heal() for result in run.results} == {"skipped"}
    assert story.tags() == ("9.9.9", "1.0.0", "1.0.0-fix")
    assert story.open() == []


def test_b6_a_rewritten_text_changes_nothing(story: "Story") -> None:
    story.clusters[0].silent = True
    said = {
        "group": "webshop",
        "app": "webui",
        "tag": "6.6.6",
        "env": "dev",
        "sha": "",
        "feature": "",
        "type": "promote",
    }
    lie = f"<!-- metadata = {json.dumps(said)} -->"
    story.later(20, lambda: story.stage.edit(story.open()[0], body=lie))
    story.later(30, lambda: setattr(story.clusters[0], "silent", False))
    story.build("1.4.2", until="qa")
    assert story.tags() == ("1.4.2", "1.4.2", "1.0.0")


def test_a_pull_request_of_a_person_passes_unless_it_slips_a_tag_past_the_gate(story: "Story") -> None:
    story.stage.push("docs", {"README.md": "# New\n"})
    plain = story.stage.open("docs")
    [run] = story.play()
    assert (run.trigger.number, run.results) == (plain, ["passed"])
    early = story.stage.show("main", "webshop/prod/webui.yaml").replace("1.0.0", "1.4.2")
    story.stage.push("feature/quick", {"webshop/prod/webui.yaml": early})
    sly = story.stage.open("feature/quick")
    [run] = story.play()
    assert (run.trigger.number, run.results, run.code) == (sly, ["refused"], 3)
    assert "has not been in qa" in run.printed
