"""Repeats a decision after another writer has changed the remote (docs/concepts.md, Several runs at the same time)."""

from collections.abc import Callable
from typing import TypeVar

from gitops_promotion.core.races import pause, reason_to_give_up
from gitops_promotion.errors import GitError, LeaseLostError
from gitops_promotion.workflow.run import Run

T = TypeVar("T")


def repeat_after_races(run: Run, decide: Callable[[int], T]) -> T:
    """Return the result of `decide`, which is called again with the remote as it is then whenever it loses a race.

    `decide` gets the number of races lost so far, and raises LeaseLostError for another one. Raises GitError after too
    many of them.
    """
    lost_races: list[LeaseLostError] = []
    while True:
        start = run.clock.monotonic()
        try:
            if lost_races:
                run.tip.refresh()
            return decide(len(lost_races))
        except LeaseLostError as error:
            lost_races.append(error)
            if reason := reason_to_give_up(lost_races):
                raise GitError(reason) from error
            run.note(f"{error.fact}; trying again")
        run.clock.sleep(pause(len(lost_races) - 1, run.clock.random(), decision_seconds=run.clock.monotonic() - start))
