"""What a rollback changes around it, and rollbacks that nobody asks for, on plain git."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from gitops_promotion.errors import ProviderError
from gitops_promotion.git import Repository
from tests.support.meanwhile import before

if TYPE_CHECKING:
    from tests.commands.conftest import Run, Shop

CONFIG = """\
environments:
  - {name: dev, auto: true}
  - {name: qa, auto: true}
  - name: prod
    auto: true
"""
PROD = ("--group", "webshop", "--app", "webui", "--env", "prod")


def rollback(shop: "Shop", *more: str, code: int | None = 0) -> "Run":
    return shop.run("rollback", *PROD, *more, code=code)


def release(shop: "Shop", tag: str, *, prod: str = "success") -> None:
    """Bring a tag through all environments, with this health in prod."""
    shop.new(tag)
    shop.flux("dev")
    for environment in ("qa", "prod"):
        shop.run("promote")
        shop.run("status", "--publish")
        shop.flux(environment, prod if environment == "prod" else "success")
    assert shop.tag("prod") == tag


@pytest.fixture
def bad(shop: "Shop") -> "Shop":
    """1.1.0 was healthy in prod, and 1.2.0 is there and is not."""

    def begin() -> None:
        shop.edit({"gitops-promotion.yaml": CONFIG})
        release(shop, "1.1.0")
        # What it comes from does not speak for it any more.
        shop.flux("qa", "failure")
        release(shop, "1.2.0", prod="failure")

    shop.reuse(begin, "bad")
    return shop


def test_a_newer_tag_takes_the_hold_of_a_rollback_away(bad: "Shop") -> None:
    rollback(bad)
    bad.run("status", "--publish")
    assert bad.tag("prod") == "1.1.0"
    assert "1.2.0" in bad.remote.show("gitops-promotion.holds.yaml", "main")
    release(bad, "1.3.0")
    assert "1.2.0" not in bad.remote.show("gitops-promotion.holds.yaml", "main")


def test_a_rollback_supersedes_the_open_promotion_which_is_no_decline(bad: "Shop") -> None:
    bad.new("1.3.0")
    bad.flux("dev")
    bad.run("promote")
    bad.run("status", "--publish")
    opened = bad.run("promote").only
    assert opened["environment"] == "prod"
    outcome = rollback(bad).only
    assert f"pull request #{opened['pull_request']['number']} into prod is superseded" in outcome["reasons"]
    bad.run("status", "--publish")
    assert bad.tag("prod") == "1.1.0"
    # It came to qa before the rollback: a person decides whether it goes on.
    [later] = [o for o in bad.run("promote", "--all").outcomes if o["environment"] == "prod"]
    assert (later["tag"], later["result"]) == ("1.3.0", "skipped")
    forced = bad.run("promote", "--app", "webui", "--env", "prod").only
    assert (forced["tag"], forced["result"]) == ("1.3.0", "opened")


@pytest.mark.parametrize(("key", "is_merged"), [("", False), ("    rollback: {approvals: false}\n", True)])
def test_approvals_apply_unless_the_configuration_says_otherwise(bad: "Shop", key: str, is_merged: bool) -> None:
    bad.edit({"gitops-promotion.yaml": CONFIG + "    approvals: {approvers: [bob]}\n" + key})
    assert rollback(bad).only["result"] == "opened"
    published = bad.run("status", "--publish").only
    assert (published["result"] == "merged") == is_merged
    assert any("0 of 1 of bob" in reason for reason in published["reasons"]) != is_merged


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Callable[[timedelta], None]:
    """Let so much time have passed."""

    def be(later: timedelta) -> None:
        now = datetime.now(UTC) + later
        monkeypatch.setattr("gitops_promotion.workflow.run._now", lambda: now)

    return be


def test_a_tag_that_was_never_healthy_is_rolled_back_by_itself_once(
    bad: "Shop", at: Callable[[timedelta], None]
) -> None:
    bad.edit({"gitops-promotion.yaml": CONFIG + "    autoRollback: 15m\n"})

    def into_prod() -> list[str]:
        outcomes = bad.run("promote", "--all").outcomes
        return [o["result"] for o in outcomes if (o["environment"], o["tag"]) == ("prod", "1.1.0")]

    at(timedelta(minutes=14))
    assert into_prod() == []
    at(timedelta(minutes=16))
    assert into_prod() == ["opened"]
    bad.local("close", "6", "--as", "ann") if "#6" in bad.local("list") else None
    assert into_prod() == []


def test_a_promotion_that_an_automatic_rollback_closes_is_in_no_other_outcome_of_the_run(
    bad: "Shop", at: Callable[[timedelta], None], manifest: Callable[..., str]
) -> None:
    bad.edit({"webshop/qa/webui.yaml": manifest("webui", "1.3.0")})
    opened = bad.run("promote", "--app", "webui", "--env", "prod").only
    assert opened["result"] == "opened"
    bad.edit({"gitops-promotion.yaml": CONFIG + "    autoRollback: 15m\n"})
    at(timedelta(minutes=16))
    outcomes = [o for o in bad.run("promote", "--all").outcomes if o["environment"] == "prod"]
    assert [(o["result"], o["tag"]) for o in outcomes] == [("opened", "1.1.0")]
    assert f"pull request #{opened['pull_request']['number']} into prod is superseded" in outcomes[0]["reasons"]


def test_a_tag_that_a_run_rolls_back_goes_no_further_in_it(
    shop: "Shop", at: Callable[[timedelta], None], manifest: Callable[..., str]
) -> None:
    shop.edit({"gitops-promotion.yaml": CONFIG.replace("dev, auto: true", "dev, auto: true, autoRollback: 15m")})
    for tag, state in (("1.5.0", "success"), ("1.6.0", "failure")):
        shop.edit({"webshop/dev/webui.yaml": manifest("webui", tag)})
        shop.flux("dev", state)
    at(timedelta(minutes=16))
    outcomes = [(o["environment"], o["tag"], o["result"]) for o in shop.run("promote", "--all").outcomes]
    assert outcomes[0] == ("dev", "1.5.0", "merged")
    assert "1.6.0" not in [tag for _, tag, _ in outcomes]


def test_promotions_go_on_if_it_is_not_known_what_to_roll_back(shop: "Shop", monkeypatch: pytest.MonkeyPatch) -> None:
    def find_late(run: object) -> None:
        raise ProviderError("the statuses cannot be read: run it again")

    monkeypatch.setattr("gitops_promotion.commands.promote.find_late", find_late)
    shop.new("1.1.0")
    failed, opened = shop.run("promote", "--all", code=None).outcomes
    assert (failed["result"], failed["message"]) == ("failed", "the statuses cannot be read: run it again")
    assert (opened["result"], opened["environment"], opened["tag"]) == ("opened", "qa", "1.1.0")


def test_an_automatic_rollback_goes_back_one_tag(
    shop: "Shop", at: Callable[[timedelta], None], manifest: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither two scheduled runs at once go further, nor one that sees the tag fail that was healthy before."""
    shop.edit({"gitops-promotion.yaml": CONFIG + "    autoRollback: 15m\n"})
    for tag, state in (("1.5.0", "success"), ("1.6.0", "success"), ("1.7.0", "failure")):
        shop.edit({"webshop/prod/webui.yaml": manifest("webui", tag)})
        shop.flux("prod", state)
    at(timedelta(minutes=16))
    runs: list[list[str]] = []

    def promote() -> None:
        outcomes = shop.run("promote", "--all").outcomes
        runs.append(
            [o["result"] for o in outcomes if (o["environment"], o["tag"]) in (("prod", "1.6.0"), ("prod", "1.5.0"))]
        )

    def rival() -> None:
        promote()
        shop.run("status", "--publish")

    before(monkeypatch, Repository, "push", rival)
    promote()
    assert (shop.tag("prod"), runs) == ("1.6.0", [["opened"], ["unchanged"]])
    shop.flux("prod", "failure")
    at(timedelta(hours=1))
    promote()
    assert runs[2:] == [[]]


