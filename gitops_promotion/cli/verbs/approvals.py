"""`gitops-promotion approvals`."""

from typing import TYPE_CHECKING, Any

import click

from gitops_promotion.cli import option_values, options, run
from gitops_promotion.terminal import Terminal

if TYPE_CHECKING:
    from gitops_promotion.core.approval_list import ApprovalList


@click.command(
    "approvals",
    cls=options.Command,
    examples=("gitops-promotion approvals", "gitops-promotion approvals --output json"),
    page="docs/approvals.md",
)
@options.scope
@click.option(
    "--all", "include_ended", is_flag=True, help="Also list promotions that were merged, declined or superseded."
)
@click.option(
    "--mine",
    "user",
    default="",
    callback=option_values.one_line,
    metavar="USER",
    help="Only promotions on which the opinion of USER can count.",
)
@click.option("--history", is_flag=True, help="Also show what happened to each, with time and person.")
@options.connection
@run.verb("approvals")
def command(
    terminal: Terminal,
    group: str,
    app: str,
    environment: str,
    include_ended: bool,
    user: str,
    history: bool,
    **connection: Any,
) -> "ApprovalList":
    """List the promotions that wait for people.

    Each one has the opinions on it.
    """
    from gitops_promotion.commands.approvals import approvals
    from gitops_promotion.workflow.past import Scope

    scope = Scope(group=group, app=app, environment=environment)
    with run.open_run_at(terminal, **connection) as verb_run:
        return approvals(verb_run, scope, include_ended=include_ended, user=user, history=history)
