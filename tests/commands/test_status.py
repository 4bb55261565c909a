"""`status` (docs/concepts.md#status): the changes of a pull request decide, not its title or description."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.commands.conftest import Shop

FLUX = "kustomization/webshop-dev/2fb0a5b0"


def on_pull_request(shop: "Shop", branch: str, *, number: int = 7, sha: str = "", fork: bool = False) -> None:
    """Be the runner of a pull request's check."""
    head: dict[str, Any] = {
        "ref": branch,
        "sha": sha or shop.remote.branches().get(branch, "0" * 40),
        "repo": {"full_name": "fork/gitops" if fork else "acme/gitops"},
    }
    pull = {"number": number, "head": head, "base": {"ref": "main", "repo": {"full_name": "acme/gitops"}}}
    shop.event("pull_request", {"pull_request": pull})


def check_here(shop: "Shop", *more: str, code: int | None = 0) -> dict[str, Any]:
    return shop.run("status", "--timeout", "0", *more, code=code).only


def test_a_manual_change_passes_and_needs_no_configuration(shop: "Shop") -> None:
    shop.edit({"gitops-promotion.yaml": None})
    shop.edit({"gitops-promotion.yaml": "environments: [{name: dev}]\n"}, branch="add-config")
    on_pull_request(shop, "add-config")
    outcome = check_here(shop)
    assert outcome["result"] == "passed"
    assert "manual change" in outcome["message"]


def test_the_first_environment_has_no_gate(shop: "Shop", config: Callable[..., str]) -> None:
    shop.edit({"gitops-promotion.yaml": config(autos=(False, True, False))})
    shop.new("1.4.2")
    assert shop.check(1).results == ["passed"]


def test_b20_branch_and_commit_come_from_the_runner_when_the_checkout_is_detached(shop: "Shop") -> None:
    shop.opened("1.4.2")
    shop.flux("dev")
    shop.checkout.git("fetch", "--quiet", "origin")
    shop.checkout.git("checkout", "--quiet", "--detach", "origin/promote/webshop-webui")
    on_pull_request(shop, "promote/webshop-webui")
    assert check_here(shop)["result"] == "passed"


def test_the_branch_of_the_checkout_is_checked_in_a_shell(shop: "Shop") -> None:
    shop.opened("1.4.2")
    shop.checkout.git("fetch", "--quiet", "origin")
    shop.checkout.git("checkout", "--quiet", "promote/webshop-webui")
    outcome = check_here(shop, code=4)
    assert outcome["result"] == "timed-out"
    assert "webshop/webui 1.4.2" in outcome["reasons"][0]


def test_the_default_branch_and_a_detached_checkout_say_what_to_give(shop: "Shop") -> None:
    assert "--pr" in shop.run("status", code=2).stderr
    shop.checkout.git("checkout", "--quiet", "--detach")
    assert "--pr" in shop.run("status", code=2).stderr


def test_waiting_refusing_and_passing_have_their_exit_codes_and_reasons(shop: "Shop") -> None:
    shop.opened("1.4.2")
    waiting = shop.check(2, code=4).only
    assert "no status yet" in waiting["reasons"][0]
    shop.flux("dev", "failure")
    refused = shop.check(2, code=3).only
    assert refused["result"] == "refused"
    assert "webshop/webui" in refused["reasons"][0]
    shop.flux("dev", "pending")
    assert shop.check(2, code=4).results == ["timed-out"]
    shop.flux("dev")
    passed = shop.check(2).only
    assert (passed["result"], passed["pull_request"]["state"]) == ("passed", "merged")


def test_it_waits_for_flux_and_says_so_once_a_change(shop: "Shop", monkeypatch: pytest.MonkeyPatch) -> None:
    shop.opened("1.4.2")
    clock = [0.0]
    naps: list[float] = []

    def sleep(seconds: float) -> None:
        naps.append(seconds)
        clock[0] += seconds
        if len(naps) == 4:
            shop.remote.git("update-ref", "refs/heads/poke", "main")  # any thing may happen in between
            shop.forge("main", FLUX, "success")

    monkeypatch.setattr("gitops_promotion.workflow.run.time.sleep", sleep)
    monkeypatch.setattr("gitops_promotion.workflow.run.time.monotonic", lambda: clock[0])
    run = shop.run("status", "--pr", "2", "--timeout", "5m", "--interval", "10s")
    assert run.results == ["passed"]
    assert len(naps) == 4
    assert naps[0] == 10.0
    assert naps == sorted(naps)
    assert run.stderr.count("waiting, ") == 1, "one line a change"


