"""The pauses after lost races, and the meaning of an answer to disarming."""

import pytest

from gitops_promotion.core.forge import AutoMerge
from gitops_promotion.core.races import ATTEMPTS, LOCKS, LONGEST, pause, reason_to_give_up, require_off
from gitops_promotion.errors import LeaseLostError, LockedError, OutdatedError, ProviderError


def test_pauses_grow_to_some_seconds() -> None:
    pauses = [pause(attempt, 0.5) for attempt in range(ATTEMPTS)]
    assert pauses == sorted(pauses)
    assert pauses[0] == pytest.approx(0.1)
    assert pauses[-1] == 20
    assert 120 < sum(pauses[:-1]) < 240


def test_a_random_number_spreads_a_pause_by_half_of_it() -> None:
    assert pause(3, 0.0) == pytest.approx(pause(3, 0.5) / 2)
    assert pause(3, 1.0) == pytest.approx(pause(3, 0.5) * 1.5)


def test_a_pause_is_longer_where_the_decision_that_was_lost_took_long() -> None:
    assert pause(0, 0.5, decision_seconds=0.01) == pause(0, 0.5)
    assert pause(0, 0.5, decision_seconds=2.0) == pytest.approx(1.0), "two alone are not kept waiting"
    assert pause(1, 0.5, decision_seconds=2.0) == pytest.approx(6.0)
    assert pause(5, 0.5, decision_seconds=2.0) == pause(6, 0.5, decision_seconds=2.0) == pytest.approx(6.0)
    assert pause(0, 0.0, decision_seconds=2.0) == pause(0, 0.0), "one of them may come back at once"
    assert pause(9, 1.0, decision_seconds=600.0) == LONGEST


MOVED = LeaseLostError("main moved")
LOCKED = LockedError("main is locked by the file main.lock", next_step="delete it")


@pytest.mark.parametrize(
    ("lost", "reason"),
    [
        ([MOVED], ""),
        ([MOVED] * (ATTEMPTS - 1), ""),
        ([MOVED] * ATTEMPTS, "20 times in a row during this run (main moved): run it again"),
        ([LOCKED] * (LOCKS - 1), ""),
        ([LOCKED] * LOCKS, "main is locked by the file main.lock: delete it"),
        ([MOVED, *[LOCKED] * LOCKS], "main is locked by the file main.lock: delete it"),
        ([LOCKED] * (LOCKS - 1) + [MOVED, LOCKED], ""),
    ],
)
def test_a_run_gives_up_after_many_races_and_sooner_at_a_lock_file(lost: list[LeaseLostError], reason: str) -> None:
    given = reason_to_give_up(lost)
    assert given.endswith(reason) and bool(given) == bool(reason)


def test_a_pull_request_that_is_off_needs_nothing() -> None:
    require_off(AutoMerge(state="off"))


def test_a_pull_request_that_is_not_open_any_more_is_a_race() -> None:
    with pytest.raises(OutdatedError, match=r"^#7 is merged already: run again$"):
        require_off(AutoMerge(state="moved", reason="#7 is merged already"))


def test_a_pull_request_that_stays_armed_is_an_error_at_once() -> None:
    with pytest.raises(ProviderError, match="#7 stays armed: disarm it by hand") as caught:
        require_off(AutoMerge(state="refused", reason="#7 stays armed: disarm it by hand"))
    assert not isinstance(caught.value, LeaseLostError)


def test_an_outdated_answer_is_a_lost_race_with_the_exit_code_of_a_forge() -> None:
    error = OutdatedError("#7 is merged already", next_step="revert it instead")
    assert isinstance(error, LeaseLostError)
    assert (error.exit_code, error.fact, str(error)) == (
        6,
        "#7 is merged already",
        "#7 is merged already: revert it instead",
    )
