"""The verbs of people: approve, decline, approvals and wait, on plain git."""

import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import pytest

from gitops_promotion import cli
from gitops_promotion.core.commits import RefUpdate
from gitops_promotion.errors import GitError
from gitops_promotion.git import Repository
from tests.support.meanwhile import before

if TYPE_CHECKING:
    from tests.commands.conftest import Shop

CONFIG = """\
environments:
  - {name: dev, auto: true}
  - name: prod
    auto: true
    approvals: {quorum: 2, groups: [ops]}
approverGroups:
  ops: [bob, eva, cid]
"""
PROD = ("--app", "webui", "--env", "prod")


@pytest.fixture
def proposed(shop: "Shop") -> "Shop":
    """A tag is healthy in dev, and its promotion into prod is open: pull request 2."""
    shop.edit({"gitops-promotion.yaml": CONFIG, "webshop/qa/webui.yaml": None})

    def propose() -> None:
        shop.new("1.4.2")
        shop.flux("dev")
        assert [o["result"] for o in shop.run("promote").outcomes] == ["opened"]

    shop.reuse(propose, "proposed")
    return shop


def listed(shop: "Shop", *more: str) -> list[dict[str, Any]]:
    shop.capsys.readouterr()
    cli.main(["approvals", *more, "--sourcedir", str(shop.checkout.path), "--output", "json"])
    approvals: list[dict[str, Any]] = json.loads(shop.capsys.readouterr().out)["approvals"]
    return approvals


def newest_event(shop: "Shop") -> tuple[dict[str, Any], list[str]]:
    """Return the newest event of the history, and what the history leaves out."""
    document = shop.document("history", "--app", "webui")
    return document["events"][0], document["left_out"]


def test_people_approve_with_their_own_names_and_the_list_counts_them(proposed: "Shop") -> None:
    [pending] = listed(proposed)
    assert (pending["state"], pending["seats"], pending["pull_request"]) == ("pending", "0 of 2", 2)
    approved = proposed.run("approve", *PROD, "--as", "bob", "--comment", "checked in dev").only
    assert (approved["result"], approved["message"].partition(";")[0]) == ("updated", "bob approved #2")
    again = proposed.run("approve", "--pr", "2", "--as", "bob", "--comment", "checked in dev").only
    assert again["result"] == "unchanged"
    [pending] = listed(proposed)
    assert (pending["state"], pending["seats"]) == ("pending", "1 of 2")
    [opinion] = pending["opinions"]
    assert (opinion["author"], opinion["verdict"], opinion["comment"], opinion["counts"]) == (
        "bob",
        "approved",
        "checked in dev",
        True,
    )
    assert [row["app"] for row in listed(proposed, "--mine", "EVA")] == ["webui"]
    assert listed(proposed, "--mine", "bob") == []
    proposed.capsys.readouterr()
    cli.main(["approvals", "--mine", "bob", "--sourcedir", str(proposed.checkout.path)])
    assert proposed.capsys.readouterr().out == "no promotion waits for bob\n"
    proposed.run("approve", *PROD, "--as", "eva")
    assert [row["state"] for row in listed(proposed)] == ["approved"]
    assert proposed.run("status", "--publish").results == ["merged"]
    assert listed(proposed) == []
    [merged] = listed(proposed, "--all", "--env", "prod", "--history")
    assert (merged["state"], [event["event"] for event in merged["history"]][-1]) == ("merged", "merged")


@pytest.mark.parametrize(
    ("name", "why"),
    [("zoe", "not one of ops"), ("robot[bot]", "it is a bot"), ("Dev", "this is who opened the pull request")],
)
def test_an_opinion_that_cannot_count_is_refused_and_not_posted(proposed: "Shop", name: str, why: str) -> None:
    refused = proposed.run("approve", *PROD, "--as", name, code=3).only
    assert (refused["result"], why in refused["message"]) == ("refused", True)
    assert listed(proposed)[0]["opinions"] == []


