"""The board as JSON and as Markdown."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from gitops_promotion.core.board import Behind, Board, Cell, Decided, Feature, Line, Promotion, Statement
from gitops_promotion.core.untrusted import table_cell
from gitops_promotion.render.common import age, short_tag
from gitops_promotion.render.json_v1 import document
from gitops_promotion.render.markdown import link

MARKDOWN_LIMIT = 60_000
"""Characters of the Markdown: GitHub takes 65,536 in an issue."""

# Characters of each list above the table.
_SECTION = 14_000


def json_v1(board: Board, *, colour: bool = False) -> str:
    """Return the document of `board`: what is not known is null, or an empty list."""
    del colour
    personal = (
        {"mine": board.person, "decided": [_decided(decided) for decided in board.decided]} if board.person else {}
    )
    return document(
        commit=board.commit,
        made_at=board.made_at.isoformat(),
        left_out=list(board.left_out),
        applications=[_line(line) for line in board.lines],
        features=[_feature(feature) for feature in board.features],
        **personal,
    )


def _line(line: Line) -> dict[str, Any]:
    return {
        "group": line.application.group,
        "app": line.application.name,
        "environments": [_cell(cell) for cell in line.cells],
    }


def _cell(cell: Cell) -> dict[str, Any]:
    return {
        "environment": cell.environment,
        "tag": cell.tag or None,
        "since": _iso(cell.since),
        "sha": cell.sha or None,
        "pull_request": cell.pull_request,
        "behind": _behind(cell.behind) if cell.behind else None,
        "open": _open(cell.open) if cell.open else None,
        "holds": list(cell.holds),
        "declined": list(cell.declined),
        "problems": list(cell.problems),
    }


def _behind(behind: Behind) -> dict[str, Any]:
    return {"versions": behind.versions, "commits": behind.commits, "days": behind.days, "of": behind.of}


def _open(promotion: Promotion) -> dict[str, Any]:
    return {
        "pull_request": promotion.pull_request,
        "decision": promotion.decision,
        "reasons": list(promotion.reasons),
        "who": list(promotion.who),
        "tag": promotion.tag,
        "url": promotion.url,
    }


def _feature(feature: Feature) -> dict[str, Any]:
    return {
        "group": feature.application.group,
        "app": feature.application.name,
        "environment": feature.environment,
        "feature": feature.feature,
        "tag": feature.tag or None,
        "since": _iso(feature.since),
        "pull_request": feature.pull_request,
        "url": feature.address or None,
    }


def _decided(decided: Decided) -> dict[str, Any]:
    return {
        "group": decided.site.application.group,
        "app": decided.site.application.name,
        "environment": decided.site.environment,
        "tag": decided.tag,
        "pull_request": decided.pull_request,
        "decision": decided.statement.opinion,
        "at": _iso(decided.statement.at),
        "comment": decided.statement.comment,
    }


def _iso(time: datetime | None) -> str | None:
    return time.isoformat() if time else None


def markdown(board: Board, *, colour: bool = False) -> str:
    """Return tables for a summary or an issue, at most MARKDOWN_LIMIT characters. No text from outside is markup."""
    del colour
    heading = f"Made {board.made_at:%Y-%m-%d %H:%M} UTC from {table_cell(board.commit[:7])}."
    sections = [heading, *_waiting(board), *_problems(board), *_decisions(board)]
    end = _features(board) + _bullets([f"left out: {table_cell(reason)}" for reason in board.left_out], 4000)
    return _with_rows(board, "\n\n".join(sections) + "\n\n", MARKDOWN_LIMIT - len(end)) + end


def _limited(rows: Sequence[str], room: int) -> list[str]:
    """Return the rows that fit into so many characters, and how many were left out."""
    for count, row in enumerate(rows):
        room -= len(row) + 1
        if room < 0:
            return [*rows[:count], "", f"and {len(rows) - count} more"]
    return list(rows)


def _bullets(entries: Sequence[str], room: int) -> str:
    return "".join(f"{line}\n" for line in _limited([f"- {entry}" for entry in entries], room))


def _with_rows(board: Board, text: str, room: int) -> str:
    """Return the text with one row for each application, as far as there is room, and how many were left out."""
    if not board.lines:
        return f"{text}No application.\n\n"
    names = board.environments
    text += f"| application | {' | '.join(map(table_cell, names))} |\n|{' --- |' * (len(names) + 1)}\n"
    for count, line in enumerate(board.lines):
        cells = {cell.environment: _markdown_cell(board, cell) for cell in line.cells}
        row = f"| {table_cell(str(line.application))} | {' | '.join(cells.get(name, '') for name in names)} |\n"
        if len(text) + len(row) > room - 50:
            return f"{text}\nand {len(board.lines) - count} more applications\n\n"
        text += row
    return f"{text}\n"


def _markdown_cell(board: Board, cell: Cell) -> str:
    parts = [table_cell(short_tag(cell.tag))]
    if cell.since:
        parts.append(f"{age(cell.since, board.made_at)}{f', {link(cell.pull_request, cell.url)}' if cell.url else ''}")
    if cell.open:
        parts.append(f"**{cell.state}**: {table_cell(short_tag(cell.open.tag))}")
    elif cell.state not in ("current", "behind", "absent"):
        parts.append(f"**{cell.state}**")
    if cell.behind and cell.behind.versions:
        parts.append(f"{cell.behind.versions} behind {table_cell(cell.behind.of)}")
    return "<br>".join(parts)


def _waiting(board: Board) -> list[str]:
    if not board.waiting:
        return []
    rows = [
        f"| {link(promotion.pull_request, promotion.url)} | {table_cell(str(line.application))} "
        f"| {table_cell(short_tag(promotion.tag))} | {table_cell(cell.environment)} | {cell.state} "
        f"| {'<br>'.join(map(table_cell, promotion.reasons))} | {', '.join(map(table_cell, promotion.who)) or '-'} |"
        for line, cell, promotion in board.waiting
    ]
    head = "| pull request | application | version | environment | state | why | who |\n|" + " --- |" * 7
    return ["### Open promotions", "\n".join([head, *_limited(rows, _SECTION)])]


def _problems(board: Board) -> list[str]:
    if not board.problems:
        return []
    rows = [
        f"- {table_cell(str(line.application))} in {table_cell(cell.environment)}: {table_cell(problem)}"
        for line, cell in board.problems
        for problem in cell.problems
    ]
    return ["### Problems", "\n".join(_limited(rows, _SECTION))]


def _decisions(board: Board) -> list[str]:
    if not board.decided:
        return []
    rows = [
        f"- {link(decided.pull_request, decided.url)} {table_cell(str(decided.site.application))} "
        f"{table_cell(short_tag(decided.tag))} in {table_cell(decided.site.environment)}: {decided.statement.opinion}"
        + (f", {table_cell(decided.statement.comment)}" if decided.statement.comment else "")
        for decided in board.decided
    ]
    return [f"### Decided by {table_cell(board.person)}", "\n".join(_limited(rows, _SECTION))]


def _features(board: Board) -> str:
    if not board.features:
        return ""
    entries = [
        f"{table_cell(feature.feature)} of {table_cell(str(feature.application))}, {table_cell(feature.tag)}"
        + (f", {age(feature.since, board.made_at)}" if feature.since else "")
        + (f", {table_cell(feature.address)}" if feature.address else "")
        for feature in board.features
    ]
    return "### Features\n\n" + _bullets(entries, 8000) + "\n"


def sentence(statement: Statement) -> str:
    """Return a statement as one line: `bob: approved, looks good`."""
    return f"{statement.author}: {statement.opinion}" + (f", {statement.comment}" if statement.comment else "")
