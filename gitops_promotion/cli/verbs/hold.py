"""`gitops-promotion hold`."""

from typing import TYPE_CHECKING, Any

import click

from gitops_promotion.cli import option_values, options, run
from gitops_promotion.terminal import Terminal

if TYPE_CHECKING:
    from datetime import datetime

    from gitops_promotion.core.model import Outcome


def _now() -> "datetime":
    from datetime import UTC, datetime

    return datetime.now(UTC)


@click.command(
    "hold",
    cls=options.Command,
    examples=(
        'gitops-promotion hold --group shop --app web --env prod --reason "login"',
        "gitops-promotion hold --group webshop --app webui --env prod --until 3d",
    ),
    page="docs/windows-and-holds.md",
)
@options.held
@click.option("--reason", default="", callback=option_values.one_line, metavar="TEXT", help="Why.")
@click.option("--until", default="", metavar="TIME", help="When it ends: a time with an offset, a date, or 3d.")
@options.connection
@options.dry_run
@run.verb()
def command(terminal: Terminal, until: str, **values: Any) -> "list[Outcome]":
    """Put promotions of an application on hold."""
    from gitops_promotion.commands.hold import hold

    names = {name: values.pop(name) for name in ("group", "app", "environment", "tag", "reason")}
    end = option_values.end_time("--until", until, _now())
    with run.open_run_at(terminal, **values) as verb_run:
        return hold(verb_run, until=end, **names)
