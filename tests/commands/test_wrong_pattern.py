"""A configuration whose patterns find nothing, or not all: silence is never success."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.commands.conftest import Shop
    from tests.conftest import Remote

WRONG = "environments: [{name: dev, auto: true}, {name: prod}]\npathTemplate: '%s'\n"


@pytest.fixture
def shop(
    make_remote: "Callable[..., Remote]", make_shop: "Callable[[Remote], Shop]", manifest: Callable[..., str]
) -> "Shop":
    """Markers in clusters/<environment>/, and patterns that look elsewhere."""
    files = {f"clusters/{env}/webui.yaml": manifest("webui", "1.0.0") for env in ("dev", "prod")}
    return make_shop(make_remote({"gitops-promotion.yaml": WRONG % "{group}/{env}", **files}))


def change(shop: "Shop", path: str, branch: str = "change") -> None:
    """Push a branch that changes the tag in a file, and check it out."""
    text = shop.remote.show(path, "main").replace("1.0.0", "6.6.6")
    propose(shop, {path: text}, branch)


def propose(shop: "Shop", files: Mapping[str, str | None], branch: str = "change") -> None:
    shop.edit(files, branch=branch)
    shop.checkout.git("fetch", "--quiet", "origin")
    shop.checkout.git("checkout", "--quiet", branch)


def check(shop: "Shop", code: int = 0) -> dict[str, Any]:
    return shop.run("status", "--timeout", "0", code=code).only


NOTHING = (
    "no environment has a marker: the patterns are dev in {group}/dev, prod in {group}/prod; markers are in "
    "clusters/dev/webui.yaml:3 (webshop:webui), clusters/prod/webui.yaml:3 (webshop:webui): set pathTemplate, such as "
    '"clusters/{env}"'
)


def test_a_wrong_pattern_fails_the_check_of_a_pull_request_that_changes_a_tag(shop: "Shop") -> None:
    change(shop, "clusters/prod/webui.yaml")
    outcome = check(shop, code=2)
    assert (outcome["result"], outcome["message"]) == ("failed", f"gitops-promotion.yaml: {NOTHING}")


def test_the_published_verdict_of_such_a_pull_request_is_a_failure(shop: "Shop") -> None:
    change(shop, "clusters/prod/webui.yaml")
    head = shop.remote.branches()["change"]
    shop.event(
        "pull_request",
        {
            "pull_request": {
                "number": 7,
                "head": {"ref": "change", "sha": head, "repo": {"full_name": "a/b"}},
                "base": {"ref": "main", "repo": {"full_name": "a/b"}},
            }
        },
    )
    assert shop.run("status", "--publish", code=2).results == ["failed"]
    record = shop.remote.git("cat-file", "blob", f"refs/gitops-promotion/statuses/{head}")
    assert '"state": "failure"' in record


def test_the_repair_of_a_wrong_pattern_passes_with_the_same_text_as_a_warning(shop: "Shop") -> None:
    propose(shop, {"gitops-promotion.yaml": WRONG % "clusters/{env}"}, "repair")
    outcome = check(shop)
    assert outcome["result"] == "passed"
    assert "no marked tag is changed" in str(outcome["message"])
    assert outcome["warnings"] == [f"gitops-promotion.yaml: {NOTHING}"]


def test_a_change_without_tags_passes_without_a_warning_where_patterns_find_markers(shop: "Shop") -> None:
    shop.edit({"gitops-promotion.yaml": WRONG % "clusters/{env}"})
    propose(shop, {"README.md": "# New\n"}, "readme")
    assert check(shop)["warnings"] == []


def test_a_tree_without_any_marker_raises_no_warning(shop: "Shop") -> None:
    shop.edit({"clusters/dev/webui.yaml": None, "clusters/prod/webui.yaml": "kind: Deployment\n"})
    propose(shop, {"README.md": "# New\n"}, "readme")
    assert check(shop)["warnings"] == []


def test_markers_in_files_of_an_environment_that_name_another_group_are_no_markers_of_it(shop: "Shop") -> None:
    shop.edit(
        {
            "gitops-promotion.yaml": WRONG % "{group}/{env}",
            "apps/prod/x.yaml": shop.remote.show("clusters/dev/webui.yaml", "main"),
        }
    )
    shop.edit({"clusters/dev/webui.yaml": None, "clusters/prod/webui.yaml": None})
    change(shop, "apps/prod/x.yaml")
    assert "apps/prod/x.yaml:3 (webshop:webui)" in str(check(shop, code=2)["message"])


def test_a_changed_tag_in_no_environment_passes_and_is_named_with_file_line_and_marker(
    shop: "Shop", manifest: Callable[..., str]
) -> None:
    shop.edit({"gitops-promotion.yaml": WRONG % "clusters/{env}", "other/webui.yaml": manifest("webui", "1.0.0")})
    change(shop, "other/webui.yaml")
    outcome = check(shop)
    text = (
        "other/webui.yaml:3: the marker webshop:webui belongs to no environment, since no path takes the file in: "
        "correct pathTemplate, or move the file"
    )
    assert outcome["result"] == "passed"
    assert outcome["warnings"] == [text]
    assert outcome["message"] == f"{text}; nothing to wait for"


def test_a_changed_tag_in_no_environment_is_named_beside_one_that_waits(
    shop: "Shop", manifest: Callable[..., str]
) -> None:
    shop.edit({"gitops-promotion.yaml": WRONG % "clusters/{env}", "other/webui.yaml": manifest("webui", "1.0.0")})
    changed = {
        p: shop.remote.show(p, "main").replace("1.0.0", "2") for p in ("other/webui.yaml", "clusters/prod/webui.yaml")
    }
    propose(shop, changed)
    outcome = check(shop, code=3)
    assert "webshop/webui 2 has not been in dev" in str(outcome["message"])
    assert [str(w).partition(" belongs")[0] for w in outcome["warnings"]] == [
        "other/webui.yaml:3: the marker webshop:webui"
    ]


def test_a_tag_that_no_gate_holds_since_its_marker_is_mistyped_is_named(shop: "Shop") -> None:
    text = shop.remote.show("clusters/prod/webui.yaml", "main").replace("webshop:webui", "webshop:wui")
    shop.edit({"gitops-promotion.yaml": WRONG % "clusters/{env}", "clusters/prod/webui.yaml": text})
    change(shop, "clusters/prod/webui.yaml")
    outcome = check(shop)
    assert outcome["message"] == "webshop/wui in prod: no earlier environment has it, nothing to wait for"
    assert outcome["warnings"] == [
        "no promotion brings webshop/wui into prod, since it has no marker in dev: add one, or did you mean "
        "webshop/webui?"
    ]


def test_an_environment_that_the_gate_cannot_ask_is_named(shop: "Shop") -> None:
    config = "environments: [{name: dev, auto: true}, {name: qa}, {name: prod}]\npathTemplate: 'clusters/{env}'\n"
    shop.edit({"gitops-promotion.yaml": config})
    change(shop, "clusters/prod/webui.yaml")
    [warning] = check(shop, code=3)["warnings"]
    assert warning.startswith(
        'qa has no marker of webshop/webui, so the gates of prod ask what comes before qa: no "$imagepolicy" marker'
    )
    assert warning.endswith(
        "or leave qa out of groups.webshop.applications.webui.environments in gitops-promotion.yaml"
    )
