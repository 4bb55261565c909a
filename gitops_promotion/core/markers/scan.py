"""Find the markers of a file and the scalars that they belong to."""

import functools
from dataclasses import dataclass

from gitops_promotion.core.markers import spelling
from gitops_promotion.core.markers.parts import Part, Value
from gitops_promotion.core.markers.scalars import Comment, Place, Scalar, comments, line_at
from gitops_promotion.core.markers.spelling import Spelling, is_manifest, mentions
from gitops_promotion.errors import ManifestError

__all__ = ["Marker", "Misplaced", "Scan", "is_manifest", "mentions", "scan"]

_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True, kw_only=True)
class Marker:
    """A live marker and the scalar it belongs to. `start` and `end` are byte offsets in the file, quotes included."""

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

    @property
    def at(self) -> str:
        """The place of the marker for messages: `file:line`."""
        return f"{self.path}:{self.line}"

    @property
    def marked(self) -> Value:
        """The marked value, as the marker's part reads it."""
        return Value(text=self.value, key=self.key)


@dataclass(frozen=True, slots=True, kw_only=True)
class Misplaced:
    """A marker that names an application but can set nothing; `reason` says why, and what to do."""

    group: str
    app: str
    path: str
    line: int
    reason: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: the marker of {self.group}:{self.app} has no effect: {self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """All markers of one file, of every application, in the order of the file."""

    markers: tuple[Marker, ...] = ()
    misplaced: tuple[Misplaced, ...] = ()


# A command reads the same manifests several times: for the applications, for a tag, for an edit, for the history.
@functools.lru_cache(maxsize=1024)
def scan(content: bytes, path: str) -> Scan:
    """Return the markers of a file. Raises ManifestError, with file and line, if it has any and cannot be parsed."""
    if not spelling.may_hold_markers(content):
        return Scan()
    body = content.removeprefix(_BOM)
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        line = line_at(body[: error.start].decode("latin-1"), error.start)
        raise ManifestError(f"{path}:{line}: not UTF-8 text: save the file as UTF-8") from None
    offsets = _Offsets(text, len(content) - len(body))
    markers: list[Marker] = []
    misplaced: list[Misplaced] = []
    for comment in comments(text, path, spelling.LINE):
        spelled = spelling.read_comment(comment.text)
        # A comment line that holds more than a marker is prose, or a manifest's line that was commented out.
        if spelled is None or (comment.alone and not spelled.exact):
            continue
        reason = spelled.problem or comment.reason
        if comment.scalar is None or reason:
            misplaced.append(
                Misplaced(group=spelled.group, app=spelled.app, path=path, line=comment.line, reason=reason)
            )
        else:
            markers.append(_marker(spelled, comment, comment.scalar, path, offsets))
    return Scan(markers=tuple(markers), misplaced=tuple(misplaced))


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


def _marker(spelled: Spelling, comment: Comment, scalar: Scalar, path: str, offsets: _Offsets) -> Marker:
    first = offsets.text[scalar.start]
    return Marker(
        group=spelled.group,
        app=spelled.app,
        part=spelled.part,
        path=path,
        line=comment.line,
        place=scalar.place,
        value=scalar.value,
        key=scalar.key,
        quote=first if first in "\"'" else "",
        start=offsets.bytes_at(scalar.start),
        end=offsets.bytes_at(scalar.end),
    )
