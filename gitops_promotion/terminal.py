"""stdout is the result, stderr the log; secrets are masked in both."""

import os
import shutil
import sys

import click


class Terminal:
    """Where a verb's notes, its waiting and its result go."""

    def __init__(self, *, verbose: bool = False, quiet: bool = False, secrets: tuple[str, ...] = ()) -> None:
        self._verbose = verbose
        self._quiet = quiet
        self._secrets = tuple(secret for secret in secrets if secret)
        self._shown = ""
        self._live = sys.stderr.isatty()

    @property
    def paints(self) -> bool:
        """True if results may be coloured (https://no-color.org)."""
        return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"

    def mask(self, text: str) -> str:
        """Return the text without secrets."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text

    def result(self, text: str) -> None:
        """Print to stdout."""
        click.echo(self.mask(text), nl=False, color=True)

    def note(self, text: str) -> None:
        """Log one thing worth knowing."""
        if not self._quiet:
            self.clear()
            click.echo(self.mask(text), err=True)

    def detail(self, text: str) -> None:
        """Log what only --verbose shows."""
        if self._verbose:
            self.note(text)

    def error(self, text: str) -> None:
        """Log an error, also with --quiet."""
        self.clear()
        for line in self.mask(text).split("\n"):
            click.echo(f"error: {line}", err=True)

    def progress(self, reasons: tuple[str, ...], left: float) -> None:
        """Say why it waits, `left` seconds yet: a live line on a terminal, one line a change in a log."""
        text = self.mask("; ".join(reasons))
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
