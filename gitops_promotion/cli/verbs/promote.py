"""`gitops-promotion promote`."""

from typing import TYPE_CHECKING, Any

import click

from gitops_promotion.cli import option_values, options, run
from gitops_promotion.terminal import Terminal

if TYPE_CHECKING:
    from gitops_promotion.core.model import Outcome


@click.command(
    "promote",
    cls=options.Command,
    examples=("gitops-promotion promote --all", "gitops-promotion promote --app webui --env prod"),
    page="docs/concepts.md#promote",
)
@click.option(
    "--all",
    "all_applications",
    is_flag=True,
    help="Compare all applications, without an event; this makes up for lost events.",
)
@click.option("--group", default="", help="With --app and --env: force this one promotion.")
@click.option("--app", default="", help="With --env: force this one promotion.")
@click.option("--env", "environment", default="", help="With --app: the environment to promote into.")
@click.option("--tag", default="", help="With --override-gates: the tag to promote.")
@click.option(
    "--override-gates",
    is_flag=True,
    help="With --app, --env, --tag and --reason: go past the sources and the gates.",
)
@click.option(
    "--override-hold",
    is_flag=True,
    help="With --app, --env and --reason: go past a hold, and lift it if it covers nothing else.",
)
@click.option("--reason", default="", callback=option_values.one_line, metavar="TEXT", help="Why, for the record.")
@options.connection
@options.dry_run
@run.verb()
def command(
    terminal: Terminal,
    all_applications: bool,
    group: str,
    app: str,
    environment: str,
    tag: str,
    override_gates: bool,
    override_hold: bool,
    reason: str,
    **connection: Any,
) -> "list[Outcome]":
    """Propose new tags of each environment for the next."""
    from gitops_promotion.commands.promote import promote

    with run.open_run_at(terminal, **connection) as verb_run:
        outcomes = promote(
            verb_run,
            find_kustomize=run.kustomize_finder(),
            all_applications=all_applications,
            group=group,
            app=app,
            environment=environment,
            tag=tag,
            override_gates=override_gates,
            override_hold=override_hold,
            reason=reason,
        )
        return run.tell(verb_run, outcomes, recent=True, overridden=override_gates or override_hold)
