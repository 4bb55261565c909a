"""`gitops-promotion version`."""

import platform
from importlib.metadata import version

import click

from gitops_promotion.cli import options, run
from gitops_promotion.terminal import Terminal


@click.command(
    "version",
    cls=options.Command,
    examples=("gitops-promotion version", "gitops-promotion --version"),
    page="CHANGELOG.md",
)
@run.verb(None)
def command(terminal: Terminal) -> None:
    """Print the version, and what it runs on."""
    from gitops_promotion.providers import registry

    terminal.result(
        f"gitops-promotion {version('gitops-promotion')}\n"
        f"Python {platform.python_version()} on {platform.system()} {platform.machine()}\n"
        f"providers {', '.join(registry.names())}\n"
    )
