"""Texts that look like markers and have no effect: misspelled, commented out, or inside a block scalar.

Flux ignores such a comment without a message, and so does a search for markers.
"""

import difflib
import re
from bisect import bisect_right
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

import yaml
from yaml.error import YAMLError
from yaml.events import ScalarEvent

from gitops_promotion.core.markers.parts import PARTS
from gitops_promotion.core.markers.spelling import marker_comment
from gitops_promotion.core.names import is_name

Kind = Literal["misspelled", "commented-out", "in-block"]

_KEY = "$imagepolicy"
_PLAIN_KEY = "imagepolicy"
_ALIKE = 0.8
_OTHER_KEYS = ("imagepullpolicy",)
# A file without any of these words has no near miss: most files have none.
_HINT = re.compile(rb"polic|imagep|\$im", re.IGNORECASE)
_MAX_LINE = 2000
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n|\Z)")
_BOM = b"\xef\xbb\xbf"
_QUOTES = "\"'`\u201c\u201d\u2018\u2019"
_LOOSE = re.compile(
    rf"""
    (?P<open>\{{?)\s*(?P<quote>[{_QUOTES}]?)(?P<key>\$?\s?[A-Za-z][A-Za-z_-]{{7,15}})(?P<unquote>[{_QUOTES}]?)
    \s*[:=]\s*(?P<value_quote>[{_QUOTES}]?)\s*
    (?P<group>[A-Za-z0-9][A-Za-z0-9._-]*)\s*:\s*(?P<app>[A-Za-z0-9][A-Za-z0-9._-]*)
    (?:\s*:\s*(?P<suffix>[A-Za-z0-9_-]*))?\s*[{_QUOTES}]?\s*(?P<close>\}}?)
    """,
    re.VERBOSE,
)
# A line of a manifest behind the `#`: `- image: a/b:1 # {...`, `tag: 1 # {...`, `- a/b:1 # {...`.
_MANIFEST_LINE = re.compile(r"""(?:-\s+)*(?:["']?[\w./-]+["']?\s*:\s+\S|-\s+\S|\S+:[\w.-]+\s+\#).*?\#\s*""")
_COMMENT = re.compile(r"(?:^|(?<=[\s\"',\]}]))#")


@dataclass(frozen=True, slots=True, kw_only=True)
class NearMiss:
    """A text that looks like a marker: its line, from 1, why it is none, and the marker that may be meant."""

    line: int
    kind: Kind
    problem: str
    marker: str


def near_misses(content: bytes, known_lines: Collection[int] = ()) -> list[NearMiss]:
    """Return the texts of a YAML file that look like markers and are none, except for those on `known_lines`.

    A file that is not UTF-8 has none.
    """
    if not _HINT.search(content):
        return []
    try:
        text = content.removeprefix(_BOM).decode()
    except UnicodeDecodeError:
        return []
    candidates = [candidate for candidate in _candidates(text) if candidate.line not in known_lines]
    if not candidates:
        return []
    spans = _Spans(text)
    misses = (_near_miss(candidate, spans.style_at(candidate.start)) for candidate in candidates)
    return [miss for miss in misses if miss]


class _Candidate(NamedTuple):
    """A comment that resembles a marker: its line, its offset in the text, and the texts before and in it."""

    line: int
    start: int
    before: str
    comment: str
    match: re.Match[str]


def _candidates(text: str) -> Iterator[_Candidate]:
    for number, match in enumerate(_LINE.finditer(text), start=1):
        line = match[0]
        if "#" not in line or len(line) > _MAX_LINE or not _HINT.search(line.encode()):
            continue
        sign = _COMMENT.search(line)
        alike = next(filter(_is_alike, _LOOSE.finditer(line, sign.start())), None) if sign else None
        if sign and alike and is_name(alike["group"]) and is_name(alike["app"]):
            comment = line[sign.start() : alike.start()]
            yield _Candidate(number, match.start() + sign.start(), line[: sign.start()].strip(), comment, alike)


def _near_miss(candidate: _Candidate, style: str) -> NearMiss | None:
    """Return why a candidate has no effect, None if it is no near miss; `style` is that of the scalar around it."""
    match = candidate.match
    marker = marker_comment(match["group"], match["app"], _suffix(match["suffix"]))

    def miss(kind: Kind, problem: str) -> NearMiss:
        return NearMiss(line=candidate.line, kind=kind, problem=problem, marker=marker)

    if style in ("|", ">"):
        return miss("in-block", "a marker inside a block scalar is part of a text, and sets nothing")
    if style:
        return None  # A text in quotes.
    if not candidate.before and candidate.comment.strip("# \t"):
        if not _MANIFEST_LINE.fullmatch(candidate.comment.lstrip("# \t")):
            return None  # Prose that shows a marker.
        return miss("commented-out", "the line with this marker is commented out, and sets nothing")
    problems = _misspelled(match)
    text = f"this comment looks like a marker and is none: {', '.join(problems)}"
    return miss("misspelled", text) if problems else None


def _is_alike(match: re.Match[str]) -> bool:
    """Return True if the key of a match resembles a marker's."""
    key = re.sub(r"[^a-z]", "", match["key"].lower())
    if key in _OTHER_KEYS:
        return False
    return difflib.SequenceMatcher(None, key, _PLAIN_KEY, autojunk=False).ratio() >= _ALIKE


def _misspelled(match: re.Match[str]) -> list[str]:
    """Return what is wrong with the spelling of a marker."""
    key = match["key"]
    problems = []
    if key != _KEY:
        if key.lower() == _KEY:
            problems.append(f"its key is {key}, where upper and lower case count")
        elif key.lower() == _PLAIN_KEY:
            problems.append("the $ of $imagepolicy is missing")
        else:
            problems.append(f"its key is {key}")
    if {match["quote"], match["unquote"], match["value_quote"]} != {'"'}:
        problems.append("key and value need double quotes")
    if not (match["open"] and match["close"]):
        has_more = not match["close"] and match.string.startswith(":", match.end())
        problems.append("its value has more than three parts" if has_more else "it needs braces around it")
    return problems


def _suffix(text: str | None) -> str:
    """Return the suffix that may be meant, "" for none."""
    if not text:
        return ""
    near = difflib.get_close_matches(text.lower(), [suffix for suffix in PARTS if suffix], n=1, cutoff=0.5)
    return near[0] if near else "tag"


class _Spans:
    """The scalars of a text that are in quotes or in blocks; none of a text that is not YAML."""

    def __init__(self, text: str) -> None:
        self._spans: list[tuple[int, int, str]] = []
        try:
            for event in yaml.parse(text, Loader=yaml.CBaseLoader):
                if isinstance(event, ScalarEvent) and event.style:
                    self._spans.append((event.start_mark.index, event.end_mark.index, event.style))
        except YAMLError:
            self._spans = []

    def style_at(self, offset: int) -> str:
        """Return the style of the scalar at an offset: `"`, `'`, `|`, `>`, or "" if there is none."""
        number = bisect_right(self._spans, offset, key=lambda span: span[0]) - 1
        if number < 0:
            return ""
        start, end, style = self._spans[number]
        return style if start < offset < end else ""
