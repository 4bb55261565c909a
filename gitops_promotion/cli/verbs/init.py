"""`gitops-promotion init`."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gitops_promotion.cli import environment, options, run
from gitops_promotion.errors import UsageError
from gitops_promotion.terminal import Terminal

if TYPE_CHECKING:
    from gitops_promotion.core.init import Proposal


@click.command(
    "init",
    cls=options.Command,
    examples=("gitops-promotion init", "gitops-promotion init --yes --pull-request"),
    page="docs/verbs.md#init",
)
@click.option("--yes", is_flag=True, help="Write the files without asking.")
@click.option("--pull-request", is_flag=True, help="Open a pull request; the working tree stays as it is.")
@click.option("--action", default="", metavar="OWNER/REPO@REF", help="The GitHub Action that the workflows use.")
@options.checkout
@run.verb("proposal")
def command(
    terminal: Terminal, yes: bool, pull_request: bool, action: str, sourcedir: str, provider: str, **connection: Any
) -> "Proposal":
    """Propose configuration, markers and workflows.

    It looks at the files of the checkout and shows what it would write. On a terminal it asks.
    """
    from gitops_promotion import ci
    from gitops_promotion.commands.init import open_pull_request, propose, write
    from gitops_promotion.core.init.workflows import action_problem

    if action and (problem := action_problem(action)):
        raise UsageError(f"--action is {action!r}: {problem}")
    variables = environment.variables()
    trust = bool(ci.runner(variables).NAME)
    tree_proposal = propose(Path(sourcedir), provider=provider, action=action, environ=variables, trust=trust)
    if not yes and not _agreed(tree_proposal.proposal, pull_request=pull_request):
        return tree_proposal.proposal
    if not pull_request:
        return write(tree_proposal)
    with run.open_run_at(terminal, sourcedir=sourcedir, provider=provider, **connection) as verb_run:
        return open_pull_request(verb_run, tree_proposal.proposal)


def _agreed(proposal: "Proposal", *, pull_request: bool) -> bool:
    """Show a proposal on a terminal and return True if the person agrees; False without a terminal."""
    from gitops_promotion.render.init import human

    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    click.echo(human(proposal, colour=False), err=True)
    return click.confirm("Open a pull request with this?" if pull_request else "Write these files?", err=True)
