"""People decide: two of ops bring a tag into prod, and one of them can keep it out."""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.stories.github_stage import GitHubStage
    from tests.stories.stage import Pull, Run
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
"""


@pytest.fixture
def approved(story: "Story") -> "Story":
    """Two people of ops must agree before anything merges into prod."""
    story.stage.push("main", {"gitops-promotion.yaml": CONFIG}, message="Ask ops")
    story.stage.require_verdict()
    story.way = "published"
    story.lose()
    return story


def at_prods_door(story: "Story", tag: str) -> "Pull":
    """Let a tag come as far as it comes without people."""
    story.build(tag)
    for _ in range(3):
        story.wait(60)
    [pull] = [pull for pull in story.stage.pulls() if pull.state == "open"]
    return pull


def verdict(story: "Story", pull: "Pull") -> tuple[str, str]:
    return story.stage.verdicts(pull.sha)[0]


def test_two_people_of_ops_bring_it_into_prod(approved: "Story") -> None:
    pull = at_prods_door(approved, "1.4.2")
    assert approved.tags() == ("1.4.2", "1.4.2", "1.0.0")
    assert verdict(approved, pull)[0] == "pending"
    assert "0 of 2 of ops" in verdict(approved, pull)[1]
    approved.stage.review(pull.number, "bob", approve=True)
    approved.stage.review(pull.number, "eve", approve=True)
    approved.play()
    assert verdict(approved, pull)[0] == "pending"
    assert "1 of 2 of ops" in verdict(approved, pull)[1]
    approved.stage.review(pull.number, "cat", approve=True)
    approved.play()
    assert approved.tags() == ("1.4.2", "1.4.2", "1.4.2")
    assert all(run.code == 0 for run in approved.runs)
    [comment] = approved.stage.comments(pull.number)
    assert "bob" in comment
    assert "cat" in comment


def test_a_rejection_keeps_it_out_until_there_is_something_newer(approved: "Story") -> None:
    first = at_prods_door(approved, "1.4.2")
    approved.stage.review(first.number, "bob", approve=True)
    approved.stage.review(first.number, "cat", approve=False)
    approved.play()
    assert verdict(approved, first)[0] == "failure"
    for _ in range(2):
        assert set(approved.heal()[0].results) <= {"declined", "unchanged"}
    assert verdict(approved, first)[0] == "failure"
    assert approved.tags() == ("1.4.2", "1.4.2", "1.0.0")
    second = at_prods_door(approved, "1.4.3")
    assert verdict(approved, second)[0] == "pending"
    for login in ("dan", "cat"):
        approved.stage.review(second.number, login, approve=True)
    approved.play()
    assert approved.tags() == ("1.4.3", "1.4.3", "1.4.3")


def test_a_rejected_tag_that_is_built_again_stays_out_until_a_person_proposes_it(approved: "Story") -> None:
    first = at_prods_door(approved, "1.4.2")
    approved.stage.review(first.number, "cat", approve=False)
    approved.play()
    at_prods_door(approved, "1.4.3")
    approved.build("1.4.2")
    for _ in range(3):
        approved.wait(60)
    assert approved.tags() == ("1.4.2", "1.4.2", "1.0.0")
    assert approved.open() == []
    declined = approved.heal()[0].only
    assert (declined["result"], declined["environment"], declined["tag"]) == ("declined", "prod", "1.4.2")
    assert f"pull request #{first.number} for it was rejected by cat at " in declined["message"]
    forced = approved.run(approved.stage.schedule(), "promote", "--app", "webui", "--env", "prod").only
    assert (forced["result"], approved.open()) == ("opened", [forced["pull_request"]["number"]])
    approved.play()
    assert "0 of 2 of ops; bob, cat or dan" in approved.stage.verdicts(forced["pull_request"]["head_sha"])[0][1]


def test_whoever_pushes_after_the_approvals_takes_them_back(approved: "Story") -> None:
    pull = at_prods_door(approved, "1.4.2")
    approved.stage.review(pull.number, "bob", approve=True)
    approved.play()
    text = approved.stage.show("main", "webshop/prod/webui.yaml").replace("1.0.0", "6.6.6")
    approved.stage.push(pull.branch, {"webshop/prod/webui.yaml": text})
    approved.stage.review(pull.number, "cat", approve=True)
    approved.play()
    assert approved.tags()[2] == "1.0.0"
    [changed] = [each for each in approved.stage.pulls() if each.state == "open"]
    assert changed.sha != pull.sha
    assert verdict(approved, changed)[0] != "success"


def test_an_approval_stays_when_the_branch_is_made_anew_with_the_same_edits(approved: "Story") -> None:
    pull = at_prods_door(approved, "1.4.2")
    approved.stage.review(pull.number, "bob", approve=True)
    approved.play()
    # A change beside the tag conflicts with the promotion.
    text = approved.stage.show("main", "webshop/prod/webui.yaml")
    lines = [f"{line} # seen" if "image:" not in line else line for line in text.splitlines()]
    approved.stage.push("main", {"webshop/prod/webui.yaml": "\n".join(lines) + "\n"}, message="Comment it")
    approved.lose()
    approved.heal()
    [rebuilt] = [each for each in approved.stage.pulls() if each.state == "open"]
    assert (rebuilt.number, rebuilt.sha != pull.sha) == (pull.number, True)
    assert "1 of 2 of ops: bob" in verdict(approved, rebuilt)[1]
    approved.stage.review(pull.number, "cat", approve=True)
    approved.play()
    assert approved.tags() == ("1.4.2", "1.4.2", "1.4.2")
    assert approved.stage.show("main", "webshop/prod/webui.yaml").count("# seen") == len(lines) - 1


def test_a_change_that_a_person_proposes_waits_for_ops_too(approved: "Story") -> None:
    at_prods_door(approved, "1.4.2")
    text = approved.stage.show("main", "webshop/qa/webui.yaml")
    sha = approved.stage.push("mine", {"webshop/prod/webui.yaml": text})
    number = approved.stage.open("mine")
    approved.play()
    assert approved.stage.verdicts(sha)[0][0] == "pending"
    for login in ("bob", "cat"):
        approved.stage.review(number, login, approve=True)
    # The events of the approvals are lost.
    approved.lose()
    approved.look()
    assert approved.stage.verdicts(sha)[0][0] == "success"


@pytest.mark.forges("github")
def test_whoever_started_it_is_not_one_of_the_two(approved: "Story") -> None:
    # The pull request is the App's own, so that GitHub lets its starter review it.
    config = CONFIG.replace("dan", "promoter")
    approved.stage.push("main", {"gitops-promotion.yaml": config}, message="Change ops")
    approved.lose()
    pull = at_prods_door(approved, "1.4.2")
    for login in ("promoter", "bob"):
        approved.stage.review(pull.number, login, approve=True)
    approved.play()
    assert verdict(approved, pull)[0] == "pending"
    assert "1 of 2 of ops" in verdict(approved, pull)[1]
    approved.stage.review(pull.number, "cat", approve=True)
    approved.play()
    assert approved.tags()[2] == "1.4.2"


@pytest.mark.forges("github")
def test_a_team_that_cannot_be_read_lets_it_wait_and_names_the_permission(
    approved: "Story", github_stage: "GitHubStage"
) -> None:
    github_stage.server.team("acme/ops", "bob", "cat")
    config = CONFIG.replace("[ops]", "[acme/ops]").partition("approverGroups")[0]
    approved.stage.push("main", {"gitops-promotion.yaml": config}, message="Ask the team")
    approved.lose()
    permissions = {"contents": "write", "pull_requests": "write", "statuses": "write", "checks": "read"}
    readable = github_stage.token
    github_stage.token = github_stage.server.give_token("promoter[bot]", kind="installation", permissions=permissions)
    pull = at_prods_door(approved, "1.4.2")
    for login in ("bob", "cat"):
        approved.stage.review(pull.number, login, approve=True)
    approved.play()
    assert verdict(approved, pull)[0] == "pending"
    [comment] = approved.stage.comments(pull.number)
    assert "Members: read" in comment
    github_stage.token = readable
    approved.look()
    assert approved.tags()[2] == "1.4.2"


def test_added_to_a_repository_whose_required_check_is_the_waiting_job_nothing_merges(story: "Story") -> None:
    story.stage.require_check()
    story.build("1.4.2", until="qa")
    story.stage.push("main", {"gitops-promotion.yaml": CONFIG}, message="Ask ops")
    for _ in range(3):
        story.wait(60)
        story.heal()
    [pull] = [pull for pull in story.stage.pulls() if pull.state == "open"]
    for login in ("bob", "cat"):
        story.stage.review(pull.number, login, approve=True)
    story.wait(60)
    assert story.tags() == ("1.4.2", "1.4.2", "1.0.0")
    runs = [run for run in story.runs if run.verb == "status" and run.trigger.sha == pull.sha]
    assert runs
    assert all(run.code in (3, 4) for run in runs)
    assert "require the status gitops-promotion" in runs[-1].printed


def test_people_decide_with_the_verbs_and_a_pipeline_waits_for_them(approved: "Story") -> None:
    pull = at_prods_door(approved, "1.4.2")
    prod = ("--app", "webui", "--env", "prod")
    wait = ("wait", "--group", "webshop", *prod, "--timeout", "0s")

    def by(name: str, *words: str) -> "Run":
        token = approved.stage.token if name == "the job" else approved.stage.token_of(name)
        return approved.run(approved.stage.schedule(), *words, "--token", token)

    assert by("bob", *wait).only["result"] == "timed-out"
    refused = by("eve", "approve", *prod)
    assert (refused.code, "not one of ops" in refused.only["message"]) == (3, True)
    assert by("the job", "approve", *prod).code == 3
    assert by("bob", "approve", *prod, "--comment", "looks good").only["result"] == "updated"
    assert by("bob", "approve", "--pr", str(pull.number), "--comment", "looks good").only["result"] == "unchanged"
    declined = by("cat", "decline", *prod, "--comment", "breaks the checkout")
    assert declined.only["result"] == "updated"
    assert by("bob", *wait).code == 3
    by("cat", "approve", *prod)
    approved.look()
    approved.play()
    assert approved.tags() == ("1.4.2", "1.4.2", "1.4.2")
    assert by("bob", *wait).only["result"] == "passed"