def test_an_automatic_rollback_is_of_the_tag_that_failed_alone(
    shop: "Shop", at: Callable[[timedelta], None], manifest: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hotfix that comes in meanwhile stays; a tag that was never healthy goes, also if a rollback brought it."""
    shop.edit({"gitops-promotion.yaml": CONFIG + "    autoRollback: 15m\n"})
    for tag, state in (("1.5.0", "success"), ("1.6.0", "failure"), ("1.7.0", "failure")):
        shop.edit({"webshop/prod/webui.yaml": manifest("webui", tag)})
        shop.flux("prod", state)
    rollback(shop, "--to", "1.6.0", "--reason", "least bad")
    assert shop.tag("prod") == "1.6.0"
    shop.flux("prod", "failure")
    at(timedelta(minutes=16))
    hotfix = {"webshop/prod/webui.yaml": manifest("webui", "1.8.0")}
    before_hotfix = shop.remote.sha("main")
    before(monkeypatch, Repository, "push", lambda: shop.edit(hotfix))

    def into_prod() -> list[tuple[str, str]]:
        outcomes = shop.run("promote", "--all").outcomes
        return [(o["result"], o["tag"]) for o in outcomes if o["environment"] == "prod" and o["tag"] != "1.0.0"]

    assert into_prod() == [("unchanged", "1.8.0")]
    shop.remote.git("update-ref", "refs/heads/main", before_hotfix)
    assert into_prod() == [("opened", "1.5.0")]


def test_two_changes_since_it_was_healthy_are_for_a_person(
    bad: "Shop", at: Callable[[timedelta], None], manifest: Callable[..., str]
) -> None:
    bad.edit({"gitops-promotion.yaml": CONFIG + "    autoRollback: 15m\n"})
    bad.edit({"webshop/prod/cart.yaml": manifest("cart", "1"), "webshop/qa/cart.yaml": manifest("cart", "1")})
    bad.edit({"webshop/prod/cart.yaml": manifest("cart", "2")})
    bad.flux("prod", "failure")
    at(timedelta(minutes=16))
    warnings = [w for o in bad.run("promote", "--all", code=None).outcomes for w in o["warnings"]]
    assert any("webshop/cart changed there too: find the cause" in warning for warning in warnings)


def test_an_override_supersedes_the_open_rollback(bad: "Shop") -> None:
    opened = rollback(bad).only
    words = ("promote", "--app", "webui", "--env", "prod", "--tag", "1.3.0", "--override-gates", "--reason", "fixed")
    merged = bad.run(*words).only
    assert (merged["result"], bad.tag("prod")) == ("merged", "1.3.0")
    assert f"rollback #{opened['pull_request']['number']} of prod is superseded" in merged["reasons"]
    bad.run("status", "--publish")
    assert bad.tag("prod") == "1.3.0"
