"""The forges that the contract runs over: each a provider with hands for what people and CI do around it.

A further provider adds its own fixture `<name>_forge` and its name to FORGES; the contract itself stays as it is.
"""

import hashlib
import itertools
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import pytest

from gitops_promotion.core.commits import Store
from gitops_promotion.core.forge import OWN_CONTEXT, CommitStatus
from gitops_promotion.git import Repository
from gitops_promotion.providers import Connection, Provider
from gitops_promotion.providers.azure_devops import provider as azure_devops
from gitops_promotion.providers.github import provider as github_provider
from gitops_promotion.providers.local import provider as local
from tests.providers.no_store import NoStore

if TYPE_CHECKING:
    from tests.conftest import Checkout, Remote
    from tests.forges.azure import AzureDevOps
    from tests.forges.azure_people import HostedRepo
    from tests.forges.github import GitHub
    from tests.forges.github_people import Hosted

FORGES = ("local", "github", "azdo")


class Forge(Protocol):
    """One provider under test.

    `push` commits files onto a branch, begun at `main` where it is new; `require_gate` demands this tool's own check
    before anything merges into `main`, where the draft's own word for it is not enough. `provider_of` is the provider
    with the token of a person.
    """

    @property
    def provider(self) -> Provider: ...
    def push(self, branch: str, files: Mapping[str, str | None]) -> str: ...
    def delete(self, branch: str) -> None: ...
    def branches(self) -> dict[str, str]: ...
    def show(self, branch: str, path: str) -> str: ...
    def require_gate(self) -> None: ...
    def pass_gate(self, sha: str) -> None: ...
    def merge_by_hand(self, number: int) -> None: ...
    def review(self, number: int, verdict: Literal["approved", "changes-requested"], *, by: str) -> None: ...
    def provider_of(self, person: str) -> Provider: ...
    def close_by_hand(self, number: int, *, by: str) -> None: ...


@pytest.fixture(params=FORGES)
def forge(request: pytest.FixtureRequest) -> Forge:
    """Each forge in turn."""
    found: Forge = request.getfixturevalue(f"{request.param}_forge")
    return found


@dataclass(kw_only=True)
class Writers:
    """Makes any number of independent `local` providers on one remote; the clock goes on a second at each look."""

    repository: Repository
    seconds: Iterator[int] = field(default_factory=itertools.count)
    slept: list[float] = field(default_factory=list)

    def make(self, author: str = "Ann", *, store: Store | None = None) -> local.Local:
        nonces = (hashlib.sha256(f"{author} {number}".encode()).hexdigest() for number in itertools.count())
        start = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
        return local.connect(
            Connection(
                store=store or self.repository,
                url=self.repository.url,
                token=str,
                author=author,
                environ={},
                now=lambda: start + timedelta(seconds=next(self.seconds)),
                sleep=self.slept.append,
                nonce=lambda: next(nonces),
                monotonic=lambda: 0.0,
            )
        )


@dataclass(frozen=True, kw_only=True)
class LocalForge:
    """The `local` provider on a bare repository."""

    remote: "Remote"
    provider: local.Local
    writers: Writers

    def push(self, branch: str, files: Mapping[str, str | None]) -> str:
        start = None if branch in self.branches() else "main"
        return self.remote.commit(files, f"Change {branch}", branch=branch, start=start)

    def delete(self, branch: str) -> None:
        self.remote.git("update-ref", "-d", f"refs/heads/{branch}")

    def branches(self) -> dict[str, str]:
        return self.remote.branches()

    def show(self, branch: str, path: str) -> str:
        return self.remote.show(path, branch)

    def require_gate(self) -> None:
        pass

    def pass_gate(self, sha: str) -> None:
        self.provider.set_status(sha, CommitStatus(context=OWN_CONTEXT, state="success"))

    def merge_by_hand(self, number: int) -> None:
        assert self.provider.merge(self.provider.pull_request(number)).state == "merged"

    def review(self, number: int, verdict: Literal["approved", "changes-requested"], *, by: str) -> None:
        self.writers.make(by).review(number, verdict, "")

    def provider_of(self, person: str) -> Provider:
        return self.writers.make(person)

    def close_by_hand(self, number: int, *, by: str) -> None:
        self.writers.make(by).close_pull_request(self.provider.pull_request(number))


@pytest.fixture
def make_writers(environ: Mapping[str, str]) -> Iterator[Callable[[Path], Writers]]:
    """Open a checkout for any number of writers; all are closed at the end."""
    with ExitStack() as opened:
        yield lambda path: Writers(repository=opened.enter_context(Repository.open(path, environ=environ)))


@pytest.fixture
def local_forge(remote: "Remote", checkout: "Checkout", make_writers: Callable[[Path], Writers]) -> LocalForge:
    """The webshop's remote as a forge."""
    writers = make_writers(checkout.path)
    return LocalForge(remote=remote, provider=writers.make(), writers=writers)


