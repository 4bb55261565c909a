"""The places of the scalars of a YAML text, and the scalar that the comment at the end of a line belongs to.

Offsets count characters of the text. The structure comes from the events of libyaml, the parser that Go's YAML
libraries were translated from: Kubernetes, kustomize and Flux read a manifest as it does. Events have no comments;
they are read from the text between the scalars.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import yaml
from yaml.error import MarkedYAMLError, YAMLError
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from yaml.reader import ReaderError

from gitops_promotion.errors import ManifestError, PromotionError

Role = Literal["key", "value", "item", "root"]

# The line breaks of YAML 1.1, which libyaml and Go's parsers obey: CR, LF, NEL, LS and PS.
_HIDDEN_BREAKS = "\x85\u2028\u2029"
_BREAKS = "\r\n" + _HIDDEN_BREAKS
_LINE_END = re.compile(rf"[{_BREAKS}]|\Z")
# The line breaks of editors, for the line numbers of messages.
_COUNTED_BREAK = re.compile(r"\r\n|[\r\n]")
_PROPERTIES = re.compile(rf"(?:[ \t{_BREAKS}]|#[^{_BREAKS}]*|[&!][^ \t{_BREAKS}]*)*")
_HASH = re.compile(rf"""(?:(?<=[ \t,\[\]{{}}"'{_BREAKS}])|\A)#""")
_BLOCK_HEADER_COMMENT = re.compile(r"[|>][0-9+-]*[ \t]+(#.*)", re.DOTALL)
_DEPTH = 500
_TOO_DEEP = "collections are nested too deeply"
# Since 0.2.6 libyaml refuses the 1001st open collection itself, and it reads ahead: it may do so before _DEPTH counts.
_TOO_DEEP_IN_LIBYAML = "exceeded maximum nesting depth"
_BLOCK = "a block scalar carries no marker: write the value on the line of its key"
_BEHIND = "put it behind the value, on the line where the value ends"
_NULLS = ("~", "null", "Null", "NULL")
_CORE_TAG = "tag:yaml.org,2002:"


class Place(NamedTuple):
    """The place of a scalar in a file: the number of the document, from 0, and the keys and indexes that lead to it."""

    document: int
    path: tuple[str | int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scalar:
    """A scalar that has text; anchor and tag are outside of `start` and `end`, quotes inside.

    `value` is "" for YAML's null. `siblings` are values of the same mapping that `keep` chose; they are complete
    when all comments of the text have been read.
    """

    start: int
    end: int
    value: str
    role: Role
    key: str
    place: Place
    block: bool
    tag: str
    siblings: Sequence["Sibling"]


@dataclass(frozen=True, slots=True)
class Sibling:
    """A value beside a scalar, in the same mapping: the offset where it begins, and its line.

    For an alias, the offset is that of the value at the anchor.
    """

    start: int
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Comment:
    """A comment with its `#`. `scalar` is the one it belongs to; if it belongs to none, `reason` says why.

    `alone`: nothing but the comment is on its line.
    """

    text: str
    line: int
    scalar: Scalar | None = None
    reason: str = ""
    alone: bool = False


class _Line(NamedTuple):
    """A line of the text: its number, and the offsets of its first character and its end."""

    number: int
    start: int
    end: int


def comments(
    text: str, path: str, words: re.Pattern[str], keep: Callable[[str, str], bool] = lambda *_: False
) -> Iterator[Comment]:
    """Yield the comments on lines with a match of `words`, in time linear in the length of the text.

    `keep` gets a key and its value, and returns True if the value is to be one of the `siblings` in its mapping.
    Raises ManifestError if the text is not YAML, and PromotionError if PyYAML has no libyaml.
    """
    if not yaml.__with_libyaml__:
        raise PromotionError("PyYAML is installed without libyaml: install libyaml with its headers, then PyYAML again")
    try:
        for line, scalar in _last_scalars(text, _lines(text, words), keep):
            comment = _comment(text, line, scalar)
            if comment:
                yield comment
    except YAMLError as error:
        raise _not_yaml(error, text, path) from None


def line_at(text: str, index: int) -> int:
    """Return the number of the line, from 1, at an offset."""
    return 1 + _count_breaks(text, 0, index)


def _lines(text: str, words: re.Pattern[str]) -> Iterator[_Line]:
    start = end = 0
    number = 1
    for word in words.finditer(text):
        if word.start() < end:
            continue
        before, start = start, _line_start(text, word.start(), end)
        end = _line_end(text, word.start())
        number += _count_breaks(text, before, start)
        if text.find("#", start, end) >= 0:
            yield _Line(number, start, end)


def _count_breaks(text: str, start: int, end: int) -> int:
    return sum(1 for _ in _COUNTED_BREAK.finditer(text, start, end))


def _line_start(text: str, index: int, lowest: int = 0) -> int:
    """Return the start of the line of an offset; it is not before the offset `lowest`."""
    return max(lowest - 1, *(text.rfind(character, lowest, index) for character in _BREAKS)) + 1


def _line_end(text: str, start: int) -> int:
    match = _LINE_END.search(text, start)
    return match.start() if match else len(text)


def _comment(text: str, line: _Line, scalar: Scalar | None) -> Comment | None:
    """Return the comment of a line; `scalar` is the last one that begins before the line ends."""
    if scalar and scalar.end <= line.start:
        scalar = None
    if scalar and scalar.block:
        in_header = scalar.start >= line.start
        header = _BLOCK_HEADER_COMMENT.match(text, scalar.start, line.end) if in_header else None
        return Comment(text=header[1], line=line.number, reason=_BLOCK) if header else None
    # If the scalar continues on the next line, nothing is left to search.
    behind = scalar.end if scalar else line.start
    hash_sign = _HASH.search(text, behind, line.end)
    if not hash_sign:
        return None
    between = text[behind : hash_sign.start()].strip(" \t")
    reason = _no_owner(scalar, between)
    return Comment(
        text=text[hash_sign.start() : line.end],
        line=line.number,
        scalar=None if reason else scalar,
        reason=reason,
        alone=scalar is None and not between,
    )


def _no_owner(scalar: Scalar | None, between: str) -> str:
    """Return why the comment does not belong to `scalar`, the last one that ends on its line; "" if it does."""
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


def _not_yaml(error: YAMLError, text: str, path: str) -> ManifestError:
    first = last = 0
    problem = "it cannot be parsed"
    if isinstance(error, MarkedYAMLError):
        marks = [mark.index for mark in (error.context_mark, error.problem_mark) if mark]
        first, last = min(marks, default=0), max(marks, default=0)
        problem = str(error.problem or error.context)
        if problem == "found character that cannot start any token" and last < len(text):
            problem = f"found character {text[last]!r} that cannot start any token"
        elif problem == _TOO_DEEP_IN_LIBYAML:
            problem = _TOO_DEEP
    elif isinstance(error, ReaderError):
        first = last = len(text.encode()[: error.position].decode(errors="ignore"))
        problem = f"the character U+{ord(text[first]):04X} is not allowed" if first < len(text) else str(error.reason)
    hidden = max(text.rfind(character, 0, last) for character in _HIDDEN_BREAKS)
    if hidden >= 0:
        problem += f" (U+{ord(text[hidden]):04X} on line {line_at(text, hidden)} ends a line in YAML)"
    if "{{" in text[_line_start(text, first) : _line_end(text, last)]:
        problem += " (a template is no manifest before it is rendered)"
    return ManifestError.at(path, line_at(text, last), f"not valid YAML: {problem}: correct it or take the marker out")


class _Collection:
    """An open mapping or sequence, which counts its children as their events arrive."""

    __slots__ = ("depth", "element", "is_mapping", "key", "key_is_next", "length", "parent", "siblings")

    def __init__(self, parent: "_Collection | None", element: str | int, *, is_mapping: bool) -> None:
        self.parent = parent
        self.element = element
        self.depth: int = parent.depth + 1 if parent else 1
        self.is_mapping = is_mapping
        self.key_is_next = is_mapping
        self.key = ""
        self.length = 0
        self.siblings: list[Sibling] = []

    def add(self, event: Event) -> Role:
        """Count a child, and return its role."""
        if not self.is_mapping:
            self.length += 1
            return "item"
        if self.key_is_next:
            self.key_is_next = False
            self.key = event.value if type(event) is ScalarEvent else ""
            return "key"
        self.key_is_next = True
        return "value"

    @property
    def last_element(self) -> str | int:
        """The key or the index of the child added last."""
        return self.key if self.is_mapping else self.length - 1


class _Position(NamedTuple):
    """A scalar event and its place; the whole path is made only for the few scalars that are needed."""

    event: ScalarEvent
    start: int
    role: Role
    document: int
    parent: _Collection | None
    element: str | int

    def scalar(self) -> Scalar:
        path = [self.element] if self.parent else []
        event = self.event
        is_null = not event.style and not event.tag and event.value in _NULLS
        parent = self.parent
        while parent and parent.parent:
            path.append(parent.element)
            parent = parent.parent
        return Scalar(
            start=self.start,
            end=event.end_mark.index,
            value="" if is_null else event.value,
            role=self.role,
            key=str(self.element) if self.role == "value" else "",
            place=Place(self.document, tuple(reversed(path))),
            block=event.style in ("|", ">"),
            tag=event.tag or "",
            siblings=self.parent.siblings if self.parent else (),
        )


def _last_scalars(
    text: str, lines: Iterable[_Line], keep: Callable[[str, str], bool]
) -> Iterator[tuple[_Line, Scalar | None]]:
    """Yield each line with the last scalar that begins before its end."""
    remaining = iter(lines)
    line = next(remaining, None)
    last: _Position | None = None
    for position in _positions(text, keep):
        while line and position.start >= line.end:
            yield line, last.scalar() if last else None
            line = next(remaining, None)
        last = position
    while line:
        yield line, last.scalar() if last else None
        line = next(remaining, None)


def _positions(text: str, keep: Callable[[str, str], bool]) -> Iterator[_Position]:
    """Yield all scalars that have text, in the order of the text."""
    document = -1
    anchored: dict[str, tuple[int, str]] = {}
    parent: _Collection | None = None
    for event in yaml.parse(text, Loader=yaml.CBaseLoader):
        kind = type(event)
        if kind is ScalarEvent:
            role: Role = parent.add(event) if parent else "root"
            start = event.start_mark.index
            if event.anchor or event.tag:
                properties = _PROPERTIES.match(text, start, event.end_mark.index)
                start = properties.end() if properties else start
                anchored[event.anchor] = (start, event.value)
            if parent and role == "value" and keep(parent.key, event.value):
                parent.siblings.append(Sibling(start, event.start_mark.line + 1))
            if start < event.end_mark.index:
                yield _Position(event, start, role, document, parent, parent.last_element if parent else "")
        elif kind is MappingStartEvent or kind is SequenceStartEvent:
            element: str | int = ""
            if parent:
                if parent.depth == _DEPTH:
                    raise MarkedYAMLError(problem=_TOO_DEEP, problem_mark=event.start_mark)
                parent.add(event)
                element = parent.last_element
            parent = _Collection(parent, element, is_mapping=kind is MappingStartEvent)
        elif kind is MappingEndEvent or kind is SequenceEndEvent:
            parent = parent.parent if parent else None
        elif kind is AliasEvent:
            role = parent.add(event) if parent else "root"
            start, value = anchored.get(event.anchor, (-1, ""))
            if parent and role == "value" and keep(parent.key, value):
                parent.siblings.append(Sibling(start, event.start_mark.line + 1))
        elif kind is DocumentStartEvent:
            document += 1
