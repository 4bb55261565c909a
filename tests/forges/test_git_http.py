"""What is answered without git is what git answers."""

import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from tests.forges.faults import Request
from tests.forges.git_http import list_refs, serve_git
from tests.forges.repository import ENVIRON, Repository

VERSION = "version=2"


def packets(*lines: str) -> bytes:
    """Write lines as git does; "0000" and "0001" are themselves."""
    return b"".join(
        line.encode() if line in ("0000", "0001") else f"{len(line) + 5:04x}{line}\n".encode() for line in lines
    )


def ask(options: Iterable[str]) -> bytes:
    return packets("command=ls-refs", "agent=git/2", "object-format=sha1", "0001", *options, "0000")


def git(folder: Path, *options: str, body: bytes = b"") -> bytes:
    command = ["git", "upload-pack", "--stateless-rpc", *options, str(folder)]
    done = subprocess.run(
        command, input=body, env={**ENVIRON, "GIT_PROTOCOL": VERSION}, capture_output=True, check=True
    )
    return done.stdout


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    made = Repository.make(tmp_path / "acme" / "gitops.git", {"a": "1\n"}, "main")
    for number in range(3):
        made.commit({"a": f"{number}\n"}, branch=f"promote/app{number}")
    made.git("update-ref", "refs/pull/1/head", "promote/app0")
    made.git("pack-refs", "--all")
    made.commit({"a": "9\n"}, branch="promote/app1")
    return made


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("peel", "symrefs", "unborn"),
        ("peel", "symrefs", "ref-prefix refs/heads/", "ref-prefix HEAD"),
        ("symrefs", "ref-prefix refs/pull/", "ref-prefix refs/heads/promote/app1"),
        ("ref-prefix refs/gitops-promotion/",),
    ],
)
def test_refs_are_listed_as_git_lists_them(repository: Repository, options: tuple[str, ...]) -> None:
    assert list_refs(repository.path, ask(options)) == git(repository.path, body=ask(options))


def test_what_needs_git_is_left_to_it(repository: Repository, tmp_path: Path) -> None:
    assert list_refs(repository.path, packets("command=fetch", "0001", "done", "0000")) is None
    empty = Repository.make(tmp_path / "empty.git", {}, "main")
    assert list_refs(empty.path, ask(())) is None
    repository.git("-c", "user.name=A", "-c", "user.email=a@b", "tag", "--annotate", "--message=1", "v1", "main")
    assert list_refs(repository.path, ask(("peel",))) is None


@pytest.fixture
def answer(repository: Repository) -> Callable[..., bytes]:
    """Ask the server over HTTP: `answer(method, path, body=b"", **query)`."""

    def ask_server(method: str, path: str, body: bytes = b"", **query: str) -> bytes:
        request = Request(
            number=1,
            kind="git",
            method=method,
            path=f"/acme/gitops.git/{path}",
            query=query,
            headers={"git-protocol": VERSION},
            body=body,
        )
        return serve_git(repository.path.parents[1], request, "ann").body

    return ask_server


def test_the_advertisement_is_gits_own_for_each_configuration(
    answer: Callable[..., bytes], repository: Repository
) -> None:
    for _ in range(2):
        shown = answer("GET", "info/refs", service="git-upload-pack")
        assert shown == git(repository.path, "--advertise-refs")
    repository.git("config", "uploadpack.allowFilter", "false")
    assert answer("GET", "info/refs", service="git-upload-pack") == git(repository.path, "--advertise-refs") != shown


def test_a_listing_over_http_is_gits_own(answer: Callable[..., bytes], repository: Repository) -> None:
    listed = answer("POST", "git-upload-pack", ask(("symrefs",)))
    assert listed == git(repository.path, body=ask(("symrefs",)))
