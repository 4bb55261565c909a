"""Repeats a decision after another writer has changed the remote (docs/concepts.md, Several runs at the same time)."""

from collections.abc import Callable
from typing import TypeVar

from gitops_promotion.core.races import ATTEMPTS, pause
from gitops_promotion.errors import GitError, LeaseLostError
from gitops_promotion.workflow.run import Run

T = TypeVar("T")


def repeat_after_races(run: Run, decide: Callable[[int], T]) -> T:
    """Return the result of `decide`, which is called again with the remote as it is then whenever it loses a race.

    `decide` gets the number of races lost so far, and raises LeaseLostError for another one. Raises GitError after
    ATTEMPTS of them.
    """
    for attempt in range(ATTEMPTS):
        started = run.clock.monotonic()
        try:
            if attempt:
                run.tip.refresh()
            return decide(attempt)
        except LeaseLostError as error:
            if attempt == ATTEMPTS - 1:
                raise GitError(
                    f"other writers changed the remote {ATTEMPTS} times in a row during this run ({error.fact}): run "
                    "it again"
                ) from error
            run.note(f"{error.fact}; trying again")
        run.clock.sleep(pause(attempt, run.clock.random(), took=run.clock.monotonic() - started))
    raise AssertionError
