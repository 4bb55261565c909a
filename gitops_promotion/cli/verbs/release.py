"""`gitops-promotion release`."""

from typing import TYPE_CHECKING, Any

import click

from gitops_promotion.cli import options, run
from gitops_promotion.terminal import Terminal

if TYPE_CHECKING:
    from gitops_promotion.core.model import Outcome


@click.command(
    "release",
    cls=options.Command,
    examples=(
        "gitops-promotion release --group webshop --app webui --env prod",
        'gitops-promotion release --group webshop --app webui --env "*"',
    ),
    page="docs/windows-and-holds.md",
)
@options.held
@options.connection
@options.dry_run
@run.verb()
def command(terminal: Terminal, **values: Any) -> "list[Outcome]":
    """Lift a hold."""
    from gitops_promotion.commands.hold import release

    names = {name: values.pop(name) for name in ("group", "app", "environment", "tag")}
    with run.open_run_at(terminal, **values) as verb_run:
        return release(verb_run, **names)
