"""Approvals on plain git: who may let a promotion into prod, and what an approval is for."""

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from gitops_promotion.core.discussion import Discussion, People, Person
from gitops_promotion.errors import AuthError
from gitops_promotion.providers.local.provider import Local

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gitops_promotion.core.forge import PullRequest
    from tests.commands.conftest import Run, Shop

CONFIG = """\
environments:
  - {name: dev, auto: true}
  - name: prod
    auto: true
    approvals: {strategy: four-eyes, groups: [ops]}
approverGroups:
  ops: [bob, eva, cid]
"""
BRANCH = "promote/webshop-webui"


def publish(shop: "Shop", *more: str, code: int | None = 0) -> "Run":
    return shop.run("status", "--publish", *more, code=code)


def approve(shop: "Shop", number: int, name: str, verdict: str = "approved") -> None:
    shop.local("review", str(number), verdict, "--as", name)


def proposed(shop: "Shop", tag: str = "1.4.2", *, config: str = CONFIG) -> int:
    """Bring a tag into dev, healthy there, and open its promotion into prod; return the number of that."""
    if shop.remote.show("gitops-promotion.yaml", "main") != config:
        shop.edit({"gitops-promotion.yaml": config, "webshop/qa/webui.yaml": None})

    def propose() -> int:
        shop.new(tag)
        shop.flux("dev")
        (outcome,) = [o for o in shop.run("promote").outcomes if o["result"] == "opened"]
        return int(outcome["pull_request"]["number"])

    return shop.reuse(propose, "proposed", tag)


def comments(shop: "Shop", number: int) -> list[str]:
    ref = f"refs/gitops-promotion/pulls/{number}"
    return [comment["body"] for comment in json.loads(shop.remote.git("cat-file", "blob", ref))["comments"]]


def test_two_people_of_a_group_let_a_promotion_merge(shop: "Shop") -> None:
    number = proposed(shop)
    waiting = publish(shop).only
    assert (waiting["result"], waiting["reasons"][0]) == (
        "updated",
        "approvals of prod: 0 of 2 of ops; bob, eva or cid can approve it",
    )
    approve(shop, number, "bob")
    approve(shop, number, "zoe")
    one = publish(shop).only
    assert re.fullmatch(
        r"approvals of prod: 1 of 2 of ops: bob at [\d: -]+ UTC; eva or cid can approve it", one["reasons"][0]
    )
    assert "the approval of zoe does not count: not one of ops" in one["reasons"][1]
    assert shop.tag("prod") == "1.0.0"
    approve(shop, number, "EVA")
    assert publish(shop).results == ["merged"]
    assert shop.tag("prod") == "1.4.2"


def test_the_comment_is_one_and_is_written_when_something_changed(
    shop: "Shop", monkeypatch: pytest.MonkeyPatch
) -> None:
    number = proposed(shop)
    publish(shop)
    [first] = comments(shop, number)
    assert "**Waits**: `webshop/webui` `1.4.2` into `prod`" in first
    assert "Who can act: `bob`, `eva`, `cid`." in first
    assert first.rstrip() in shop.local("show", str(number))
    writes: list[str] = []
    real = Local.write_comment

    def counted(self: Local, *args: Any) -> None:
        writes.append("written")
        real(self, *args)

    monkeypatch.setattr(Local, "write_comment", counted)
    publish(shop)
    assert writes == []
    approve(shop, number, "bob")
    publish(shop)
    [second] = comments(shop, number)
    assert "1 of 2 of ops: bob" in second
    publish(shop, "--dry-run")
    assert writes == ["written"]


@pytest.mark.parametrize(("key", "count"), [("comment: false\n", 0), ("comment: true\n", 1)])
def test_the_key_decides_whether_there_is_a_comment(shop: "Shop", key: str, count: int) -> None:
    health_alone = "environments: [{name: dev, auto: true}, {name: prod, auto: true}]\n"
    number = proposed(shop, config=key + (CONFIG if count == 0 else health_alone))
    publish(shop)
    assert len(comments(shop, number)) == count


