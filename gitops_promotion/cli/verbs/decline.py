"""`gitops-promotion decline`."""

from typing import TYPE_CHECKING, Any

import click

from gitops_promotion.cli import options, run
from gitops_promotion.terminal import Terminal

if TYPE_CHECKING:
    from gitops_promotion.core.model import Outcome


@click.command(
    "decline",
    cls=options.Command,
    examples=("gitops-promotion decline --pr 12", 'gitops-promotion decline --pr 12 --comment "too many errors in qa"'),
    page="docs/approvals.md",
)
@options.promotion
@options.connection
@options.dry_run
@run.verb()
def command(terminal: Terminal, person: str, **values: Any) -> "list[Outcome]":
    """Decline an open promotion.

    It is rejected, or closed where nobody's approval is needed. The token must be a person's: the opinion of
    an App or of a job does not count.
    """
    from gitops_promotion.commands.opinions import decline

    names = {name: values.pop(name) for name in ("group", "app", "environment", "number", "comment")}
    with run.open_run_at(terminal, person=person, **values) as verb_run:
        return decline(verb_run, **names)
