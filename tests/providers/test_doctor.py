"""`doctor` on forges of our own: with a token that may only read it says what it lacks, and it sends reads alone."""

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import pytest

from gitops_promotion import cli
from tests.forges.azure import AzureDevOps
from tests.forges.faults import Request
from tests.forges.github import GitHub


@pytest.fixture
def messages(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> "Messages":
    return Messages(monkeypatch, capsys)


class Messages:
    """What `doctor` finds, by code."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch = monkeypatch
        self._capsys = capsys

    def __call__(self, checkout: Path, variables: Mapping[str, str]) -> dict[str, list[str]]:
        for name, value in variables.items():
            self._monkeypatch.setenv(name, value)
        self._capsys.readouterr()
        with suppress(SystemExit):
            cli.main(["doctor", "--format", "json", "--quiet", "--sourcedir", str(checkout)])
        found: dict[str, list[str]] = {}
        for finding in json.loads(self._capsys.readouterr().out)["findings"]:
            found.setdefault(finding["code"], []).append(finding["message"])
        return found


def is_read(request: Request) -> bool:
    """True for what changes nothing: GET, a query of GraphQL, and what git asks before it pushes."""
    if request.kind == "graphql":
        body = request.json
        return isinstance(body, dict) and str(body["query"]).startswith("query")
    if request.kind == "git":
        return not request.path.endswith("/git-receive-pack")
    return request.method in ("GET", "OPTIONS") or request.path.endswith(("PermissionEvaluationBatch", "commitsBatch"))


def test_github(tmp_path: Path, environ: Mapping[str, str], webshop: dict[str, str], messages: Messages) -> None:
    with GitHub(tmp_path / "github") as server:
        hosted = server.repository("acme/gitops", webshop)
        checkout = hosted.git.clone_to(tmp_path / "checkout", url=hosted.url, environ=dict(environ))
        permissions = dict.fromkeys(("contents", "pull_requests", "statuses"), "read")
        token = server.give_token("promoter[bot]", kind="installation", permissions=permissions)
        variables = {"GITHUB_SERVER_URL": server.url, "GITHUB_API_URL": server.api_url, "GITHUB_TOKEN": token}
        found = messages(checkout.path, variables)
        assert [message.partition(":")[0] for message in found["GP508"]] == [
            "the token may not push the branch of a promotion",
            "the token lacks checks",
        ]
        assert [message.partition(" cannot")[0] for message in found["GP509"]] == ["what the token may write"]
        assert [f"{each.method} {each.path}" for each in server.requests if not is_read(each)] == []
        assert list(hosted.branches()) == ["main"]


def test_azure(tmp_path: Path, environ: Mapping[str, str], webshop: dict[str, str], messages: Messages) -> None:
    with AzureDevOps(tmp_path / "azure") as server:
        hosted = server.repository("Web Shop/gitops", webshop)
        checkout = hosted.git.clone_to(tmp_path / "checkout", url=hosted.url, environ=dict(environ))
        lacks = frozenset({"GenericContribute", "CreateBranch", "PullRequestContribute"})
        token = server.give_token("build", kind="jwt", lacks=lacks)
        found = messages(checkout.path, {"SYSTEM_COLLECTIONURI": server.collection, "SYSTEM_ACCESSTOKEN": token})
        assert [message.partition(",")[0] for message in found["GP508"]][1:] == [
            "the token lacks the permission 'Contribute'",
            "the token lacks the permission 'Create branch'",
            "the token lacks the permission 'Contribute to pull requests'",
        ]
        assert "GenericContribute" in found["GP508"][0]
        assert "a build or the status gitops-promotion" in found["GP514"][0]
        assert [f"{each.method} {each.path}" for each in server.requests if not is_read(each)] == []
