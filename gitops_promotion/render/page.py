"""`board --html`: one file without a request to anywhere, in which nothing from outside is markup or code."""

from base64 import b64encode
from collections.abc import Iterator
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import TYPE_CHECKING

from gitops_promotion.core import untrusted
from gitops_promotion.core.board import STATES, Board, Cell, Line
from gitops_promotion.render import way
from gitops_promotion.render.common import age, short_tag

if TYPE_CHECKING:
    from jinja2 import Template

_WITHOUT_SCRIPT = "tr.way[hidden]{display:table-row}form,.actions{display:none}"
"""What a browser without scripts shows: every way, and no filter."""


def board(view: Board) -> str:
    """Return the page of a board."""
    from markupsafe import Markup

    style, script = _file("board.css"), _file("board.js")
    styles = f"{_hash(style)} {_hash(_WITHOUT_SCRIPT)}"
    policy = f"default-src 'none'; script-src {_hash(script)}; style-src {styles}; base-uri 'none'; form-action 'none'"
    counts = {state: sum(cell.state == state for line in view.lines for cell in line.cells) for state in STATES}
    return _template().render(
        board=view,
        policy=Markup(policy),  # noqa: S704  made of constants above
        style=Markup(style),  # noqa: S704  a file of this package
        script=Markup(script),  # noqa: S704  a file of this package
        without_script=Markup(_WITHOUT_SCRIPT),  # noqa: S704  a constant
        groups=sorted({line.application.group for line in view.lines}),
        states=[state for state in STATES if counts[state]],
        counts=counts,
        people=sorted(
            {name for line in view.lines for name in _people(line)}, key=lambda name: (name.casefold(), name)
        ),
        rank=lambda line: STATES.index(line.state),
        newest=lambda line: int(max((cell.since.timestamp() for cell in line.cells if cell.since), default=0)),
        people_of=lambda line: sorted(set(_people(line))),
        words_of=_words,
        draw=way.draw,
        box_width=way.WIDTH,
        box_height=way.HEIGHT,
        age=lambda time: age(time, view.made_at),
        is_link=untrusted.is_web_address,
        short_tag=short_tag,
        cut=untrusted.cut,
        command=_command,
    )


@cache
def _file(name: str) -> str:
    return files("gitops_promotion.render").joinpath("templates", name).read_text(encoding="utf-8")


@cache
def _template() -> "Template":
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, finalize=_printable, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(_file("board.html"))


def _printable(value: object) -> object:
    """Return a text without characters that a reader cannot see, such as those that turn its direction around."""
    from markupsafe import Markup

    return value if not isinstance(value, str) or isinstance(value, Markup) else untrusted.terminal(value)


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


def _people(line: Line) -> Iterator[str]:
    """Yield everybody who can act on an application's promotions, or has acted on its present tags."""
    for cell in line.cells:
        names = [cell.by, *(statement.author for statement in cell.statements)]
        if cell.open:
            names += [*cell.open.who, *(statement.author for statement in cell.open.statements)]
        # The names are those that the page shows, so that the filter finds them.
        yield from (untrusted.terminal(name) for name in names if name)


def _words(line: Line) -> str:
    """Return the text that the search looks in."""
    words = [str(line.application)]
    for cell in line.cells:
        words += [cell.environment, cell.tag, cell.state, f"#{cell.pull_request}" if cell.pull_request else ""]
        if cell.open:
            words += [cell.open.tag, f"#{cell.open.pull_request}", cell.open.title, *cell.open.reasons]
    return " ".join(dict.fromkeys(word for word in words if word)).casefold()


def _command(line: Line, cell: Cell) -> str:
    """Return the command that proposes the next tag of an environment that is behind."""
    application = line.application
    return f"gitops-promotion promote {application.options} --env {cell.environment}"
