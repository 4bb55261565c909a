"""The part of a provider for forges of which the people's side is not read yet."""

# ruff: noqa: ARG002  the names of the arguments are those of the protocol

from collections.abc import Sequence
from typing import Literal

from gitops_promotion.core.discussion import Comment, Discussion, People, Person
from gitops_promotion.core.forge import PullRequest
from gitops_promotion.errors import ProviderError

_PROBLEM = "approvals are not supported on this forge yet: take `approvals` out of the configuration"


class WithoutPeople:
    """Answers for a forge whose reviews, members and comments are not read: nobody can approve anything."""

    def discussions(self, numbers: Sequence[int]) -> dict[int, Discussion]:
        """Return nothing."""
        return {}

    def members(self, group: str) -> People:
        """Return that no member can be read."""
        return People(problem=f"{group}: {_PROBLEM}")

    def pushers(self, pull_request: PullRequest) -> People:
        """Return that nobody can be read."""
        return People(problem=f"#{pull_request.number}: {_PROBLEM}")

    def identity(self) -> Person:
        """Raise ProviderError."""
        raise ProviderError(_PROBLEM)

    def add_review(
        self, pull_request: PullRequest, verdict: Literal["approved", "changes-requested"], comment: str
    ) -> None:
        """Raise ProviderError."""
        raise ProviderError(_PROBLEM)

    def write_comment(self, pull_request: PullRequest, body: str, written: Sequence[Comment]) -> None:
        """Raise ProviderError."""
        raise ProviderError(_PROBLEM)

    def requires_status(self, pull_request: PullRequest, context: str) -> bool:
        """Return False."""
        return False

    def add_reviewer(self, pull_request: PullRequest, name: str) -> str:
        """Return that nobody can be asked."""
        return f"{name}: {_PROBLEM}"
