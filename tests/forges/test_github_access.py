"""Who may do what: git over HTTP, tokens and their permissions, Apps; and what is spoken at all."""

import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import github as pygithub
import pytest
import requests
from github.Repository import Repository as GitHubRepository

from tests.forges.github import GitHub
from tests.forges.github_people import Hosted
from tests.forges.github_rest import ENDPOINTS
from tests.forges.github_schema import faults, faults_of_body, faults_of_query, faults_of_reply, rest

STATUS = "operations|POST /repos/{owner}/{repo}/statuses/{sha}|body"
LABELS = "operations|POST /repos/{owner}/{repo}/issues/{issue_number}/labels|body"
REVIEWERS = "$defs|protected-branch-pull-request-review|properties|required_approving_review_count"
STARTED, URL = "$defs|check-run|properties|started_at", "$defs|simple-user|properties|url"

Git = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def git(environ: Mapping[str, str], tmp_path: Path) -> Git:
    """Run git in a folder: `git(*arguments, cwd=...)`."""

    def run(*arguments: str, cwd: Path = tmp_path) -> subprocess.CompletedProcess[str]:
        command = ["git", *arguments]
        return subprocess.run(command, cwd=cwd, env=dict(environ), capture_output=True, text=True, check=False)

    return run


def with_token(url: str, token: str) -> str:
    return url.replace("//", f"//x-access-token:{token}@")


@pytest.mark.parametrize("options", [(), ("--depth=1",), ("--filter=blob:none", "--no-checkout"), ("--bare",)])
def test_a_clone_of_any_kind_and_a_push_work(
    options: tuple[str, ...], git: Git, server: GitHub, gitops: Hosted, tmp_path: Path
) -> None:
    gitops.push("main", {"a": "1\n"})
    done = git("clone", *options, with_token(gitops.url, server.token), "here")
    assert done.returncode == 0, done.stderr
    done = git("push", "origin", "HEAD:refs/heads/promote/a", cwd=tmp_path / "here")
    assert done.returncode == 0, done.stderr
    assert gitops.branches()["promote/a"] == gitops.branches()["main"]
    assert {request.kind for request in server.requests} == {"git"}
    (event,) = [event for event in server.events if event.payload.get("ref") == "refs/heads/promote/a"]
    assert (event.name, event.by) == ("push", "promoter")


def test_git_wants_a_token_that_is_right_and_enough(git: Git, server: GitHub, gitops: Hosted, tmp_path: Path) -> None:
    reader = server.give_token("ann", permissions={"contents": "read"})
    other = server.give_token("bob", repositories=frozenset({"acme/other"}))
    assert "could not read Username" in git("ls-remote", gitops.url).stderr
    assert "Authentication failed" in git("ls-remote", with_token(gitops.url, "wrong")).stderr
    assert "Repository not found" in git("ls-remote", with_token(gitops.url, other)).stderr
    assert git("clone", with_token(gitops.url, reader), "here").returncode == 0
    push = git("push", "origin", "HEAD:refs/heads/new", cwd=tmp_path / "here")
    assert "Write access to repository not granted" in push.stderr
    assert list(gitops.branches()) == ["main"]


def test_a_protected_branch_refuses_pushes(git: Git, server: GitHub, gitops: Hosted, tmp_path: Path) -> None:
    gitops.protect("main", checks=["gate"])
    git("clone", with_token(gitops.url, server.token), "here")
    git("commit", "--allow-empty", "--message=Straight", cwd=tmp_path / "here")
    done = git("push", "origin", "HEAD:main", cwd=tmp_path / "here")
    assert done.returncode
    assert "GH006: Protected branch update failed for refs/heads/main." in done.stderr
    assert git("push", "origin", "HEAD:elsewhere", cwd=tmp_path / "here").returncode == 0


def test_refs_of_pull_requests_can_be_fetched_and_not_pushed(
    git: Git, server: GitHub, gitops: Hosted, tmp_path: Path
) -> None:
    gitops.push("promote/a", {"a": "1\n"})
    number = gitops.open_pull_request("promote/a")
    merge = gitops.merge_ref(number)
    git("clone", "--depth=1", with_token(gitops.url, server.token), "here")
    done = git("fetch", "origin", f"refs/pull/{number}/merge", cwd=tmp_path / "here")
    assert done.returncode == 0, done.stderr
    assert git("rev-parse", "FETCH_HEAD", cwd=tmp_path / "here").stdout.strip() == merge
    head = gitops.git.sha(f"refs/pull/{number}/head")
    assert git("push", "--force", "origin", f"HEAD:refs/pull/{number}/head", cwd=tmp_path / "here").returncode
    assert gitops.git.sha(f"refs/pull/{number}/head") == head


