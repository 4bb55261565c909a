"""Where the scalars of a YAML text stand, and which scalar the comment at the end of a line belongs to.

Offsets count characters of the text. Structure comes from ruamel.yaml's events, since composing nodes would fail on
duplicate keys and anchors; comments, which events do not have, are read from the text between the scalars.
"""

import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import CollectionEndEvent, CollectionStartEvent, MappingStartEvent, NodeEvent, ScalarEvent
from ruamel.yaml.reader import ReaderError

from gitops_promotion.errors import ManifestError

Role = Literal["key", "value", "item", "root"]

# Line breaks of YAML 1.1 that are none in 1.2. The parser ends a comment or block scalar at them but counts no line,
# and then trips over the rest of the line; any letter in their place keeps the structure and the offsets.
_NOT_BREAKS = {0x85: "x", 0x2028: "x", 0x2029: "x"}
# The parser takes no tab between tokens, where YAML allows them. One blank for one tab keeps the offsets. Tabs that
# indent (group 1) stay; on lines that are empty or a comment they go too, but only if the text does not parse
# otherwise, since inside a block scalar such a line is content.
_TAB = re.compile(r"((?:(?<=[\r\n])|\A)[ \t]+)|\t")
_TAB_IN_EMPTY_LINE = re.compile(r"((?:(?<=[\r\n])|\A)[ \t]+(?![ \t\r\n#]|\Z))|\t")
_PROPERTIES = re.compile(r"(?:[ \t\r\n]|#[^\r\n]*|[&!][^ \t\r\n]*)*")
_HASH = re.compile(r"""(?:(?<=[ \t\r\n,\[\]{}"'])|\A)#""")
_BLOCK_HEADER_COMMENT = re.compile(r"[|>][0-9+-]*[ \t]+(#.*)", re.DOTALL)
_LINE_END = re.compile(r"[\r\n]|\Z")
_BREAK = re.compile(r"\r\n|[\r\n]")
# The parser looks at tokens, not at all that is in them: `"\\UFFFFFFFF"` ends in a ValueError of chr().
_PARSER_ERRORS = (YAMLError, ValueError, OverflowError, AttributeError, AssertionError)
# The parser's time grows with the square of the depth: ten thousand brackets would keep it busy for minutes.
_DEPTH = 500
_BLOCK = "a block scalar carries no marker: write the value on the line of its key"
_BEHIND = "put it behind the value, on the line where the value ends"
_CORE_TAG = "tag:yaml.org,2002:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scalar:
    """A scalar that has text; anchor and tag are outside of `start` and `end`, quotes inside."""

    start: int
    end: int
    value: str
    role: Role
    key: str
    block: bool
    tag: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Comment:
    """A comment with its `#`. `scalar` is the one it belongs to; if it belongs to none, `reason` says why.

    `alone`: nothing but the comment is on its line.
    """

    text: str
    line: int = 0
    scalar: Scalar | None = None
    reason: str = ""
    alone: bool = False


def comments(text: str, path: str, words: re.Pattern[str]) -> Iterator[Comment]:
    """Yield the comments on lines where one of `words` stands. Raises ManifestError if the text is not YAML."""
    scalars = _scalars(text, path)
    starts = [scalar.start for scalar in scalars]
    start = end = 0
    line = 1
    for word in words.finditer(text):
        if word.start() < end:
            continue
        before, start = start, _line_start(text, word.start())
        end = _line_end(text, start)
        line += _breaks(text, before, start)
        comment = _comment(text, start, end, scalars, bisect_left(starts, end) - 1)
        if comment:
            yield replace(comment, line=line)


def line_at(text: str, index: int) -> int:
    """Return the number of the line, from 1, at an offset."""
    return 1 + _breaks(text, 0, index)


def _breaks(text: str, start: int, end: int) -> int:
    return sum(1 for _ in _BREAK.finditer(text, start, end))


def _line_start(text: str, index: int) -> int:
    return max(text.rfind("\n", 0, index), text.rfind("\r", 0, index)) + 1


def _line_end(text: str, start: int) -> int:
    match = _LINE_END.search(text, start)
    return match.start() if match else len(text)


def _comment(text: str, start: int, end: int, scalars: list[Scalar], last: int) -> Comment | None:
    """Return the comment of the line from `start` to `end`; `last` is the last scalar that begins before `end`."""
    scalar = scalars[last] if last >= 0 else None
    if scalar and scalar.end <= start:
        scalar = None
    if scalar and scalar.block:
        header = _BLOCK_HEADER_COMMENT.match(text, scalar.start, end) if scalar.start >= start else None
        return Comment(text=header[1], reason=_BLOCK) if header else None
    # A scalar that goes on in the next line leaves nothing to search.
    behind = scalar.end if scalar else start
    found = _HASH.search(text, behind, end)
    if not found:
        return None
    between = text[behind : found.start()]
    reason = _no_owner(scalar, between)
    return Comment(
        text=text[found.start() : end],
        scalar=None if reason else scalar,
        reason=reason,
        alone=scalar is None and not between.strip(" \t"),
    )


