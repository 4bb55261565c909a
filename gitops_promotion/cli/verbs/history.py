"""`gitops-promotion history`."""

from typing import TYPE_CHECKING, Any

import click

from gitops_promotion.cli import option_values, options, run
from gitops_promotion.terminal import Terminal

if TYPE_CHECKING:
    from gitops_promotion.core.history import History
    from gitops_promotion.core.metrics import Metrics


@click.command(
    "history",
    cls=options.Command,
    examples=("gitops-promotion history --app webui --env prod", "gitops-promotion history --output csv"),
    page="docs/history.md",
)
@options.scope
@click.option(
    "--since", metavar="TIME", help="Only what happened since then: a duration such as 90d, a date, or an ISO time."
)
@click.option(
    "--metrics", "measured", is_flag=True, help="Show how often, how fast and how safely tags move [since: 90d]."
)
@options.connection
@run.verb("history")
def command(
    terminal: Terminal, group: str, app: str, environment: str, since: str | None, measured: bool, **connection: Any
) -> "History | Metrics":
    """Show who promoted what and when.

    Tags are read from the default branch, no matter who changed them. Without --app all applications are shown.
    """
    from gitops_promotion.commands.history import history, metrics
    from gitops_promotion.workflow.past import Scope

    scope = Scope(group=group, app=app, environment=environment)
    with run.open_run_at(terminal, **connection) as verb_run:
        start = option_values.past_time("--since", since, verb_run.clock.now())
        return metrics(verb_run, scope, since=start) if measured else history(verb_run, scope, since=start)