@pytest.mark.parametrize(
    ("args", "text"),
    [
        (("--app", "webui"), "give --app and --env, or the number of a pull request with --pr"),
        ((), "give --app and --env, or the number of a pull request with --pr"),
        (("--app", "webui", "--env", "dev"), "has no open promotion"),
        (("--app", "nothing", "--env", "prod"), "no application 'nothing' has a marker: use one of webshop/webui"),
        (("--pr", "1"), "pull request #1 is merged"),
        ((*PROD, "--comment", "a\nb"), "one printable line"),
    ],
)
def test_what_takes_no_opinion_is_a_usage_error(proposed: "Shop", args: tuple[str, ...], text: str) -> None:
    for verb in ("approve", "decline"):
        assert text in proposed.run(verb, *args, code=2).stderr


def test_a_rejection_in_the_middle_of_a_run_that_loses_a_race_keeps_its_head(
    proposed: "Shop", monkeypatch: pytest.MonkeyPatch, manifest: Callable[..., str]
) -> None:
    def conflict(comment: str) -> None:
        text = manifest("webui", "1.0.0").replace("spec:", f"spec: # {comment}")
        proposed.edit({"webshop/prod/webui.yaml": text})

    def reject() -> None:
        proposed.run("decline", *PROD, "--as", "cid", "--comment", "breaks the checkout")
        conflict("twice")

    conflict("once")
    before(monkeypatch, Repository, "push", reject)
    declined = proposed.run("promote", "--all").only
    assert declined["result"] == "declined"
    assert declined["pull_request"]["head_sha"] == proposed.remote.sha("promote/webshop-webui")


def test_what_takes_the_place_of_a_promotion_names_its_rejection(proposed: "Shop") -> None:
    proposed.run("decline", *PROD, "--as", "cid")
    message = proposed.new("1.5.0").only["message"]
    assert "; it takes the place of 1.4.2 into prod, which was open; cid rejected 1.4.2 into prod at 2" in message
    assert message.endswith(" UTC, and it is not proposed again")


def test_a_rejected_tag_that_comes_back_is_declined_until_a_person_proposes_it(proposed: "Shop") -> None:
    proposed.run("decline", *PROD, "--as", "cid")
    proposed.new("1.5.0")
    proposed.new("1.4.2")
    for words in (("promote",), ("promote", "--all")):
        declined = proposed.run(*words).only
        assert (declined["result"], declined["pull_request"]["number"]) == ("declined", 2)
        assert "pull request #2 for it was rejected by cid at 2" in declined["message"]
        assert "promote --group webshop --app webui --env prod" in declined["message"]
    assert "rejected by cid" in wait(proposed, code=3)["message"]
    assert "rejected by cid" in proposed.document("why", "--group", "webshop", *PROD)["text"]
    [line] = proposed.document("board")["applications"]
    [cell] = [cell for cell in line["environments"] if cell["environment"] == "prod"]
    assert "rejected by cid" in cell["declined"][0]
    forced = proposed.run("promote", *PROD).only
    assert (forced["result"], forced["pull_request"]["number"]) == ("opened", 4)
    assert proposed.run("promote", "--all").only["result"] == "unchanged"


def test_where_the_rejected_promotion_was_not_replaced_after_all_a_change_of_mind_counts(
    proposed: "Shop", monkeypatch: pytest.MonkeyPatch
) -> None:
    proposed.run("decline", *PROD, "--as", "cid")

    real = Repository.push

    def push(self: Repository, updates: Sequence[RefUpdate], **options: Any) -> None:
        if any(update.ref.startswith("refs/heads/") for update in updates):
            raise GitError("no connection")
        real(self, updates, **options)

    with monkeypatch.context() as patch:
        patch.setattr(Repository, "push", push)
        assert proposed.new("1.5.0", code=None).results == ["failed"]
    assert '"rejected": [' in proposed.local("show", "2")
    proposed.run("approve", *PROD, "--as", "cid")
    assert proposed.run("promote").only["result"] != "declined"


