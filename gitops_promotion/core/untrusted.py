"""Text from outside made safe for the place where it is shown: one function a place.

Every text of a forge, a registry, a file, an event or an option may be long, contain line breaks and terminal codes, or
imitate markup. `terminal.py` escapes the commands of a CI runner, since they depend on the runner.
"""

import re

_WEB_ADDRESS = re.compile(r"https?://[A-Za-z0-9.:-]{1,255}(?:/[A-Za-z0-9._~/#?&=%+-]{0,1500})?")

VALUE_LIMIT = 100
"""The most characters of a value that a message quotes."""

LINE_LIMIT = 300
"""The most characters of a sentence from outside in a message."""

STATUS_LIMIT = 140
"""The most characters of a commit status's description: GitHub's limit, the smallest of all forges."""


def line(text: str, limit: int = LINE_LIMIT) -> str:
    r"""Return text for one line of a message: no line breaks, terminal codes as `\x1b`, at most `limit` characters."""
    # Cut first, so that the work is bounded however long the text is.
    safe = "".join(_escaped(character) for character in text[: limit + 1])
    return cut(safe, limit)


def reason_problem(text: str) -> str:
    """Return the problem with a person's reason: it must be one printable line of at most LINE_LIMIT characters."""
    return (
        "" if text.isprintable() and len(text) <= LINE_LIMIT else f"write one line of at most {LINE_LIMIT} characters"
    )


def lines(text: str) -> str:
    r"""Return text of several lines, such as the output of a program: as `line`, with line breaks and tabs kept."""
    return "".join(character if character in "\t\n" else _escaped(character) for character in text)


def _escaped(character: str) -> str:
    if character.isprintable():
        return character
    return " " if character.isspace() else ascii(character)[1:-1]


def quoted(value: object, limit: int = VALUE_LIMIT) -> str:
    r"""Return a value in quotes for a message, `'1.\x1b'`; what is longer than `limit` ends in `'...`."""
    if isinstance(value, str):
        return repr(value) if len(value) <= limit else f"{value[:limit]!r}..."
    safe = repr(value)
    return safe if len(safe) <= limit else safe[:limit] + "..."


def terminal(text: str) -> str:
    """Return one line for a terminal: nothing in it moves the cursor, sets colours or begins another line."""
    return "".join(c if c.isprintable() or c == "\t" else "\ufffd" for c in text)


def code_span(text: str) -> str:
    """Return Markdown code: no markup, HTML, mention or line break; `-` for no text."""
    if not text:
        return "-"
    safe = "".join(c if c.isprintable() else "\ufffd" for c in text)
    ticks = "`" * (max((len(run) for run in re.findall("`+", safe)), default=0) + 1)
    pad = " " if safe[0] == "`" or safe[-1] == "`" else ""
    return f"{ticks}{pad}{safe}{pad}{ticks}"


def table_cell(text: str) -> str:
    """Return Markdown code for a cell of a table: as `code_span`, and it never begins another column."""
    return code_span(text).replace("|", "\\|")


def status_description(text: str, limit: int = STATUS_LIMIT) -> str:
    """Return the description of a commit status: one line of at most `limit` characters.

    GitHub refuses characters of four bytes in UTF-8 there, so they become blanks.
    """
    return cut("".join(c if c.isprintable() and c <= "\uffff" else " " for c in text[: limit + 1]), limit)


def is_web_address(text: str) -> bool:
    """Return True for an http(s) address of the characters that a link may have in a terminal, in HTML and Markdown."""
    return bool(_WEB_ADDRESS.fullmatch(text))


def cut(text: str, limit: int) -> str:
    """Return text of at most `limit` characters; `…` stands for the rest."""
    return text if len(text) <= limit else text[: limit - 1] + "…"
