"""`gitops-promotion board`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gitops_promotion.cli import options, run
from gitops_promotion.terminal import Terminal

if TYPE_CHECKING:
    from gitops_promotion.core.board import Board


@click.command(
    "board",
    cls=options.Command,
    examples=("gitops-promotion board", "gitops-promotion board --waiting --output markdown"),
    page="docs/board.md",
)
@options.scope
@click.option(
    "--mine", "user", default="", metavar="USER", help="Only promotions that wait for USER, and what USER has decided."
)
@click.option("--waiting", is_flag=True, help="Only applications with an open promotion.")
@click.option("--html", type=click.Path(path_type=Path), metavar="FILE", help="Also write a page that needs no server.")
@click.option("--markdown", type=click.Path(path_type=Path), metavar="FILE", help="Also write Markdown for an issue.")
@options.connection
@run.verb("board")
def command(
    terminal: Terminal,
    group: str,
    app: str,
    environment: str,
    user: str,
    waiting: bool,
    html: Path | None,
    markdown: Path | None,
    **connection: Any,
) -> "Board":
    """Show what is where, and what the next tags wait for.

    It says since when. Nothing is changed. Without a token it shows what git knows.
    """
    from gitops_promotion.commands.board import board, write
    from gitops_promotion.workflow.past import Scope

    scope = Scope(group=group, app=app, environment=environment)
    with run.open_run_at(terminal, **connection) as verb_run:
        view = board(verb_run, scope, user=user, waiting=waiting)
    if html is not None:
        from gitops_promotion.render.page import board as page

        write(html, terminal.mask(page(view)))
    if markdown is not None:
        from gitops_promotion.render.board import markdown as text

        write(markdown, terminal.mask(text(view)))
    return view