def test_a_head_pushed_over_http_is_seen_at_once(
    git: Git, server: GitHub, gitops: Hosted, repo: GitHubRepository, tmp_path: Path
) -> None:
    gitops.push("promote/a", {"a": "1\n"})
    number = gitops.open_pull_request("promote/a")
    git("clone", "--branch=promote/a", with_token(gitops.url, server.token), "here")
    git("commit", "--allow-empty", "--message=More", cwd=tmp_path / "here")
    assert git("push", cwd=tmp_path / "here").returncode == 0
    tip = git("rev-parse", "HEAD", cwd=tmp_path / "here").stdout.strip()
    assert repo.get_pull(number).head.sha == tip


def test_rest_wants_a_token_that_is_right(server: GitHub, gitops: Hosted) -> None:
    def ask(**headers: str) -> tuple[int, str]:
        answer = requests.get(f"{server.url}/repos/acme/gitops", headers=headers, timeout=10)
        return answer.status_code, answer.json().get("message", "")

    assert ask() == (401, "Requires authentication")
    assert ask(Authorization="Bearer wrong") == (401, "Bad credentials")
    assert ask(Authorization=f"Bearer {server.token}") == (200, "")
    assert ask(Authorization=f"token {server.token}") == (200, "")
    hidden = server.give_token("bob", repositories=frozenset({"acme/other"}))
    assert ask(Authorization=f"Bearer {hidden}") == (404, "Not Found")
    server.revoke(hidden)
    assert ask(Authorization=f"Bearer {hidden}") == (401, "Bad credentials")


def test_a_permission_that_is_missing_is_named(
    server: GitHub, gitops: Hosted, connect: Callable[..., pygithub.Github]
) -> None:
    permissions = {"contents": "read", "pull_requests": "read", "statuses": "read"}
    token = server.give_token("github-actions[bot]", kind="actions", permissions=permissions)
    client = connect(server, token)
    repo = client.get_repo("acme/gitops")
    sha = gitops.push("promote/a", {"a": "1\n"})
    with pytest.raises(pygithub.GithubException) as caught:
        repo.create_pull(base="main", head="promote/a", title="One")
    assert caught.value.status == 403
    assert caught.value.data["message"] == "Resource not accessible by integration"
    assert (caught.value.headers or {})["x-accepted-github-permissions"] == "pull_requests=write"
    with pytest.raises(pygithub.GithubException, match="Resource not accessible"):
        repo.get_commit(sha).create_status("success")
    pull = repo.get_pull(gitops.open_pull_request("promote/a"))
    with pytest.raises(pygithub.GithubException) as caught:
        pull.enable_automerge()
    assert caught.value.data["errors"][0]["type"] == "FORBIDDEN"


def test_an_app_finds_its_installation_and_works_by_its_token(
    server: GitHub, gitops: Hosted, connect: Callable[..., pygithub.Github], git: Git
) -> None:
    server.repository("acme/other", {"a": "1\n"})
    app = server.install_app("promoter", "acme/gitops")
    signed = pygithub.Auth.AppAuth(str(app.id), app.private_key)
    apps = connect(server, auth=signed)
    found = requests.get(
        f"{server.api_url}/repos/acme/gitops/installation",
        headers={"Authorization": f"Bearer {signed.token}"},
        timeout=10,
    ).json()
    assert (found["id"], found["app_id"], found["account"]["login"]) == (app.installation, app.id, "acme")
    integration = pygithub.GithubIntegration(
        auth=signed,
        base_url=server.api_url,
        retry=None,
        seconds_between_requests=None,
        seconds_between_writes=None,
    )
    with integration:
        assert integration.get_repo_installation("acme", "gitops").id == app.installation
        assert [each.id for each in integration.get_installations()] == [app.installation]
        with pytest.raises(pygithub.UnknownObjectException):
            integration.get_repo_installation("acme", "other")
        token = integration.get_access_token(app.installation).token
    gitops.push("promote/a", {"a": "1\n"})
    repo = connect(server, token).get_repo("acme/gitops")
    made = repo.create_pull(base="main", head="promote/a", title="One")
    assert made.user.login == "promoter[bot]"
    assert git("ls-remote", with_token(gitops.url, token)).returncode == 0
    with pytest.raises(pygithub.UnknownObjectException):
        connect(server, token).get_repo("acme/other").complete()
    with pytest.raises(pygithub.GithubException):
        apps.get_repo("acme/gitops").create_pull(base="main", head="promote/a", title="Two")


def test_a_key_that_is_not_the_apps_is_refused(server: GitHub, gitops: Hosted) -> None:
    app, other = server.install_app("promoter", "acme/gitops"), server.install_app("other", "acme/gitops")
    for number, key in ((app.id, other.private_key), (4711, app.private_key)):
        signed = pygithub.Auth.AppAuth(str(number), key).token
        answer = requests.get(f"{server.api_url}/app", headers={"Authorization": f"Bearer {signed}"}, timeout=10)
        assert (answer.status_code, answer.json()["message"]) == (401, "A JSON web token could not be decoded")


