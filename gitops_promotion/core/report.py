"""The report of a run: its outcomes, or another view, and the exit code that follows from them."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from gitops_promotion.core.model import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The outcomes of a run, in the order in which they happened."""

    outcomes: tuple[Outcome, ...]

    @property
    def exit_code(self) -> int:
        """The exit code of the run: of several, the one of the most urgent outcome (docs/exit-codes.md)."""
        codes = {outcome.exit_code for outcome in self.outcomes}
        return next((code for code in (1, 6, 5, 2, 3, 4) if code in codes), 0)


@runtime_checkable
class Judged(Protocol):
    """A view that decides on the exit code of its run."""

    @property
    def exit_code(self) -> int:
        """The exit code of the run."""


@runtime_checkable
class Flawed(Protocol):
    """A view that is shown as far as it can be, such as a graph: what is wrong with it, and the exit code."""

    @property
    def errors(self) -> tuple[str, ...]:
        """The errors, one line each."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """The warnings, one line each."""

    @property
    def exit_code(self) -> int:
        """The exit code of the run."""