@dataclass(kw_only=True)
class GitHubForge:
    """The `github` provider on a GitHub of our own."""

    server: "GitHub"
    hosted: "Hosted"
    slept: list[float]

    def connect(self, **more: Any) -> github_provider.GitHub:
        """Make one more provider, with other settings than the usual."""
        token = more.pop("token", self.server.token)
        return github_provider.connect(
            Connection(
                store=NoStore(),
                url=self.hosted.url,
                token=lambda: token,
                author="Ann",
                environ=more.pop("environ", {}),
                now=lambda: self.server.clock.now,
                sleep=self.slept.append,
                nonce=lambda: "",
                **more,
            )
        )

    @cached_property
    def provider(self) -> github_provider.GitHub:
        return self.connect()

    def push(self, branch: str, files: Mapping[str, str | None]) -> str:
        return self.hosted.push(branch, files)

    def delete(self, branch: str) -> None:
        self.hosted.delete_branch(branch)

    def branches(self) -> dict[str, str]:
        return self.hosted.branches()

    def show(self, branch: str, path: str) -> str:
        return self.hosted.git.show(path, branch)

    def require_gate(self) -> None:
        self.hosted.protect("main", checks=[OWN_CONTEXT])

    def pass_gate(self, sha: str) -> None:
        self.hosted.post_status(sha, OWN_CONTEXT, "success", by="promoter")

    def merge_by_hand(self, number: int) -> None:
        self.hosted.merge(number)

    def review(self, number: int, verdict: Literal["approved", "changes-requested"], *, by: str) -> None:
        self.hosted.review(number, by, "APPROVED" if verdict == "approved" else "CHANGES_REQUESTED")

    def provider_of(self, person: str) -> Provider:
        return self.connect(token=self.server.give_token(person))

    def close_by_hand(self, number: int, *, by: str) -> None:
        self.hosted.close(number, by=by)

    def calls(self) -> list[str]:
        """What the provider asked for so far, as `METHOD path`; each asking forgets."""
        found = [f"{each.method} {each.path}" for each in self.server.requests if each.kind != "git"]
        self.server.requests.clear()
        return found


@pytest.fixture
def github_forge(tmp_path: Path, webshop: dict[str, str]) -> Iterator[GitHubForge]:
    """The webshop on a GitHub with small pages that takes a moment to know what can merge."""
    from tests.forges.github import GitHub

    with GitHub(tmp_path / "github", page_size=10, unknown_reads=1) as server:
        yield GitHubForge(server=server, hosted=server.repository("acme/gitops", webshop), slept=[])


@dataclass(kw_only=True)
class AzureForge:
    """The `azdo` provider on an Azure DevOps of our own, in a project whose name has a blank."""

    server: "AzureDevOps"
    hosted: "HostedRepo"
    slept: list[float]

    def connect(self, **more: Any) -> azure_devops.AzureDevOps:
        """Make one more provider, with other settings than the usual."""
        token = more.pop("token", self.server.token)
        return azure_devops.connect(
            Connection(
                **{
                    "store": NoStore(),
                    "url": self.hosted.url,
                    "token": lambda: token,
                    "author": "Ann",
                    "environ": {},
                    "now": lambda: self.server.clock.now,
                    "sleep": self.slept.append,
                    "nonce": lambda: "",
                    **more,
                }
            )
        )

    @cached_property
    def provider(self) -> azure_devops.AzureDevOps:
        return self.connect()

    def push(self, branch: str, files: Mapping[str, str | None]) -> str:
        return self.hosted.push(branch, files)

    def delete(self, branch: str) -> None:
        self.hosted.delete_branch(branch)

    def branches(self) -> dict[str, str]:
        return self.hosted.branches()

    def show(self, branch: str, path: str) -> str:
        return self.hosted.git.show(path, branch)

    def require_gate(self) -> None:
        if not self.hosted.repo.policies:
            self.hosted.require_status(OWN_CONTEXT)

    def pass_gate(self, sha: str) -> None:
        for pull in self.hosted.pulls():
            if pull.active and pull.head_sha == sha:
                self.hosted.post_pull_status(pull.number, OWN_CONTEXT, "succeeded")

    def merge_by_hand(self, number: int) -> None:
        self.hosted.complete(number)

    def review(self, number: int, verdict: Literal["approved", "changes-requested"], *, by: str) -> None:
        self.hosted.vote(number, by, 10 if verdict == "approved" else -5)

    def provider_of(self, person: str) -> Provider:
        return self.connect(token=self.server.give_token(person))

    def close_by_hand(self, number: int, *, by: str) -> None:
        self.hosted.abandon(number, by=by)

    def calls(self) -> list[str]:
        """What the provider asked for so far, as `METHOD path`; each asking forgets."""
        found = [f"{each.method} {each.path}" for each in self.server.requests if each.kind != "git"]
        self.server.requests.clear()
        return found


@pytest.fixture
def azdo_forge(tmp_path: Path, webshop: dict[str, str]) -> Iterator[AzureForge]:
    """The webshop on an Azure DevOps with small pages that takes a moment to know what can merge."""
    from tests.forges.azure import AzureDevOps

    with AzureDevOps(tmp_path / "azure", page_size=100) as server:
        server.world.unsettled_reads = server.world.unevaluated_reads = 1
        yield AzureForge(server=server, hosted=server.repository("Web Shop/gitops", webshop), slept=[])
