"""Approvals on an Azure DevOps of our own, by the verbs: groups, votes, and what merges."""

from typing import TYPE_CHECKING

import pytest

from tests.providers.test_azure_verbs import Job, job

if TYPE_CHECKING:
    from tests.forges.azure_people import HostedRepo

__all__ = ["job"]

OPS = r"[Web Shop]\ops"
APPROVALS = f"approvals: {{strategy: four-eyes, groups: ['{OPS}']}}"


@pytest.fixture
def guarded(job: Job) -> Job:
    """A job whose verdict is required on main, and whose promotions into qa need two people of a group."""
    config = job.forge.show("main", "gitops-promotion.yaml")
    job.forge.push(
        "main",
        {"gitops-promotion.yaml": config.replace("{name: qa, auto: true}", f"{{name: qa, auto: true, {APPROVALS}}}")},
    )
    job.forge.require_gate()
    job.forge.hosted.make_group(OPS, "bob", "eve")
    return job


def test_two_people_of_a_group_that_the_tool_made_a_reviewer_let_a_promotion_merge(guarded: Job) -> None:
    hosted: HostedRepo = guarded.forge.hosted
    number = guarded.into_qa()
    assert hosted.pull(number).groups == {OPS: 0}
    guarded.flux("dev")
    for voter in ("mallory", "bob"):
        hosted.vote(number, voter, 10)
        guarded.run("status", "--publish")
        assert guarded.tag("qa") == "1.0.0"
    hosted.vote(number, "eve", 5)
    guarded.run("status", "--publish")
    assert guarded.tag("qa") == "1.4.2"


def test_a_pull_request_of_a_person_gets_the_group_at_the_first_look(guarded: Job) -> None:
    hosted: HostedRepo = guarded.forge.hosted
    guarded.new("1.4.2")
    guarded.pass_checks()
    text = guarded.forge.show("main", "webshop/qa/webui.yaml").replace("1.0.0", "1.4.2")
    guarded.forge.push("by-hand", {"webshop/qa/webui.yaml": text})
    number = hosted.open_pull_request("by-hand")
    guarded.run("status", "--publish", "--pr", str(number), code=None)
    assert hosted.pull(number).groups == {OPS: 0}
    guarded.forge.calls()
    guarded.run("status", "--publish", "--pr", str(number), code=None)
    assert not any(call.startswith("PUT ") for call in guarded.forge.calls())


def test_a_token_that_may_not_read_people_warns_that_votes_do_not_count(
    guarded: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    blind = guarded.forge.server.give_token("build", kind="jwt", lacks=frozenset({"Identity"}))
    guarded.new("1.4.2")
    guarded.pass_checks()
    monkeypatch.setenv("SYSTEM_ACCESSTOKEN", blind)
    [outcome] = guarded.run("promote", "--all")
    [warning] = outcome["warnings"]
    assert "the scope Identity (Read); until then no vote counts for it" in warning


def test_a_dry_run_asks_nobody(guarded: Job) -> None:
    guarded.new("1.4.2")
    guarded.pass_checks()
    [outcome] = guarded.run("promote", "--all", "--dry-run")
    assert outcome["result"] == "planned"
    assert not any(call.startswith("PUT ") for call in guarded.forge.calls())


def test_members_approve_and_decline_by_the_verbs_where_the_directory_does_not_list_them(guarded: Job) -> None:
    hosted: HostedRepo = guarded.forge.hosted
    hosted.make_group(OPS, "bob", "eve", r"[Web Shop]\leads")
    number = str(guarded.into_qa())
    guarded.flux("dev")
    tokens = {name: guarded.forge.server.give_token(name) for name in ("bob", "eve")}
    guarded.run("decline", "--pr", number, "--comment", "Not today.", "--token", tokens["bob"])
    [outcome] = guarded.run("status", "--publish")
    assert "bob rejected it" in outcome["message"]
    assert "Not today." in outcome["message"]
    for name, token in tokens.items():
        [outcome] = guarded.run("approve", "--pr", number, "--comment", f"Fine, says {name}.", "--token", token)
        assert outcome["result"] == "updated", outcome
    guarded.run("status", "--publish")
    assert guarded.tag("qa") == "1.4.2"


def test_a_build_identity_gives_no_opinion(guarded: Job) -> None:
    number = str(guarded.into_qa())
    token = guarded.forge.server.give_token("Build\\0c9c", kind="jwt")
    [outcome] = guarded.run("approve", "--pr", number, "--token", token, code=3)
    assert "it is a bot" in outcome["message"]
    assert guarded.forge.hosted.pull(int(number)).votes == {}


def test_the_job_of_a_pull_request_is_green_only_where_the_published_status_is_required(guarded: Job) -> None:
    hosted: HostedRepo = guarded.forge.hosted
    number = str(guarded.into_qa())
    [outcome] = guarded.run("status", "--pr", number)
    assert outcome["result"] == "updated"
    hosted.drop_policies()
    hosted.require_build(7)
    [outcome] = guarded.run("status", "--pr", number, code=4)
    assert "require the status gitops-promotion" in outcome["message"]
    assert guarded.tag("qa") == "1.0.0"


def test_two_looks_leave_one_comment_that_tells_who_can_act(guarded: Job) -> None:
    hosted: HostedRepo = guarded.forge.hosted
    number = guarded.into_qa()
    for _ in range(2):
        guarded.run("status", "--publish")
    texts = [
        comment.text for thread in hosted.pull(number).threads for comment in thread.comments if comment.kind == "text"
    ]
    [text] = texts
    assert "bob" in text
    assert "eve" in text


def test_a_pipeline_waits_until_people_have_decided(guarded: Job) -> None:
    hosted: HostedRepo = guarded.forge.hosted
    number = guarded.into_qa()
    guarded.flux("dev")
    words = ("wait", "--group", "webshop", "--app", "webui", "--env", "qa", "--timeout", "0s")
    [outcome] = guarded.run(*words, code=4)
    assert outcome["result"] == "timed-out"
    hosted.vote(number, "bob", -10)
    [outcome] = guarded.run(*words, code=3)
    assert outcome["result"] == "refused"
    for voter in ("bob", "eve"):
        hosted.vote(number, voter, 10)
    guarded.run("status", "--publish")
    [outcome] = guarded.run(*words)
    assert outcome["result"] == "passed"
