"""`init` on a GitHub of our own: three typed commands lead from a fresh clone to a gated promotion."""

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import pytest

from gitops_promotion import cli
from tests.commands import reference
from tests.forges.github import GitHub


def run(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """Run a command line that ends with 0 and return its stdout."""
    capsys.readouterr()
    code: object = 0
    try:
        cli.main(list(words))
    except SystemExit as ended:
        code = ended.code
    printed = capsys.readouterr()
    assert not code, printed.out + printed.err
    return printed.out


def look(capsys: pytest.CaptureFixture[str], number: int) -> tuple[str, str]:
    """Run the required check of a pull request once, and return its result and its reasons."""
    capsys.readouterr()
    with suppress(SystemExit):
        cli.main(["status", "--pr", str(number), "--timeout", "0", "-o", "json"])
    [outcome] = json.loads(capsys.readouterr().out)["outcomes"]
    return outcome["result"], "; ".join(outcome["reasons"])


def findings(capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    """Run `doctor` and return what to do, by code."""
    capsys.readouterr()
    with suppress(SystemExit):
        cli.main(["doctor", "--format", "json"])
    return {finding["code"]: finding["fix"] for finding in json.loads(capsys.readouterr().out)["findings"]}


def test_three_commands_and_a_merge_lead_to_a_gated_promotion(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], environ: Mapping[str, str]
) -> None:
    with GitHub(tmp_path / "github") as server:
        hosted = server.repository("acme/gitops", reference.FILES)
        checkout = hosted.git.clone_to(tmp_path / "checkout", url=hosted.url, environ=dict(environ))
        monkeypatch.setenv("GITHUB_SERVER_URL", server.url)
        monkeypatch.setenv("GITHUB_API_URL", server.api_url)
        monkeypatch.setenv("GITHUB_TOKEN", server.token)
        monkeypatch.chdir(checkout.path)
        out = run(capsys, "init", "--yes", "--pull-request", "--action", "acme/gitops-promotion@v2")
        assert "create  .github/workflows/promotion-promote.yml" in out
        [pull] = hosted.pulls()
        assert f"opened pull request #{pull.number}: {server.url}/acme/gitops/pull/{pull.number}\n" in out
        assert pull.title == "Promote images with gitops-promotion"
        hosted.merge(pull.number)
        run(capsys, "new", "--group", "apps", "--app", "podinfo", "--tag", "6.7.1")
        [outcome] = json.loads(run(capsys, "promote", "-o", "json"))["outcomes"]
        assert (outcome["result"], outcome["environment"], outcome["tag"]) == ("opened", "production", "6.7.1")
        assert outcome["pull_request"]["auto_merge"] is False
        number = outcome["pull_request"]["number"]
        result, reasons = look(capsys, number)
        assert (result, "flux/staging/apps" in reasons) == ("timed-out", True), reasons
        found = findings(capsys)
        assert list(found) == ["GP502", "GP514", "GP517"]
        assert "doctor --ruleset | gh api -X POST --input - repos/acme/gitops/rulesets`" in found["GP514"]
        ruleset = json.loads(run(capsys, "doctor", "--ruleset"))
        hosted.push("main", {".github/CODEOWNERS": "/ @acme/ops\n"})
        hosted.protect("main", more={rule["type"]: rule.get("parameters", {}) for rule in ruleset["rules"]})
        hosted.post_status(hosted.branches()["main"], "flux/staging/apps", "success")
        assert findings(capsys) == {}
        assert look(capsys, number)[0] == "passed"