def test_without_the_key_health_alone_writes_no_comment(shop: "Shop") -> None:
    number = proposed(shop, config="environments: [{name: dev, auto: true}, {name: prod, auto: true}]\n")
    publish(shop)
    assert comments(shop, number) == []


def test_a_comment_that_cannot_be_written_is_one_warning(shop: "Shop", monkeypatch: pytest.MonkeyPatch) -> None:
    shop.edit({"webshop/dev/cart.yaml": manifest("cart"), "webshop/prod/cart.yaml": manifest("cart")})
    proposed(shop)
    shop.new("1.4.2", app="cart")
    shop.flux("dev")
    shop.run("promote", "--all")

    def refused(*_: object) -> None:
        raise AuthError("give the token the permission pull-requests: write")

    monkeypatch.setattr(Local, "write_comment", refused)
    outcomes = publish(shop).outcomes
    warnings = [warning for outcome in outcomes for warning in outcome["warnings"]]
    assert len(outcomes) == 2
    assert [warning for warning in warnings if "pull-requests: write" in warning] == warnings
    assert len(warnings) == 1


def manifest(app: str) -> str:
    return f'kind: Deployment\nspec:\n  image: ghcr.io/webshop/{app}:1.0.0 # {{"$imagepolicy": "webshop:{app}"}}\n'


def test_an_approval_stays_with_the_same_edits_on_a_new_base_and_goes_with_others(shop: "Shop") -> None:
    number = proposed(shop)
    approve(shop, number, "bob")
    # The branch is made anew, on a newer default branch.
    before = shop.remote.sha(BRANCH)
    old = shop.remote.show("webshop/prod/webui.yaml", "main")
    shop.edit({"webshop/prod/webui.yaml": "# reviewed\n" + old})
    proposal = shop.remote.show("webshop/prod/webui.yaml", BRANCH)
    shop.remote.git("update-ref", "-d", f"refs/heads/{BRANCH}")
    message = shop.remote.git("log", "-1", "--format=%B", before)
    shop.remote.commit({"webshop/prod/webui.yaml": "# reviewed\n" + proposal}, message, branch=BRANCH, start="main")
    assert publish(shop).only["reasons"][0].startswith("approvals of prod: 1 of 2 of ops: bob at ")
    # Another tag is another edit.
    shop.remote.commit(
        {"webshop/prod/webui.yaml": "# reviewed\n" + proposal.replace("1.4.2", "1.0.1")}, message, branch=BRANCH
    )
    reasons = publish(shop).only["reasons"]
    assert any(f"the approval of bob does not count: it was given on {before[:7]}, which makes" in r for r in reasons)


def test_who_pushes_after_an_approval_does_not_count_and_the_push_is_refused(shop: "Shop") -> None:
    number = proposed(shop)
    approve(shop, number, "bob")
    approve(shop, number, "eva")
    prod = shop.remote.show("webshop/prod/webui.yaml", BRANCH)
    shop.remote.commit({"webshop/prod/webui.yaml": prod + "# eva\n"}, "Mine", branch=BRANCH, author="eva <eva@x.org>")
    outcome = publish(shop).only
    assert "is not this tool's" in outcome["message"]
    assert shop.tag("prod") == "1.0.0"


def test_who_pushed_is_asked_only_where_it_decides_and_does_not_count(
    shop: "Shop", monkeypatch: pytest.MonkeyPatch
) -> None:
    number = proposed(shop)
    asked: list[str] = []

    def pushers(_: Local, pull_request: "PullRequest") -> People:
        asked.append(f"#{pull_request.number}")
        return People(members=frozenset({"eva"}))

    monkeypatch.setattr(Local, "pushers", pushers)
    approve(shop, number, "bob")
    publish(shop)
    assert asked == []
    approve(shop, number, "eva")
    reasons = publish(shop).only["reasons"]
    assert asked == [f"#{number}"]
    assert reasons[0].startswith("approvals of prod: 1 of 2 of ops: bob at ")
    assert "approvals of prod: the approval of eva does not count: this is who pushed to the branch" in reasons
    monkeypatch.setattr(Local, "identity", lambda _: Person(name="eva"))
    assert publish(shop).results == ["merged"]


