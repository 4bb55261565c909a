"""The published way: no run waits; each event looks once at all that is open, and a required verdict holds it."""

from typing import TYPE_CHECKING

import pytest

from gitops_promotion.core.forge import OWN_CONTEXT

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
    for _ in range(3):
        published.wait(60)
    assert published.tags() == ("1.4.2", "1.4.2", "1.0.0")
    [prod] = [pull for pull in published.stage.pulls() if pull.state == "open"]
    assert not prod.armed
    assert published.stage.verdicts(prod.sha)[0][0] == "success"
    # Only what changed is said, and never more than a forge takes.
    before = published.stage.verdicts(prod.sha)
    assert published.look().results == ["unchanged"]
    assert published.stage.verdicts(prod.sha) == before
    assert len(before) <= 2
    assert all(len(said) <= 140 for pull in published.stage.pulls() for _, said in published.stage.verdicts(pull.sha))


def test_a_failure_turns_green_by_itself_when_flux_recovers(published: "Story") -> None:
    published.clusters[0].sick = {"1.4.2"}
    published.build("1.4.2")
    published.wait(60)
    [qa] = [pull for pull in published.stage.pulls() if pull.state == "open"]
    assert (qa.armed, published.stage.verdicts(qa.sha)[0][0]) == (True, "pending")
    assert "health check failed" in published.stage.verdicts(qa.sha)[0][1]
    published.clusters[0].sick.clear()
    published.wait(60)
    published.wait(60)
    assert published.tags()[:2] == ("1.4.2", "1.4.2")
    assert published.stage.verdicts(qa.sha)[0][0] == "success"


def test_our_own_status_starts_nothing_even_where_the_workflow_does_not_leave_it_out(published: "Story") -> None:
    published.stage.dispatch("webshop", "webui", "1.4.2")
    published.play()
    [qa] = [pull for pull in published.stage.pulls() if pull.state == "open"]
    published.lose()
    published.stage.post(qa.sha, OWN_CONTEXT, passed=False)
    mine = [trigger for trigger in published.stage.triggers() if trigger.context == OWN_CONTEXT]
    if mine:  # where a status is an event at all
        run = published.run(mine[0], "status", "--publish")
        assert (run.results, run.requests) == (["skipped"], ())
    # What somebody else said under our name is put right at the next look.
    assert published.look().results == ["updated"]
    assert published.stage.verdicts(qa.sha)[0][0] == "pending"


def test_a_pull_request_of_a_person_gets_the_verdict_that_it_is_required_to_have(published: "Story") -> None:
    sha = published.stage.push("docs", {"README.md": "# New\n"})
    published.stage.open("docs")
    published.play()
    assert [state for state, _ in published.stage.verdicts(sha)] == ["success"]


@pytest.mark.forges("github")
def test_merge_groups_have_verdicts_of_their_own(published: "Story") -> None:
    published.stage.queue(1)
    published.build("1.4.2")
    published.wait(60)
    published.wait(60)
    assert published.tags()[:2] == ("1.4.2", "1.4.2")
    groups = [run for run in published.runs if run.trigger.kind == "merge_group"]
    assert groups
    assert all(published.stage.verdicts(run.trigger.sha)[0][0] == "success" for run in groups)


def test_a_hold_counts_in_the_run_that_lets_it_merge(published: "Story") -> None:
    published.clusters[0].silent = True
    published.build("1.4.2")
    published.run(published.stage.schedule(), "hold", "--group", "webshop", "--app", "webui", "--env", "qa")
    published.report(published.clusters[0])
    published.look()
    assert "webui" in published.stage.show("main", "gitops-promotion.holds.yaml")
    assert published.tags() == ("1.4.2", "1.0.0", "1.0.0")
