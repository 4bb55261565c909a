"""The verbs of `local`, which stand in for a forge and Flux where the remote is plain git."""

from typing import TYPE_CHECKING, Any, Literal

import click

from gitops_promotion.cli.verb import View, session_at, verb, where_options
from gitops_promotion.terminal import Terminal

if TYPE_CHECKING:
    from gitops_promotion.core.forge import StatusState
    from gitops_promotion.core.model import Outcome


@click.group()
def local() -> None:
    """Play forge and Flux where the remote is plain git: pull requests and statuses are refs in it."""


_number = click.argument("number", type=click.IntRange(min=1))


@local.command("list")
@click.option("--all", "everything", is_flag=True, help="Also those that are merged or closed.")
@where_options
@verb
def list_(terminal: Terminal, everything: bool, **where: Any) -> View:
    """List the open pull requests."""
    from gitops_promotion import render
    from gitops_promotion.commands.local import list_pull_requests

    with session_at(terminal, **where) as session:
        pulls = list_pull_requests(session, everything=everything)
    return View(text=render.pull_requests(pulls), document=render.pull_requests_json(pulls))


@local.command()
@_number
@where_options
@verb
def show(terminal: Terminal, number: int, **where: Any) -> View:
    """Show a pull request whole: what it changes, its statuses and reviews."""
    from gitops_promotion import render
    from gitops_promotion.commands.local import show as run

    with session_at(terminal, **where) as session:
        details = run(session, number)
    return View(text=render.details(details), document=render.details_json(details))


@local.command()
@_number
@where_options
@verb
def merge(terminal: Terminal, number: int, **where: Any) -> "list[Outcome]":
    """Merge a pull request: for a promotion that waits for a person, this approves it."""
    from gitops_promotion.commands.local import merge as run

    with session_at(terminal, **where) as session:
        return [run(session, number)]


@local.command()
@_number
@where_options
@verb
def close(terminal: Terminal, number: int, **where: Any) -> "list[Outcome]":
    """Close a pull request without merging: its promotion is declined, and that sticks."""
    from gitops_promotion.commands.local import close as run

    with session_at(terminal, **where) as session:
        return [run(session, number)]


@local.command()
@_number
@click.argument("verdict", type=click.Choice(["approved", "changes-requested"]))
@click.option("--comment", default="", help="Why.")
@where_options
@verb
def review(
    terminal: Terminal, number: int, verdict: Literal["approved", "changes-requested"], comment: str, **where: Any
) -> "list[Outcome]":
    """Give your opinion on a pull request's head as it is now."""
    from gitops_promotion.commands.local import review as run

    with session_at(terminal, **where) as session:
        return [run(session, number, verdict=verdict, comment=comment)]


@local.command("set-status")
@click.argument("commit")
@click.argument("context")
@click.argument("state", type=click.Choice(["success", "failure", "pending"]))
@click.option("--description", default="", help="What Flux would say, such as 'health check failed'.")
@where_options
@verb
def set_status(
    terminal: Terminal, commit: str, context: str, state: "StatusState", description: str, **where: Any
) -> "list[Outcome]":
    """Report a status on COMMIT (an id or a branch), as Flux does: CONTEXT is such as kustomization/webshop-dev."""
    from gitops_promotion.commands.local import set_status as run

    with session_at(terminal, **where) as session:
        return [run(session, commit, context=context, state=state, description=description)]
