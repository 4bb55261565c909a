"""A decision that lost a race is made again after a pause."""

from types import SimpleNamespace
from typing import Any

from gitops_promotion.errors import LeaseLostError
from gitops_promotion.workflow.races import repeat_after_races


def test_the_pause_after_a_lost_race_grows_with_the_time_that_the_decision_took() -> None:
    slept: list[float] = []
    seconds = iter((100.0, 103.0, 200.0))
    clock = SimpleNamespace(monotonic=lambda: next(seconds), sleep=slept.append, random=lambda: 0.5)
    refreshed: list[int] = []
    run: Any = SimpleNamespace(
        clock=clock, note=lambda _: None, tip=SimpleNamespace(refresh=lambda: refreshed.append(1))
    )

    def decide(attempt: int) -> str:
        if not attempt:
            raise LeaseLostError("main moved")
        return "done"

    assert repeat_after_races(run, decide) == "done"
    assert (slept, refreshed) == ([1.5], [1])