def test_a_newer_tag_for_the_same_environment_keeps_the_rejection_of_the_older_one(shop: "Shop") -> None:
    shop.edit({"gitops-promotion.yaml": "environments: [{name: dev, auto: true, approvals: {approvers: [bob]}}]\n"})
    number = shop.new("1.4.2").only["pull_request"]["number"]
    shop.local("review", str(number), "changes-requested", "--as", "bob")
    newer = shop.new("1.4.3").only
    assert (newer["result"], newer["pull_request"]["number"]) == ("updated", number)
    assert "; bob rejected 1.4.2 into dev at 2" in newer["message"]
    assert "Rejected before, and not proposed again by itself: `1.4.2` into `dev`." in shop.local("show", str(number))
    assert shop.new("1.4.3").only["result"] == "unchanged"
    declined = shop.new("1.4.2").only
    assert (declined["result"], "was rejected by bob" in declined["message"]) == ("declined", True)
    assert shop.new("1.4.2", "--again").only["result"] == "updated"
    assert "Rejected before" not in shop.local("show", str(number))
    assert shop.new("1.4.2").only["result"] == "unchanged"


def test_without_approvals_a_kept_rejection_stops_nothing(proposed: "Shop") -> None:
    proposed.run("decline", *PROD, "--as", "cid")
    proposed.new("1.5.0")
    proposed.new("1.4.2")
    proposed.edit({"gitops-promotion.yaml": "environments: [{name: dev, auto: true}, {name: prod, auto: true}]\n"})
    assert proposed.run("promote", "--all").only["result"] == "opened"


@pytest.mark.parametrize("closing", ["a bot", "the branch"])
def test_a_closing_that_is_no_decline_leaves_the_rejection_in_force(proposed: "Shop", closing: str) -> None:
    proposed.run("decline", *PROD, "--as", "cid")
    if closing == "a bot":
        proposed.local("close", "2", "--as", "stale[bot]")
    else:
        proposed.remote.git("update-ref", "-d", "refs/heads/promote/webshop-webui")
    declined = proposed.run("promote", "--all").only
    assert (declined["result"], "was rejected by cid" in declined["message"]) == ("declined", True)
    assert proposed.run("promote", *PROD).only["result"] == "opened"


def test_an_approval_of_what_was_replaced_is_none_of_the_tag_that_was_merged(proposed: "Shop") -> None:
    proposed.run("approve", *PROD, "--as", "bob")
    assert proposed.new("1.5.0").results == ["merged"]
    newest, left_out = newest_event(proposed)
    assert (newest["tag"], newest["environment"], newest["pull_request"]) == ("1.5.0", "dev", 2)
    assert (newest["approved_by"], left_out) == ([], [])


def test_an_approval_from_before_a_rebuild_with_the_same_edits_is_in_the_history(
    proposed: "Shop", manifest: Callable[..., str]
) -> None:
    proposed.run("approve", *PROD, "--as", "bob")
    reviewed = proposed.remote.sha("promote/webshop-webui")
    proposed.edit({"webshop/prod/webui.yaml": manifest("webui", "1.0.0").replace("spec:", "spec: # conflicts")})
    proposed.run("promote", "--all")
    assert proposed.remote.sha("promote/webshop-webui") != reviewed
    proposed.run("approve", *PROD, "--as", "eva")
    assert proposed.run("status", "--publish").results == ["merged"]
    newest, left_out = newest_event(proposed)
    assert (newest["tag"], newest["environment"], newest["pull_request"]) == ("1.4.2", "prod", 2)
    assert (sorted(newest["approved_by"]), left_out) == (["bob", "eva"], [])