def test_b18_flux_may_skip_commits_and_report_on_a_later_one(shop: "Shop") -> None:
    shop.opened("1.4.2")
    shop.edit({"README.md": "# Later\n"})
    shop.flux("dev")
    assert shop.check(2).results == ["passed"]


def test_b18_an_unrelated_failure_before_the_tag_arrived_does_not_count(shop: "Shop") -> None:
    shop.flux("dev", "failure")
    shop.opened("1.4.2")
    shop.flux("dev")
    assert shop.check(2).results == ["passed"]


def test_superseded_when_the_environment_moved_on_without_being_healthy(
    shop: "Shop", config: Callable[..., str]
) -> None:
    shop.edit({"gitops-promotion.yaml": config(flow="per-env")})
    shop.opened("1.4.2")
    shop.new("1.4.3")
    refused = shop.check(2, code=3).only
    assert "superseded" in refused["message"]


def test_a_head_that_moved_since_the_event_is_superseded(shop: "Shop") -> None:
    shop.opened("1.4.2")
    old = shop.remote.branches()["promote/webshop-webui"]
    new = shop.edit({"x.txt": "x"}, branch="promote/webshop-webui")
    on_pull_request(shop, "promote/webshop-webui", sha=old)
    outcome = check_here(shop, code=3)
    assert f"superseded by {new[:7]}" in outcome["message"]


def test_b7_any_branch_that_changes_a_later_environment_is_gated_like_any_other(shop: "Shop") -> None:
    text = shop.remote.show("webshop/prod/webui.yaml", "main")
    for branch in ("feature/sneaky", "promoter-x", "fix"):
        shop.edit({"webshop/prod/webui.yaml": text.replace("1.0.0", "6.6.6")}, branch=branch)
        on_pull_request(shop, branch)
        outcome = check_here(shop, code=3)
        assert "6.6.6" in outcome["message"]
        assert "has not been in qa" in outcome["message"]


def test_a_manual_rollback_to_a_tag_that_is_healthy_before_passes(shop: "Shop") -> None:
    shop.flux("qa")
    text = shop.remote.show("webshop/prod/webui.yaml", "main")
    shop.edit({"webshop/prod/webui.yaml": text.replace("1.0.0", "0.9.0")})
    shop.flux("qa")
    shop.edit({"webshop/prod/webui.yaml": text}, branch="again")
    on_pull_request(shop, "again")
    assert check_here(shop)["result"] == "passed"


def test_b6_forged_body_title_and_branch_pass_nothing(shop: "Shop", config: Callable[..., str]) -> None:
    """The metadata claims a healthy tag in the first environment; the diff says prod."""
    shop.edit({"gitops-promotion.yaml": config(autos=(False, True, False))})
    shop.new("1.4.2")
    shop.flux("dev")
    text = shop.remote.show("webshop/prod/webui.yaml", "main")
    shop.remote.git("branch", "-D", "promote/webshop-webui")
    shop.edit(
        {"webshop/prod/webui.yaml": text.replace("1.0.0", "6.6.6")},
        "Promote webshop/webui version 1.4.2 to environment dev",
        branch="promote/webshop-webui",
    )
    refused = shop.check(1, code=3).only
    assert (refused["environment"], refused["tag"]) == ("prod", "6.6.6")


def test_b6_a_forged_body_promotes_nothing(shop: "Shop", config: Callable[..., str]) -> None:
    """A merged pull request that claims qa but brought dev by hand is a person's edit."""
    shop.edit({"gitops-promotion.yaml": config(autos=(False, True, False))})
    shop.new("1.4.2")
    text = shop.remote.show("webshop/dev/webui.yaml", "main")
    shop.edit({"webshop/dev/webui.yaml": text.replace("1.0.0", "6.6.6")})
    assert shop.run("promote", "--all").results[0] == "skipped"


