"""`--repo`: a verb without a checkout, and what it cannot be combined with."""

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gitops_promotion import cli

if TYPE_CHECKING:
    from tests.conftest import Remote

NEW = ("new", "--group", "webshop", "--app", "webui", "--tag", "1.1.0", "-o", "json")


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Start in a folder that is in no repository."""
    (tmp_path / "nowhere").mkdir()
    monkeypatch.chdir(tmp_path / "nowhere")


def run(capsys: pytest.CaptureFixture[str], *args: str) -> tuple[int, str, str]:
    capsys.readouterr()
    with pytest.raises(SystemExit) as raised:
        cli.main(list(args))
    printed = capsys.readouterr()
    return int(raised.value.code or 0), printed.out, printed.err


def test_a_verb_needs_no_checkout(remote: "Remote", tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    remote.git("config", "uploadpack.allowFilter", "true")
    code, output, _ = run(capsys, *NEW, "--repo", remote.url, "--cache-dir", str(tmp_path / "cache"))
    assert code == 0
    assert [outcome["result"] for outcome in json.loads(output)["outcomes"]] == ["merged"]
    assert "webui:1.1.0" in remote.show("webshop/dev/webui.yaml", "main")
    assert len(list((tmp_path / "cache").iterdir())) == 1
    code, output, _ = run(capsys, "promote", "--all", "-o", "json", "--repo", remote.url)
    assert code == 0
    assert [outcome["tag"] for outcome in json.loads(output)["outcomes"]] == ["1.1.0"]


def test_variables_stand_for_both_options_and_a_flag_wins(
    remote: "Remote", tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITOPS_PROMOTION_REPO", remote.url)
    monkeypatch.setenv("GITOPS_PROMOTION_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("GITOPS_PROMOTION_REMOTE", "upstream")
    code, _, _ = run(capsys, *NEW, "--dry-run")
    assert code == 0
    assert (tmp_path / "cache").is_dir()
    code, _, errors = run(capsys, *NEW, "--sourcedir", ".")
    assert (code, "is in no git repository" in errors) == (5, True), errors


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (("--repo", "/srv/x", "--sourcedir", "."), "--repo needs no checkout: leave --sourcedir out"),
        (("--repo", "/srv/x", "--remote", "origin"), "--repo needs no checkout: leave --remote out"),
        (("--cache-dir", "x"), "--cache-dir is for a repository without a checkout: give --repo too"),
        (("--repo", "ext::sh -c x"), "--repo names a transport that is not allowed"),
        (("--repo=--upload-pack=x",), "--repo begins with a dash"),
        (("--repo", "https://a:s3cr3t@example.com/x"), "--repo has a password in it"),
    ],
)
def test_what_cannot_be_is_a_usage_error(
    options: tuple[str, ...], problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, output, errors = run(capsys, *NEW, *options)
    assert code == 2
    assert problem in errors
    assert "s3cr3t" not in output + errors


@pytest.mark.parametrize("verb", ["init", "set-tag", "validate"])
def test_a_verb_that_reads_a_working_tree_has_no_such_option(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, errors = run(capsys, verb, "--repo", "/srv/x")
    assert code == 2
    # The versions of click spell it differently.
    assert re.search(r"No such option:? '?--repo\b", errors)
