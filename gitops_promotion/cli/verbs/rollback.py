"""`gitops-promotion rollback`."""

from typing import TYPE_CHECKING, Any

import click

from gitops_promotion.cli import option_values, options, run
from gitops_promotion.terminal import Terminal

if TYPE_CHECKING:
    from gitops_promotion.core.model import Outcome


@click.command(
    "rollback",
    cls=options.Command,
    examples=(
        'gitops-promotion rollback --group shop --app web --env prod --reason "login"',
        "gitops-promotion rollback --group webshop --app webui --env prod --to 1.4.1",
    ),
    page="docs/rollback.md",
)
@options.application
@click.option("--env", "environment", required=True, help="The environment to roll back.")
@click.option("--to", default="", metavar="TAG", help="A tag that it had before [default: the last that was green].")
@click.option(
    "--reason",
    default="",
    callback=option_values.one_line,
    metavar="TEXT",
    help="Why; with it the rollback goes past windows and freezes, on record.",
)
@click.option("--no-hold", is_flag=True, help="Do not put the tag that it leaves on hold.")
@options.connection
@options.dry_run
@run.verb()
def command(terminal: Terminal, no_hold: bool, **values: Any) -> "list[Outcome]":
    """Go back to the last tag that was green in an environment."""
    from gitops_promotion.commands.rollback import rollback

    names = {name: values.pop(name) for name in ("group", "app", "environment", "to", "reason")}
    with run.open_run_at(terminal, **values) as verb_run:
        return run.tell(verb_run, rollback(verb_run, hold=not no_hold, **names))
