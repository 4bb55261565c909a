"""Races: another writer changes the remote after a run has read it and before it writes, so the run decides again."""

from collections.abc import Sequence

from gitops_promotion.core.forge import AutoMerge
from gitops_promotion.errors import LeaseLostError, LockedError, OutdatedError, ProviderError

ATTEMPTS = 20
"""How often a run decides before it gives up; every lost race has a winner, so other writers finish meanwhile."""

LOCKS = 7
"""How often in a row a run meets a lock file before it gives up: about three seconds.

A writer has its lock file for milliseconds; one that was killed leaves it behind.
"""

_FIRST = 0.1
_GROWTH = 1.7
_GROWN = 20.0
_TIMES = 6
"""A pause after a slow decision is at most this many times as long as the decision."""

LONGEST = 120.0
"""The longest pause, in seconds."""


def pause(attempt: int, random: float, *, decision_seconds: float = 0.0) -> float:
    """Return the seconds to wait after the lost race of number `attempt`, which counts from 0.

    Pauses grow, so that a hundred writers at once are spread over the time that they need one after another; `random`,
    from 0 to 1, keeps the same writers from meeting again. Pauses grow to 30 seconds, and those of ATTEMPTS together
    are about five minutes at most. `decision_seconds` is how long the lost decision took: if a machine is so busy that
    it takes seconds, the pause is up to six times as long from the second race on, at most LONGEST. Writers that meet
    again before one of them can have finished only slow each other down (benchmarks/races.py).
    """
    # Two writers alone meet once: only who meets others again is in a crowd.
    busy = min(decision_seconds * (_TIMES if attempt else 1), LONGEST)
    return max(min(_FIRST * _GROWTH**attempt, _GROWN) * (0.5 + random), busy * random)


def reason_to_give_up(lost_races: Sequence[LeaseLostError]) -> str:
    """Return the text of the error that ends a run after these lost races, the last one last; "" to decide again."""
    if len(lost_races) >= LOCKS and all(isinstance(error, LockedError) for error in lost_races[-LOCKS:]):
        return str(lost_races[-1])
    if len(lost_races) < ATTEMPTS:
        return ""
    fact = lost_races[-1].fact
    return f"other writers changed the remote {ATTEMPTS} times in a row during this run ({fact}): run it again"


def require_off(result: AutoMerge) -> None:
    """Raise unless a pull request was disarmed: OutdatedError if it is not open any more, else ProviderError."""
    if result.state == "moved":
        raise OutdatedError(result.reason)
    if result.state != "off":
        raise ProviderError(f"auto-merge cannot be switched off: {result.reason}")
