"""`promote` and `promote --all` (docs/concepts.md#promote), through the real command line on real git."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.commands.conftest import Shop

PER_APP_AND_ENV = pytest.mark.parametrize("flow", ["per-app", "per-env"])


def two_apps(shop: "Shop", manifest: Callable[..., str]) -> None:
    shop.edit({f"webshop/{env}/cart.yaml": manifest("cart", "1.0.0") for env in ("dev", "qa", "prod")})


@PER_APP_AND_ENV
def test_the_whole_way_from_dev_to_prod(shop: "Shop", config: Callable[..., str], flow: str) -> None:
    shop.edit({"gitops-promotion.yaml": config(flow=flow)})
    before = shop.remote.sha("main")
    shop.push_event(before, shop.remote.sha("main"))
    shop.no_event()
    shop.new("1.4.2")
    shop.push_event(before)
    first = shop.run("promote").only
    assert (first["result"], first["environment"], first["previous_tag"]) == ("opened", "qa", "1.0.0")
    assert first["branch"] == ("promote/webshop-webui" if flow == "per-app" else "promote/webshop-webui-qa")
    assert first["pull_request"]["auto_merge"]
    assert shop.tags() == ("1.4.2", "1.0.0", "1.0.0"), "armed, but not before its gate"
    shop.no_event()
    assert shop.check(first["pull_request"]["number"], code=4).results == ["timed-out"]
    shop.flux("dev")
    middle = shop.remote.sha("main")
    assert shop.check(first["pull_request"]["number"]).results == ["passed"]
    assert shop.tags() == ("1.4.2", "1.4.2", "1.0.0")
    assert shop.remote.git("diff", "--numstat", middle, "main") == "1\t1\twebshop/qa/webui.yaml"

    shop.push_event(middle)
    second = shop.run("promote").only
    assert (second["result"], second["environment"]) == ("opened", "prod")
    assert not second["pull_request"]["auto_merge"]
    shop.no_event()
    shop.flux("qa")
    shop.check(second["pull_request"]["number"])
    assert shop.tags()[2] == "1.0.0", "prod waits for a person"
    shop.local("merge", str(second["pull_request"]["number"]))
    assert shop.tags() == ("1.4.2", "1.4.2", "1.4.2")
    assert shop.run("promote", "--all").results == ["unchanged"]


def test_again_changes_nothing(shop: "Shop") -> None:
    shop.new("1.4.2")
    assert shop.run("promote").results == ["opened"]
    before = shop.remote.git("for-each-ref")
    assert shop.run("promote").results == ["unchanged"]
    assert shop.run("promote", "--all").results == ["unchanged"]
    assert shop.remote.git("for-each-ref") == before


def test_b28_several_merges_in_one_push_are_all_promoted(shop: "Shop", manifest: Callable[..., str]) -> None:
    two_apps(shop, manifest)
    before = shop.remote.sha("main")
    shop.new("1.4.2")
    shop.new("2.0.0", app="cart")
    shop.push_event(before)
    run = shop.run("promote")
    assert [(o["app"], o["environment"], o["result"]) for o in run.outcomes] == [
        ("cart", "qa", "opened"),
        ("webui", "qa", "opened"),
    ]


def test_a_push_without_marked_tags_says_that_there_is_nothing(shop: "Shop") -> None:
    before = shop.remote.sha("main")
    shop.edit({"README.md": "# New\n"})
    shop.push_event(before)
    assert shop.run("promote").results == ["skipped"]


def test_a_persons_own_edit_is_not_promoted_but_can_be_forced(shop: "Shop") -> None:
    before = shop.remote.sha("main")
    text = shop.remote.show("webshop/dev/webui.yaml", "main")
    shop.edit({"webshop/dev/webui.yaml": text.replace("1.0.0", "9.9.9")}, "Try something")
    shop.push_event(before)
    skipped = shop.run("promote").only
    assert skipped["result"] == "skipped"
    assert "Try something" in skipped["message"]
    assert "--app webui --env qa" in skipped["message"]
    shop.no_event()
    assert shop.run("promote", "--all").results == ["skipped"]
    forced = shop.run("promote", "--group", "webshop", "--app", "webui", "--env", "qa").only
    assert (forced["result"], forced["tag"]) == ("opened", "9.9.9")


def test_b12_what_is_copied_is_the_tag_at_the_tip_not_the_events(shop: "Shop") -> None:
    start = shop.remote.sha("main")
    shop.new("1.4.2")
    older = shop.remote.sha("main")
    shop.new("1.4.3")
    shop.push_event(start, older)
    assert shop.run("promote").only["tag"] == "1.4.3"
    shop.push_event(older)
    assert shop.run("promote").results == ["unchanged"]


def test_b28_without_a_usable_range_everything_is_compared(shop: "Shop") -> None:
    shop.new("1.4.2")
    shop.push_event("f" * 40)
    run = shop.run("promote")
    assert run.results == ["opened"]
    assert "comparing all applications" in run.stderr


@pytest.mark.parametrize("form", ["push", "shell", "azure", "all"])
def test_an_environment_without_a_marker_is_skipped_with_the_folder_and_the_marker_to_add(
    shop: "Shop", monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    shop.edit({"webshop/qa/webui.yaml": None})
    before = shop.remote.sha("main")
    shop.new("1.4.2")
    if form == "push":
        shop.push_event(before)
    if form == "azure":
        monkeypatch.setenv("TF_BUILD", "True")
    skipped = shop.run("promote", *(["--all"] if form == "all" else [])).outcomes[0]
    assert (skipped["result"], skipped["environment"]) == ("skipped", "qa")
    assert (skipped["message"], skipped["tag"]) == ("qa has no marker of webshop/webui", "1.4.2")
    assert skipped["warnings"] == [
        'no "$imagepolicy" marker of webshop:webui in webshop/qa on main: put # {"$imagepolicy": "webshop:webui:tag"} '
        "behind the tag to set (found no marker of any application); or leave qa out of "
        "groups.webshop.applications.webui.environments in gitops-promotion.yaml"
    ]


def test_forcing_a_promotion_into_an_environment_without_a_marker_is_an_error_with_the_same_text(shop: "Shop") -> None:
    shop.edit({"webshop/qa/webui.yaml": None})
    skipped = shop.run("promote").outcomes[0]
    forced = shop.run("promote", "--app", "webui", "--env", "qa", code=2).only
    assert (forced["result"], forced["message"]) == ("failed", f"{skipped['message']}; {skipped['warnings'][0]}")


def test_the_last_environment_has_nothing_after_it(shop: "Shop") -> None:
    before = shop.remote.sha("main")
    text = shop.remote.show("webshop/prod/webui.yaml", "main")
    shop.edit({"webshop/prod/webui.yaml": text.replace("1.0.0", "2")})
    shop.push_event(before)
    assert "last environment" in shop.run("promote").only["message"]


def test_closing_declines_and_the_decline_sticks_until_forced(shop: "Shop") -> None:
    shop.opened("1.4.2")
    shop.local("close", "2")
    declined = shop.run("promote", "--all").only
    assert declined["result"] == "declined"
    assert "#2" in declined["message"]
    assert declined["pull_request"]["number"] == 2
    assert shop.run("promote").results == ["declined"]
    forced = shop.run("promote", "--app", "webui", "--env", "qa")
    assert forced.results == ["opened"]
    assert "\nAgain-By: Dev\nAgain-At: 20" in shop.remote.git("log", "-1", "--format=%B", forced.only["sha"])


def test_a_declined_tag_does_not_hold_back_the_next(shop: "Shop") -> None:
    shop.opened("1.4.2")
    shop.local("close", "2")
    shop.new("1.4.3")
    assert shop.run("promote").results == ["opened"]


def test_a_rolled_back_tag_is_not_proposed_again_by_itself(shop: "Shop") -> None:
    shop.into_qa("1.4.2")
    text = shop.remote.show("webshop/qa/webui.yaml", "main")
    shop.edit({"webshop/qa/webui.yaml": text.replace("1.4.2", "1.0.0")}, "Roll back")
    skipped = [o for o in shop.run("promote", "--all").outcomes if o["environment"] == "qa"]
    assert [o["result"] for o in skipped] == ["skipped"]
    assert "has moved on since" in skipped[0]["message"]


def test_per_app_an_open_promotion_into_an_earlier_environment_comes_first(
    shop: "Shop", config: Callable[..., str]
) -> None:
    shop.into_qa("1.4.2")
    shop.edit({"gitops-promotion.yaml": config(autos=(False, True, False))})
    assert shop.new("1.4.3").results == ["opened"]
    run = shop.run("promote", "--all")
    skipped = run.only
    assert (skipped["environment"], skipped["result"]) == ("prod", "skipped")
    assert "into dev has the branch promote/webshop-webui" in skipped["message"]


def test_per_app_all_opens_only_the_earliest_pair_that_differs(shop: "Shop") -> None:
    shop.into_qa("1.4.2")
    shop.new("1.4.3")
    run = shop.run("promote", "--all")
    assert [(o["environment"], o["tag"], o["result"]) for o in run.outcomes] == [("qa", "1.4.3", "opened")]


def test_per_app_all_goes_past_a_pair_whose_manifests_do_not_parse(shop: "Shop") -> None:
    # docs/decisions/0007: a fault of dev says nothing about prod, and has not touched the branch.
    shop.into_qa("1.4.2")
    text = shop.remote.show("webshop/dev/webui.yaml", "main")
    shop.edit({"webshop/dev/webui.yaml": text.replace("spec:\n", "spec: [\n")})
    run = shop.run("promote", "--all", code=2)
    assert [(o["environment"], o["result"]) for o in run.outcomes] == [("qa", "failed"), ("prod", "opened")]
    assert "not valid YAML" in run.outcomes[0]["message"]


def test_per_env_all_opens_each_pair_on_its_own_branch(shop: "Shop", config: Callable[..., str]) -> None:
    shop.edit({"gitops-promotion.yaml": config(flow="per-env")})
    shop.into_qa("1.4.2")
    shop.new("1.4.3")
    run = shop.run("promote", "--all")
    assert [(o["environment"], o["tag"], o["result"]) for o in run.outcomes] == [
        ("qa", "1.4.3", "opened"),
        ("prod", "1.4.2", "opened"),
    ]


def test_b1_the_branch_of_an_armed_promotion_is_disarmed_before_it_goes_to_prod(
    shop: "Shop", config: Callable[..., str]
) -> None:
    shop.new("1.4.2")
    assert shop.run("promote").only["pull_request"]["auto_merge"]
    shop.edit({"gitops-promotion.yaml": config(autos=(True, False, False))})
    assert not shop.run("promote").only["pull_request"]["auto_merge"]


def test_all_rebuilds_an_open_promotion_that_conflicts(shop: "Shop") -> None:
    shop.opened("1.4.2")
    text = shop.remote.show("webshop/qa/webui.yaml", "main")
    shop.edit({"webshop/qa/webui.yaml": text.replace("spec:\n", "spec: # the very next line\n")})
    outcome = shop.run("promote", "--all").only
    assert outcome["result"] == "updated"
    assert "the very next line" in shop.remote.show("webshop/qa/webui.yaml", outcome["branch"])


def test_all_rebuilds_a_conflicting_promotion_into_the_first_environment(
    shop: "Shop", config: Callable[..., str]
) -> None:
    shop.edit({"gitops-promotion.yaml": config(autos=(False, True, False))})
    shop.new("1.4.2")
    text = shop.remote.show("webshop/dev/webui.yaml", "main")
    shop.edit({"webshop/dev/webui.yaml": text.replace("1.0.0", "1.1.0")})
    updated = [o for o in shop.run("promote", "--all").outcomes if o["environment"] == "dev"]
    assert [(o["result"], o["tag"]) for o in updated] == [("updated", "1.4.2")]


def test_one_failure_does_not_stop_the_others(shop: "Shop", manifest: Callable[..., str]) -> None:
    two_apps(shop, manifest)
    shop.new("1.4.2")
    shop.new("2.0.0", app="cart")
    shop.edit({"webshop/qa/cart2.yaml": manifest("cart", "1") + "x: [\n"})
    run = shop.run("promote", code=2)
    assert {(o["app"], o["result"]) for o in run.outcomes} == {("cart", "failed"), ("webui", "opened")}


def test_the_tag_and_the_digest_of_the_source_are_promoted(shop: "Shop") -> None:
    digest = "sha256:" + "b" * 64
    shop.edit({"webshop/qa/webui.yaml": 'newTag: "1.0.0" # {"$imagepolicy": "webshop:webui:tag"}\n'})
    shop.new(f"1.4.2@{digest}")
    pull = shop.run("promote").only
    assert pull["tag"] == f"1.4.2@{digest}"
    assert f'newTag: "1.4.2@{digest}" #' in shop.remote.show("webshop/qa/webui.yaml", pull["branch"])


def test_a_digest_that_the_target_cannot_hold_is_an_error_that_names_the_marker_to_add(shop: "Shop") -> None:
    shop.edit({"webshop/qa/webui.yaml": 'tag: "1.0.0" # {"$imagepolicy": "webshop:webui:tag"}\n'})
    shop.new("1.4.2@sha256:" + "b" * 64)
    run = shop.run("promote", code=2)
    assert "webshop/qa/webui.yaml:1: '1.0.0' cannot hold the digest of 1.4.2@sha256:bbbb" in run.stderr
    assert 'put # {"$imagepolicy": "webshop:webui:digest"} behind the digest of the image' in run.stderr


def test_markers_that_disagree_are_an_error_with_each_place(shop: "Shop", manifest: Callable[..., str]) -> None:
    shop.new("1.4.2")
    shop.edit({"webshop/dev/second.yaml": manifest("webui", "3.0.0")})
    run = shop.run("promote", code=2)
    assert "webshop/dev/second.yaml:3" in run.stderr
    assert "webshop/dev/webui.yaml:4" in run.stderr


def test_a_range_in_a_depth_1_checkout_that_lacks_before(shop: "Shop") -> None:
    shop.edit({"README.md": "# One\n"})
    before = shop.remote.sha("main")
    shop.new("1.4.2")
    shallow = shop.remote.clone("shallow", "--depth=1")
    shop.push_event(before)
    log = shallow.git("log", "--oneline")
    assert shop.run("promote", where=shallow.path).results == ["opened"]
    assert shallow.git("log", "--oneline") == log


def test_feature_copies_are_never_promoted(shop: "Shop") -> None:
    before = shop.remote.sha("main")
    text = shop.remote.show("webshop/dev/webui.yaml", "main").replace("1.0.0", "feature-x")
    shop.remote.commit(
        {"webshop/dev/webui.yaml": text},
        "Feature x of webshop/webui\n\nPromotion: webshop/webui\nEnvironment: dev\nTag: feature-x\nFeature: x",
    )
    shop.push_event(before)
    skipped = shop.run("promote").only
    assert skipped["result"] == "skipped"
    assert "a feature" in skipped["message"]


def test_forcing_needs_an_environment_with_one_before_it(shop: "Shop") -> None:
    assert "first environment" in shop.run("promote", "--app", "webui", "--env", "dev", code=2).stderr
    assert "use one of dev, qa, prod" in shop.run("promote", "--app", "webui", "--env", "nope", code=2).stderr
    assert "--env" in shop.run("promote", "--app", "webui", code=2).stderr
    unknown = shop.run("promote", "--app", "nope", "--env", "qa", code=2).stderr
    assert "no application 'nope' has a marker: use one of webshop/webui" in unknown


@pytest.mark.parametrize("more", [("--app", "webui", "--env", "qa"), ("--group", "webshop"), ("--override-gates",)])
def test_all_beside_a_name_is_a_usage_error(more: tuple[str, ...], shop: "Shop") -> None:
    text = "--all compares everything: leave it out to promote one application with --app and --env"
    assert shop.run("promote", "--all", *more, code=2).only["message"] == text


def test_dry_run_of_promote_shows_the_plan_and_writes_nothing(shop: "Shop") -> None:
    shop.new("1.4.2")
    before = shop.remote.git("for-each-ref")
    planned = shop.run("promote", "--dry-run").only
    assert planned["result"] == "planned"
    assert planned["plan"]["title"] == "Promote webshop/webui version 1.4.2 to environment qa"
    assert shop.remote.git("for-each-ref") == before


def test_a_head_whose_check_failed_is_rebuilt_once_it_would_pass(shop: "Shop") -> None:
    shop.opened("1.4.2")
    shop.flux("dev", "failure")
    assert shop.check(2, code=3).results == ["refused"]
    assert shop.run("promote", "--all").results == ["unchanged"], "it would fail again"
    before = shop.remote.branches()["promote/webshop-webui"]
    shop.flux("dev")
    shop.edit({"README.md": "# Newer\n"})
    assert shop.run("promote", "--all").results == ["updated"]
    assert shop.remote.branches()["promote/webshop-webui"] != before
    assert shop.check(2).results == ["passed"]


def test_a_head_whose_check_only_ran_out_of_time_is_left_alone(shop: "Shop") -> None:
    shop.opened("1.4.2")
    assert shop.check(2, code=4).results == ["timed-out"]
    before = shop.remote.branches()["promote/webshop-webui"]
    shop.flux("dev")
    assert shop.run("promote", "--all").results == ["unchanged"]
    assert shop.remote.branches()["promote/webshop-webui"] == before


def test_b38_a_depth_1_checkout_reads_back_as_far_as_the_arrival(shop: "Shop") -> None:
    shop.new("1.4.2")
    for number in range(130):
        shop.edit({"README.md": f"# {number}\n"})
    shallow = shop.remote.clone("shallow", "--depth=1")
    assert shop.run("promote", "--all", where=shallow.path).results == ["opened"]
    assert shallow.git("rev-list", "--count", "HEAD") == "1"