def test_an_archived_repository_is_only_read(repo: GitHubRepository, gitops: Hosted) -> None:
    gitops.settings.archived = True
    assert repo.get_commit(gitops.branches()["main"]).sha
    with pytest.raises(pygithub.GithubException, match="archived"):
        repo.get_commit(gitops.branches()["main"]).create_status("success")


def test_a_dispatch_is_an_event_whoever_sends_it(
    server: GitHub, gitops: Hosted, connect: Callable[..., pygithub.Github]
) -> None:
    token = server.give_token("github-actions[bot]", kind="actions")
    payload = {"group": "apps", "app": "web", "tag": "1.2.3"}
    assert connect(server, token).get_repo("acme/gitops").create_repository_dispatch("new", payload)
    event = server.events[-1]
    assert (event.name, event.starts) == ("repository_dispatch", True)
    assert event.payload == {"action": "new", "client_payload": payload}


def test_small_things_answer_too(client: pygithub.Github, repo: GitHubRepository, gitops: Hosted) -> None:
    assert client.requester.requestJsonAndCheck("GET", "/rate_limit")[1]["rate"]["limit"] == 5000
    assert client.get_user().login == "promoter"
    assert repo.default_branch == "main"
    assert [each.sha for each in repo.get_commits()] == [gitops.branches()["main"]]
    gitops.push("old", {"a": "1\n"})
    reference = repo.get_git_ref("heads/old")
    assert reference.object.sha == gitops.branches()["old"]
    reference.delete()
    assert list(gitops.branches()) == ["main"]


class TestSchemas:
    def test_each_operation_of_the_cut_has_its_endpoint_and_each_endpoint_its_operation(self) -> None:
        assert set(rest()["operations"]) == set(ENDPOINTS)

    @pytest.mark.parametrize(
        "body",
        [
            {"title": "One", "head": "a"},
            {"title": 1, "head": "a", "base": "main"},
            {"title": "One", "head": "a", "base": "main", "draft": "no"},
            [],
            None,
        ],
    )
    def test_a_request_body_that_github_would_not_take_is_refused(
        self, body: Any, server: GitHub, gitops: Hosted
    ) -> None:
        gitops.push("a", {"a": "1\n"})
        url, headers = f"{server.api_url}/repos/acme/gitops/pulls", {"Authorization": f"Bearer {server.token}"}
        assert requests.post(url, json=body, headers=headers, timeout=10).status_code == 422
        assert gitops.pulls() == []

    def test_a_reply_that_lacks_or_mistypes_something_is_found(self) -> None:
        operation = "POST /repos/{owner}/{repo}/statuses/{sha}"
        assert faults_of_reply(operation, 201, {"state": "success"})
        assert faults_of_reply("GET /rate_limit", 200, {"rate": {}, "resources": {}})
        assert faults_of_reply(operation, 200, {}) == ["status 200 is not documented"]
        assert faults_of_reply(operation, 403, {"message": 1})
        assert not faults_of_reply(operation, 403, {"message": "No"})

    @pytest.mark.parametrize(
        ("schema", "valid", "invalid"),
        [
            (STATUS, {"state": "success"}, {"state": "succeeded"}),
            (STATUS, {"state": "success"}, {"state": None}),
            (STATUS, {"state": "success"}, {"description": "success"}),
            (STATUS, {"state": "success", "description": "a"}, {"state": "success", "description": 1}),
            (LABELS, {"labels": ["a"]}, {"labels": []}),
            (LABELS, {"labels": ["a"]}, {"labels": ["a", 1]}),
            (LABELS, {"labels": ["a"]}, {"labels": ("a",)}),
            (REVIEWERS, 6, 7),
            (REVIEWERS, 1, True),
            (REVIEWERS, 1, 1.5),
            (STARTED, "2026-03-01T12:00:00Z", "2026-03-01"),
            (STARTED, None, 0),
            (URL, "https://github.test", "//github.test"),
        ],
    )
    def test_a_value_of_another_shape_than_a_valid_one_is_checked(
        self, schema: str, valid: object, invalid: object
    ) -> None:
        for _ in range(2):
            assert not faults(schema, valid)
            assert faults(schema, invalid)

    def test_parameters_are_known_and_of_their_type(self) -> None:
        operation = "GET /repos/{owner}/{repo}/pulls"
        assert not faults_of_query(operation, {"state": "all", "per_page": "100", "head": "acme:a"})
        assert faults_of_query(operation, {"state": "everything"})
        assert faults_of_query(operation, {"per_page": "many"})
        assert faults_of_query(operation, {"branch": "a"}) == ["there is no parameter 'branch'"]
        assert faults_of_body(operation, {}) == ["this operation takes no body"]
