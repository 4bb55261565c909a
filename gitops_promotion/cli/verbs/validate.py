"""`gitops-promotion validate`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gitops_promotion.cli import environment, options, run
from gitops_promotion.terminal import Terminal

if TYPE_CHECKING:
    from gitops_promotion.core.checks import Findings


@click.command(
    "validate",
    cls=options.Command,
    examples=("gitops-promotion validate", "gitops-promotion validate --strict --format github"),
    page="docs/checks.md",
)
@click.option("--strict", is_flag=True, help="Exit with code 2 for warnings too.")
@options.sourcedir
@run.verb("findings", output=("--format",))
def command(_: Terminal, strict: bool, sourcedir: str) -> "Findings":
    """Check the configuration and the markers of the files.

    The files are those of the working tree, and no remote is read, so it can be a pre-commit hook. Each finding has a
    code, which docs/checks.md describes.
    """
    from gitops_promotion import ci
    from gitops_promotion.commands.validate import validate

    variables = environment.variables()
    return validate(Path(sourcedir), environ=variables, trust=bool(ci.runner(variables).NAME), strict=strict)
