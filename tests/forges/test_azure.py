"""The Azure DevOps of the tests, asked by its own client as its users write it: no adapter of ours in between."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.forges import azure_models
from tests.forges.azure import AzureDevOps

FILES = {"README.md": "# GitOps\n"}


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., AzureDevOps]]:
    with ExitStack() as started:
        yield lambda **options: started.enter_context(AzureDevOps(tmp_path / "azure", **options))


def connect(server: AzureDevOps) -> Any:
    """The way of the client's own README."""
    azure_models.load()
    from azure.devops import _file_cache as files
    from azure.devops.client import Client
    from azure.devops.connection import Connection
    from msrest.authentication import BasicAuthentication

    files.OPTIONS_CACHE.data, files.RESOURCE_CACHE.data = {}, {}
    Client._locations_cache.clear()
    return Connection(base_url=server.collection, creds=BasicAuthentication("", server.token))


@pytest.mark.parametrize("options", [{}, {"path": "/tfs/DefaultCollection", "areas": False}], ids=["cloud", "server"])
def test_finds_everything_by_areas_and_locations(start: Callable[..., AzureDevOps], options: Any) -> None:
    server = start(**options)
    hosted = server.repository("Web Shop/gitops", FILES)
    hosted.push("change", {"a.txt": "1\n"})
    number = hosted.open_pull_request("change", title="Change")
    git = connect(server).clients.get_git_client()
    found = git.get_pull_request("gitops", number, project="Web Shop")
    assert (found.title, found.status, found.repository.project.name) == ("Change", "active", "Web Shop")
    assert "/_apis/ResourceAreas" in {request.path.removeprefix(server.path) for request in server.requests}


def test_completes_at_once_what_is_armed_and_held_by_nothing(start: Callable[..., AzureDevOps]) -> None:
    server = start()
    hosted = server.repository("Web Shop/gitops", FILES)
    hosted.push("change", {"a.txt": "1\n"})
    number = hosted.open_pull_request("change")
    connection, (_, models, *_) = connect(server), azure_models.load()
    me = connection.get_client("azure.devops.v7_1.location.location_client.LocationClient").get_connection_data()
    wish = models.GitPullRequest(auto_complete_set_by=models.IdentityRef(id=me.authenticated_user.id))
    done = connection.clients.get_git_client().update_pull_request(wish, "gitops", number, project="Web Shop")
    assert done.status == "completed"
    assert hosted.git.show("a.txt", "main") == "1\n"


@pytest.mark.parametrize(
    ("body", "key"),
    [
        ({"status": "completed"}, "InvalidArgumentValueException"),
        ({"description": "x" * 4001}, "InvalidArgumentValueException"),
        ({"source_ref_name": "refs/heads/other"}, "InvalidArgumentValueException"),
    ],
)
def test_refuses_with_its_own_names_for_errors(
    start: Callable[..., AzureDevOps], body: dict[str, Any], key: str
) -> None:
    from msrest.exceptions import ClientException

    server = start()
    hosted = server.repository("Web Shop/gitops", FILES)
    hosted.push("change", {"a.txt": "1\n"})
    number = hosted.open_pull_request("change")
    _, models, *_ = azure_models.load()
    git = connect(server).clients.get_git_client()
    with pytest.raises(ClientException) as error:
        git.update_pull_request(models.GitPullRequest(**body), "gitops", number, project="Web Shop")
    assert getattr(error.value, "type_key", "") == key


def test_a_reply_that_the_clients_model_does_not_know_fails_the_test(tmp_path: Path) -> None:
    from tests.forges.azure_shapes import wrong

    assert list(wrong({"pullRequestId": 1, "repository": {"id": "x"}}, "GitPullRequest")) == []
    assert list(wrong({"repository": {"ide": "x"}}, "GitPullRequest")) == ["GitRepository has no ide"]
    assert list(wrong([{"nam": "x"}], "[GitRef]")) == ["GitRef has no nam"]
    with pytest.raises(AssertionError, match="does not speak that yet"), AzureDevOps(tmp_path) as server:
        server.broken.append("GET /x: this Azure DevOps does not speak that yet")
