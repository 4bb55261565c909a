"""`gitops-promotion feature`."""

from typing import TYPE_CHECKING, Any

import click

from gitops_promotion.cli import options, run
from gitops_promotion.terminal import Terminal

if TYPE_CHECKING:
    from gitops_promotion.core.model import Outcome


@click.command(
    "feature",
    cls=options.Command,
    examples=(
        "gitops-promotion feature --group webshop --app webui --tag pr-12 --feature a",
        "gitops-promotion feature --group shop --app web --tag 2 --feature a --dry-run",
    ),
    page="docs/features.md",
)
@options.application
@click.option("--tag", required=True, help="The image tag to show, optionally with its digest: TAG@sha256:...")
@options.feature
@options.connection
@options.dry_run
@run.verb()
def command(terminal: Terminal, group: str, app: str, tag: str, name: str, **connection: Any) -> "list[Outcome]":
    """Show an unmerged change in the first environment.

    It runs in a copy of the application, which is never promoted.
    """
    from gitops_promotion.commands.feature import feature

    with run.open_run_at(terminal, **connection) as verb_run:
        return feature(verb_run, group=group, app=app, tag=tag, name=name, find_kustomize=run.kustomize_finder())
