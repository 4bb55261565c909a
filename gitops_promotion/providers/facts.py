"""The facts of a forge that are known without a request: one value a forge; importing it loads no SDK."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from gitops_promotion.core import untrusted

if TYPE_CHECKING:
    from gitops_promotion.core.commits import Commit
    from gitops_promotion.providers import Connect, FindToken, ReadCommits


GIT_USER = "x-access-token"
"""The user name for an unknown forge: most accept any name with a token."""


class Claims(Protocol):
    """Decides whether a remote belongs to a forge."""

    def __call__(self, host: str | None, environ: Mapping[str, str], /) -> bool:
        """Return True if the host is certainly this forge's: its token may go there.

        `host` is in lower case, None for a remote that is a path. Return False in case of doubt.
        """


def _claims_nothing(_host: str | None, _environ: Mapping[str, str]) -> bool:
    return False


def _is_the_same_host(host: str) -> str:
    return host


def _has_no_page(_url: str, _number: int) -> str:
    return ""


def _is_never_an_update(_commit: "Commit") -> bool:
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Forge:
    """The facts of one forge; the defaults suit an unknown forge.

    `connect` and `token` import the adapter, hence its SDK, when they are called.
    """

    name: str
    connect: "Connect"
    token: "FindToken | None" = None
    """Finds the environment's token for a remote; None where the environment has none for this forge."""
    read_commits: "ReadCommits | None" = None
    """Reads what changed in any repository of the forge; None where the adapter cannot."""
    claims: Claims = _claims_nothing
    git_user: str = GIT_USER
    """The user name with which git sends a token over http, where the remote's address has none."""
    title_limit: int = 255
    """Characters of a pull request's title."""
    body_limit: int = 4000
    """Characters of a pull request's body."""
    status_text: Callable[[str], str] = untrusted.status_description
    """Makes a text fit for the description of a commit status."""
    is_update: Callable[["Commit"], bool] = _is_never_an_update
    """Returns True for a merge of the base that the forge's "Update branch" makes, by its metadata alone."""
    most_discussions: int = 20
    """Pull requests of which a verb that only shows something reads the discussions: each may cost requests."""
    page: Callable[[str, int], str] = _has_no_page
    """Returns the address of a pull request, from the remote's and its number; "" where that is not enough."""
    trusts_names: bool = False
    """True where anybody can act under any name: plain git."""
    asks_groups: bool = False
    """True where a group becomes a reviewer, so that the forge says for which groups a review counts."""
    login_program: tuple[str, ...] = ()
    """The command of the forge's own program that prints a person's token, without the host; () for none."""
    login_host: Callable[[str], str] = _is_the_same_host
    """Returns the host that a person logs in to, from the host of the remote."""
    name_length: int = 2
    """The parts of an address that name a repository in commands, the last ones; 0 for all of it."""
    makes_commits: bool = False
    """True where the forge makes commits with a signature of its own (`MakesCommits`)."""
    queue_prefix: str = ""
    """Start of the branches of a merge queue, before the name of the branch they go into; "" for no queues."""
