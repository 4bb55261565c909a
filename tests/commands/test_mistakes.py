"""What a beginner does wrong is said by its cause, with the next step."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gitops_promotion import cli

if TYPE_CHECKING:
    from tests.commands.conftest import Shop

MARKED = 'image: ghcr.io/acme/api:1 # {"$imagepolicy": "webshop:api"}\n'
CONFIG = "gitops-promotion.yaml"


def error(shop: "Shop", *words: str, code: int = 2) -> str:
    """The one error of a command line, without its prefix."""
    shop.capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        cli.main([*words, "--sourcedir", str(shop.checkout.path), "--quiet"])
    printed = shop.capsys.readouterr()
    assert (ended.value.code, printed.err.count("error: ")) == (code, 1), printed.err
    return printed.err.removeprefix("error: ").rstrip("\n")


def check_out(shop: "Shop", files: Mapping[str, str]) -> None:
    """Write files to the working tree alone."""
    for path, text in files.items():
        (shop.checkout.path / path).parent.mkdir(parents=True, exist_ok=True)
        (shop.checkout.path / path).write_text(text)


def new(shop: "Shop", group: str = "webshop", app: str = "webui") -> str:
    return error(shop, "new", "--group", group, "--app", app, "--tag", "2")


def test_a_configuration_that_is_not_pushed(shop: "Shop") -> None:
    text = shop.remote.show(CONFIG, "main")
    shop.edit({CONFIG: None})
    check_out(shop, {CONFIG: text})
    assert new(shop) == f"{CONFIG}: is in your checkout, not on origin/main: commit and push it"


@pytest.mark.parametrize("name", ["gitops-promotion.yml", ".gitops-promotion.yaml"])
def test_a_configuration_with_another_name(name: str, shop: "Shop") -> None:
    shop.edit({CONFIG: None, name: shop.remote.show(CONFIG, "main")})
    (shop.checkout.path / CONFIG).unlink()
    assert new(shop) == f"{CONFIG}: not found on the branch main, but {name} is there: rename it to {CONFIG}"


def test_no_configuration_at_all(shop: "Shop") -> None:
    shop.edit({CONFIG: None})
    (shop.checkout.path / CONFIG).unlink()
    assert new(shop).startswith(f"{CONFIG}: not found on the branch main: run `gitops-promotion init`, or add it")


def test_a_marker_that_is_not_pushed(shop: "Shop") -> None:
    check_out(shop, {"webshop/dev/api.yaml": MARKED})
    assert new(shop, app="api") == (
        "the marker of webshop/api in webshop/dev/api.yaml is in your checkout, not on origin/main: commit and push it"
    )


def test_a_group_without_a_folder(shop: "Shop") -> None:
    assert new(shop, group="webshp") == ("there is no file in webshp/dev on main: did you mean the group webshop?")
    assert new(shop, group="billing") == (
        "there is no file in billing/dev on main: use a group that has markers (webshop), put the manifests there, or "
        "correct pathTemplate"
    )


def test_an_application_that_is_mistyped(shop: "Shop") -> None:
    assert "or did you mean webshop:webui?" in new(shop, app="webiu")
    assert "did you mean" not in new(shop, app="payments")


def test_an_environment_that_is_mistyped(shop: "Shop") -> None:
    text = error(shop, "promote", "--app", "webui", "--env", "prd")
    assert text == "environment 'prd' is not in the configuration: did you mean prod? use one of dev, qa, prod"


def test_files_with_the_other_ending(shop: "Shop") -> None:
    config = "environments: [{name: dev, auto: true}, {name: prod}]\npathTemplate: '{group}/{app}/{env}.yaml'\n"
    marked = MARKED.replace("api", "webui")
    shop.edit(
        {CONFIG: config, "webshop/webui/dev.yml": marked, "other/x/dev.yaml": MARKED.replace("webshop:api", "other:x")}
    )
    check_out(shop, {"webshop/dev/webui.yaml": ""})
    assert new(shop) == (
        "there is no file in webshop/webui/dev.yaml on main, but there is webshop/webui/dev.yml: correct pathTemplate, "
        "or rename the file"
    )


@pytest.mark.parametrize(
    "line", ["status --pr 99", "local show 99", "local merge 99", "local close 99", "local review 99 approved"]
)
def test_a_pull_request_that_does_not_exist(line: str, shop: "Shop") -> None:
    assert error(shop, *line.split()).startswith("there is no pull request #99")


@pytest.mark.parametrize("number", ["abc", "0", "1.5", "9" * 19])
def test_what_is_no_number_of_a_pull_request(number: str, shop: "Shop") -> None:
    assert error(shop, "local", "show", number) == (
        f"Invalid value for 'NUMBER': '{number}' is not the number of a pull request: `gitops-promotion local list` "
        "shows the numbers: see `gitops-promotion local show -h`"
    )


@pytest.mark.parametrize("verb", ["merge 1", "close 1", "reopen 1", "review 1 approved"])
def test_a_pull_request_that_is_merged(verb: str, shop: "Shop") -> None:
    shop.new("2.0.0")
    assert error(shop, "local", *verb.split()).startswith("pull request #1 is merged already")


def test_an_earlier_promotion_that_is_open(shop: "Shop") -> None:
    shop.into_qa("2.0.0")
    shop.opened("3.0.0")
    [number] = [o["pull_request"]["number"] for o in shop.run("promote").outcomes if o["pull_request"]]
    assert f"#{number}" in error(shop, "promote", "--app", "webui", "--env", "prod")


def test_a_remote_of_another_name_and_one_that_is_not_there(shop: "Shop") -> None:
    shop.checkout.git("remote", "rename", "origin", "up")
    shop.checkout.git("remote", "add", "fork", "/nowhere")
    assert "give --remote one of fork, up" in error(shop, "promote", code=5)
    assert "no remote is called 'origin': give --remote one of fork, up" in error(shop, "promote", "--remote", "origin")
    shop.run("promote", "--remote", "up")


GOLDEN = (Path(__file__).parent / "mistakes.txt").read_text(encoding="utf-8")
LINES = [line.removeprefix("$ gitops-promotion ") for line in GOLDEN.splitlines() if line.startswith("$ ")]
WITHOUT_GIT = ("promot\n", "set-tag", "graph", "status --timeout")
"""The beginnings of those that git is not asked for: the others are tried where the terminal is narrow alone."""


@pytest.mark.parametrize("columns", [80, 40])
def test_the_whole_text_of_each_mistake(columns: int, shop: "Shop", monkeypatch: pytest.MonkeyPatch) -> None:
    """Messages are one line at any width, so that they can be searched for, and the terminal folds them."""
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("GITOPS_PROMOTION_QUIET", "true")
    monkeypatch.chdir(shop.checkout.path)
    check_out(shop, {"webshop/dev/api.yaml": MARKED})
    texts = dict(zip(LINES, [text for text in GOLDEN.splitlines() if not text.startswith("$ ")], strict=True))
    for line, text in texts.items():
        if columns == 40 or f"{line}\n".startswith(WITHOUT_GIT):
            shop.capsys.readouterr()
            with pytest.raises(SystemExit) as ended:
                cli.main(line.split())
            assert (ended.value.code, shop.capsys.readouterr().err) == (2, f"{text}\n"), line