def test_the_starter_cannot_approve(shop: "Shop") -> None:
    shop.edit({"gitops-promotion.yaml": CONFIG, "webshop/qa/webui.yaml": None})
    shop.monkeypatch.setenv("GITHUB_TRIGGERING_ACTOR", "bob")
    shop.event("workflow_dispatch", {})
    shop.new("1.4.2")
    shop.flux("dev")
    shop.no_event()
    shop.monkeypatch.delenv("GITHUB_TRIGGERING_ACTOR")
    number = int(shop.run("promote").outcomes[0]["pull_request"]["number"])
    approve(shop, number, "bob")
    approve(shop, number, "eva")
    reasons = publish(shop).only["reasons"]
    assert reasons[0].startswith("approvals of prod: 1 of 2 of ops: eva at ")
    assert any("the approval of bob does not count: this is who started the promotion" in r for r in reasons)
    approve(shop, number, "cid")
    assert publish(shop).results == ["merged"]


def test_a_rejection_refuses_until_its_person_approves(shop: "Shop") -> None:
    number = proposed(shop)
    approve(shop, number, "bob")
    approve(shop, number, "eva")
    approve(shop, number, "cid", "changes-requested")
    refused = publish(shop).only
    assert refused["message"].startswith("published failure: approvals of prod: cid rejected it at ")
    approve(shop, number, "cid")
    assert publish(shop).results == ["merged"]


def test_rules_that_are_loosened_or_tightened_meet_open_promotions_at_once(shop: "Shop") -> None:
    number = proposed(shop)
    approve(shop, number, "bob")
    publish(shop)
    shop.edit({"gitops-promotion.yaml": CONFIG.replace("strategy: four-eyes", "strategy: single")})
    passed = publish(shop, "--dry-run").only
    assert passed["message"].startswith("would publish success")
    shop.edit({"gitops-promotion.yaml": CONFIG.replace("strategy: four-eyes", "quorum: 3")})
    approve(shop, number, "eva")
    assert publish(shop).only["reasons"][0].startswith("approvals of prod: 2 of 3 of ops: bob at ")
    assert shop.tag("prod") == "1.0.0"
    shop.edit({"gitops-promotion.yaml": "environments: [{name: dev, auto: true}, {name: prod, auto: true}]\n"})
    assert publish(shop).results == ["merged"]


