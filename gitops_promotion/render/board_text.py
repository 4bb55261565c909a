"""The board for a terminal: a table where the environments fit beside each other, else a block for each application."""

import io
import shutil
from collections.abc import Iterator
from itertools import groupby
from typing import TYPE_CHECKING

from gitops_promotion.core import untrusted
from gitops_promotion.core.board import Board, Cell, Line, Promotion
from gitops_promotion.render.board import sentence
from gitops_promotion.render.common import age, short_tag

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

_NARROWEST = 15
"""Columns that a cell of the table needs, with the gap behind it."""
# Columns of the widest name of an application.
_WIDEST_NAME = 24

# Each state has a word of its own: colour is never the only sign.
_STYLES = {
    "problem": "bold red",
    "held": "yellow",
    "refused": "red",
    "waiting": "yellow",
    "ready": "bold green",
    "declined": "yellow",
}


def board(view: Board, *, colour: bool = False, width: int | None = None) -> str:
    """Return the text, at most `width` columns wide (default: the terminal's, 80 where there is none)."""
    from rich.console import Console

    columns = width or shutil.get_terminal_size((80, 24)).columns
    console = Console(
        file=io.StringIO(),
        width=columns,
        force_terminal=colour,
        color_system="standard" if colour else None,
        legacy_windows=False,
        highlight=False,
        markup=False,
        emoji=False,
        _environ={},
    )
    for part in _parts(view, columns):
        console.print(part, soft_wrap=False)
    output = console.file
    assert isinstance(output, io.StringIO)  # noqa: S101  for the type alone
    return "".join(line.rstrip() + "\n" for line in output.getvalue().split("\n")[:-1])


def _parts(view: Board, columns: int) -> Iterator["RenderableType"]:
    if not view.lines:
        yield _text("nothing waits" if view.person else "no application")
    elif _fits(view, columns):
        yield _table(view)
    else:
        for line in view.lines:
            yield from _block(view, line)
    for title, entries in _sections(view):
        yield _text("")
        yield _text(title, "bold")
        yield from entries
    yield _text("")
    for reason in view.left_out:
        yield _indented(_text(f"left out: {reason}"), 0)
    yield _text(f"made {view.made_at:%Y-%m-%d %H:%M} UTC from {view.commit[:7]}", "dim")


def _fits(view: Board, columns: int) -> bool:
    names = max(len(str(line.application)) for line in view.lines)
    return min(names, _WIDEST_NAME) + len(view.environments) * _NARROWEST <= columns


def _table(view: Board) -> "RenderableType":
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("", overflow="fold", min_width=12, max_width=_WIDEST_NAME)
    for name in view.environments:
        table.add_column(_text(name), overflow="fold", min_width=_NARROWEST - 2)
    for line in view.lines:
        cells = {cell.environment: cell for cell in line.cells}
        table.add_row(
            _text(str(line.application), "bold"),
            *(_stack(view, cells[name]) if name in cells else _text("-") for name in view.environments),
        )
    return table


def _stack(view: Board, cell: Cell) -> "Text":
    """Return a cell of the table, one fact below the other."""
    from rich.text import Text

    return Text("\n").join(_facts(view, cell))


def _block(view: Board, line: Line) -> Iterator["RenderableType"]:
    """Yield the lines of one application; environments side by side with equal facts are joined."""
    from rich.text import Text

    yield _text(str(line.application), "bold")
    for _, group in groupby(line.cells, key=lambda cell: [fact.plain for fact in _facts(view, cell)]):
        cells = list(group)
        names = ", ".join(cell.environment for cell in cells)
        facts = _facts(view, cells[0])
        yield _indented(Text.assemble(_text(f"{names}  "), Text(", ").join(facts)), 2)


