"""Overrides on plain git: a person goes past the gates, and nothing else does."""

from typing import TYPE_CHECKING

import pytest

from gitops_promotion.core.discussion import Person
from gitops_promotion.providers.local.provider import Local
from tests.support.meanwhile import before

if TYPE_CHECKING:
    from tests.commands.conftest import Shop

CONFIG = """\
environments:
  - {name: dev, auto: true}
  - {name: qa, auto: true}
  - name: prod
    auto: true
    overrides: true
    approvals: {approvers: [bob]}
    freezes: [{from: 2020-01-01, until: 2099-01-01, reason: forever}]
"""
OVERRIDE = ("promote", "--app", "webui", "--env", "prod", "--tag", "1.4.3", "--override-gates", "--reason", "outage")
HOLD = "holds:\n  - {group: webshop, app: webui, environment: qa, reason: not today}\n"


@pytest.fixture
def frozen(shop: "Shop") -> "Shop":
    shop.edit({"gitops-promotion.yaml": CONFIG})
    return shop


def test_an_override_goes_straight_into_an_environment_and_is_recorded(frozen: "Shop") -> None:
    merged = frozen.run(*OVERRIDE).only
    assert (merged["result"], frozen.tag("prod")) == ("merged", "1.4.3")
    message = frozen.remote.git("log", "-1", "--format=%B", merged["sha"])
    assert "\nOverride-By: Dev\nOverride-Of: gates\nOverride-Reason: outage" in message


def test_its_verdict_stays_as_long_as_the_head_is_the_same(frozen: "Shop") -> None:
    frozen.edit({"gitops-promotion.yaml": CONFIG.replace("prod\n    auto: true", "prod")})
    opened = frozen.run(*OVERRIDE).only
    assert opened["result"] == "opened"
    assert "success  overridden by Dev: outage" in frozen.local("show", str(opened["pull_request"]["number"]))
    published = frozen.run("status", "--publish").only
    assert published["message"] == "still success: overridden by Dev: outage"
    again = frozen.run("promote", "--all")
    assert again.results in (["skipped"], ["unchanged"])
    assert "obsolete" not in again.only["message"], "its environment has the tag of its source"
    # Somebody pushes the same trailers again, on another head.
    branch = "promote/webshop-webui"
    text = frozen.remote.show("webshop/prod/webui.yaml", branch)
    message = frozen.remote.git("log", "-1", "--format=%B", opened["sha"])
    frozen.remote.commit({"webshop/prod/webui.yaml": text.replace("1.4.3", "1.4.4")}, message, branch=branch)
    refused = frozen.run("status", "--publish").only
    assert refused["message"].startswith("published ")
    assert "success" not in refused["message"].partition(":")[0]
    assert any("no published verdict on the head records it" in warning for warning in refused["warnings"])


def test_the_same_verdict_by_somebody_else_does_not_count(frozen: "Shop", monkeypatch: pytest.MonkeyPatch) -> None:
    frozen.edit({"gitops-promotion.yaml": CONFIG.replace("prod\n    auto: true", "prod")})
    frozen.run(*OVERRIDE)
    monkeypatch.setattr(Local, "identity", lambda _: Person(name="promoter", is_bot=True))
    outcome = frozen.run("status", "--publish").only
    assert not outcome["message"].startswith("still success")
    assert any("Dev published it, and promoter looks at it" in warning for warning in outcome["warnings"])


@pytest.mark.parametrize(
    ("config", "args", "text"),
    [
        (CONFIG, OVERRIDE[:-2], "an override needs --reason TEXT"),
        (CONFIG, (*OVERRIDE[:5], "--override-gates", "--reason", "x"), "--override-gates needs --app, --env, --tag"),
        (CONFIG, OVERRIDE[:7], "--tag is for --override-gates"),
        (CONFIG, (*OVERRIDE[:5], "--reason", "x"), "--reason is for --override-gates"),
        (CONFIG.replace("    overrides: true\n", ""), OVERRIDE, "with approvals: set overrides: true in the"),
        (CONFIG.replace("overrides: true", "overrides: false"), OVERRIDE, "prod allows no override"),
        (CONFIG, (*OVERRIDE[:-1], "x\ny"), "one printable line"),
    ],
)
def test_what_is_no_override_is_a_usage_error(shop: "Shop", config: str, args: tuple[str, ...], text: str) -> None:
    shop.edit({"gitops-promotion.yaml": config})
    before = shop.remote.git("for-each-ref")
    assert text in shop.run(*args, code=2).stderr
    assert shop.remote.git("for-each-ref") == before


def test_a_bot_and_the_token_of_a_workflow_cannot_override(frozen: "Shop", monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Local, "identity", lambda _: Person(name="github-actions", is_bot=True))
    assert "the token is the workflow's own" in frozen.run(*OVERRIDE, code=2).stderr
    monkeypatch.setenv("GITHUB_TRIGGERING_ACTOR", "renovate[bot]")
    frozen.event("workflow_dispatch", {})
    assert "an override needs a person" in frozen.run(*OVERRIDE, code=2).stderr


def test_an_override_of_a_hold_promotes_and_lifts_it_in_one_pull_request(shop: "Shop") -> None:
    shop.edit({"gitops-promotion.yaml": "environments: [{name: dev, auto: true}, {name: qa, auto: true}]\n"})
    shop.edit({"gitops-promotion.holds.yaml": HOLD})
    shop.new("1.4.2")
    shop.flux("dev")
    forced = ("promote", "--app", "webui", "--env", "qa")
    assert "on hold: not today" in shop.run(*forced, code=2).stderr
    assert "an override needs --reason" in shop.run(*forced, "--override-hold", code=2).stderr
    opened = shop.run(*forced, "--override-hold", "--reason", "agreed").only
    assert shop.run("status", "--publish").results == ["merged"] or opened["result"] == "merged"
    assert shop.tag("qa") == "1.4.2"
    assert "not today" not in shop.remote.show("gitops-promotion.holds.yaml", "main")


def test_a_run_that_disarms_an_override_before_it_gives_way_to_it_says_so(
    shop: "Shop", monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.edit(
        {"gitops-promotion.yaml": "prflow: per-env\nenvironments: [{name: dev, auto: true}, {name: qa, auto: true}]\n"}
    )
    shop.opened("1.4.2")
    shop.new("1.4.3")

    def override() -> None:
        shop.edit({"gitops-promotion.holds.yaml": HOLD})
        opened = shop.run("promote", "--app", "webui", "--env", "qa", "--override-hold", "--reason", "agreed").only
        assert "merges by itself" in opened["message"]

    before(monkeypatch, Local, "set_auto_merge", override)
    skipped = shop.run("promote").only
    assert skipped["result"] == "skipped"
    assert skipped["warnings"] == ["auto-merge of pull request #2 is off now"]
