"""`promote` says why nothing happens: silence is never success."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.commands.conftest import Shop

ENVS = ("dev", "qa", "prod")


def warnings_of(outcomes: list[dict[str, Any]]) -> list[str]:
    return [warning for outcome in outcomes for warning in outcome["warnings"]]


def promote(shop: "Shop", *more: str, code: int = 0) -> list[dict[str, Any]]:
    return shop.run("promote", "--all", *more, code=code).outcomes


def test_nothing_to_promote_is_said_after_a_comparison(shop: "Shop") -> None:
    [outcome] = promote(shop)
    assert (outcome["result"], outcome["warnings"]) == ("unchanged", [])
    assert outcome["message"] == "nothing to promote: in dev -> qa -> prod no application differs from the one before"


def test_a_tree_without_any_marker_is_skipped_and_says_so(shop: "Shop") -> None:
    shop.edit({f"webshop/{env}/webui.yaml": "kind: Deployment\n" for env in ENVS})
    [outcome] = promote(shop)
    assert outcome["result"] == "skipped"
    text = (
        'the tree has no "$imagepolicy" marker, so there is nothing to promote: put a marker behind each tag to promote'
    )
    assert outcome["message"].startswith(text)


@pytest.mark.parametrize("more", [(), ("--dry-run",)])
def test_markers_only_where_no_environment_looks_are_an_error_with_the_key_to_change(
    shop: "Shop", more: tuple[str, ...]
) -> None:
    text = shop.remote.show("webshop/dev/webui.yaml", "main")
    shop.edit({f"webshop/{env}/webui.yaml": None for env in ENVS})
    shop.edit({f"clusters/{env}/webui.yaml": text for env in ENVS})
    [outcome] = promote(shop, *more, code=2)
    assert outcome["result"] == "failed"
    assert "the patterns are dev in {group}/dev, qa in {group}/qa, prod in {group}/prod" in outcome["message"]
    assert "clusters/dev/webui.yaml:4 (webshop:webui)" in outcome["message"]
    assert outcome["message"].endswith('set pathTemplate, such as "clusters/{env}"')
    new = shop.new("2", code=2).only
    assert new["message"] == outcome["message"]


def test_an_application_in_one_environment_alone_is_not_called_compared(shop: "Shop") -> None:
    shop.edit({"webshop/dev/webui.yaml": None, "webshop/prod/webui.yaml": None})
    outcomes = promote(shop)
    # Its tag goes nowhere, and nothing comes to it.
    assert [(o["environment"], o["message"]) for o in outcomes[:1]] == [("prod", "prod has no marker of webshop/webui")]
    shop.edit(
        {"webshop/prod/webui.yaml": shop.remote.show("webshop/qa/webui.yaml", "main"), "webshop/qa/webui.yaml": None}
    )
    [outcome] = promote(shop)
    assert outcome["result"] == "skipped"
    assert "nothing was compared" in outcome["message"]


def test_an_environment_whose_folder_does_not_exist_is_named(shop: "Shop", config: Callable[..., str]) -> None:
    shop.edit({"gitops-promotion.yaml": "environments: [{name: dev}, {name: stage}, {name: qa}, {name: prod}]\n"})
    outcomes = promote(shop)
    assert outcomes[0]["message"] == "stage has no marker of webshop/webui"
    assert (
        "stage has no file: nothing matches {group}/stage: correct pathTemplate, or take stage out of environments"
        in warnings_of(outcomes)
    )


def test_an_environment_without_any_marker_is_named(shop: "Shop") -> None:
    shop.edit({"webshop/prod/webui.yaml": "kind: Deployment\n"})
    assert (
        "prod has no marker of any application in {group}/prod: add markers there, or correct pathTemplate"
        in warnings_of(promote(shop))
    )


def test_a_new_tag_goes_to_the_first_environment_of_an_applications_own_way(shop: "Shop") -> None:
    more = "groups: {webshop: {applications: {webui: {environments: [qa, prod]}}}}\n"
    shop.edit(
        {"gitops-promotion.yaml": f"environments: [{{name: dev}}, {{name: qa, auto: true}}, {{name: prod}}]\n{more}"}
    )
    assert (shop.new("2").only["environment"], shop.tags()) == ("qa", ("1.0.0", "2", "1.0.0"))
    shop.run("promote")
    shop.flux("qa")
    assert shop.check(2).results == ["passed"]


def test_a_second_name_and_a_link_that_only_the_last_environment_has_are_named(shop: "Shop") -> None:
    for name, target in (("qa", "../qa/webui.yaml"), ("own", "webui.yaml"), ("outside", "../../../webui.yaml")):
        (shop.checkout.path / f"webshop/prod/{name}.yaml").symlink_to(target)
    shop.checkout.git("add", "-A")
    shop.checkout.git("commit", "-qm", "Link")
    shop.checkout.git("push", "-q", "origin", "HEAD:main")
    text = shop.remote.show("webshop/prod/webui.yaml", "main")
    shop.edit({"webshop/prod/other.yaml": text.replace("webshop:webui", "webshop:webiu")})
    assert warnings_of(promote(shop)) == [
        "no promotion brings webshop/webiu into prod, since it has no marker in qa: add one, or did you mean "
        "webshop/webui?",
        "webshop/prod/qa.yaml is a symbolic link to webshop/qa/webui.yaml, and only the markers at that path count: "
        "make it a file",
    ]


def test_an_environment_that_is_called_otherwise_in_the_tree_is_found(shop: "Shop") -> None:
    text = shop.remote.show("webshop/prod/webui.yaml", "main")
    shop.edit({"webshop/production/webui.yaml": text, "webshop/prod/webui.yaml": None})
    assert (
        "prod has no file: nothing matches {group}/prod: webshop/production/webui.yaml:4 has the marker webshop:webui: "
        'set environments[2].path, such as "webshop/production"'
    ) in warnings_of(promote(shop))


@pytest.mark.parametrize(
    ("marker", "words"),
    [
        ("webshop:webiu", "or did you mean webshop:webiu?"),
        (
            "wbshop:webui",
            "webshop/prod/webui.yaml:4: the marker wbshop:webui belongs to no environment: markers in this file are "
            "webshop:{app} (prod): correct the marker, or markerTemplate",
        ),
        ("webshop:webui:tagg", "webshop/prod/webui.yaml:4: the suffix of 'webshop:webui:tagg' is unknown"),
    ],
)
def test_a_marker_mistyped_in_the_last_environment_is_said(shop: "Shop", marker: str, words: str) -> None:
    text = shop.remote.show("webshop/prod/webui.yaml", "main").replace('"webshop:webui"', f'"{marker}"')
    shop.edit({"webshop/prod/webui.yaml": text})
    run = shop.run("promote", "--all", code=None)
    said = [outcome["message"] for outcome in run.outcomes] + warnings_of(run.outcomes)
    assert any(words in text for text in said), said
    assert any("prod" in text and "webshop" in text for text in said)


def test_a_file_that_does_not_parse_in_every_environment_is_an_error_with_file_and_line(shop: "Shop") -> None:
    text = shop.remote.show("webshop/prod/webui.yaml", "main") + "x: [\n"
    shop.edit({f"webshop/{env}/webui.yaml": text for env in ENVS})
    outcomes = promote(shop, code=2)
    assert {outcome["result"] for outcome in outcomes} == {"failed"}
    assert "webshop/dev/webui.yaml:" in outcomes[0]["message"]


def test_a_broken_file_that_names_no_application_is_an_error(shop: "Shop") -> None:
    shop.edit({"webshop/prod/x.yaml": 'a: [ # {"$imagepolicy": "\\u0077ebshop:x"}\n'})
    outcomes = promote(shop, code=2)
    assert outcomes[0]["result"] == "failed"
    assert "webshop/prod/x.yaml:" in outcomes[0]["message"]


def test_an_open_promotion_into_an_earlier_environment_is_named(shop: "Shop", config: Callable[..., str]) -> None:
    shop.edit({"gitops-promotion.yaml": config(autos=(False, True, True))})
    shop.new("2")
    [outcome] = promote(shop)
    assert outcome["result"] == "unchanged"
    assert outcome["reasons"] == ["pull request #1 for webshop/webui 2 in dev is open: merge it or close it first"]


def test_an_application_that_leaves_an_environment_out_is_promoted_past_it(
    shop: "Shop", manifest: Callable[..., str]
) -> None:
    more = "groups: {webshop: {applications: {webui: {environments: [dev, prod]}}}}\n"
    shop.edit(
        {"gitops-promotion.yaml": f"environments: [{{name: dev, auto: true}}, {{name: qa}}, {{name: prod}}]\n{more}"}
    )
    # Its marker in qa is not managed: no gate asks for it.
    shop.edit({"webshop/qa/cart.yaml": manifest("cart", "1")})
    before = shop.remote.sha("main")
    shop.new("2")
    shop.push_event(before)
    opened = shop.run("promote").only
    shop.no_event()
    assert (opened["result"], opened["environment"], opened["warnings"]) == ("opened", "prod", [])
    assert "has no status yet" in shop.check(2, code=4).only["reasons"][0]
    shop.flux("dev")
    assert shop.check(2).results == ["passed"]
    error = shop.run("promote", "--app", "webui", "--env", "qa", code=2).only["message"]
    assert error == "webshop/webui does not go into qa: its environments are dev -> prod"


def test_markers_in_an_environment_that_an_application_leaves_out_are_named(shop: "Shop") -> None:
    more = "groups: {webshop: {applications: {webui: {environments: [dev, prod]}}}}\n"
    shop.edit({"gitops-promotion.yaml": f"environments: [{{name: dev}}, {{name: qa}}, {{name: prod}}]\n{more}"})
    text = (
        "webshop/webui has markers in qa, which groups.webshop.applications.webui.environments leaves out: they are "
        "not managed"
    )
    assert promote(shop)[0]["warnings"] == [text]
    changed = shop.remote.show("webshop/qa/webui.yaml", "main").replace("1.0.0", "3")
    shop.edit({"webshop/qa/webui.yaml": changed}, branch="by-hand")
    shop.checkout.git("fetch", "--quiet", "origin")
    shop.checkout.git("checkout", "--quiet", "by-hand")
    passed = shop.run("status", "--timeout", "0").only
    assert (passed["result"], passed["warnings"]) == ("passed", [text])
    before = shop.remote.sha("main")
    shop.edit({"webshop/qa/webui.yaml": shop.remote.show("webshop/qa/webui.yaml", "main").replace("1.0.0", "2")})
    shop.push_event(before)
    assert shop.run("promote").only["warnings"] == [text]


def test_a_pushed_tag_in_no_environment_is_named_with_file_line_and_marker(
    shop: "Shop", manifest: Callable[..., str]
) -> None:
    before = shop.edit({"other/webui.yaml": manifest("webui", "1")})
    shop.edit({"other/webui.yaml": manifest("webui", "2")})
    shop.push_event(before)
    outcome = shop.run("promote").only
    assert (outcome["result"], outcome["message"]) == (
        "skipped",
        "changed markers belong to no environment: they are not promoted",
    )
    assert outcome["warnings"][0].startswith("other/webui.yaml:3: the marker webshop:webui belongs to no environment")


def test_a_pushed_tag_is_an_error_where_no_environment_has_a_marker(shop: "Shop", manifest: Callable[..., str]) -> None:
    shop.edit({f"webshop/{env}/webui.yaml": None for env in ENVS})
    before = shop.edit({"other/dev/webui.yaml": manifest("webui", "1")})
    shop.edit({"other/dev/webui.yaml": manifest("webui", "2")})
    shop.push_event(before)
    run = shop.run("promote", code=2)
    assert "no environment has a marker" in run.only["message"]


def test_a_forced_promotion_that_cannot_be_made_is_an_error(shop: "Shop", config: Callable[..., str]) -> None:
    shop.into_qa("2")
    shop.edit({"gitops-promotion.yaml": config(autos=(False, True, False))})
    shop.new("3")
    forced = shop.run("promote", "--app", "webui", "--env", "prod", code=2).only
    assert "into dev has the branch promote/webshop-webui: merge it or close it first" in forced["message"]
    shop.edit({"webshop/qa/webui.yaml": None})
    forced = shop.run("promote", "--app", "webui", "--env", "prod", code=2).only
    assert forced["message"].startswith("qa has no marker of webshop/webui; no ")
    assert "or leave qa out of groups.webshop.applications.webui.environments" in forced["message"]
    forced = shop.run("promote", "--group", "blog", "--app", "webui", "--env", "prod", code=2).only
    assert forced["message"] == "no application of a group 'blog' has a marker: use one of webshop"


def test_two_environments_that_claim_one_marker_are_an_error_of_that_application_alone(
    shop: "Shop", manifest: Callable[..., str]
) -> None:
    shop.edit(
        {
            "gitops-promotion.yaml": (
                "environments:\n- {name: dev, auto: true, path: [webshop/dev, shared]}\n"
                "- {name: qa, path: [webshop/qa, shared]}\n"
            ),
            "shared/cart.yaml": manifest("cart", "1"),
        }
    )
    text = (
        "shared/cart.yaml:3: dev (environments[0].path, markerTemplate) and qa (environments[1].path, markerTemplate) "
        "both claim the marker webshop:cart: make the path or the marker of one of them more specific"
    )
    assert shop.new("2", app="cart", code=2).only["message"] == text
    assert shop.new("2").results == ["merged"]
    outcomes = promote(shop, code=2)
    assert {(o["app"], o["result"]) for o in outcomes} == {("cart", "failed"), ("webui", "opened")}
    assert text in [outcome["message"] for outcome in outcomes]


def test_a_pull_request_that_adds_a_marker_for_two_environments_fails_its_check(
    shop: "Shop", manifest: Callable[..., str]
) -> None:
    shop.edit(
        {
            "gitops-promotion.yaml": (
                "environments:\n- {name: dev, path: [webshop/dev, shared]}\n- {name: qa, path: [webshop/qa, shared]}\n"
            )
        }
    )
    shop.edit({"shared/cart.yaml": manifest("cart", "1")}, branch="by-hand")
    shop.checkout.git("fetch", "--quiet", "origin")
    shop.checkout.git("checkout", "--quiet", "by-hand")
    failed = shop.run("status", "--timeout", "0", code=2).only
    assert failed["message"].startswith("shared/cart.yaml:3: dev (environments[0].path, markerTemplate) and qa (")