def test_a_head_manifest_that_does_not_parse_is_an_error_not_a_pass(shop: "Shop", manifest: Callable[..., str]) -> None:
    shop.edit({"webshop/prod/webui.yaml": manifest("webui", "6.6.6") + "x: [\n"}, branch="broken")
    on_pull_request(shop, "broken")
    assert "webshop/prod/webui.yaml:" in shop.run("status", "--timeout", "0", code=2).stderr


def test_several_applications_and_environments_are_all_gated(shop: "Shop", manifest: Callable[..., str]) -> None:
    shop.edit({f"webshop/{env}/cart.yaml": manifest("cart", "1") for env in ("dev", "qa", "prod")})
    shop.new("2", app="cart")
    shop.flux("dev")
    shop.edit(
        {
            "webshop/qa/cart.yaml": manifest("cart", "2"),
            "webshop/prod/webui.yaml": manifest("webui", "6.6.6"),
        },
        branch="both",
    )
    on_pull_request(shop, "both")
    outcome = check_here(shop, code=3)
    assert any("webshop/cart 2 is healthy" in reason for reason in outcome["reasons"])
    assert any("webshop/webui 6.6.6 has not been in qa" in reason for reason in outcome["reasons"])


def test_two_applications_in_one_environment_are_each_read(shop: "Shop", manifest: Callable[..., str]) -> None:
    shop.edit({f"webshop/{env}/cart.yaml": manifest("cart", "1") for env in ("dev", "qa", "prod")})
    shop.new("2", app="cart")
    shop.new("2")
    shop.flux("dev")
    shop.edit({f"webshop/qa/{app}.yaml": manifest(app, "2") for app in ("cart", "webui")}, branch="both")
    on_pull_request(shop, "both")
    outcome = check_here(shop)
    assert [app in " ".join(outcome["reasons"]) for app in ("webshop/cart 2", "webshop/webui 2")] == [True, True]


def test_the_configuration_of_the_pull_request_cannot_loosen_its_own_gate(
    shop: "Shop", manifest: Callable[..., str], config: Callable[..., str]
) -> None:
    shop.edit(
        {
            "gitops-promotion.yaml": "environments: [{name: prod, auto: true}]\n",
            "webshop/prod/webui.yaml": manifest("webui", "6.6.6"),
        },
        branch="loosen",
    )
    on_pull_request(shop, "loosen")
    assert check_here(shop, code=3)["environment"] == "prod"


def test_a_new_application_in_all_environments_at_once_has_nothing_to_wait_for(
    shop: "Shop", manifest: Callable[..., str]
) -> None:
    shop.edit({f"webshop/{env}/mail.yaml": manifest("mail", "1") for env in ("dev", "qa", "prod")}, branch="mail")
    on_pull_request(shop, "mail")
    assert check_here(shop)["result"] == "passed"


def test_an_application_that_leaves_an_environment_is_a_manual_change(shop: "Shop") -> None:
    shop.edit({"webshop/prod/webui.yaml": None}, branch="remove")
    on_pull_request(shop, "remove")
    assert check_here(shop)["result"] == "passed"


def test_a_marker_may_go_but_not_together_with_the_tag_it_named(shop: "Shop", manifest: Callable[..., str]) -> None:
    text = shop.remote.show("webshop/prod/webui.yaml", "main")
    bare = text.partition(" # {")[0] + "\n"
    shop.edit({"webshop/prod/webui.yaml": bare}, branch="unmark")
    on_pull_request(shop, "unmark")
    assert check_here(shop)["result"] == "passed"
    for branch, sneaky in {
        "sneaky": bare.replace("1.0.0", "6.6.6"),
        "renamed": text.replace("webshop:webui", "other:webui").replace("1.0.0", "6.6.6"),
    }.items():
        shop.edit({"webshop/prod/webui.yaml": sneaky}, branch=branch)
        on_pull_request(shop, branch)
        refused = shop.run("status", "--timeout", "0", code=3).only
        assert (refused["environment"], refused["tag"]) == ("prod", "6.6.6")
        assert "webshop/webui 6.6.6 has not been in qa" in refused["message"]


