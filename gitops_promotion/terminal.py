"""Writes the result to stdout and the log to stderr, without secrets and without commands for a CI runner."""

import os
import re
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

from gitops_promotion.core import durations, untrusted
from gitops_promotion.core.secrets import SHORTEST, masked, spellings


class Terminal:
    """The output of one run.

    `obeys` matches the beginnings of the commands that the reading CI system obeys; `conceal` returns its command to
    mask a secret. `secrets` are masked whatever their length is.
    """

    def __init__(
        self,
        *,
        verbose: bool = False,
        quiet: bool = False,
        obeys: re.Pattern[str] | None = None,
        conceal: Callable[[str], str] = lambda _: "",
        secrets: tuple[str, ...] = (),
    ) -> None:
        self._verbose = verbose
        self._obeys = obeys
        self._conceal = conceal
        self._quiet = quiet
        self._secrets: set[str] = set(filter(None, secrets)).union(*map(spellings, secrets))
        self._progress = ""
        self._reasons = ""
        self._total = 0.0
        # A line that is written again needs a terminal that can clear it.
        self._live = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"

    @property
    def has_colour(self) -> bool:
        """True if results may be coloured (https://no-color.org)."""
        return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"

    def add_secret(self, secret: str, *, is_new: bool) -> None:
        """Mask a secret from now on; `is_new` for a secret that this run made and the CI system does not know.

        One that is too short to be told from ordinary words is not masked.
        """
        if len(secret) < SHORTEST or secret in self._secrets:
            return
        # The command itself shows the secret, so it is printed only if a CI system reads it.
        if is_new and (line := self._conceal(secret)):
            click.echo(line, err=True)
        self._secrets |= spellings(secret)

    def mask(self, text: str) -> str:
        """Return the text without secrets, in any of their spellings."""
        return masked(text, self._secrets)

    def without_commands(self, text: str) -> str:
        """Return the text without secrets, and with a blank in each command that the CI system would obey."""
        text = self.mask(text)
        return self._obeys.sub(r"\g<0> ", text) if self._obeys else text

    def result(self, text: str, *, has_commands: bool = False) -> None:
        """Print to stdout; with `has_commands` the CI system shall obey those in the text."""
        click.echo(self.mask(text) if has_commands else self.without_commands(text), nl=False, color=True)

    def note(self, text: str) -> None:
        """Log a text, unless the run is quiet."""
        if not self._quiet:
            self.clear()
            click.echo(self.without_commands(text), err=True)

    def detail(self, text: str) -> None:
        """Log a text if the run is verbose."""
        if self._verbose:
            self.note(text)

    def error(self, text: str) -> None:
        """Log an error, also with --quiet."""
        self.clear()
        for line in self.mask(text).split("\n"):
            click.echo(self.without_commands(f"error: {line}"), err=True)

    def command(self, line: str, *, always: bool) -> None:
        """Print a command for the CI system, which is escaped already; with `always` also if the run is quiet."""
        if always or not self._quiet:
            self.clear()
            click.echo(self.mask(line), err=True)

    @contextmanager
    def capturing_logs(self) -> Iterator[None]:
        """Log the warnings of the package's loggers; Python would print them to stderr with their secrets.

        If the run is verbose, also log each git command and each request.
        """
        import logging

        note, detail = self.note, self.detail

        class Handler(logging.Handler):
            def emit(self, record: logging.LogRecord) -> None:
                if record.levelno < logging.WARNING:
                    detail(record.getMessage())
                else:
                    note(f"{record.levelname.lower()}: {record.getMessage()}")

        level = logging.DEBUG if self._verbose else logging.WARNING
        handler = Handler(level)
        logger = logging.getLogger("gitops_promotion")
        before = logger.level
        logger.addHandler(handler)
        logger.setLevel(level)
        try:
            yield
        finally:
            logger.removeHandler(handler)
            logger.setLevel(before)

    def progress(self, reasons: tuple[str, ...], seconds: float) -> None:
        """Log the reasons for a wait of at most `seconds` more.

        A terminal gets them in full when they change, and below them one line with the time, which is written again. A
        file gets a line when they change.
        """
        if self._quiet:
            return
        text = self.without_commands("; ".join(reasons))
        self._total = max(self._total, seconds)
        if not self._live:
            if text != self._progress:
                click.echo(f"waiting, {durations.shown(seconds)} left: {text}", err=True)
            self._progress = text
            return
        columns = shutil.get_terminal_size().columns
        self.clear()
        if text != self._reasons:
            click.echo(textwrap.fill(f"waiting: {text}", columns), err=True)
            self._reasons = text
        time = f"{durations.shown(self._total - seconds)} of {durations.shown(self._total)}"
        self._progress = untrusted.cut(f"{time}: {text}", columns - 1)
        click.echo(self._progress, err=True, nl=False)

    def clear(self) -> None:
        """Remove the line of `progress` from a terminal, before another text is printed."""
        if self._live and self._progress:
            click.echo("\r\x1b[K", err=True, nl=False, color=True)
            self._progress = ""
