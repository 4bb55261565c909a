"""`gitops-promotion wait`."""

from typing import TYPE_CHECKING, Any, Literal

import click

from gitops_promotion.cli import environment, option_values, options, run
from gitops_promotion.terminal import Terminal

if TYPE_CHECKING:
    from gitops_promotion.core.model import Outcome

# Seconds to wait without --timeout.
_TIMEOUT = 1800.0


@click.command(
    "wait",
    cls=options.Command,
    examples=(
        "gitops-promotion wait --group webshop --app webui --env prod",
        "gitops-promotion wait --group webshop --app webui --env qa --for healthy",
    ),
    page="docs/approvals.md",
)
@options.application
@click.option("--env", "environment", required=True, help="The environment that the promotion goes into.")
@click.option("--tag", default="", help="The tag to wait for [default: what its sources have now].")
@click.option(
    "--for",
    "goal",
    type=click.Choice(["merged", "healthy"]),
    default="merged",
    help="Wait until it is merged, or until it is healthy there [default: merged].",
)
@environment.option(
    "--timeout",
    callback=option_values.duration,
    metavar="DURATION",
    help="How long to wait, such as 30m or 2h [default: 30m].",
)
@options.connection
@run.verb()
def command(
    terminal: Terminal,
    group: str,
    app: str,
    environment: str,
    tag: str,
    goal: Literal["merged", "healthy"],
    timeout: float | None,
    **connection: Any,
) -> "list[Outcome]":
    """Wait until people have decided on a promotion.

    The exit code is 0 when it is merged or healthy, 3 when it was declined, and 4 when the time is up.
    """
    from gitops_promotion.commands.wait import wait

    with run.open_run_at(terminal, **connection) as verb_run:
        return wait(
            verb_run,
            group=group,
            app=app,
            environment=environment,
            tag=tag,
            goal=goal,
            timeout=_TIMEOUT if timeout is None else timeout,
            progress=terminal.progress,
        )
