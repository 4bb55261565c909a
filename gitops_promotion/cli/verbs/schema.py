"""`gitops-promotion schema`."""

import click

from gitops_promotion.cli import options, run
from gitops_promotion.terminal import Terminal


@click.command(
    "schema",
    cls=options.Command,
    examples=("gitops-promotion schema", "gitops-promotion schema output"),
    page="docs/configuration.md",
)
@click.argument("name", default="config", metavar="[NAME]", type=click.Choice(["config", "holds", "output"]))
@run.verb(None)
def command(terminal: Terminal, name: str) -> None:
    """Print the JSON Schema of a document.

    NAME is config (the default), holds for the file of holds, or output for the documents of --output json.
    """
    from gitops_promotion.commands.schema import schema

    terminal.result(schema(name))
