"""Find the markers of a file and the scalars that they belong to."""

import functools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from gitops_promotion.core.markers import spelling
from gitops_promotion.core.markers.parts import Part, Value, is_digest_entry
from gitops_promotion.core.markers.scalars import Place, Scalar, comments, line_at
from gitops_promotion.core.markers.spelling import Spelling
from gitops_promotion.errors import ManifestError

_BOM = b"\xef\xbb\xbf"
MAX_MIB = 16
"""The size in MiB of the largest manifest that is parsed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Marker:
    """A marker that has an effect, and its scalar. `start` and `end` are byte offsets in the file, quotes included.

    `digest_beside`: the mapping of the value has the image's digest too; `digest_line` is its line if no marker of the
    application names it, else 0.
    """

    group: str
    app: str
    part: Part
    path: str
    line: int
    place: Place
    value: str
    key: str
    quote: str
    start: int
    end: int
    digest_beside: bool
    digest_line: int

    @property
    def at(self) -> str:
        """The place of the marker for messages: `file:line`."""
        return f"{self.path}:{self.line}"

    @property
    def marked(self) -> Value:
        """The marked value, as the marker's part reads it."""
        return Value(text=self.value, key=self.key, digest_beside=self.digest_beside)


@dataclass(frozen=True, slots=True, kw_only=True)
class Misplaced:
    """A marker that names an application but has no effect; `reason` says why, and what to do.

    `kind` says what is wrong: its place or its spelling.
    """

    group: str
    app: str
    path: str
    line: int
    reason: str
    kind: Literal["place", "spelling"] = "place"

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: the marker of {self.group}:{self.app} has no effect: {self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """All markers of one file, of every application, in the order of the file."""

    markers: tuple[Marker, ...] = ()
    misplaced: tuple[Misplaced, ...] = ()


# A command reads the same manifests several times: for the applications, for a tag, for an edit, for the history.
@functools.lru_cache(maxsize=65_536)
def scan(content: bytes, path: str) -> Scan:
    """Return the markers of a file.

    Raises ManifestError, with file and line, for a file with markers that is not YAML or is larger than 16 MiB.
    """
    if not spelling.may_hold_markers(content):
        return Scan()
    if len(content) > MAX_MIB << 20:
        raise ManifestError.at(path, 1, f"larger than {MAX_MIB} MiB: move the marked values to a file of their own")
    body = content.removeprefix(_BOM)
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        line = line_at(body[: error.start].decode("latin-1"), error.start)
        raise ManifestError.at(path, line, "not UTF-8 text: save the file as UTF-8") from None
    live: list[_MarkedScalar] = []
    misplaced: list[Misplaced] = []
    for comment in comments(text, path, spelling.LINE, keep=is_digest_entry):
        spelled = spelling.read_comment(comment.text)
        # A comment line that holds more than a marker is prose, or a manifest's line that was commented out.
        if spelled is None or (comment.alone and not spelled.exact):
            continue
        reason = spelled.problem or comment.reason
        if comment.scalar is None or reason:
            misplaced.append(
                Misplaced(
                    group=spelled.group,
                    app=spelled.app,
                    path=path,
                    line=comment.line,
                    reason=reason,
                    kind="spelling" if spelled.problem else "place",
                )
            )
        else:
            live.append(_MarkedScalar(spelled, comment.line, comment.scalar))
    offsets = _Offsets(text, len(content) - len(body))
    digests = _Digests(live)
    markers = tuple(_marker(marker, path, offsets, digests) for marker in live)
    return Scan(markers=markers, misplaced=tuple(misplaced))


class _MarkedScalar(NamedTuple):
    """A marker that has an effect."""

    spelled: Spelling
    line: int
    scalar: Scalar

    @property
    def application(self) -> tuple[str, str]:
        return self.spelled.group, self.spelled.app


class _Digests:
    """The digests that the markers of a file name, to tell a digest beside a marked value that none of them names."""

    def __init__(self, live: Iterable[_MarkedScalar]) -> None:
        alone = [marker for marker in live if not marker.spelled.part.has_tag and marker.spelled.part.has_version]
        self._starts = {(marker.application, marker.scalar.start) for marker in alone}
        self._mappings = {(marker.application, _mapping(marker)) for marker in alone}

    def unmarked_beside(self, marker: _MarkedScalar) -> int:
        """Return the line of a digest in the same mapping without a marker of the application, 0 if there is none."""
        unmarked = (d.line for d in marker.scalar.siblings if (marker.application, d.start) not in self._starts)
        return next(unmarked, 0)

    def beside(self, marker: _MarkedScalar) -> bool:
        """Return True if the same mapping has a digest, or a value that is marked as one."""
        return bool(marker.scalar.siblings) or (marker.application, _mapping(marker)) in self._mappings


def _mapping(marker: _MarkedScalar) -> Place:
    return Place(marker.scalar.place.document, marker.scalar.place.path[:-1])


class _Offsets:
    """Turns offsets of characters into offsets of bytes; each call must ask for a later offset than the one before."""

    def __init__(self, text: str, start: int) -> None:
        self.text = text
        self._characters = 0
        self._bytes = start

    def bytes_at(self, index: int) -> int:
        self._bytes += len(self.text[self._characters : index].encode())
        self._characters = index
        return self._bytes


def _marker(marked: _MarkedScalar, path: str, offsets: _Offsets, digests: _Digests) -> Marker:
    spelled, line, scalar = marked
    first = offsets.text[scalar.start]
    return Marker(
        group=spelled.group,
        app=spelled.app,
        part=spelled.part,
        path=path,
        line=line,
        place=scalar.place,
        value=scalar.value,
        key=scalar.key,
        quote=first if first in "\"'" else "",
        start=offsets.bytes_at(scalar.start),
        end=offsets.bytes_at(scalar.end),
        digest_beside=digests.beside(marked),
        digest_line=digests.unmarked_beside(marked),
    )
