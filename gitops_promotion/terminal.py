"""stdout is the result, stderr the log; secrets are masked in both, and a CI runner finds no commands in either."""

import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

from gitops_promotion.core.authorization import masked, spellings


class Terminal:
    """Where a verb's notes, its waiting and its result go.

    `obeys` matches the beginnings of the commands that the reading CI system obeys; `conceal` makes its command to
    mask a secret.
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
        self._secrets: set[str] = set().union(*map(spellings, secrets))
        self._shown = ""
        self._live = sys.stderr.isatty()

    @property
    def paints(self) -> bool:
        """True if results may be coloured (https://no-color.org)."""
        return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"

    def hide(self, secret: str, *, made: bool) -> None:
        """Show a secret never; `made` in this run, so that nobody told the runner of it either."""
        if not secret or secret in self._secrets:
            return
        # Anywhere but in CI a line would show it.
        if made and (line := self._conceal(secret)):
            click.echo(line, err=True)
        self._secrets |= spellings(secret)

    def mask(self, text: str) -> str:
        """Return the text without secrets, in any of their spellings."""
        return masked(text, self._secrets)

    def inert(self, text: str) -> str:
        """Return the text without secrets, and with a blank in each command that the CI system would obey."""
        text = self.mask(text)
        return self._obeys.sub(r"\g<0> ", text) if self._obeys else text

    def result(self, text: str) -> None:
        """Print to stdout."""
        click.echo(self.inert(text), nl=False, color=True)

    def note(self, text: str) -> None:
        """Log one thing worth knowing."""
        if not self._quiet:
            self.clear()
            click.echo(self.inert(text), err=True)

    def detail(self, text: str) -> None:
        """Log what only --verbose shows."""
        if self._verbose:
            self.note(text)

    def error(self, text: str) -> None:
        """Log an error, also with --quiet."""
        self.clear()
        for line in self.mask(text).split("\n"):
            click.echo(self.inert(f"error: {line}"), err=True)

    def command(self, line: str, *, always: bool) -> None:
        """Give the runner a command of ours, escaped by whoever made it; `always`, also with --quiet."""
        if always or not self._quiet:
            self.clear()
            click.echo(self.mask(line), err=True)

    @contextmanager
    def hearing(self) -> Iterator[None]:
        """Note what the package logs meanwhile: by itself it would get to stderr unmasked."""
        import logging

        note = self.note

        class Ear(logging.Handler):
            def emit(self, record: logging.LogRecord) -> None:
                note(f"{record.levelname.lower()}: {record.getMessage()}")

        handler = Ear(logging.WARNING)
        logger = logging.getLogger("gitops_promotion")
        logger.addHandler(handler)
        try:
            yield
        finally:
            logger.removeHandler(handler)

    def progress(self, reasons: tuple[str, ...], left: float) -> None:
        """Say why it waits, `left` seconds yet: a live line on a terminal, one line a change in a log."""
        text = self.inert("; ".join(reasons))
        if self._quiet or (text == self._shown and not self._live):
            return
        line = f"waiting, {left:.0f} s left: {text}"
        if self._live:
            self.clear()
            line = line[: shutil.get_terminal_size().columns - 1]
        click.echo(line, err=True, nl=not self._live)
        self._shown = text

    def clear(self) -> None:
        """Take the live line away, before anything else is printed."""
        if self._live and self._shown:
            click.echo("\r\x1b[K", err=True, nl=False)
            self._shown = ""
