"""`gitops-promotion notify`."""

from typing import TYPE_CHECKING, Any

import click

from gitops_promotion.cli import environment, options, run
from gitops_promotion.terminal import Terminal

if TYPE_CHECKING:
    from gitops_promotion.core.model import Outcome


@click.command(
    "notify",
    cls=options.Command,
    examples=("gitops-promotion notify --test team", "gitops-promotion notify --test team -o json"),
    page="docs/notifications.md",
)
@click.option("--test", "name", required=True, metavar="NAME", help="The channel that gets a sample.")
@options.connection
@run.verb()
def command(terminal: Terminal, name: str, **connection: Any) -> "list[Outcome]":
    """Send a sample to a channel for notifications.

    The channel is one of the configuration on the default branch. Its URL is in
    the variable GITOPS_PROMOTION_NOTIFY_<NAME>.
    """
    from gitops_promotion.commands.notify import notify

    with run.open_run_at(terminal, **connection) as verb_run:
        return notify(verb_run, name=name, environ=environment.variables())
