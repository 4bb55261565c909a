"""`gitops-promotion status`, with `--publish`."""

from typing import TYPE_CHECKING, Any

import click

from gitops_promotion.cli import environment, option_values, options, run
from gitops_promotion.errors import UsageError
from gitops_promotion.terminal import Terminal

if TYPE_CHECKING:
    from gitops_promotion.core.model import Outcome

# Seconds between the first two checks.
_INTERVAL = 5.0


@click.command(
    "status",
    cls=options.Command,
    examples=("gitops-promotion status --pr 12 --timeout 10m", "gitops-promotion status --publish"),
    page="docs/concepts.md#status",
)
@click.option(
    "--pr",
    callback=option_values.number,
    metavar="NUMBER",
    help="The pull request to check [default: of the event or checkout].",
)
@environment.option(
    "--timeout",
    callback=option_values.duration,
    metavar="DURATION",
    help="How long to wait, such as 5m [default: status_timeout_minutes].",
)
@environment.option(
    "--interval",
    callback=option_values.duration,
    metavar="DURATION",
    help=f"Pause between the first checks [default: {_INTERVAL:g}s].",
)
@click.option(
    "--publish",
    is_flag=True,
    help="Do not wait: check every open promotion once and publish the verdicts as commit statuses.",
)
@options.connection
@options.dry_run
@run.verb()
def command(
    terminal: Terminal, pr: int | None, timeout: float | None, interval: float | None, publish: bool, **connection: Any
) -> "list[Outcome]":
    """Check whether a pull request may merge.

    The check waits until the tag is healthy in the environments that it comes from.
    """
    from gitops_promotion.commands.publish import publish as publish_verdicts
    from gitops_promotion.commands.status import status

    if publish and timeout is not None:
        raise UsageError("--publish checks once and does not wait: leave out --timeout")
    with run.open_run_at(terminal, **connection) as verb_run:
        if publish:
            return run.tell(verb_run, publish_verdicts(verb_run, pr=pr), recent=True)
        return status(
            verb_run,
            pr=pr,
            timeout=timeout,
            interval=_INTERVAL if interval is None else interval,
            progress=terminal.progress,
        )
