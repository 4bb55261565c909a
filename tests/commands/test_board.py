"""`board`, through the real command line, on real repositories."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from gitops_promotion import cli
from tests.support.repositories import NOW

if TYPE_CHECKING:
    from tests.commands.conftest import Shop

Looker = Callable[..., tuple[int, str, str]]


@pytest.fixture
def board(shop: "Shop", capsys: pytest.CaptureFixture[str]) -> Looker:
    """Run `board` and return its exit code, stdout and stderr."""

    def run(*more: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = 0
        try:
            cli.main(["board", "--sourcedir", str(shop.checkout.path), *more])
        except SystemExit as ended:
            code = int(ended.code or 0)
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


def cell(text: str, environment: str, app: str = "webui") -> dict[str, Any]:
    applications = {each["app"]: each for each in json.loads(text)["applications"]}
    cells: dict[str, dict[str, Any]] = {each["environment"]: each for each in applications[app]["environments"]}
    return cells[environment]


@pytest.fixture
def waiting(shop: "Shop") -> None:
    """1.0.1 is in dev, and its promotion into qa waits for dev to be healthy."""
    shop.run("new", "--group", "webshop", "--app", "webui", "--tag", "1.0.1")
    shop.run("promote", "--all")


@pytest.mark.usefixtures("waiting")
def test_it_shows_tags_arrivals_and_what_an_open_promotion_waits_for(board: Looker) -> None:
    code, out, _ = board("-o", "json")
    assert code == 0
    dev, qa = cell(out, "dev"), cell(out, "qa")
    assert (dev["tag"], dev["pull_request"], dev["open"]) == ("1.0.1", 1, None)
    assert (qa["tag"], qa["behind"]["versions"], qa["behind"]["of"]) == ("1.0.0", 1, "dev")
    assert (qa["open"]["pull_request"], qa["open"]["decision"], qa["open"]["tag"]) == (2, "wait", "1.0.1")
    assert "status gate of dev" in qa["open"]["reasons"][0]


@pytest.mark.usefixtures("waiting")
def test_a_green_source_makes_it_ready_and_costs_few_git_commands(shop: "Shop", board: Looker) -> None:
    shop.run("local", "set-status", "main", "kustomization/webshop-dev/2fb0a5b0", "success")
    code, out, err = board("-o", "json", "--verbose")
    commands = int(next(line for line in err.splitlines() if line.endswith("git commands")).split()[0])
    opened = cell(out, "qa")["open"]
    assert (code, opened["decision"], opened["reasons"][-1]) == (0, "pass", "its gates pass: it merges by itself")
    assert commands <= 16, err


@pytest.mark.usefixtures("waiting")
def test_what_is_ready_with_auto_merge_off_does_not_merge_by_itself(shop: "Shop", board: Looker) -> None:
    shop.run("local", "close", "2")
    shop.run("local", "reopen", "2")
    shop.run("local", "set-status", "main", "kustomization/webshop-dev/2fb0a5b0", "success")
    opened = cell(board("-o", "json")[1], "qa")["open"]
    assert opened["reasons"][-1].startswith("its gates pass, but auto-merge is off: a person merges it")


@pytest.mark.usefixtures("waiting")
def test_a_persons_commit_on_the_branch_is_a_refusal(shop: "Shop", board: Looker) -> None:
    shop.edit({"elsewhere.txt": "x"}, branch="promote/webshop-webui")
    opened = cell(board("-o", "json")[1], "qa")["open"]
    assert opened["decision"] == "refuse"
    assert "which is not this tool's" in opened["reasons"][0]


@pytest.mark.usefixtures("waiting")
def test_scope_and_waiting_limit_the_board(shop: "Shop", board: Looker, manifest: Callable[..., str]) -> None:
    shop.edit({f"webshop/{name}/cart.yaml": manifest("cart", "1") for name in ("dev", "qa", "prod")})
    assert [each["app"] for each in json.loads(board("-o", "json")[1])["applications"]] == ["cart", "webui"]
    assert [each["app"] for each in json.loads(board("-o", "json", "--waiting")[1])["applications"]] == ["webui"]
    assert [each["app"] for each in json.loads(board("-o", "json", "--app", "cart")[1])["applications"]] == ["cart"]
    [application] = json.loads(board("-o", "json", "--app", "cart", "--env", "qa")[1])["applications"]
    assert [each["environment"] for each in application["environments"]] == ["qa"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--app", "nope"), "no application 'nope' has a marker"),
        (("--env", "nope"), "environment 'nope' is not in the configuration"),
        (("--html", "/nowhere/board.html"), "cannot write /nowhere/board.html (No such file or directory)"),
    ],
)
def test_an_unknown_name_or_file_ends_with_2(board: Looker, arguments: tuple[str, ...], message: str) -> None:
    code, _, err = board(*arguments)
    assert (code, message in err) == (2, True), err


def test_without_a_forge_that_answers_it_shows_what_git_knows(board: Looker) -> None:
    code, out, _ = board("-o", "json", "--provider", "github")
    assert (code, cell(out, "dev")["tag"]) == (0, "1.0.0")
    [left_out] = json.loads(out)["left_out"]
    assert left_out.startswith("open promotions and what holds them: the remote's URL names no repository on GitHub")


@pytest.mark.usefixtures("waiting")
def test_a_decline_and_a_hold_stand_in_their_cells(shop: "Shop", board: Looker) -> None:
    shop.run("local", "close", "2")
    [decline] = cell(board("-o", "json")[1], "qa")["declined"]
    assert decline.startswith("pull request #2 for it was closed without merging")
    holds = "holds:\n  - {group: webshop, app: '*', environment: qa, reason: migration, by: ann}\n"
    shop.edit({"gitops-promotion.holds.yaml": holds})
    _, out, _ = board("-o", "json")
    assert cell(out, "dev")["holds"] == cell(out, "prod")["holds"] == []
    [hold] = cell(out, "qa")["holds"]
    assert "on hold by ann: migration" in hold
    assert "webshop/webui in qa" in " ".join(board()[1].split())
    # A hold that cannot be read stops what it could concern, and is a problem there.
    shop.edit({"gitops-promotion.holds.yaml": holds.replace("by: ann", "by: [ann]")})
    _, out, _ = board("-o", "json")
    assert [cell(out, name)["problems"] for name in ("dev", "prod")] == [[], []]
    [problem] = cell(out, "qa")["problems"]
    assert problem.startswith("gitops-promotion.holds.yaml:2: holds[0].by is ")
    assert problem in json.loads(out)["left_out"]


def test_a_feature_is_shown_with_its_address_while_its_copy_is_there(shop: "Shop", board: Looker) -> None:
    copy = {
        "webshop/dev/webui-pr-1/kustomization.yaml": (
            "labels: [{pairs: {gitops-promotion.xenit.io/feature: pr-1}}]\nresources:\n- ingress.yaml\n"
        ),
        "webshop/dev/webui-pr-1/ingress.yaml": (
            "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: webui-pr-1}\n"
            "spec: {rules: [{host: pr-1.webui.example.org}]}\n"
        ),
    }
    trailers = "Promotion: webshop/webui\nEnvironment: dev\nTag: pr-1-abc\nFeature: pr-1\n"
    shop.edit(copy, f"Feature pr-1 of webshop/webui\n\n{trailers}")
    [feature] = json.loads(board("-o", "json")[1])["features"]
    assert (feature["feature"], feature["tag"], feature["environment"]) == ("pr-1", "pr-1-abc", "dev")
    assert feature["url"] == "http://pr-1.webui.example.org"
    assert json.loads(board("-o", "json", "--env", "qa")[1])["features"] == []
    shop.edit(dict.fromkeys(copy))
    assert json.loads(board("-o", "json")[1])["features"] == []


def test_markers_that_disagree_are_a_problem_of_their_cell(
    shop: "Shop", board: Looker, manifest: Callable[..., str]
) -> None:
    shop.edit({"webshop/qa/other.yaml": manifest("webui", "7"), "webshop/prod/webui.yaml": "a: 1\n"})
    _, out, _ = board("-o", "json")
    assert "disagree on the tag" in cell(out, "qa")["problems"][0]
    assert cell(out, "qa")["tag"] is None
    assert cell(out, "dev")["problems"] == []


def test_an_environment_without_a_marker_is_a_problem(shop: "Shop", board: Looker) -> None:
    shop.edit({"webshop/qa/webui.yaml": "a: 1\n"})
    assert cell(board("-o", "json")[1], "qa")["problems"] == ["qa has no marker of webshop/webui"]


def test_a_red_environment_is_a_problem(
    shop: "Shop", board: Looker, manifest: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.edit({"webshop/dev/webui.yaml": manifest("webui", "1.0.1")})
    shop.run("local", "set-status", "main", "kustomization/webshop-dev/2fb0a5b0", "failure")
    monkeypatch.setattr("gitops_promotion.workflow.run._now", lambda: NOW + timedelta(minutes=4))
    assert cell(board("-o", "json")[1], "dev")["problems"] == []
    monkeypatch.setattr("gitops_promotion.workflow.run._now", lambda: NOW + timedelta(minutes=6))
    assert "1.0.1 is not healthy: a status failed" in cell(board("-o", "json")[1], "dev")["problems"][0]
    shop.run("local", "set-status", "main", "kustomization/webshop-dev/2fb0a5b0", "pending")
    [problem] = cell(board("-o", "json")[1], "dev")["problems"]
    assert problem == "1.0.1 has not been healthy since it arrived: a status is pending"


@pytest.mark.usefixtures("waiting")
def test_page_and_markdown_are_written_beside_the_text(
    board: Looker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page, markdown, summary = tmp_path / "board.html", tmp_path / "board.md", tmp_path / "summary.md"
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    code, out, _ = board("--html", str(page), "--markdown", str(markdown))
    assert (code, "webshop/webui" in out) == (0, True)
    assert "status gate of dev" in page.read_text(encoding="utf-8")
    assert "| `webshop/webui` |" in markdown.read_text(encoding="utf-8")
    assert summary.read_text(encoding="utf-8") == markdown.read_text(encoding="utf-8")


@pytest.mark.usefixtures("waiting")
def test_mine_is_empty_for_a_stranger(board: Looker) -> None:
    document = json.loads(board("-o", "json", "--mine", "stranger")[1])
    assert (document["applications"], document["mine"], document["decided"]) == ([], "stranger", [])
