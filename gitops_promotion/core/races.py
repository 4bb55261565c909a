"""Races: another writer changes the remote between a run's reading and writing, and the run decides again."""

from gitops_promotion.core.forge import AutoMerge
from gitops_promotion.errors import OutdatedError, ProviderError

ATTEMPTS = 20
"""How often a run decides before it gives up; each race has a winner, so that others get on meanwhile."""

_FIRST = 0.1
_GROWTH = 1.7
_LONGEST = 8.0


def pause(attempt: int, random: float) -> float:
    """Return the seconds to wait after the lost race of number `attempt`, which counts from 0.

    Pauses grow, and `random`, from 0 to 1, spreads them, so that the same writers do not meet again. The longest is 12
    seconds; those of ATTEMPTS races are 130 seconds at most.
    """
    return min(_FIRST * _GROWTH**attempt, _LONGEST) * (0.5 + random)


def require_off(result: AutoMerge) -> None:
    """Raise unless a pull request was disarmed: OutdatedError if it is not open any more, else ProviderError."""
    if result.state == "moved":
        raise OutdatedError(result.reason)
    if result.state != "off":
        raise ProviderError(f"auto-merge cannot be switched off: {result.reason}")
