"""`gitops-promotion local`: its verbs stand in for a forge and Flux where the remote is plain git."""

from typing import TYPE_CHECKING, Any, Literal

import click

from gitops_promotion.cli import options, run
from gitops_promotion.terminal import Terminal

if TYPE_CHECKING:
    from datetime import datetime

    from gitops_promotion.core.forge import Details, PullRequests, StatusState
    from gitops_promotion.core.model import Outcome


class _Verbs(click.Group):
    command_class = options.Command


@click.group("local", cls=_Verbs)
def command() -> None:
    """Act as forge and Flux on plain git.

    Pull requests, reviews and statuses are refs of the remote.
    """


_number = click.argument("number", type=click.IntRange(min=1))


@command.command("list")
@click.option("--all", "everything", is_flag=True, help="Include merged and closed ones.")
@options.connection
@run.verb("pull_requests")
def list_(terminal: Terminal, everything: bool, **connection: Any) -> "PullRequests":
    """List the open pull requests."""
    from gitops_promotion.commands.local import list_pull_requests

    with run.open_run_at(terminal, **connection) as verb_run:
        return list_pull_requests(verb_run, everything=everything)


@command.command("show")
@_number
@options.connection
@run.verb("pull_request")
def show_(terminal: Terminal, number: int, **connection: Any) -> "Details":
    """Show a pull request in full: its changes, statuses and reviews."""
    from gitops_promotion.commands.local import show

    with run.open_run_at(terminal, **connection) as verb_run:
        return show(verb_run, number)


@command.command("merge")
@_number
@options.connection
@run.verb()
def merge_(terminal: Terminal, number: int, **connection: Any) -> "list[Outcome]":
    """Merge a pull request; this approves a promotion that waits for a person."""
    from gitops_promotion.commands.local import merge

    with run.open_run_at(terminal, **connection) as verb_run:
        return [merge(verb_run, number)]


@command.command("close")
@_number
@options.person
@options.connection
@run.verb()
def close_(terminal: Terminal, number: int, person: str, **connection: Any) -> "list[Outcome]":
    """Close a pull request without merging; this declines its promotion for good."""
    from gitops_promotion.commands.local import close

    with run.open_run_at(terminal, person=person, **connection) as verb_run:
        return [close(verb_run, number)]


@command.command("reopen")
@_number
@options.person
@options.connection
@run.verb()
def reopen_(terminal: Terminal, number: int, person: str, **connection: Any) -> "list[Outcome]":
    """Open a closed pull request again; its promotion is not declined any more."""
    from gitops_promotion.commands.local import reopen

    with run.open_run_at(terminal, person=person, **connection) as verb_run:
        return [reopen(verb_run, number)]


@command.command("review")
@_number
@click.argument("verdict", type=click.Choice(["approved", "changes-requested"]))
@click.option("--comment", default="", callback=options.one_line, metavar="TEXT", help="The reason.")
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


@command.command("set-status")
@click.argument("commit")
@click.argument("context")
@click.argument("state", type=click.Choice(["success", "failure", "pending"]))
@click.option("--description", default="", help="The text of the status, such as 'health check failed'.")
@click.option(
    "--at",
    callback=lambda _, __, value: options.time_with_offset(value),
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
    """Report a status on COMMIT (an id or a branch) as Flux does, with a CONTEXT such as kustomization/webshop-dev."""
    from gitops_promotion.commands.local import set_status

    with run.open_run_at(terminal, **connection) as verb_run:
        return [set_status(verb_run, commit, context=context, state=state, description=description, at=at)]