def test_a_remote_that_is_away_for_a_moment_does_not_end_the_wait(
    shop: "Shop", monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.opened("1.4.2")
    away = shop.remote.path.with_name("away.git")
    naps: list[float] = []

    def sleep(seconds: float) -> None:
        naps.append(seconds)
        if len(naps) == 1:
            shop.remote.path.rename(away)
        if len(naps) == 2:
            away.rename(shop.remote.path)
            shop.forge("main", FLUX, "success")

    monkeypatch.setattr("gitops_promotion.workflow.run.time.sleep", sleep)
    monkeypatch.setattr("gitops_promotion.workflow.run.time.monotonic", lambda: 5.0 * len(naps))
    run = shop.run("status", "--pr", "2", "--timeout", "5m")
    assert run.results == ["passed"]
    assert "looking again" in run.stderr


def test_b21_a_depth_1_checkout_finds_merge_base_and_candidates(shop: "Shop") -> None:
    for number in range(5):
        shop.edit({"README.md": f"# {number}\n"})
    shop.opened("1.4.2")
    for number in range(5):
        shop.edit({"README.md": f"# more {number}\n"})
    shop.flux("dev")
    shallow = shop.remote.clone("shallow", "--depth=1")
    log = shallow.git("log", "--oneline")
    run = shop.run("status", "--pr", "2", "--timeout", "0", where=shallow.path)
    assert run.results == ["passed"]
    assert shallow.git("log", "--oneline") == log


def test_b19_five_is_five_minutes(shop: "Shop", monkeypatch: pytest.MonkeyPatch, config: Callable[..., str]) -> None:
    shop.edit({"gitops-promotion.yaml": config(more="status_timeout_minutes: 5\n")})
    shop.opened("1.4.2")
    clock = [0.0]

    def sleep(seconds: float) -> None:
        clock[0] += seconds

    monkeypatch.setattr("gitops_promotion.workflow.run.time.sleep", sleep)
    monkeypatch.setattr("gitops_promotion.workflow.run.time.monotonic", lambda: clock[0])
    assert shop.run("status", "--pr", "2", code=4).results == ["timed-out"]
    assert clock[0] == pytest.approx(300)


def test_dry_run_looks_once_and_publishes_nothing(shop: "Shop") -> None:
    shop.opened("1.4.2")
    before = shop.remote.git("for-each-ref")
    assert shop.run("status", "--pr", "2", "--dry-run", code=4).results == ["timed-out"]
    assert shop.remote.git("for-each-ref") == before


def test_b32_two_groups_whose_statuses_have_one_name_are_an_error_and_pass_no_gate(
    shop: "Shop", manifest: Callable[..., str]
) -> None:
    names = ("dev", "eu-dev", "prod")
    config = "environments:\n" + "".join(f"  - {{name: {name}, auto: true}}\n" for name in names)
    files = {f"web/{name}/a.yaml": manifest("a", "1", "web") for name in names}
    shop.edit({"gitops-promotion.yaml": config, **files})
    shop.run("new", "--group", "web", "--app", "a", "--tag", "2")
    shop.run("promote")
    shop.edit({"web-eu/dev/a.yaml": manifest("a", "1", "web-eu")})
    shop.local("set-status", "main", "kustomization/web-dev/2fb0a5b0", "success")
    shop.check(2)
    # Now web in eu-dev and web-eu in dev both are `web-eu-dev`.
    number = shop.run("promote", "--group", "web", "--app", "a", "--env", "prod").only["pull_request"]["number"]
    shop.local("set-status", "main", "kustomization/web-eu-dev/2fb0a5b0", "success")
    failed = shop.run("status", "--pr", str(number), "--timeout", "0", code=2).only
    assert "of web in eu-dev and of web-eu in dev have the same name: rename one of the two" in failed["message"]
