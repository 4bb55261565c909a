"""The forges that the contract runs over: each a provider with hands for what people and CI do around it.

A further provider adds its own fixture `<name>_forge` and its name to FORGES; the contract itself stays as it is.
"""

import hashlib
import itertools
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

import pytest

from gitops_promotion.core.model import OWN_CONTEXT, CommitStatus, Store
from gitops_promotion.git import Repository
from gitops_promotion.providers import Connection, Provider, local

if TYPE_CHECKING:
    from tests.conftest import Checkout, Remote

FORGES = ("local",)


class Forge(Protocol):
    """One provider under test. `push` commits files onto a branch, begun at `main` where it is new."""

    @property
    def provider(self) -> Provider: ...
    def push(self, branch: str, files: Mapping[str, str | None]) -> str: ...
    def delete(self, branch: str) -> None: ...
    def branches(self) -> dict[str, str]: ...
    def show(self, branch: str, path: str) -> str: ...
    def pass_gate(self, sha: str) -> None: ...
    def merge_by_hand(self, number: int) -> None: ...
    def review(self, number: int, verdict: Literal["approved", "changes-requested"], *, by: str) -> None: ...


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
                token="",
                author=author,
                environ={},
                now=lambda: start + timedelta(seconds=next(self.seconds)),
                sleep=self.slept.append,
                nonce=lambda: next(nonces),
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

    def pass_gate(self, sha: str) -> None:
        self.provider.set_status(sha, CommitStatus(context=OWN_CONTEXT, state="success"))

    def merge_by_hand(self, number: int) -> None:
        assert self.provider.merge(number).state == "merged"

    def review(self, number: int, verdict: Literal["approved", "changes-requested"], *, by: str) -> None:
        self.writers.make(by).review(number, verdict, "")


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
