"""Something that happens once, at one place of a run: the next call of a method waits for it."""

from collections.abc import Callable
from typing import Any

import pytest


def before(patch: pytest.MonkeyPatch, owner: type, method: str, act: Callable[[], object]) -> None:
    """Let `act` happen before the next call of a method, and never again."""
    real = getattr(owner, method)
    pending = [act]

    def call(self: Any, *arguments: Any, **options: Any) -> Any:
        while pending:
            pending.pop()()
        return real(self, *arguments, **options)

    patch.setattr(owner, method, call)