def test_a_rejection_refuses_until_it_is_proposed_again(proposed: "Shop") -> None:
    proposed.run("decline", *PROD, "--as", "cid", "--comment", "breaks the checkout")
    assert [row["state"] for row in listed(proposed)] == ["declined"]
    assert proposed.run("status", "--publish").only["message"].startswith("published failure: approvals of prod: cid")
    declined = proposed.run("promote", "--all").only
    assert (declined["result"], "was rejected by cid" in declined["message"]) == ("declined", True)
    # A second reason to wait is no second outcome of the same pull request.
    frozen = "    freezes: [{from: 2000-01-01, until: 2199-01-01}]\n"
    proposed.edit({"gitops-promotion.yaml": CONFIG.replace("approverGroups", f"{frozen}approverGroups")})
    assert proposed.run("promote", "--all").results == ["declined", "updated"], "it is disarmed"
    assert proposed.run("promote", "--all").results == ["declined"]
    proposed.edit({"gitops-promotion.yaml": CONFIG})
    forced = proposed.run("promote", *PROD).only
    assert forced["result"] == "updated"
    [pending] = listed(proposed)
    assert (pending["state"], pending["seats"]) == ("pending", "0 of 2")
    assert [opinion["counts"] for opinion in pending["opinions"]] == [False]
    assert "before the promotion was proposed again" in pending["opinions"][0]["why"]


def test_without_approvals_a_decline_closes_and_sticks(shop: "Shop") -> None:
    shop.opened("1.4.2")
    declined = shop.run("decline", "--app", "webui", "--env", "qa", "--as", "cid").only
    assert (declined["result"], declined["pull_request"]["state"]) == ("updated", "closed")
    sticks = shop.run("promote", "--all").only
    assert (sticks["result"], "by cid at " in sticks["message"]) == ("declined", True)


@pytest.mark.parametrize("which", [("--app", "webui", "--env", "qa"), ("--pr", "2")])
def test_a_decline_by_closing_may_be_repeated_by_the_same_person_alone(shop: "Shop", which: tuple[str, ...]) -> None:
    shop.opened("1.4.2")
    shop.run("decline", *which, "--as", "cid")
    again = shop.run("decline", *which, "--as", "cid").only
    assert (again["result"], again["tag"], again["environment"]) == ("unchanged", "1.4.2", "qa")
    assert again["message"] == "cid has declined #2 already, by closing it"
    assert shop.run("decline", *which, "--as", "bob", code=2).results == ["failed"]
    shop.new("1.4.3")
    shop.run("promote")
    assert shop.run("decline", "--app", "webui", "--env", "qa", "--as", "cid").results == ["updated"]


def wait(shop: "Shop", *more: str, code: int) -> dict[str, Any]:
    timeout = () if "--timeout" in more else ("--timeout", "0s")
    return shop.run("wait", "--group", "webshop", *PROD, *timeout, *more, code=code).only


def test_wait_ends_as_people_decide(proposed: "Shop") -> None:
    waiting = wait(proposed, code=4)
    assert (waiting["result"], waiting["tag"]) == ("timed-out", "1.4.2")
    assert waiting["reasons"][0].startswith("approvals of prod: 0 of 2 of ops")
    proposed.run("approve", *PROD, "--as", "bob")
    proposed.run("decline", *PROD, "--as", "eva")
    assert wait(proposed, code=3)["result"] == "refused"
    proposed.run("approve", *PROD, "--as", "eva")
    approved = wait(proposed, code=4)["message"]
    assert "approved and not merged yet: `gitops-promotion why --group webshop --app webui --env prod`" in approved
    proposed.run("status", "--publish")
    assert wait(proposed, "--tag", "1.4.2", code=0)["result"] == "passed"
    assert wait(proposed, "--tag", "1.4.2", "--for", "healthy", code=4)["result"] == "timed-out"
    proposed.flux("prod")
    assert wait(proposed, "--tag", "1.4.2", "--for", "healthy", code=0)["result"] == "passed"
    missing = wait(proposed, "--tag", "9.9.9", code=4)
    assert missing["message"] == "no pull request proposes 9.9.9 for prod yet"


def test_wait_is_refused_for_a_tag_that_was_declined_by_closing(shop: "Shop") -> None:
    shop.opened("1.4.2")
    words = ("wait", "--group", "webshop", "--app", "webui", "--env", "qa", "--timeout", "0s")
    assert shop.run(*words, code=4).only["message"] == (
        "pull request #2 is open: `gitops-promotion why --group webshop --app webui --env qa` says why it waits"
    )
    shop.local("close", "2", "--as", "cid")
    refused = shop.run(*words, code=3).only
    assert "closed without merging by cid" in refused["message"]
