"""`gitops-promotion graph`."""

from typing import TYPE_CHECKING, Any

import click

from gitops_promotion.cli import options, run
from gitops_promotion.terminal import Terminal

if TYPE_CHECKING:
    from gitops_promotion.core.graph import Graph


@click.command(
    "graph",
    cls=options.Command,
    examples=("gitops-promotion graph", "gitops-promotion graph --mermaid"),
    page="docs/layouts.md",
)
# Before the options of all verbs: older versions of click take the default of the last option of one name.
@click.option("--mermaid", "output", flag_value="mermaid", help="Print a Mermaid flowchart, as `-o mermaid` does.")
@options.connection
@run.verb("graph")
def command(terminal: Terminal, **connection: Any) -> "Graph":
    """Show the environments, their files and applications.

    The order is that of promotions. Problems of the configuration and of the layout are on stderr. The exit code is 2
    with those that stop `promote --all`.
    """
    from gitops_promotion.commands.graph import graph

    with run.open_run_at(terminal, **connection) as verb_run:
        return graph(verb_run)
