"""What goes wrong on demand, as a client sees it."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import requests

from tests.forges import faults
from tests.forges.github import GitHub
from tests.forges.github_people import Hosted

Get = Callable[..., requests.Response]


@pytest.fixture
def get(server: GitHub, gitops: Hosted) -> Get:
    """Ask the REST interface for a path of the repository."""

    def ask(path: str = "", method: str = "GET", body: Any = None, timeout: float = 10) -> requests.Response:
        return requests.request(
            method,
            f"{server.api_url}/repos/acme/gitops{path}",
            headers={"Authorization": f"Bearer {server.token}"},
            json=body,
            timeout=timeout,
        )

    return ask


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_server_error_hits_one_request(status: int, server: GitHub, get: Get) -> None:
    server.faults.add(faults.server_error(status))
    answers = [get().status_code, get().status_code]
    assert answers == [status, 200]
    assert server.faults.pending == 0
    assert [(request.status, request.fault) for request in server.requests] == [(status, str(status)), (200, "")]


def test_a_fault_finds_its_request_by_number_method_path_and_body(server: GitHub, get: Get) -> None:
    server.faults.add(faults.server_error(500), number=3)
    server.faults.add(faults.server_error(501), method="POST", path=r"/statuses/", body="gate", times=2)
    sha = server.world.repos["acme/gitops"].tips["main"]
    assert [get().status_code for _ in range(4)] == [200, 200, 500, 200]
    posted = [
        get(f"/statuses/{sha}", "POST", {"state": "success", "context": context}).status_code
        for context in ("other", "gate", "gate", "gate")
    ]
    assert posted == [201, 501, 501, 201]
    assert server.faults.pending == 0


@pytest.mark.parametrize("done", [False, True])
@pytest.mark.parametrize("fault", [faults.server_error, faults.reset, faults.malformed, faults.truncated])
def test_a_request_took_effect_only_if_the_fault_says_so(
    fault: Callable[..., faults.Fault], done: bool, server: GitHub, gitops: Hosted, get: Get
) -> None:
    gitops.push("promote/a", {"a": "1\n"})
    server.faults.add(fault(done=done), method="POST")
    try:
        answer = get("/pulls", "POST", {"title": "One", "head": "promote/a", "base": "main"})
        json.loads(answer.content)
        spoilt = False
    except (requests.RequestException, ValueError):
        spoilt = True
    assert spoilt
    assert len(gitops.pulls()) == done


def test_a_reset_is_one_and_is_logged_without_a_status(server: GitHub, get: Get) -> None:
    server.faults.add(faults.reset())
    with pytest.raises(requests.ConnectionError, match="reset"):
        get()
    assert get().status_code == 200
    assert server.requests[0].status == 0


def test_a_slow_answer_meets_a_clients_patience_and_does_not_keep_the_server(server: GitHub, get: Get) -> None:
    server.faults.add(faults.slow(3600))
    with pytest.raises(requests.Timeout):
        get(timeout=0.1)
    assert get().status_code == 200


@pytest.mark.parametrize(
    ("fault", "status", "header", "value"),
    [
        (faults.primary_limit(reset_at=1772370000), 403, "X-RateLimit-Reset", "1772370000"),
        (faults.primary_limit(reset_at=1772370000, status=429), 429, "X-RateLimit-Remaining", "0"),
        (faults.secondary_limit(retry_after=7), 403, "Retry-After", "7"),
        (faults.secondary_limit(retry_after=None, status=429), 429, "Retry-After", None),
        (faults.bad_credentials(), 401, "Retry-After", None),
        (faults.forbidden(), 403, "X-Accepted-GitHub-Permissions", "pull_requests=write"),
        (faults.sso(url="https://x.test/sso"), 403, "X-GitHub-SSO", "required; url=https://x.test/sso"),
        (faults.not_found(), 404, "X-Accepted-OAuth-Scopes", "repo"),
    ],
    ids=lambda value: value.name if isinstance(value, faults.Fault) else None,
)
def test_refusals_look_like_those_of_github(
    fault: faults.Fault, status: int, header: str, value: str | None, server: GitHub, get: Get
) -> None:
    server.faults.add(fault)
    answer = get()
    assert (answer.status_code, answer.headers.get(header)) == (status, value)
    assert answer.json()["message"]


def test_answers_without_a_fault_tell_the_limits(get: Get) -> None:
    first, second = get(), get()
    assert int(first.headers["X-RateLimit-Remaining"]) - 1 == int(second.headers["X-RateLimit-Remaining"])


def test_gits_own_requests_are_hit_only_where_asked_for(server: GitHub, gitops: Hosted, get: Get) -> None:
    def refs() -> int:
        url = f"{gitops.url}/info/refs?service=git-upload-pack"
        return requests.get(url, auth=("x-access-token", server.token), timeout=10).status_code

    server.faults.add(faults.server_error(503))
    assert (refs(), get().status_code) == (200, 503)
    server.faults.add(faults.server_error(503), kind="git")
    assert (get().status_code, refs()) == (200, 503)
    server.faults.add(faults.server_error(503), kind="any")
    assert refs() == 503
    server.faults.add(faults.server_error(503), kind="graphql")
    server.faults.clear()
    assert server.faults.pending == 0


def test_the_log_has_all_requests_and_no_secret(server: GitHub, gitops: Hosted, get: Get) -> None:
    sha = gitops.branches()["main"]
    get("/commits?per_page=5&sha=main")
    get(f"/statuses/{sha}", "POST", {"state": "success", "context": "ü"})
    first, second = server.requests
    assert (first.number, first.kind, first.method, first.path) == (
        1,
        "rest",
        "GET",
        "/api/v3/repos/acme/gitops/commits",
    )
    assert (first.query, first.json, first.status, first.actor) == (
        {"per_page": "5", "sha": "main"},
        None,
        200,
        "promoter",
    )
    assert (second.method, second.json, second.status) == ("POST", {"state": "success", "context": "ü"}, 201)
    assert server.token not in repr([vars(request) for request in server.requests])


def test_a_fault_of_this_server_fails_the_test_that_met_it(start_github: Callable[..., GitHub]) -> None:
    server = start_github()
    server.repository("acme/gitops", {"a": "1\n"})

    def ask(path: str) -> int:
        headers = {"Authorization": f"token {server.token}"}
        return requests.get(f"{server.api_url}{path}", headers=headers, timeout=10).status_code

    assert ask("/repos/acme/gitops/wikis") == 404
    server.world.repos["acme/gitops"].name = "broken name"
    assert ask("/repos/acme/gitops") == 200
    server.world.repos["acme/gitops"].settings.archived = "no"  # type: ignore[assignment]  # the fault
    assert ask("/repos/acme/gitops") == 200
    assert len(server.broken) == 2
    assert "does not speak that yet" in server.broken[0]
    assert "answered 200: $.archived" in server.broken[1]
    with pytest.raises(AssertionError, match="wikis"):
        server.__exit__(None, None, None)
    server.broken.clear()
