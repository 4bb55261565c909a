"""What a first reviewer broke: verdicts that aged, tags that hid, hands that moved things in between."""

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.commands.conftest import Shop


def test_an_old_verdict_does_not_merge_what_is_unhealthy_now(shop: "Shop", config: Callable[..., str]) -> None:
    shop.into_qa("1.4.2")
    prod = shop.through("qa")
    assert shop.tags()[2] == "1.0.0", "prod waits for a person"
    shop.flux("qa", "failure")
    shop.edit({"gitops-promotion.yaml": config(autos=(True, True, True))})
    outcome = shop.run("promote", "--all").only
    assert (outcome["result"], outcome["pull_request"]["number"]) == ("updated", prod["number"])
    assert outcome["pull_request"]["auto_merge"]
    assert shop.tags()[2] == "1.0.0"
    shop.flux("qa")
    shop.check(prod["number"])
    assert shop.tags()[2] == "1.4.2"


def test_a_closed_pull_request_gets_no_verdict(shop: "Shop") -> None:
    shop.opened("1.4.2")
    shop.local("close", "2")
    shop.flux("dev")
    skipped = shop.check(2).only
    assert skipped["result"] == "skipped"
    assert "#2 is closed" in skipped["message"]


def test_what_the_configuration_freezes_is_disarmed_before_a_passed_check_merges_it(
    shop: "Shop", config: Callable[..., str]
) -> None:
    shop.new("1.4.2")
    assert shop.run("promote").only["pull_request"]["auto_merge"]
    shop.edit({"gitops-promotion.yaml": config(autos=(True, False, False))})
    shop.flux("dev")
    assert shop.check(2).results == ["passed"]
    assert shop.tags()[1] == "1.0.0"


def test_contexts_are_expected_however_long_the_tag_has_been_there(shop: "Shop") -> None:
    for cluster in ("aaa", "bbb"):
        shop.local("set-status", "main", f"kustomization/webshop-dev/{cluster}", "success")
    shop.opened("1.4.2")
    for number in range(130):
        shop.edit({"README.md": f"# {number}\n"})
    shop.local("set-status", "main", "kustomization/webshop-dev/aaa", "success")
    waiting = shop.check(2, code=4).only
    assert any("webshop-dev/bbb, which reported on earlier commits" in reason for reason in waiting["reasons"])


def test_a_file_that_moves_does_not_take_its_tag_past_the_gate(shop: "Shop") -> None:
    text = shop.remote.show("webshop/prod/webui.yaml", "main")
    sneaky = text.partition(" # {")[0].replace("1.0.0", "6.6.6") + "\n"
    for branch, path in {"moved": "webshop/prod/web2.yaml", "based": "webshop/base/webui.yaml"}.items():
        shop.edit({"webshop/prod/webui.yaml": None, path: sneaky}, branch=branch)
        shop.checkout.git("fetch", "--quiet", "origin")
        shop.checkout.git("checkout", "--quiet", branch)
        assert "past the gate of prod" in shop.run("status", "--timeout", "0", code=2).stderr
    shop.edit({"webshop/prod/webui.yaml": None, "webshop/prod/web2.yaml": text}, branch="renamed")
    shop.checkout.git("fetch", "--quiet", "origin")
    shop.checkout.git("checkout", "--quiet", "renamed")
    shop.flux("qa")
    assert shop.run("status", "--timeout", "0").results == ["passed"]


def test_a_rebuilt_promotion_keeps_when_its_image_was_built(shop: "Shop", config: Callable[..., str]) -> None:
    shop.edit({"gitops-promotion.yaml": config(autos=(False, True, False))})
    shop.new("2.0.0", "--built-at", "2026-02-02T00:00:00Z")
    text = shop.remote.show("webshop/dev/webui.yaml", "main")
    shop.edit({"webshop/dev/webui.yaml": text.replace("1.0.0", "1.0.5")})
    assert "updated" in shop.run("promote", "--all").results
    assert shop.new("1.9.0", "--built-at", "2026-01-01T00:00:00Z").results == ["skipped"]


