"""A GitHub with one repository, and the real PyGithub on it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import github as pygithub
import pytest
from github.Repository import Repository as GitHubRepository

from tests.forges.github import GitHub
from tests.forges.github_people import Hosted

FILES = {"README.md": "# GitOps\n", "apps/dev/web.yaml": "tag: 1\n"}


@pytest.fixture
def start_github(tmp_path: Path) -> Iterator[Callable[..., GitHub]]:
    """Start any number of servers with options of their own; all are stopped and checked at the end."""
    with ExitStack() as started:
        yield lambda **options: started.enter_context(
            GitHub(tmp_path / f"forge{len(list(tmp_path.iterdir()))}", **options)
        )


@pytest.fixture
def server(start_github: Callable[..., GitHub]) -> GitHub:
    return start_github()


@pytest.fixture
def gitops(server: GitHub) -> Hosted:
    return server.repository("acme/gitops", FILES)


@pytest.fixture
def connect() -> Iterator[Callable[..., pygithub.Github]]:
    """Connect PyGithub without its own retries and pauses: `connect(server, token="", **options)`."""
    with ExitStack() as opened:

        def open_one(server: GitHub, token: str = "", **options: Any) -> pygithub.Github:
            defaults: dict[str, Any] = {
                "auth": pygithub.Auth.Token(token or server.token),
                "base_url": server.api_url,
                "retry": None,
                "seconds_between_requests": None,
                "seconds_between_writes": None,
                "lazy": True,
            }
            return opened.enter_context(pygithub.Github(**(defaults | options)))

        yield open_one


@pytest.fixture
def client(server: GitHub, connect: Callable[..., pygithub.Github]) -> pygithub.Github:
    return connect(server)


@pytest.fixture
def repo(client: pygithub.Github, gitops: Hosted) -> GitHubRepository:
    return client.get_repo(gitops.full_name)


@pytest.fixture
def graphql(client: pygithub.Github) -> Callable[..., dict[str, Any]]:
    """Run a query and return its data: `graphql(text, **variables)`; errors are PyGithub's."""

    def run(query: str, **variables: object) -> dict[str, Any]:
        data: dict[str, Any] = client.requester.graphql_query(query, variables)[1]["data"]
        return data

    return run
