"""`gitops-promotion doctor`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gitops_promotion.cli import environment, options, run
from gitops_promotion.terminal import Terminal

if TYPE_CHECKING:
    from gitops_promotion.core.checks import Findings


@click.command(
    "doctor",
    cls=options.Command,
    examples=("gitops-promotion doctor", "gitops-promotion doctor --ruleset"),
    page="docs/checks.md",
)
@click.option("--strict", is_flag=True, help="Exit with code 2 for warnings too.")
@click.option("--ruleset", is_flag=True, help="Print a ruleset of GitHub to import, and ask no forge.")
@options.connection
@run.verb("findings", output=("--format",))
def command(terminal: Terminal, strict: bool, ruleset: bool, **connection: Any) -> "Findings":
    """Check the forge's settings for promotions.

    It reads commit statuses, branch rules, workflows and bots, and changes nothing.
    """
    from gitops_promotion import ci
    from gitops_promotion.commands import doctor

    if ruleset:
        variables = environment.variables()
        trust = bool(ci.runner(variables).NAME)
        terminal.result(doctor.ruleset(Path(connection["sourcedir"]), environ=variables, trust=trust))
        click.get_current_context().exit()
    with run.open_run_at(terminal, **connection) as verb_run:
        return doctor.doctor(verb_run, strict=strict)
