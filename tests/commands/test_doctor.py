"""`doctor` on plain git, through the real command line."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gitops_promotion import cli

if TYPE_CHECKING:
    from tests.commands.conftest import Shop

CONFIG = "gitops-promotion.yaml"
RULESET = Path(__file__).parents[2] / "examples" / "github" / "ruleset.json"


def run(shop: "Shop", *words: str) -> tuple[int, str]:
    shop.capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        cli.main(["doctor", *words, "--sourcedir", str(shop.checkout.path), "--quiet"])
    return int(ended.value.code or 0), shop.capsys.readouterr().out


def codes(shop: "Shop", *words: str) -> tuple[int, list[str]]:
    code, out = run(shop, "--format", "json", *words)
    return code, [finding["code"] for finding in json.loads(out)["findings"]]


def test_it_reads_the_statuses_and_the_settings_of_the_server(shop: "Shop") -> None:
    assert codes(shop, "--strict")[0] == 2
    before = codes(shop)
    shop.remote.git("config", "receive.denyDeletes", "true")
    code, found = codes(shop)
    assert (code, before[0]) == (0, 0)
    assert found == [*before[1], "GP506"]
    assert "GP502" in found
    shop.edit({"gitops-promotion.holds.yaml/a.md": "in a folder of that name\n"})
    assert "GP521" in codes(shop)[1]


def test_its_sarif_names_its_rules(shop: "Shop") -> None:
    _, out = run(shop, "--format", "sarif")
    rules = json.loads(out)["runs"][0]["tool"]["driver"]["rules"]
    assert [rule["shortDescription"]["text"] for rule in rules] == ["nobody reports on an environment"]


def test_it_changes_nothing(shop: "Shop") -> None:
    refs = shop.remote.git("for-each-ref")
    run(shop)
    assert shop.remote.git("for-each-ref") == refs


def test_the_ruleset_is_the_example_without_a_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    cli.main(["doctor", "--ruleset"])
    assert capsys.readouterr().out.strip() == RULESET.read_text(encoding="utf-8").strip()


def test_the_ruleset_requires_the_published_status_where_the_gates_need_it(shop: "Shop") -> None:
    (shop.checkout.path / CONFIG).write_text("environments: [{name: dev, auto: true}, {name: prod, soak: 1h}]\n")
    shop.capsys.readouterr()
    cli.main(["doctor", "--ruleset", "--sourcedir", str(shop.checkout.path)])
    rules = {rule["type"]: rule.get("parameters") for rule in json.loads(shop.capsys.readouterr().out)["rules"]}
    assert rules["required_status_checks"]["required_status_checks"] == [{"context": "gitops-promotion"}]


def test_without_a_checkout_it_looks_back_as_far(shop: "Shop") -> None:
    shop.edit({"notes/a.md": "a\n"})
    expected = run(shop, "--format", "json")
    shop.capsys.readouterr()
    words = ["doctor", "--format", "json", "--repo", f"file://{shop.remote.path}", "--quiet"]
    try:
        cli.main(words)
    except SystemExit as ended:
        assert not ended.code
    assert (0, shop.capsys.readouterr().out) == expected
    assert "newest 1 commits" not in expected[1]
