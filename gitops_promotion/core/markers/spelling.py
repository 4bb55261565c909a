"""The spelling of a marker: its comment, the files that may hold one, and the words that a search for it needs.

The comment is that of Flux's image automation (docs/facts/flux.md).
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass

from gitops_promotion.core.markers.parts import PARTS, Part
from gitops_promotion.core.names import is_name

_KEY = "$imagepolicy"
_QUOTED_KEY = f'"{_KEY}"'
# JSON may escape any letter of a name.
_ESCAPE = "\\"

LINE = re.compile(r"imagepolicy|\\u[0-9a-fA-F]{4}")
"""A line without a match holds no marker."""

# Flux ignores a comment that is no JSON object, without a message. Only a comment that resembles a marker is reported.
_RESEMBLES = re.compile(r"""["']\$imagepolicy["']\s*:\s*["']([^"']*)["']""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Spelling:
    """The content of a marker's comment.

    `problem` says why the comment has no effect, "" if it has one. `exact`: it is one JSON object of strings.
    """

    group: str
    app: str
    part: Part
    problem: str
    exact: bool


def read_comment(comment: str) -> Spelling | None:
    """Read a comment as Flux does: without its leading `#`s it is exactly one JSON object of strings."""
    try:
        content = json.loads(comment.lstrip("#"))
    except (ValueError, RecursionError):
        content = None
    exact = isinstance(content, dict) and all(isinstance(member, str) for member in content.values())
    if exact:
        text = content.get(_KEY)
    else:
        resembling = _RESEMBLES.search(comment)
        text = resembling[1] if resembling else None
    return None if text is None else _read_names(text, exact=exact)


def _read_names(text: str, *, exact: bool) -> Spelling | None:
    """Read `group:app` or `group:app:suffix`; None if the names cannot be those of an application."""
    pieces = text.split(":")
    group, app, *suffixes = [piece.strip() for piece in pieces] if len(pieces) > 1 else ("", "")
    if not is_name(group) or not is_name(app):
        return None
    part = PARTS.get(":".join(suffixes))
    problem = ""
    if not exact:
        problem = "a marker's comment must be one JSON object of strings and nothing else"
    elif [group, app, *suffixes] != pieces:
        problem = f"blanks in {text!r} change the name: remove them"
    elif part is None or suffixes == [""]:
        choices = ", ".join(f":{suffix}" for suffix in PARTS if suffix)
        problem = f"the suffix of {text!r} is unknown: use {choices} or none"
    return Spelling(group=group, app=app, part=part or PARTS[""], problem=problem, exact=exact)


def marker_comment(group: str, app: str, suffix: str) -> str:
    """Return the comment to write for an application's marker; `suffix` is that of a part, "" for the whole image."""
    name = f"{group}:{app}:{suffix}" if suffix else f"{group}:{app}"
    return f'# {{{_QUOTED_KEY}: "{name}"}}'


def may_hold_markers(content: bytes) -> bool:
    """Return False only if a file holds no marker of any application."""
    return _QUOTED_KEY.encode() in content


def mentions(content: bytes, group: str, app: str) -> bool:
    """Return True if a file may hold a marker of the application; never False if it does, even if JSON escapes it."""
    escape = _ESCAPE.encode() + b"u"
    # This function runs for each application and file, and the answer is almost always no: test the cheap parts first.
    if not may_hold_markers(content) or (app.encode() not in content and escape not in content):
        return False
    # The usual way to write it needs no pattern, which would have to be compiled for each application.
    usual = b'"%b:%b' % (group.encode(), app.encode())
    if usual + b'"' in content or usual + b":" in content:
        return True
    name = rb"(?<![A-Za-z0-9._-])%b\s*:\s*%b\s*[\"':]" % (re.escape(group.encode()), re.escape(app.encode()))
    if re.search(name, content):
        return True
    return escape in content and any(escape in line and b"#" in line for line in content.split(b"\n"))


def line_words(names: Iterable[str] = ()) -> tuple[tuple[str, ...], ...]:
    """Return the words by which a search by lines finds markers: a line holds at least one word of each group.

    `names` are `group:app`; without names, the markers of all applications are meant.
    """
    alternatives = tuple(names)
    return ((_QUOTED_KEY,), (*alternatives, _ESCAPE)) if alternatives else ((_QUOTED_KEY,),)


MANIFEST_PATTERNS = ("*.yaml", "*.yml", "Kustomization")
"""The names of the files that are read, as shell patterns; upper and lower case count, as for Flux."""
_ENDINGS = tuple(pattern[1:] for pattern in MANIFEST_PATTERNS if pattern[0] == "*")
_NAMES = frozenset(pattern for pattern in MANIFEST_PATTERNS if pattern[0] != "*")


def is_manifest(path: str) -> bool:
    """Return True if markers are read in a file of that name: Flux reads the same names (docs/facts/flux.md)."""
    name = path.rpartition("/")[2]
    return name in _NAMES or name.endswith(_ENDINGS)