def _facts(view: Board, cell: Cell) -> list["Text"]:
    """Return what is true of a cell: its tag, since when and by which pull request, and its state."""
    facts = [_text(short_tag(cell.tag) or "-")]
    if cell.since:
        number = f" #{cell.pull_request}" if cell.pull_request else ""
        facts.append(_link(f"{age(cell.since, view.made_at)}{number}", cell.url, "dim"))
    if cell.behind:
        count = f"{cell.behind.versions} " if cell.behind.versions else ""
        facts.append(_text(f"{count}behind {cell.behind.of}"))
    if cell.open:
        style = _STYLES.get(cell.state, "")
        facts.append(_link(f"-> {short_tag(cell.open.tag)} #{cell.open.pull_request}", cell.open.url))
        facts.append(_text(cell.state, style))
    elif cell.state in _STYLES:
        facts.append(_text(cell.state, _STYLES[cell.state]))
    return facts


def _sections(view: Board) -> Iterator[tuple[str, list["RenderableType"]]]:
    if view.waiting:
        title = f"waits for {view.person}" if view.person else "open promotions"
        yield title, [_promotion(line, cell, promotion) for line, cell, promotion in view.waiting]
    if view.problems:
        yield (
            "problems",
            [
                _indented(_text(f"{line.application} in {cell.environment}: {problem}", "red"), 2)
                for line, cell in view.problems
                for problem in cell.problems
            ],
        )
    # The text of a hold names what it covers, which may be many cells.
    holds = list(dict.fromkeys(text for line in view.lines for cell in line.cells for text in cell.holds))
    declines = [
        f"{line.application} in {cell.environment}: {text}"
        for line in view.lines
        for cell in line.cells
        for text in cell.declined
    ]
    for title, texts in (("holds", holds), ("declined", declines)):
        if texts:
            yield title, [_indented(_text(text), 2) for text in texts]
    if view.features:
        yield (
            "features",
            [_indented(_text(_feature_text(view, number)), 2) for number in range(len(view.features))],
        )
    if view.person:
        yield f"decided by {view.person}", _decisions(view) or [_indented(_text("nothing"), 2)]


def _promotion(line: Line, cell: Cell, promotion: Promotion) -> "RenderableType":
    from rich.text import Text

    name = f"#{promotion.pull_request} {line.application} {short_tag(promotion.tag)} to {cell.environment}: "
    lines = [Text.assemble(_link(name, promotion.url), _text(cell.state, _STYLES.get(cell.state, "")))]
    lines += [_text(f"- {reason}") for reason in promotion.reasons]
    lines += [_text(f"- {sentence(statement)}") for statement in promotion.statements]
    if promotion.who:
        lines.append(_text(f"- who can act: {', '.join(promotion.who)}"))
    if promotion.url:
        lines.append(_link(promotion.url, promotion.url))
    return _indented(Text("\n").join(lines), 2)


def _feature_text(view: Board, number: int) -> str:
    feature = view.features[number]
    parts = [f"{feature.feature} of {feature.application} {short_tag(feature.tag)}"]
    parts += [age(feature.since, view.made_at)] if feature.since else []
    parts += [feature.address] if feature.address else []
    return ", ".join(parts)


def _decisions(view: Board) -> list["RenderableType"]:
    return [
        _indented(
            _text(
                f"#{decided.pull_request} {decided.site.application} {short_tag(decided.tag)} "
                f"in {decided.site.environment}: "
                f"{decided.statement.opinion}" + (f", {decided.statement.comment}" if decided.statement.comment else "")
            ),
            2,
        )
        for decided in view.decided
    ]


def _text(text: str, style: str = "") -> "Text":
    from rich.text import Text

    return Text(untrusted.terminal(text), style=style, overflow="fold")


def _link(text: str, url: str, style: str = "") -> "Text":
    """Return a text that a terminal links to a web address, if it is one."""
    linked = _text(text, style)
    if untrusted.is_web_address(url):
        linked.stylize(f"link {url}")
    return linked


def _indented(text: "Text", columns: int) -> "RenderableType":
    from rich.padding import Padding

    return Padding(text, (0, 0, 0, columns))
