"""`gitops-promotion local`: its verbs stand in for a forge and Flux where the remote is plain git."""

from typing import TYPE_CHECKING, Any, Literal

import click

from gitops_promotion.cli import option_values, options, run
from gitops_promotion.terminal import Terminal

if TYPE_CHECKING:
    from datetime import datetime

    from gitops_promotion.core.forge import Details, PullRequests, StatusState
    from gitops_promotion.core.model import Outcome


_PAGE = "docs/providers.md#local"


class _Verbs(options.Epilog, click.Group):
    command_class = options.Command


@click.group(
    "local",
    cls=_Verbs,
    examples=("gitops-promotion local list", "gitops-promotion local merge 3"),
    page=_PAGE,
)
def command() -> None:
    """Act as forge and Flux on plain git.

    Pull requests, reviews and statuses are refs of the remote.
    """


_number = click.argument("number", callback=option_values.listed_number)


@command.command(
    "list",
    examples=("gitops-promotion local list", "gitops-promotion local list --all"),
    page=_PAGE,
)
@click.option("--all", "include_closed", is_flag=True, help="Include merged and closed ones.")
@options.connection
@run.verb("pull_requests")
def list_(terminal: Terminal, include_closed: bool, **connection: Any) -> "PullRequests":
    """List the open pull requests."""
    from gitops_promotion.commands.local import list_pull_requests

    with run.open_run_at(terminal, **connection) as verb_run:
        return list_pull_requests(verb_run, include_closed=include_closed)


@command.command(
    "show",
    examples=("gitops-promotion local show 3", "gitops-promotion local show 3 --output json"),
    page=_PAGE,
)
@_number
@options.connection
@run.verb("pull_request")
def show_(terminal: Terminal, number: int, **connection: Any) -> "Details":
    """Show a pull request, its changes, statuses and reviews."""
    from gitops_promotion.commands.local import show

    with run.open_run_at(terminal, **connection) as verb_run:
        return show(verb_run, number)


@command.command(
    "merge",
    examples=("gitops-promotion local merge 3", "gitops-promotion local merge 3 --sourcedir gitops"),
    page=_PAGE,
)
@_number
@options.connection
@run.verb()
def merge_(terminal: Terminal, number: int, **connection: Any) -> "list[Outcome]":
    """Merge a pull request.

    This approves a promotion that waits for a person.
    """
    from gitops_promotion.commands.local import merge

    with run.open_run_at(terminal, **connection) as verb_run:
        return [merge(verb_run, number)]


@command.command(
    "close",
    examples=("gitops-promotion local close 3", "gitops-promotion local close 3 --sourcedir gitops"),
    page=_PAGE,
)
@_number
@options.person
@options.connection
@run.verb()
def close_(terminal: Terminal, number: int, person: str, **connection: Any) -> "list[Outcome]":
    """Close a pull request without merging.

    This declines its promotion for good.
    """
    from gitops_promotion.commands.local import close

    with run.open_run_at(terminal, person=person, **connection) as verb_run:
        return [close(verb_run, number)]


@command.command(
    "reopen",
    examples=("gitops-promotion local reopen 3", "gitops-promotion local reopen 3 --sourcedir gitops"),
    page=_PAGE,
)
@_number
@options.person
@options.connection
@run.verb()
def reopen_(terminal: Terminal, number: int, person: str, **connection: Any) -> "list[Outcome]":
    """Open a closed pull request again.

    Its promotion is not declined any more.
    """
    from gitops_promotion.commands.local import reopen

    with run.open_run_at(terminal, person=person, **connection) as verb_run:
        return [reopen(verb_run, number)]


@command.command(
    "review",
    examples=(
        "gitops-promotion local review 3 approved",
        'gitops-promotion local review 3 changes-requested --comment "not now"',
    ),
    page=_PAGE,
)
@_number
@click.argument("verdict", type=click.Choice(["approved", "changes-requested"]))
@click.option("--comment", default="", callback=option_values.one_line, metavar="TEXT", help="The reason.")
@options.person
@options.connection
@run.verb()
def review_(
    terminal: Terminal,
    number: int,
    verdict: Literal["approved", "changes-requested"],
    comment: str,
    person: str,
    **connection: Any,
) -> "list[Outcome]":
    """Review a pull request at its current head."""
    from gitops_promotion.commands.local import review

    with run.open_run_at(terminal, person=person, **connection) as verb_run:
        return [review(verb_run, number, verdict=verdict, comment=comment)]


@command.command(
    "set-status",
    examples=(
        "gitops-promotion local set-status main kustomization/webshop-dev success",
        "gitops-promotion local set-status main flux/staging/apps failure",
    ),
    page=_PAGE,
)
@click.argument("commit")
@click.argument("context")
@click.argument("state", type=click.Choice(["success", "failure", "pending"]))
@click.option("--description", default="", help="The text of the status, such as 'health check failed'.")
@click.option(
    "--at",
    callback=lambda _, __, value: option_values.time_with_offset(value),
    metavar="TIME",
    help="When it was so, such as 2026-01-31T12:00:00Z [default: now].",
)
@options.connection
@run.verb()
def set_status_(
    terminal: Terminal,
    commit: str,
    context: str,
    state: "StatusState",
    description: str,
    at: "datetime | None",
    **connection: Any,
) -> "list[Outcome]":
    """Report a status on a commit, as Flux does.

    COMMIT is an id or a branch, and CONTEXT a name such as kustomization/webshop-dev.
    """
    from gitops_promotion.commands.local import set_status

    with run.open_run_at(terminal, **connection) as verb_run:
        return [set_status(verb_run, commit, context=context, state=state, description=description, at=at)]