def _no_owner(scalar: Scalar | None, between: str) -> str:
    """Why the comment does not belong to `scalar`, the last one that ends on its line; "" if it does."""
    between = between.strip(" \t")
    if re.search(r"(?:^|[ \t,:\[{-])\*", between):
        return "an alias carries no marker: put it behind the value at the anchor"
    if re.search(r"[\]}]", between):
        return "it stands behind a collection: give the value a line of its own"
    if scalar is None:
        return f"no value ends on its line: {_BEHIND}"
    if scalar.role == "key":
        return f"it stands behind a key whose value is not on that line: {_BEHIND}"
    if between not in ("", ","):
        return f"it stands behind {between!r}: {_BEHIND}"
    if scalar.role == "root":
        return "the value is a whole document: only values of mappings and sequences carry markers"
    if scalar.tag.startswith(_CORE_TAG) and scalar.tag != _CORE_TAG + "str":
        return f"the tag !!{scalar.tag.removeprefix(_CORE_TAG)} makes its value no string: remove it"
    return ""


def _scalars(text: str, path: str) -> list[Scalar]:
    """All scalars that have text, in the order of the file. Raises ManifestError naming file and line."""
    unbroken = text.translate(_NOT_BREAKS)
    try:
        return list(_located(_TAB.sub(_blank, unbroken)))
    except _PARSER_ERRORS as error:
        if "\t" in text:
            try:
                return list(_located(_TAB_IN_EMPTY_LINE.sub(_blank, unbroken)))
            except _PARSER_ERRORS:
                pass
        raise _not_yaml(error, text, path) from None


def _blank(tabs: re.Match[str]) -> str:
    return tabs[1] or " "


def _not_yaml(error: Exception, text: str, path: str) -> ManifestError:
    first = last = 0
    what = "it cannot be parsed"
    if isinstance(error, MarkedYAMLError):
        marks = [mark.index for mark in (error.context_mark, error.problem_mark) if mark]
        first, last = min(marks, default=0), max(marks, default=0)
        what = str(error.problem or error.context).partition("\n")[0]
    elif isinstance(error, ReaderError):
        first = last = error.position
        what = f"the character U+{error.character:04X} is not allowed"
    if "{{" in text[_line_start(text, first) : _line_end(text, last)]:
        what += " (a template is no manifest before it is rendered)"
    return ManifestError(f"{path}:{line_at(text, last)}: not valid YAML: {what}: correct it or take the marker out")


class _Place:
    """An open collection: says which role its next child has. The one thing here that changes while it lives."""

    __slots__ = ("is_mapping", "key", "on_key")

    def __init__(self, *, is_mapping: bool) -> None:
        self.is_mapping = is_mapping
        self.on_key = is_mapping
        self.key = ""

    def child(self, event: NodeEvent) -> tuple[Role, str]:
        """Return the role of the next child and, for a value, its key (if that is a scalar)."""
        if not self.is_mapping:
            return "item", ""
        self.on_key = not self.on_key
        if self.on_key:
            return "value", self.key
        self.key = event.value if isinstance(event, ScalarEvent) else ""
        return "key", ""


def _located(text: str) -> Iterator[Scalar]:
    """Follow the parser's events and give each scalar its role."""
    open_collections: list[_Place] = []
    for event in YAML(typ="safe", pure=True).parse(text):
        if isinstance(event, CollectionEndEvent):
            open_collections.pop()
        if not isinstance(event, NodeEvent):
            continue
        role, key = open_collections[-1].child(event) if open_collections else ("root", "")
        if isinstance(event, CollectionStartEvent):
            if len(open_collections) == _DEPTH:
                raise MarkedYAMLError(problem="collections are nested too deeply", problem_mark=event.start_mark)
            open_collections.append(_Place(is_mapping=isinstance(event, MappingStartEvent)))
        elif isinstance(event, ScalarEvent):
            start, end = event.start_mark.index, event.end_mark.index
            if event.anchor or event.tag:
                properties = _PROPERTIES.match(text, start, end)
                start = properties.end() if properties else start
            if start < end:
                yield Scalar(
                    start=start,
                    end=end,
                    value=event.value,
                    role=role,
                    key=key,
                    block=event.style in ("|", ">"),
                    tag=event.tag or "",
                )
