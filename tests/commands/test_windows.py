"""Windows and freezes: what is armed, disarmed and merged as the time passes."""

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest

from gitops_promotion.errors import OutdatedError
from gitops_promotion.providers.local.provider import Local
from tests.support.meanwhile import before

if TYPE_CHECKING:
    from tests.commands.conftest import Run, Shop

BEFORE, DURING, AFTER = "2026-12-18T12:00Z", "2026-12-24T12:00Z", "2027-01-07T00:00Z"
FREEZE = "freezes: [{from: 2026-12-20, until: 2027-01-06, reason: Christmas}]"
FROZEN = "freezes of qa: frozen until Thu 2027-01-07 00:00 UTC (Christmas)"


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Let it be a time."""

    def be(text: str) -> None:
        monkeypatch.setattr("gitops_promotion.workflow.run._now", lambda: datetime.fromisoformat(text))

    return be


def configure(shop: "Shop", dev: str = "", qa: str = "") -> None:
    lines = [f"  - {{name: {name}, auto: true{more}}}\n" for name, more in (("dev", dev), ("qa", qa))]
    shop.edit({"gitops-promotion.yaml": f"environments:\n{''.join(lines)}  - {{name: prod}}\n"})


def is_armed(run: "Run") -> bool:
    pull: dict[str, Any] = run.only["pull_request"]
    return bool(pull["auto_merge"])


def healthy(shop: "Shop") -> None:
    shop.local("set-status", "main", "kustomization/webshop-dev/2fb0a5b0", "success")


def test_a_freeze_disarms_what_is_armed_and_its_end_arms_it_again(shop: "Shop", at: Callable[[str], None]) -> None:
    at(BEFORE)
    configure(shop, qa=f", {FREEZE}")
    shop.run("new", "--group", "webshop", "--app", "webui", "--tag", "1.4.2")
    opened = shop.run("promote", "--all")
    assert (opened.results, is_armed(opened)) == (["opened"], True)

    at(DURING)
    disarmed = shop.run("promote", "--all")
    assert (disarmed.results, is_armed(disarmed)) == (["updated"], False)
    assert disarmed.only["message"] == f"pull request #2 is open, with auto-merge off: {FROZEN}"
    assert shop.run("promote", "--all").results == ["unchanged"]
    healthy(shop)
    assert shop.run("status", "--publish").only["message"] == f"published pending: {FROZEN}"
    assert shop.tags() == ("1.4.2", "1.0.0", "1.0.0")

    at(AFTER)
    armed = shop.run("promote", "--all")
    assert (armed.results, is_armed(armed)) == (["unchanged"], True)
    assert shop.run("status", "--publish").results == ["merged"]
    assert shop.tags() == ("1.4.2", "1.4.2", "1.0.0")


def test_the_end_of_a_freeze_arms_no_promotion_that_would_undo_a_hotfix_of_it(
    shop: "Shop", at: Callable[[str], None], manifest: Callable[..., str]
) -> None:
    at(BEFORE)
    configure(shop, qa=f", {FREEZE}")
    branch = shop.opened("1.4.2")
    head = shop.remote.sha(branch)
    at(DURING)
    assert not is_armed(shop.run("promote", "--all"))
    shop.edit({"webshop/qa/webui.yaml": manifest("webui", "1.0.1")})
    at(AFTER)
    skipped, *others = shop.run("promote", "--all").outcomes
    assert "changed it in qa after 1.4.2 came to dev" in skipped["message"]
    assert [other["environment"] for other in others] in ([], ["prod"])
    assert shop.remote.sha(branch) == head


def test_a_published_verdict_waits_in_a_freeze_and_its_run_disarms(shop: "Shop", at: Callable[[str], None]) -> None:
    at(BEFORE)
    configure(shop, qa=f", {FREEZE}")
    shop.run("new", "--group", "webshop", "--app", "webui", "--tag", "1.4.2")
    shop.run("promote", "--all")
    healthy(shop)

    at(DURING)
    published = shop.run("status", "--publish")
    assert published.only["message"] == f"published pending: {FROZEN}"
    assert "auto-merge armed" not in shop.local("show", "2")
    assert shop.run("status", "--publish").results == ["unchanged"]

    at(AFTER)
    # It passes now, but only `promote --all` arms again.
    assert shop.run("status", "--publish").results == ["updated"]
    assert shop.tags()[1] == "1.0.0"
    assert shop.run("promote", "--all").results == ["merged"]
    assert shop.tags()[1] == "1.4.2"


def test_the_first_environment_has_windows_too(shop: "Shop", at: Callable[[str], None]) -> None:
    configure(shop, dev=', windows: [{days: [mon-thu], from: "09:00", to: "16:00", zone: Europe/Stockholm}]')
    at("2026-11-27T12:00Z")
    new = shop.run("new", "--group", "webshop", "--app", "webui", "--tag", "1.4.2")
    closed = "windows of dev: closed until Mon 2026-11-30 09:00 Europe/Stockholm (08:00 UTC)"
    assert (new.results, is_armed(new)) == (["opened"], False)
    assert new.only["message"] == f"pull request #1 is open, with auto-merge off: {closed}"
    assert shop.run("promote", "--all").only["message"] == new.only["message"]
    assert shop.run("status", "--publish").only["reasons"] == [closed]

    at("2026-11-30T08:00Z")
    armed = shop.run("promote", "--all")
    assert (armed.results, is_armed(armed)) == (["unchanged"], True)
    at("2026-11-30T15:00Z")
    disarmed = shop.run("promote", "--all")
    assert (disarmed.results, is_armed(disarmed)) == (["updated"], False)
    at("2026-12-01T08:00Z")
    shop.run("promote", "--all")
    assert shop.run("status", "--publish").results == ["merged"]
    assert shop.tags()[0] == "1.4.2"


def test_a_person_who_merges_in_a_freeze_is_told_what_they_passed(shop: "Shop", at: Callable[[str], None]) -> None:
    at(BEFORE)
    configure(shop, qa=f", {FREEZE}")
    shop.run("new", "--group", "webshop", "--app", "webui", "--tag", "1.4.2")
    shop.run("promote", "--all")
    at(DURING)
    assert FROZEN in shop.local("merge", "2")
    assert shop.tags()[1] == "1.4.2"


def test_a_change_by_hand_waits_for_the_window_too(
    shop: "Shop", at: Callable[[str], None], manifest: Callable[..., str]
) -> None:
    configure(shop, dev=', windows: [{from: "09:00", to: "16:00"}]')
    shop.edit({"webshop/dev/webui.yaml": manifest("webui", "6.6.6")}, branch="mine")
    head = {"ref": "mine", "sha": shop.remote.sha("mine"), "repo": {"full_name": "acme/gitops"}}
    base = {"ref": "main", "repo": {"full_name": "acme/gitops"}}
    shop.event("pull_request", {"pull_request": {"number": 7, "head": head, "base": base}})
    at("2026-11-30T08:59:59Z")
    text = "windows of dev: closed until Mon 2026-11-30 09:00 UTC"
    assert shop.run("status", "--publish").only["message"] == f"published pending: {text}"
    at("2026-11-30T09:00Z")
    assert shop.run("status", "--publish").only["message"].startswith("published success: windows of dev: open")


def test_a_promotion_that_is_built_again_when_a_window_opens_keeps_the_time_of_its_build(
    shop: "Shop", at: Callable[[str], None], manifest: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(shop, dev=', windows: [{from: "09:00", to: "16:00"}]')
    at("2026-11-30T08:00Z")
    head = shop.new("1.4.2", "--built-at", "2026-01-02T07:00:00Z").only["pull_request"]["head_sha"]
    at("2026-11-30T09:00Z")
    text = manifest("webui", "1.0.0").replace("spec:", "spec: # conflicts")

    def conflict() -> None:
        shop.edit({"webshop/dev/webui.yaml": text})
        raise OutdatedError("main has moved")

    before(monkeypatch, Local, "set_auto_merge", conflict)
    shop.run("promote", "--all")
    assert shop.remote.sha("promote/webshop-webui") != head
    assert "Built-At: 2026-01-02T07:00:00+00:00" in shop.remote.git("log", "-1", "promote/webshop-webui")


def test_a_soak_time_runs_from_the_first_success_after_the_last_failure(
    shop: "Shop", at: Callable[[str], None]
) -> None:
    at("2026-11-30T09:00Z")
    configure(shop, qa=", soak: 2h")
    shop.run("new", "--group", "webshop", "--app", "webui", "--tag", "1.4.2")
    assert is_armed(shop.run("promote", "--all"))
    flux = ("set-status", "main", "kustomization/webshop-dev/2fb0a5b0")
    shop.local(*flux, "failure", "--at", "2026-11-30T09:58Z")
    shop.edit({"README.md": "# Moves on\n"})
    shop.local(*flux, "success", "--at", "2026-11-30T10:02Z")
    at("2026-11-30T12:01:59Z")
    text = (
        "soak time of dev: webshop/webui 1.4.2 is healthy since 2026-11-30 10:02 UTC "
        "(kustomization/webshop-dev/2fb0a5b0 failed 2026-11-30 09:58 UTC); could pass at 2026-11-30 12:02 UTC"
    )
    assert shop.run("status", "--publish").only["message"] == f"published pending: {text}"
    at("2026-11-30T12:02Z")
    assert shop.run("status", "--publish").results == ["merged"]
    assert shop.tags()[1] == "1.4.2"
