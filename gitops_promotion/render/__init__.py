"""Turns what a verb returns into text, and into what a CI runner gets. The modules return strings and write nothing.

A view is what a verb returns: the report of its outcomes, a list of pull requests, one pull request, a graph. FORMATS
is the only table of output formats: `--output`, the documentation's test and the program itself read it. A new format
is a module and a row; a new view is a module and an entry in the row of each format that can show it.

The modules are imported when they are needed, so that `--help` reads the table without them.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import Any, Literal, NamedTuple, Protocol

View = Literal[
    "report", "pull_requests", "pull_request", "graph", "findings", "history", "approvals", "proposal", "board", "why"
]


class Rendering(Protocol):
    """The function of a format for one view."""

    def __call__(self, view: Any, /, *, colour: bool) -> str:
        """Return the text for stdout, with its last line break; `colour` permits escape sequences for a terminal."""


class Format(NamedTuple):
    """A row of FORMATS.

    `renderings` has the name of a module and a function of this package for each view. `reports_errors` is true if a
    run that ends with an error prints its report too; errors are on stderr in any case. `has_commands`: the text has
    commands that a CI runner shall obey, and foreign text in it is escaped.
    """

    renderings: Mapping[View, str]
    reports_errors: bool = False
    has_commands: bool = False


FORMATS: Mapping[str, Format] = {
    "human": Format(
        {
            "report": "human.report",
            "pull_requests": "human.pull_requests",
            "pull_request": "human.pull_request",
            "graph": "human.graph",
            "findings": "findings.human",
            "proposal": "init.human",
            "history": "history.human",
            "approvals": "approvals.human",
            "board": "board_text.board",
            "why": "why.human",
        }
    ),
    "json": Format(
        {
            "report": "json_v1.report",
            "pull_requests": "json_v1.pull_requests",
            "pull_request": "json_v1.pull_request",
            "graph": "json_v1.graph",
            "findings": "findings.json_v1",
            "proposal": "init.json_v1",
            "history": "history.json_v1",
            "approvals": "approvals.json_v1",
            "board": "board.json_v1",
            "why": "why.json_v1",
        },
        reports_errors=True,
    ),
    "markdown": Format({"board": "board.markdown"}),
    "csv": Format({"history": "history.csv_table"}),
    "mermaid": Format({"graph": "mermaid.graph"}),
    "sarif": Format({"findings": "findings.sarif"}),
    "github": Format({"findings": "findings.github"}, has_commands=True),
}
DEFAULT = "human"


def formats(view: View) -> tuple[str, ...]:
    """Return the names of the formats that can show a view, in the order of the table."""
    return tuple(name for name, row in FORMATS.items() if view in row.renderings)


def rendering(name: str, view: View) -> Rendering:
    """Return the function that renders a view in a format of `formats(view)`."""
    module, function = FORMATS[name].renderings[view].split(".")
    renders: Rendering = getattr(import_module(f"{__name__}.{module}"), function)
    return renders
