"""Rollbacks: which tag they go back to, what they wait for, and that nothing undoes them by itself."""

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

import pytest

from gitops_promotion import cli
from gitops_promotion.core.provenance import Provenance
from gitops_promotion.git import Repository
from tests.support.meanwhile import before

if TYPE_CHECKING:
    from tests.commands.conftest import Run, Shop

FILE = "gitops-promotion.holds.yaml"
BRANCH = "rollback/webshop-webui-prod"
FREEZE = ", freezes: [{from: 2026-11-30, until: 2026-12-01, reason: sale}]"
CONFIG = "environments:\n  - {{name: dev, auto: true}}\n  - {{name: prod, auto: true{prod}}}\n"


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Let it be a time."""

    def be(text: str) -> None:
        monkeypatch.setattr("gitops_promotion.workflow.run._now", lambda: datetime.fromisoformat(text))

    be("2026-11-30T12:00Z")
    return be


def rollback(shop: "Shop", *more: str, env: str = "prod", code: int | None = 0) -> "Run":
    return shop.run("rollback", "--group", "webshop", "--app", "webui", "--env", env, *more, code=code)


def flux(shop: "Shop", environment: str, state: str = "success") -> None:
    shop.local("set-status", "main", f"kustomization/webshop-{environment}/2fb0a5b0", state)


def release(shop: "Shop", tag: str, prod: str = "success") -> None:
    """Bring a tag into dev and, by a promotion, into prod, and report on it there."""
    assert shop.run("new", "--group", "webshop", "--app", "webui", "--tag", tag).results == ["merged"]
    flux(shop, "dev")
    shop.run("promote", "--all")
    assert "merged" in shop.run("status", "--publish").results
    if prod:
        flux(shop, "prod", prod)


def by_hand(shop: "Shop", manifest: Callable[..., str], *tags_and_states: str) -> None:
    """Have prod had these tags, each with what Flux said of it, without the ways of promotions."""
    for text in tags_and_states:
        tag, _, state = text.partition(" ")
        shop.edit({"webshop/prod/webui.yaml": manifest("webui", tag)}, f"Set {tag}")
        if state:
            flux(shop, "prod", state)


def prod(shop: "Shop") -> str:
    return shop.tag("prod")


def test_a_bad_release_is_rolled_back_and_does_not_come_back_by_itself(shop: "Shop", at: Callable[[str], None]) -> None:
    shop.edit({"gitops-promotion.yaml": CONFIG.format(prod="")})
    release(shop, "1.4.1")
    release(shop, "1.4.2", "failure")

    opened = rollback(shop, "--reason", "breaks the checkout")
    assert opened.results == ["opened"]
    assert (opened.only["tag"], opened.only["previous_tag"], opened.only["branch"]) == ("1.4.1", "1.4.2", BRANCH)
    assert rollback(shop, "--reason", "breaks the checkout").results == ["unchanged"]
    published = {outcome["branch"]: outcome for outcome in shop.run("status", "--publish").outcomes}
    assert published[BRANCH]["result"] == "merged"
    assert prod(shop) == "1.4.1"
    text = shop.remote.show(FILE, "main")
    assert ('tag: "1.4.2"' in text, "rolled back to 1.4.1: breaks the checkout" in text) == (True, True)

    # Neither the next comparison, nor the next build of the same tag, nor a person who asks without lifting the hold.
    assert set(shop.run("promote", "--all").results) == {"skipped"}
    flux(shop, "dev")
    shop.run("new", "--group", "webshop", "--app", "webui", "--tag", "1.4.2")
    assert set(shop.run("promote", "--all").results) == {"skipped"}
    forced = shop.run("promote", "--app", "webui", "--env", "prod", code=2).only["message"]
    assert "webshop/webui 1.4.2 in prod is on hold by Dev" in forced
    assert prod(shop) == "1.4.1"

    # A newer tag goes ahead.
    release(shop, "1.4.3")
    assert prod(shop) == "1.4.3"


@pytest.mark.parametrize(
    ("history", "more", "tag"),
    [
        (("1.4.1 success", "1.4.2 failure", "1.4.3 failure"), (), "1.4.1"),
        (("1.4.1 success", "1.4.2", "1.4.3"), (), "1.4.1"),
        (("1.4.1 success", "1.4.2 success", "1.4.3 failure"), (), "1.4.2"),
        (("1.4.1 success", "1.4.2 success", "1.4.3 failure"), ("--to", "1.4.1"), "1.4.1"),
        (("1.4.1 success", "1.4.2 success", "1.4.1 failure", "1.4.3"), (), "1.4.2"),
        (("1.4.1 failure", "1.4.2 failure"), ("--to", "1.4.1", "--reason", "least bad"), "1.4.1"),
    ],
)
def test_the_last_tag_that_was_green_is_chosen(
    shop: "Shop",
    at: Callable[[str], None],
    manifest: Callable[..., str],
    history: tuple[str, ...],
    more: tuple[str, ...],
    tag: str,
) -> None:
    by_hand(shop, manifest, *history)
    assert rollback(shop, "--dry-run", *more).only["tag"] == tag


@pytest.fixture
def three(shop: "Shop", at: Callable[[str], None], manifest: Callable[..., str]) -> "Shop":
    """Two tags were green in prod before the present one, and a rollback merges at once."""
    shop.edit({"gitops-promotion.yaml": CONFIG.format(prod=FREEZE)})
    by_hand(shop, manifest, "1.5.0 success", "1.6.0 success", "1.7.0 failure")
    return shop


def test_the_same_rollback_again_goes_back_no_further(three: "Shop") -> None:
    first = rollback(three, "--reason", "x").only
    assert (first["result"], first["tag"]) == ("merged", "1.6.0")
    # Nor does it where the tag fails again.
    flux(three, "prod", "failure")
    before = three.remote.sha("main")
    again = rollback(three, "--reason", "x").only
    assert (again["result"], again["tag"], again["pull_request"]) == ("unchanged", "1.6.0", None)
    number = first["pull_request"]["number"]
    assert again["message"] == f"1.7.0 was rolled back to 1.6.0 by #{number}; to go back further: --to 1.5.0"
    assert three.remote.sha("main") == before
    further = rollback(three, "--reason", "x", "--to", "1.5.0").only
    assert (further["result"], prod(three)) == ("merged", "1.5.0")


@pytest.mark.parametrize("method", ["refs", "push"])
def test_two_rollbacks_at_once_go_back_one_tag(three: "Shop", monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    results: list[str] = []
    before(monkeypatch, Repository, method, lambda: results.extend(rollback(three, "--reason", "x").results))
    results += rollback(three, "--reason", "x").results
    assert (sorted(results), prod(three)) == (["merged", "unchanged"], "1.6.0")
    assert "1.6.0" not in three.remote.show(FILE, "main").replace("rolled back to 1.6.0", "")


def test_a_rollback_that_was_squashed_without_its_message_counts_by_its_pull_request(
    three: "Shop", monkeypatch: pytest.MonkeyPatch
) -> None:
    number = rollback(three, "--reason", "x").only["pull_request"]["number"]
    monkeypatch.setattr("gitops_promotion.commands.rollback.read_provenance", lambda *_: Provenance())
    again = rollback(three, "--dry-run").only
    assert (again["result"], f"by #{number};" in again["message"]) == ("unchanged", True)


def test_a_tag_that_a_person_brought_back_is_rolled_back(three: "Shop", manifest: Callable[..., str]) -> None:
    by_hand(three, manifest, "1.6.0")
    assert rollback(three, "--dry-run").only["tag"] == "1.5.0"


def test_a_digest_comes_back_and_what_is_on_hold_does_not(
    shop: "Shop", at: Callable[[str], None], manifest: Callable[..., str]
) -> None:
    digest = f"1.4.1@sha256:{'a' * 64}"
    by_hand(shop, manifest, f"{digest} success", "1.4.2 success", "1.4.3 failure")
    shop.edit({FILE: "holds:\n- {group: webshop, app: webui, environment: prod, tag: 1.4.2}\n"})
    planned = rollback(shop, "--dry-run").only
    assert planned["tag"] == digest
    assert 'tag: "1.4.3"' in planned["diff"]
    assert "tag: 1.4.2" in planned["diff"]
    assert FILE not in rollback(shop, "--dry-run", "--no-hold").only["diff"]


@pytest.mark.parametrize(
    ("history", "more", "message"),
    [
        ((), (), "prod had no other tag of webshop/webui that the history here shows"),
        (("1.4.1 failure", "1.4.2"), (), "was green in prod (it had 1.4.1, 1.0.0): name one with --to and --reason"),
        (("1.4.1 failure", "1.4.2"), ("--to", "1.4.1"), "1.4.1 was never green in prod: give --reason to go back"),
        (("1.4.1 success", "1.4.2"), ("--to", "1.3.0"), "prod never had webshop/webui 1.3.0: it had 1.4.1, 1.0.0"),
    ],
)
def test_without_a_tag_to_go_back_to_it_is_an_error(
    shop: "Shop",
    at: Callable[[str], None],
    manifest: Callable[..., str],
    history: tuple[str, ...],
    more: tuple[str, ...],
    message: str,
) -> None:
    by_hand(shop, manifest, *history)
    assert message in rollback(shop, *more, code=2).stderr


def test_an_application_without_a_marker_is_an_error_with_the_next_step(shop: "Shop") -> None:
    shop.edit({"webshop/prod/webui.yaml": None})
    assert "prod has no marker of webshop/webui: no " in rollback(shop, code=2).stderr
    unknown = shop.run("rollback", "--group", "webshop", "--app", "webiu", "--env", "prod", code=2).stderr
    assert "no application 'webshop/webiu' has a marker: use one of webshop/webui" in unknown


def test_it_closes_the_open_promotion_and_names_who_still_has_the_bad_tag(
    shop: "Shop", at: Callable[[str], None], manifest: Callable[..., str]
) -> None:
    shop.edit(
        {"gitops-promotion.yaml": "environments: [{name: dev, auto: true}, {name: qa, auto: true}, {name: prod}]\n"}
    )
    shop.edit({"webshop/qa/webui.yaml": manifest("webui", "1.4.1")})
    flux(shop, "qa")
    shop.edit({f"webshop/{name}/webui.yaml": manifest("webui", "1.4.2") for name in ("qa", "prod")})
    shop.run("new", "--group", "webshop", "--app", "webui", "--tag", "1.4.3")
    assert shop.run("promote", "--all").results == ["opened"]
    outcome = rollback(shop, env="qa").only
    assert outcome["reasons"] == [
        "pull request #2 into qa is superseded",
        "prod still has 1.4.2",
    ]


def test_in_a_freeze_it_waits_and_with_a_reason_it_goes_on(
    shop: "Shop", at: Callable[[str], None], manifest: Callable[..., str]
) -> None:
    shop.edit({"gitops-promotion.yaml": CONFIG.format(prod=FREEZE)})
    by_hand(shop, manifest, "1.4.1 success", "1.4.2 failure")
    waiting = rollback(shop).only
    assert (waiting["result"], waiting["pull_request"]["auto_merge"]) == ("opened", False)
    assert "frozen until Wed 2026-12-02 00:00 UTC (sale)" in waiting["message"]
    assert "published pending: freezes of prod" in shop.run("status", "--publish").only["message"]
    assert prod(shop) == "1.4.2"
    passed = rollback(shop, "--reason", "breaks the checkout").only
    assert passed["result"] == "merged"
    assert prod(shop) == "1.4.1"
    head = shop.remote.git("log", "-1", "--format=%B", "main^2")
    for line in ("Rollback: true", "Rollback-Reason: breaks the checkout", "Override-By: Dev", "Override-Of: times"):
        assert line in head


@pytest.mark.parametrize("tag", ["1.3.0", "1.4.0"])
def test_trailers_and_branch_of_a_writer_pass_nothing(
    shop: "Shop", at: Callable[[str], None], manifest: Callable[..., str], tag: str
) -> None:
    """Only a tag that was green there before needs no sources: one was never there, the other never green."""
    shop.edit({"gitops-promotion.yaml": CONFIG.format(prod="")})
    by_hand(shop, manifest, "1.4.0 failure", "1.4.1 success", "1.4.2 failure")
    message = f"Roll back\n\nPromotion: webshop/webui\nEnvironment: prod\nTag: {tag}\nRollback: true\n"
    shop.edit({"webshop/prod/webui.yaml": manifest("webui", tag)}, message, branch=BRANCH)
    head = {"ref": BRANCH, "sha": shop.remote.sha(BRANCH), "repo": {"full_name": "acme/gitops"}}
    base = {"ref": "main", "repo": {"full_name": "acme/gitops"}}
    shop.event("pull_request", {"pull_request": {"number": 7, "head": head, "base": base}})
    refused = shop.run("status", "--timeout", "0", code=3).only
    assert f"webshop/webui {tag} has not been in dev" in refused["message"]


def test_a_revert_by_a_person_needs_no_sources_either(
    shop: "Shop", at: Callable[[str], None], manifest: Callable[..., str]
) -> None:
    shop.edit({"gitops-promotion.yaml": CONFIG.format(prod="")})
    by_hand(shop, manifest, "1.4.1 success", "1.4.2 failure")
    shop.edit({"webshop/prod/webui.yaml": manifest("webui", "1.4.1")}, branch="revert")
    head = {"ref": "revert", "sha": shop.remote.sha("revert"), "repo": {"full_name": "acme/gitops"}}
    base = {"ref": "main", "repo": {"full_name": "acme/gitops"}}
    shop.event("pull_request", {"pull_request": {"number": 7, "head": head, "base": base}})
    passed = shop.run("status", "--timeout", "0").only
    assert passed["message"] == "rollback: webshop/webui 1.4.1 was green in prod before"


def test_a_night_with_a_bad_release_in_a_freeze(
    shop: "Shop", at: Callable[[str], None], manifest: Callable[..., str]
) -> None:
    at("2026-11-29T20:00Z")
    shop.edit({"gitops-promotion.yaml": CONFIG.format(prod=FREEZE)})
    by_hand(shop, manifest, "1.4.1 success")
    release(shop, "1.4.2", "failure")
    at("2026-11-30T22:00Z")
    assert rollback(shop, "--reason", "breaks the checkout").results == ["merged"]
    # CI builds the same tag again, and the schedule runs all night.
    assert shop.run("new", "--group", "webshop", "--app", "webui", "--tag", "1.4.2").results == ["unchanged"]
    for hour in ("23:00", "23:30"):
        at(f"2026-11-30T{hour}Z")
        assert shop.run("promote", "--all").results == ["skipped"]
        assert shop.run("status", "--publish").results == ["unchanged"]
    # The fixed tag is built in the freeze, and goes on when that is over.
    shop.run("new", "--group", "webshop", "--app", "webui", "--tag", "1.4.3")
    flux(shop, "dev")
    assert shop.run("promote", "--all").only["pull_request"]["auto_merge"] is False
    assert prod(shop) == "1.4.1"
    at("2026-12-02T00:00Z")
    assert shop.run("promote", "--all").only["pull_request"]["auto_merge"] is True
    assert shop.run("status", "--publish").results == ["merged"]
    assert shop.tags()[0::2] == ("1.4.3", "1.4.3")


def test_people_find_a_rollback_by_the_names_of_the_application(
    shop: "Shop", at: Callable[[str], None], manifest: Callable[..., str]
) -> None:
    approvals = ", approvals: {quorum: 1, approvers: [bob]}"
    shop.edit(
        {"gitops-promotion.yaml": CONFIG.format(prod=approvals), "webshop/dev/webui.yaml": manifest("webui", "2")}
    )
    by_hand(shop, manifest, "1 success", "2 failure")
    number = rollback(shop).only["pull_request"]["number"]
    shop.capsys.readouterr()
    cli.main(["why", "--app", "webui", "--env", "prod", "--sourcedir", str(shop.checkout.path)])
    assert f"pull request #{number} for 1 waits: approvals of prod: 0 of 1" in shop.capsys.readouterr().out
    approved = shop.run("approve", "--app", "webui", "--env", "prod", "--as", "bob").only
    assert (approved["result"], approved["pull_request"]["number"]) == ("updated", number)


def test_a_rollback_in_one_of_three_regions_leaves_the_others_alone(
    shop: "Shop", at: Callable[[str], None], manifest: Callable[..., str]
) -> None:
    regions = ("eu", "us", "ap")
    lines = [f"  - {{name: {name}, auto: true, after: [qa]}}\n" for name in regions]
    config = "environments:\n  - {name: qa, auto: true}\n" + "".join(lines) + "prflow: per-env\n"
    names = ("qa", *regions)
    shop.edit(
        {"gitops-promotion.yaml": config} | {f"webshop/{n}/webui.yaml": manifest("webui", "1.0.0") for n in names}
    )
    for name in names:
        flux(shop, name)
    shop.edit({f"webshop/{n}/webui.yaml": manifest("webui", "1.4.2") for n in names})
    flux(shop, "qa")
    flux(shop, "eu", "failure")
    assert rollback(shop, env="eu").results == ["opened"]
    shop.run("status", "--publish")
    assert [shop.tag(name) for name in names] == ["1.4.2", "1.0.0", "1.4.2", "1.4.2"]
    assert {o["result"] for o in shop.run("promote", "--all").outcomes if o["environment"]} <= {"skipped"}
    assert shop.tag("eu") == "1.0.0"


def test_a_promotion_is_disarmed_if_its_source_went_back_to_the_tag_of_the_target(
    shop: "Shop", at: Callable[[str], None], manifest: Callable[..., str]
) -> None:
    # A hold is a gate that stops arming: what it does not cover is armed again.
    shop.edit({"gitops-promotion.holds.yaml": "holds:\n- {group: webshop, app: cart, environment: qa}\n"})
    flux(shop, "dev")
    shop.new("1.4.2")
    assert shop.run("promote", "--all").only["pull_request"]["auto_merge"]
    assert rollback(shop, env="dev").results == ["merged"]
    assert shop.tags() == ("1.0.0", "1.0.0", "1.0.0")
    outcome = shop.run("promote", "--all").only
    assert outcome["message"] == (
        "qa already has 1.0.0; pull request #2 for 1.4.2 is still open, with auto-merge off: close it if it is obsolete"
    )
    assert not outcome["pull_request"]["auto_merge"]
    assert shop.run("promote", "--all").only["message"] == outcome["message"], "it was armed again"
    # It still has the branch of a promotion into prod.
    shop.edit({"webshop/prod/webui.yaml": manifest("webui", "0.9")})
    forced = shop.run("promote", "--app", "webui", "--env", "prod", code=2).only
    assert forced["message"].endswith("and qa has the tag of its sources by now: close it first")
