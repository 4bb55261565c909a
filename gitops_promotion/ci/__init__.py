"""The runner: the event, branch, commits and pull request of a run, and the places for its results.

Only the runner's own variables and its event file are read, as arguments. The values that a pull request brings (its
branch's name, its commits) are text of a stranger: they are checked here, and nothing is allowed because of them. A
further CI system is one file here and one row of RUNNERS.
"""

import re
from collections.abc import Callable, Mapping
from typing import Protocol

from gitops_promotion.ci import azure, github, shell
from gitops_promotion.ci.context import CIContext, Level, Published, read_file
from gitops_promotion.errors import Fault

__all__ = ["RUNNERS", "CIContext", "Published", "Runner", "read_file", "runner"]

Read = Callable[[str], str]
"""Returns the text of a file. Raises OSError, ValueError."""


class Runner(Protocol):
    """A CI system; each is a module of this package."""

    NAME: str
    """The name of the CI system, "" for a shell."""
    OUTPUT_LIMIT: int
    """Characters of one output."""
    OBEYS: re.Pattern[str]
    """The beginnings of the commands that the runner obeys in a log; a blank after each match makes it plain text."""
    INPUTS_ADVICE: str
    """The end of the error about missing inputs: where else they can come from."""

    def here(self, environ: Mapping[str, str]) -> bool:
        """Return True if this runner runs the program."""

    def context(self, environ: Mapping[str, str], read: Read) -> CIContext:
        """Return the subject of the run.

        Raises UsageError for an event file that is missing or malformed, and for values that are not valid.
        """

    def inputs(self, environ: Mapping[str, str], read: Read) -> dict[str, str]:
        """Return those of `group`, `app` and `tag` that the sender of the event named; most events name none.

        Raises UsageError for an event file that cannot be read and for values that are no strings.
        """

    def annotation(self, level: Level, title: str, text: str, fault: Fault | None = None) -> str:
        """Return the command that shows a text on the run's page, at a line of a file; "" without such a command."""

    def conceal(self, secret: str) -> str:
        """Return the command after which the runner masks a text in its log, "" without such a command."""

    def publish(
        self, environ: Mapping[str, str], *, outputs: Mapping[str, str], summary: str, nonce: Callable[[], str]
    ) -> Published:
        """Publish outputs and a Markdown summary: in the runner's files, and by commands that remain to be printed.

        `nonce` makes a text that nobody can guess: it ends a value, so that no value can end itself and begin another.
        """


RUNNERS: tuple[Runner, ...] = (github, azure, shell)
"""Every runner; the first whose `here` returns True is used. The shell is last: its `here` is always True."""


def runner(environ: Mapping[str, str]) -> Runner:
    """Return the runner that runs the program."""
    return next(candidate for candidate in RUNNERS if candidate.here(environ))
