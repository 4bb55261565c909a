"""What adapters share and no host decides: repeating, waiting, and reading headers and fields with care."""

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from gitops_promotion.errors import TransientError

if TYPE_CHECKING:
    from tenacity import RetryCallState, Retrying

_log = logging.getLogger(__name__)

ATTEMPTS = 5
"""How often one call is made at most."""
PATIENCE = 300.0
"""Seconds that one call may spend waiting between its attempts; a forge that wants more gets its error shown."""


def retrying(sleep: Callable[[float], None]) -> "Retrying":
    """Return a caller, `call(function, *args)`, that repeats after TransientError and after nothing else.

    Waits 1, 2, 4 and 8 seconds, or what the error's `retry_after` wishes, and logs it; after ATTEMPTS calls, or
    where the waiting would exceed PATIENCE, the last error is raised. An adapter raises TransientError only for what is
    safe to repeat.
    """
    # Here, not above: 28 ms (FORGES, Libraries) that only a forge with a network needs.
    from tenacity import Retrying, retry_if_exception_type

    def wait(state: "RetryCallState") -> float:
        error = state.outcome.exception() if state.outcome else None
        wish = error.retry_after if isinstance(error, TransientError) else None
        return 2.0 ** (state.attempt_number - 1) if wish is None else max(0.0, wish)

    def stop(state: "RetryCallState") -> bool:
        return state.attempt_number >= ATTEMPTS or state.idle_for + state.upcoming_sleep > PATIENCE

    def announce(state: "RetryCallState") -> None:
        error = state.outcome.exception() if state.outcome else None
        _log.warning("%s; trying again in %.0f s", error, state.upcoming_sleep)

    return Retrying(
        sleep=sleep,
        wait=wait,
        stop=stop,
        retry=retry_if_exception_type(TransientError),
        before_sleep=announce,
        reraise=True,
    )
