"""`gitops-promotion approve`."""

from typing import TYPE_CHECKING, Any

import click

from gitops_promotion.cli import options, run
from gitops_promotion.terminal import Terminal

if TYPE_CHECKING:
    from gitops_promotion.core.model import Outcome


@click.command(
    "approve",
    cls=options.Command,
    examples=("gitops-promotion approve --pr 12", 'gitops-promotion approve --pr 12 --comment "dashboards are fine"'),
    page="docs/approvals.md",
)
@options.promotion
@options.connection
@options.dry_run
@run.verb()
def command(terminal: Terminal, person: str, **values: Any) -> "list[Outcome]":
    """Approve an open promotion, with your own identity.

    The token must be a person's: the opinion of an App or of a job does not count.
    """
    from gitops_promotion.commands.opinions import approve

    names = {name: values.pop(name) for name in ("group", "app", "environment", "number", "comment")}
    with run.open_run_at(terminal, person=person, **values) as verb_run:
        return approve(verb_run, **names)