def test_the_opinions_on_all_promotions_are_read_together_and_without_approvals_not_at_all(
    shop: "Shop", monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.edit({"webshop/dev/cart.yaml": manifest("cart"), "webshop/prod/cart.yaml": manifest("cart")})
    first = proposed(shop)
    shop.new("1.4.2", app="cart")
    shop.flux("dev")
    shop.run("promote", "--all")
    asked: list[list[int]] = []
    real = Local.discussions

    def counted(self: Local, numbers: "Sequence[int]") -> dict[int, Discussion]:
        asked.append(sorted(numbers))
        return real(self, numbers)

    monkeypatch.setattr(Local, "discussions", counted)
    assert len(publish(shop).outcomes) == 2
    assert asked == [[first, first + 2]]
    asked.clear()
    shop.edit({"gitops-promotion.yaml": "environments: [{name: dev, auto: true}, {name: prod, auto: true}]\n"})
    publish(shop)
    assert asked == []


def test_of_two_that_publish_at_once_one_comment_stays(shop: "Shop") -> None:
    number = proposed(shop)
    publish(shop)
    [first] = comments(shop, number)
    # The other one saw no comment yet, and wrote its own.
    ref = f"refs/gitops-promotion/pulls/{number}"
    record = json.loads(shop.remote.git("cat-file", "blob", ref))
    record["comments"].append(record["comments"][0] | {"id": "2"})
    shop.remote.git("update-ref", ref, shop.remote.git("hash-object", "-w", "--stdin", stdin=json.dumps(record)))
    assert comments(shop, number) == [first, first]
    publish(shop)
    assert comments(shop, number) == [first]


def test_status_alone_looks_once_and_needs_the_opinions_too(shop: "Shop") -> None:
    number = proposed(shop)
    assert shop.check(number, code=None).only["reasons"][0].startswith("approvals of prod: 0 of 2 of ops")
    for name in ("bob", "eva"):
        approve(shop, number, name)
    assert shop.check(number, code=None).results == ["merged"]


def test_a_persons_own_pull_request_and_the_entry_are_held_too(shop: "Shop") -> None:
    entry = CONFIG.replace("{name: dev, auto: true}", "{name: dev, auto: true, approvals: {approvers: [bob]}}")
    shop.edit({"gitops-promotion.yaml": entry, "webshop/qa/webui.yaml": None})
    number = int(shop.new("1.4.2").only["pull_request"]["number"])
    assert publish(shop).only["reasons"][0].startswith("approvals of dev: 0 of 1 of bob")
    assert shop.tag("dev") == "1.0.0"
    approve(shop, number, "bob")
    assert publish(shop).results == ["merged"]
    assert shop.tag("dev") == "1.4.2"


def test_a_group_of_a_forge_is_an_error_on_plain_git(shop: "Shop") -> None:
    proposed(shop)
    shop.edit({"gitops-promotion.yaml": CONFIG.replace("[ops]", "[acme/ops]")})
    outcome = publish(shop, code=2).only
    assert "'acme/ops' is a group of a forge, and plain git has none" in outcome["message"]


def queued(shop: "Shop", files: dict[str, str], number: int) -> str:
    """Be the merge queue of a forge: a branch with a pull request's changes on the tip."""
    start = shop.remote.sha("main")
    branch = f"gh-readonly-queue/main/pr-{number}-{start}"
    shop.remote.git("update-ref", f"refs/heads/{branch}", start)
    sha = shop.remote.commit(files, "Merge", branch=branch)
    shop.event("merge_group", {"merge_group": {"head_ref": f"refs/heads/{branch}", "head_sha": sha, "base_sha": start}})
    return branch


def test_in_a_merge_queue_the_opinions_are_those_on_the_pull_requests_in_the_group(
    shop: "Shop", like_github: None
) -> None:
    number = proposed(shop, config=CONFIG.replace("name: prod\n    auto: true", "name: prod\n    auto: false"))
    prod = shop.remote.show("webshop/prod/webui.yaml", BRANCH)
    branch = queued(shop, {"webshop/prod/webui.yaml": prod}, number)

    def of_group() -> list[str]:
        return next(list(o["reasons"]) for o in publish(shop, code=None).outcomes if o["branch"] == branch)

    assert of_group()[0].startswith("approvals of prod: 0 of 2 of ops; bob")
    shop.no_event()
    for name in ("bob", "eva"):
        approve(shop, number, name)
    shop.event("schedule", {})
    assert any(reason.startswith("approvals of prod: 2 of 2 of ops: bob at ") for reason in of_group())


@pytest.mark.parametrize("case", ["more files", "a closed pull request"])
def test_a_branch_that_only_looks_like_a_group_passes_nothing(shop: "Shop", like_github: None, case: str) -> None:
    number = proposed(shop, config=CONFIG.replace("name: prod\n    auto: true", "name: prod\n    auto: false"))
    for name in ("bob", "eva"):
        approve(shop, number, name)
    prod = shop.remote.show("webshop/prod/webui.yaml", BRANCH)
    files = {"webshop/prod/webui.yaml": prod} | ({"webshop/prod/more.yaml": "a: 1\n"} if case == "more files" else {})
    if case == "a closed pull request":
        shop.local("close", str(number), "--as", "cid")
    branch = queued(shop, files, number)
    [reasons] = [o["reasons"] for o in publish(shop, code=None).outcomes if o["branch"] == branch]
    assert any("0 of 2 of ops; no pull request is known that brings" in reason for reason in reasons)


def test_a_group_that_brings_what_no_pull_request_of_it_proposes_waits(shop: "Shop", like_github: None) -> None:
    number = proposed(shop)
    prod = shop.remote.show("webshop/prod/webui.yaml", BRANCH).replace("1.4.2", "1.0.1")
    branch = queued(shop, {"webshop/prod/webui.yaml": prod}, number)
    [reasons] = [o["reasons"] for o in publish(shop, code=None).outcomes if o["branch"] == branch]
    assert any("0 of 2 of ops; no pull request is known that brings" in reason for reason in reasons)
