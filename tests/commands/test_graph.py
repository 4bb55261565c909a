"""`graph`, through the real command line: what the tip has, and the exit code of its problems."""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from gitops_promotion import cli

if TYPE_CHECKING:
    from tests.commands.conftest import Shop


@pytest.fixture
def graph(shop: "Shop", capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run `graph` and return its exit code, stdout and stderr."""

    def run(*more: str) -> tuple[int, str, str]:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main(["graph", "--sourcedir", str(shop.checkout.path), *more])
        printed = capsys.readouterr()
        return int(ended.value.code or 0), printed.out, printed.err

    return run


def document(text: str) -> dict[str, dict[str, Any]]:
    return {environment["name"]: environment for environment in json.loads(text)["environments"]}


def test_it_shows_the_files_and_applications_of_each_environment(
    shop: "Shop", graph: Callable[..., tuple[int, str, str]]
) -> None:
    code, out, err = graph("--output", "json")
    assert (code, err) == (0, "")
    assert document(out)["qa"]["files"] == ["webshop/qa/webui.yaml"]
    assert document(out)["qa"]["applications"] == ["webshop/webui"]
    assert graph("--mermaid")[1].startswith("flowchart LR\n")
    assert graph("-o", "mermaid")[1] == graph("--mermaid")[1]
    assert graph()[1].startswith("dev -> qa -> prod\n")


def test_it_is_the_tip_of_the_remote_and_not_the_checkout(
    shop: "Shop", graph: Callable[..., tuple[int, str, str]], manifest: Callable[..., str]
) -> None:
    shop.edit({"webshop/dev/cart.yaml": manifest("cart", "1")})
    assert document(graph("-o", "json")[1])["dev"]["applications"] == ["webshop/cart", "webshop/webui"]


def test_patterns_that_find_nothing_are_an_error_beside_the_picture(
    shop: "Shop", graph: Callable[..., tuple[int, str, str]]
) -> None:
    shop.edit({"gitops-promotion.yaml": "pathTemplate: 'x/{env}'\nenvironments: [{name: dev}, {name: prod}]\n"})
    code, out, err = graph("-o", "json")
    assert code == 2
    assert document(out)["dev"]["files"] == []
    assert err.startswith("error: gitops-promotion.yaml: no environment has a marker: the patterns are dev in x/dev, ")


def test_a_marker_that_two_environments_claim_is_an_error_with_file_line_and_keys(
    shop: "Shop", graph: Callable[..., tuple[int, str, str]]
) -> None:
    shop.edit({"gitops-promotion.yaml": "environments: [{name: dev, path: webshop}, {name: qa, path: webshop/qa}]\n"})
    code, out, err = graph()
    assert code == 2
    assert out.startswith("dev -> qa\n")
    assert "error: webshop/qa/webui.yaml:4: dev (environments[0].path, markerTemplate) and qa (environments[1]" in err


def test_a_file_that_does_not_parse_is_an_error(shop: "Shop", graph: Callable[..., tuple[int, str, str]]) -> None:
    text = shop.remote.show("webshop/prod/webui.yaml", "main")
    shop.edit({"webshop/prod/webui.yaml": text + "x: [\n"})
    code, _, err = graph("-q")
    assert code == 2
    assert err.startswith("error: webshop/prod/webui.yaml:")
    assert shop.run("promote", "--all", code=2).results == ["failed"]


def test_a_configuration_that_is_none_is_an_error_without_a_picture(
    shop: "Shop", graph: Callable[..., tuple[int, str, str]]
) -> None:
    shop.edit({"gitops-promotion.yaml": "environments: [{name: dev, after: dev}]\n"})
    code, out, err = graph()
    assert (code, out) == (2, "")
    assert "gitops-promotion.yaml:1: environments: dev comes after itself" in err


def test_what_is_absent_is_a_warning(shop: "Shop", graph: Callable[..., tuple[int, str, str]]) -> None:
    shop.edit({"webshop/prod/webui.yaml": None})
    code, _, err = graph()
    assert code == 0
    assert (
        'warning: prod has no marker of webshop/webui: no "$imagepolicy" marker of webshop:webui in webshop/prod' in err
    )
    assert "warning: prod has no file: nothing matches {group}/prod: correct pathTemplate, or take prod out of " in err
    assert graph("-q")[2] == ""


def test_a_tree_without_any_marker_is_a_warning(shop: "Shop", graph: Callable[..., tuple[int, str, str]]) -> None:
    shop.edit({f"webshop/{env}/webui.yaml": "kind: Deployment\n" for env in ("dev", "qa", "prod")})
    code, _, err = graph()
    assert (code, err.startswith('warning: the tree has no "$imagepolicy" marker')) == (0, True), err
