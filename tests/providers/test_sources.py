"""What changed in the repository that an application is built from, and that no token goes astray."""

import json
from collections.abc import Iterator, Mapping

import pytest

from gitops_promotion.core.sources import Difference
from gitops_promotion.errors import ProviderError, UsageError
from gitops_promotion.providers.github.facts import FORGE
from gitops_promotion.providers.local.facts import FORGE as LOCAL
from gitops_promotion.providers.sources import Sources, is_on_same_forge
from tests.registry.server import Answer, Registry, serving

REPOSITORY = "https://github.com/acme/webui"
PATH = "/repos/acme/webui/compare/1.0...2.0"
OWN = "https://github.com/acme/gitops.git"
TOKEN = "ghs_" + "x" * 36


@pytest.fixture
def api() -> Iterator[Registry]:
    """A server whose answers a test puts into `instead`."""
    with serving(Registry()) as served:
        yield served


def environ(api: Registry) -> Mapping[str, str]:
    return {"GITHUB_SERVER_URL": "https://github.com", "GITHUB_API_URL": f"http://{api.host}"}


def ask(api: Registry, url: str = OWN, repository: str = REPOSITORY, *, left: float = 10.0) -> Difference | None:
    facts = FORGE if "github" in url else LOCAL
    sources = Sources(forge=facts, url=url, api_url="", token=lambda: TOKEN, environ=environ(api))
    return sources.difference(repository, "1.0", "2.0", limit=3, left=lambda: left)


def compared(*numbers: int, total: int, behind: int = 0) -> Answer:
    commits = [{"sha": f"{number:040x}", "commit": {"message": f"Commit {number}\n\nWhy"}} for number in numbers]
    return Answer(body=json.dumps({"commits": commits, "total_commits": total, "behind_by": behind}).encode())


def subjects(found: Difference | None) -> list[str]:
    assert found is not None
    return [commit.subject for commit in found.commits]


def test_the_newest_commits_come_first(api: Registry) -> None:
    api.instead[PATH] = compared(1, 2, 3, 4, total=4, behind=2)
    found = ask(api)
    assert subjects(found) == ["Commit 4", "Commit 3", "Commit 2"]
    assert found is not None
    assert (found.total, found.removed) == (4, 2)
    assert len(api.requests) == 1


def test_of_many_commits_the_last_page_is_read(api: Registry) -> None:
    api.instead[PATH] = compared(1, 2, 3, 4, total=950)
    assert subjects(ask(api)) == ["Commit 4", "Commit 3", "Commit 2"]
    assert api.paths == [f"{PATH}?per_page=100&page=1", f"{PATH}?per_page=100&page=10"]


@pytest.mark.parametrize(
    ("url", "has_token"),
    [
        (OWN, True),
        ("git@github.com:acme/gitops.git", True),
        ("ssh://git@ssh.github.com:443/acme/gitops.git", True),
        ("/srv/gitops.git", False),
        ("https://github.com.example.com/acme/gitops", False),
        ("http://example.com/github", False),
    ],
)
def test_the_token_goes_to_the_forge_of_the_remote_alone(api: Registry, url: str, has_token: bool) -> None:
    api.instead[PATH] = compared(total=0)
    ask(api, url)
    assert [authorization for _, _, authorization in api.requests] == [f"Bearer {TOKEN}" if has_token else ""]


@pytest.mark.parametrize(
    ("repository", "url", "same"),
    [
        ("https://github.com/a/b", "https://github.com/c/d", True),
        ("https://GitHub.com/a/b", "https://x:y@github.com/c/d", True),
        ("https://github.com/a/b", "git@github.com:c/d.git", True),
        ("http://github.com/a/b", "https://github.com/c/d", False),
        ("http://github.com/a/b", "git@github.com:c/d.git", False),
        ("http://forge:8080/a/b", "http://forge:8080/c/d", True),
        ("https://forge:8443/a/b", "https://forge/c/d", False),
        ("https://forge:8443/a/b", "ssh://git@forge/c/d", False),
        ("https://github.com@evil.org/a/b", "https://github.com/c/d", False),
        ("https://x@github.com/a/b", "https://github.com/c/d", False),
        ("https://github.com.evil.org/a/b", "https://github.com/c/d", False),
        ("https://github.com/a/b", "/srv/git", False),
        ("https://github.com/a/b", "file:///srv/git", False),
    ],
)
def test_which_repositories_are_on_the_forge_of_the_remote(repository: str, url: str, same: bool) -> None:
    assert is_on_same_forge(repository, url) is same


def test_a_forge_that_nobody_knows_is_not_asked(api: Registry) -> None:
    assert ask(api, repository="https://gitlab.com/acme/webui") is None
    assert api.requests == []


@pytest.mark.parametrize(
    "answer",
    [
        Answer(status=404, body=b"{}"),
        Answer(status=301, headers={"Location": "https://example.com"}),
        Answer(status=500),
        Answer(body=b"<html>"),
        Answer(body=b"[]"),
        Answer(body=b"[" * 100_000),
        Answer(body=b" " * (9 << 20)),
    ],
)
def test_an_answer_that_cannot_be_used_is_an_error(api: Registry, answer: Answer) -> None:
    api.instead[PATH] = answer
    with pytest.raises(ProviderError):
        ask(api)


@pytest.mark.parametrize(
    "text",
    [
        '{"commits": 7, "total_commits": "x", "behind_by": true}',
        '{"commits": [1, {}, {"commit": 1}, {"commit": {"message": "x"}}, {"sha": "x", "commit": {"message": "x"}}]}',
        '{"total_commits": -5}',
    ],
)
def test_fields_of_other_types_are_left_out(api: Registry, text: str) -> None:
    api.instead[PATH] = Answer(body=text.encode())
    assert ask(api) == Difference()


def test_an_address_that_is_no_repository_is_an_error(api: Registry) -> None:
    with pytest.raises(UsageError):
        ask(api, repository="https://github.com/acme")