def test_a_closed_promotion_is_no_newer_build(shop: "Shop", config: Callable[..., str]) -> None:
    shop.edit({"gitops-promotion.yaml": config(autos=(False, True, False))})
    shop.new("2.0.0", "--built-at", "2026-02-02T00:00:00Z")
    shop.local("close", "1")
    assert shop.new("1.9.0", "--built-at", "2026-01-01T00:00:00Z").results == ["opened"]


def test_a_broken_chain_is_said(shop: "Shop") -> None:
    shop.edit({"webshop/qa/webui.yaml": None})
    shop.new("1.4.2")
    skipped = shop.run("promote", "--all").outcomes[0]
    assert (skipped["result"], skipped["environment"]) == ("skipped", "qa")
    assert "no marker" in skipped["message"]


def test_a_hotfix_by_hand_is_not_undone_by_what_came_before_it(shop: "Shop") -> None:
    shop.new("1.4.2")
    text = shop.remote.show("webshop/qa/webui.yaml", "main")
    shop.edit({"webshop/qa/webui.yaml": text.replace("1.0.0", "1.4.3-hotfix")}, "Hotfix")
    skipped = [o for o in shop.run("promote", "--all").outcomes if o["environment"] == "qa"]
    assert [o["result"] for o in skipped] == ["skipped"]
    assert "Hotfix" in skipped[0]["message"]
    assert shop.run("promote", "--app", "webui", "--env", "qa").results == ["opened"]


def test_a_late_promotion_of_an_older_tag_is_no_hotfix(shop: "Shop", config: Callable[..., str]) -> None:
    shop.edit({"gitops-promotion.yaml": config(flow="per-env", autos=(True, False, False))})
    shop.opened("1.4.2")
    shop.new("1.4.3")
    shop.local("merge", "2")
    due = [o for o in shop.run("promote", "--all").outcomes if o["environment"] == "qa"]
    assert [(o["result"], o["tag"]) for o in due] == [("opened", "1.4.3")]


def test_manifests_that_are_wrong_in_one_environment_do_not_hold_up_the_next(
    shop: "Shop", manifest: Callable[..., str]
) -> None:
    shop.into_qa("1.4.2")
    shop.edit({"webshop/dev/second.yaml": manifest("webui", "3.0.0")})
    run = shop.run("promote", "--all", code=2)
    assert [(o["environment"], o["result"]) for o in run.outcomes] == [("qa", "failed"), ("prod", "opened")]


def test_going_back_to_the_tag_that_is_there_says_what_is_still_open(shop: "Shop", config: Callable[..., str]) -> None:
    shop.edit({"gitops-promotion.yaml": config(autos=(False, True, False))})
    shop.new("2.0.0")
    back = shop.new("1.0.0").only
    assert back["result"] == "unchanged"
    assert "#1 for 2.0.0 is still open" in back["message"]


def test_trailers_do_not_make_a_persons_commit_ours(shop: "Shop", config: Callable[..., str]) -> None:
    shop.edit({"gitops-promotion.yaml": config(autos=(False, True, False))})
    shop.new("1.4.2")
    mine = shop.edit(
        {"webshop/dev/extra.yaml": "kind: ConfigMap\n"},
        "Mine\n\nPromotion: webshop/webui\nFeature: x",
        branch="promote/webshop-webui",
    )
    shop.new("1.4.3", code=2)
    assert shop.remote.branches()["promote/webshop-webui"] == mine


def test_a_stale_lock_in_the_remote_is_named(shop: "Shop", config: Callable[..., str]) -> None:
    shop.edit({"gitops-promotion.yaml": config(autos=(False, True, False))})
    shop.new("1.4.2")
    (shop.remote.path / "refs" / "heads" / "promote" / "webshop-webui.lock").touch()
    run = shop.new("1.4.3", code=5)
    assert "webshop-webui.lock" in run.stderr
