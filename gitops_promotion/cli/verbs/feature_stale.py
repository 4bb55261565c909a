"""`gitops-promotion feature-stale`."""

from typing import TYPE_CHECKING, Any

import click

from gitops_promotion.cli import option_values, options, run
from gitops_promotion.terminal import Terminal

if TYPE_CHECKING:
    from gitops_promotion.core.model import Outcome


@click.command(
    "feature-stale",
    cls=options.Command,
    examples=("gitops-promotion feature-stale", "gitops-promotion feature-stale --max-age 3d --dry-run"),
    page="docs/features.md",
)
@click.option(
    "--max-age",
    callback=option_values.duration,
    metavar="DURATION",
    default="7d",
    help="Age at which an unchanged copy counts as stale [default: 7d].",
)
@options.connection
@options.dry_run
@run.verb()
def command(terminal: Terminal, max_age: float | None, **connection: Any) -> "list[Outcome]":
    """Remove all copies that have not changed for some time.

    One pull request removes all of them.
    """
    from datetime import UTC, datetime

    from gitops_promotion.commands.feature_stale import DEFAULT_MAX_AGE, feature_stale

    age = DEFAULT_MAX_AGE if max_age is None else max_age
    with run.open_run_at(terminal, **connection) as verb_run:
        return feature_stale(verb_run, max_age=age, now=datetime.now(UTC), find_kustomize=run.kustomize_finder())
