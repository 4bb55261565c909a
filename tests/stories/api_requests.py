"""Something that happens before one request of a run to the API of its forge."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from gitops_promotion.providers.azure_devops import api as azure
from gitops_promotion.providers.github import api as github

if TYPE_CHECKING:
    from tests.stories.stage import Stage

SENDERS: dict[str, tuple[type, str]] = {"GitHub": (github.Api, "_send"), "Azure DevOps": (azure.Api, "send")}


def before_request(patch: pytest.MonkeyPatch, stage: "Stage", number: int, act: Callable[[], None]) -> list[int]:
    """Let `act` happen before the request of this number, from 1; returns the numbers of all requests so far."""
    owner, method = SENDERS[stage.name]
    real = getattr(owner, method)
    numbers: list[int] = []

    def send(self: Any, *arguments: Any, **options: Any) -> Any:
        numbers.append(len(numbers) + 1)
        if numbers[-1] == number:
            act()
        return real(self, *arguments, **options)

    patch.setattr(owner, method, send)
    return numbers
