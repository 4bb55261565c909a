"""`gitops-promotion why`."""

from typing import TYPE_CHECKING, Any

import click

from gitops_promotion.cli import option_values, options, run
from gitops_promotion.terminal import Terminal

if TYPE_CHECKING:
    from gitops_promotion.core.why import Why


@click.command(
    "why",
    cls=options.Command,
    examples=(
        "gitops-promotion why --app webui --env prod",
        "gitops-promotion why --app webui --env prod --output json",
    ),
    page="docs/why.md",
)
@click.option("--group", default="", help="The group; needed if several have an application of that name.")
@click.option("--app", required=True, help="The application.")
@click.option("--env", "environment", required=True, help="The environment.")
@click.option(
    "--at", metavar="TIME", help="A time in the future, as an ISO time such as 2026-01-31T12:00:00Z [default: now]."
)
@options.connection
@run.verb("why")
def command(terminal: Terminal, group: str, app: str, environment: str, at: str | None, **connection: Any) -> "Why":
    """Say why a tag is, or is not, in an environment.

    It speaks of the tag of the environment before. Nothing is changed.
    """
    from gitops_promotion.commands.why import explain

    with run.open_run_at(terminal, dry_run=True, **connection) as verb_run:
        moment = option_values.future_time("--at", at, verb_run.clock.now())
        return explain(verb_run, group=group, app=app, environment=environment, at=moment)
