"""`board`: what is where, since when, and what the next tag waits for."""

from pathlib import Path

from gitops_promotion.core import board as boards
from gitops_promotion.core.board import Board
from gitops_promotion.errors import UsageError
from gitops_promotion.workflow.board import read_board
from gitops_promotion.workflow.past import Scope
from gitops_promotion.workflow.run import Run


def board(run: Run, scope: Scope, *, user: str = "", waiting: bool = False) -> Board:
    """Return the board of a scope, of one person, or of the open promotions alone.

    Raises UsageError for an unknown name, ConfigError, GitError.
    """
    view = read_board(run, scope)
    if waiting:
        view = boards.waiting_only(view)
    return boards.of_person(view, user) if user else view


def write(path: Path, text: str) -> None:
    """Write the board as a page or as Markdown to a file. Raises UsageError if that is not possible."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write {path} ({error.strerror}): name a file that can be written") from None
