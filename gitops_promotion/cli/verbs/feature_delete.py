"""`gitops-promotion feature-delete`."""

from typing import TYPE_CHECKING, Any

import click

from gitops_promotion.cli import options, run
from gitops_promotion.terminal import Terminal

if TYPE_CHECKING:
    from gitops_promotion.core.model import Outcome


@click.command(
    "feature-delete",
    cls=options.Command,
    examples=(
        "gitops-promotion feature-delete --group webshop --app webui --feature pr-12",
        "gitops-promotion feature-delete --group shop --app web --feature a --dry-run",
    ),
    page="docs/features.md",
)
@options.application
@options.feature
@options.connection
@options.dry_run
@run.verb()
def command(terminal: Terminal, group: str, app: str, name: str, **connection: Any) -> "list[Outcome]":
    """Remove a feature's copy.

    If the pull request of the copy is not merged yet, it is closed.
    """
    from gitops_promotion.commands.feature_delete import feature_delete

    with run.open_run_at(terminal, **connection) as verb_run:
        return feature_delete(verb_run, group=group, app=app, name=name, find_kustomize=run.kustomize_finder())
