"""Find `$imagepolicy` markers and the scalars that they belong to.

A parser's events say where each scalar stands; the comment behind it is read from the text.
"""

import functools
import json
import re
from dataclasses import dataclass
from typing import Literal, cast, get_args

from gitops_promotion.core.markers.scalars import comments, line_at
from gitops_promotion.core.names import is_name
from gitops_promotion.errors import ManifestError

Part = Literal["image", "tag", "name", "digest"]
_PARTS = get_args(Part)

_MARK = b'"$imagepolicy"'
_BOM = b"\xef\xbb\xbf"
# A live marker spells `$imagepolicy`, unless with JSON's escapes.
_WORDS = re.compile(r"imagepolicy|\\u[0-9a-fA-F]{4}")
# Only what resembles a marker is worth a report; Flux itself ignores it in silence.
_RESEMBLES = re.compile(r"""["']\$imagepolicy["']\s*:\s*["']([^"']*)["']""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Marker:
    """A live marker and the scalar it belongs to. `start` and `end` are byte offsets in the file, quotes included."""

    group: str
    app: str
    part: Part
    path: str
    line: int
    value: str
    key: str
    quote: str
    start: int
    end: int

    @property
    def at(self) -> str:
        """Where it stands, for messages: `file:line`."""
        return f"{self.path}:{self.line}"


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


def mentions(content: bytes, group: str, app: str) -> bool:
    """Return True if a file may hold a marker of the application; never False if it does, even if JSON escapes it."""
    # Asked for each application of each file: almost every answer is no, and comes from here.
    if _MARK not in content or (app.encode() not in content and b"\\u" not in content):
        return False
    name = rb"(?<![A-Za-z0-9._-])%b\s*:\s*%b\s*[\"':]" % (re.escape(group.encode()), re.escape(app.encode()))
    if re.search(name, content):
        return True
    return b"\\u" in content and any(b"\\u" in line and b"#" in line for line in content.split(b"\n"))


# A command looks at the same manifests several times: which applications, which tag, what to edit, what was before.
@functools.lru_cache(maxsize=1024)
def scan(content: bytes, path: str) -> Scan:
    """Return the markers of a file. Raises ManifestError, with file and line, if it has any and cannot be parsed."""
    if _MARK not in content:
        return Scan()
    body = content.removeprefix(_BOM)
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        line = line_at(body[: error.start].decode("latin-1"), error.start)
        raise ManifestError(f"{path}:{line}: not UTF-8 text: save the file as UTF-8") from None
    markers: list[Marker] = []
    misplaced: list[Misplaced] = []
    for comment in comments(text, path, _WORDS):
        name = _name(comment.text)
        # A comment line that holds more than a marker is prose, or a manifest's line that was commented out.
        if name is None or (comment.alone and not name.exact):
            continue
        reason = name.wrong or comment.reason
        if comment.scalar is None or reason:
            misplaced.append(Misplaced(group=name.group, app=name.app, path=path, line=comment.line, reason=reason))
            continue
        scalar = comment.scalar
        source = text[scalar.start : scalar.end]
        start = len(content) - len(body) + (scalar.start if text.isascii() else len(text[: scalar.start].encode()))
        markers.append(
            Marker(
                group=name.group,
                app=name.app,
                part=name.part,
                path=path,
                line=comment.line,
                value=scalar.value,
                key=scalar.key,
                quote=source[0] if source[0] in "\"'" else "",
                start=start,
                end=start + len(source.encode()),
            )
        )
    return Scan(markers=tuple(markers), misplaced=tuple(misplaced))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Name:
    """What a comment names. `wrong` says why it names nothing that can be set; `exact`: it is one JSON object alone."""

    group: str
    app: str
    part: Part
    wrong: str
    exact: bool


def _name(comment: str) -> _Name | None:
    """Read a comment as Flux does: without its leading `#`s exactly one JSON object of strings (FLUX 1)."""
    try:
        value = json.loads(comment.lstrip("#"))
    except (ValueError, RecursionError):
        value = None
    exact = isinstance(value, dict) and all(isinstance(member, str) for member in value.values())
    if exact:
        text = value.get("$imagepolicy")
    else:
        resembling = _RESEMBLES.search(comment)
        text = resembling[1] if resembling else None
    if text is None:
        return None
    pieces = text.split(":")
    group, app, *rest = [piece.strip() for piece in pieces] if len(pieces) > 1 else ("", "")
    if not is_name(group) or not is_name(app):
        return None
    part = ":".join(rest) or "image"
    wrong = ""
    if not exact:
        wrong = "a marker's comment must be one JSON object of strings and nothing else"
    elif [group, app, *rest] != pieces:
        wrong = f"blanks in {text!r} make it another name: remove them"
    elif part not in _PARTS or rest == ["image"] or rest == [""]:
        wrong = f"the suffix of {text!r} is unknown: use :tag, :name, :digest or none"
    return _Name(group=group, app=app, part=cast("Part", part), wrong=wrong, exact=exact)


def is_manifest(path: str) -> bool:
    """Return True if Flux would look for markers in a file of that name (FLUX 1)."""
    name = path.rpartition("/")[2]
    return name.endswith((".yaml", ".yml")) or name == "Kustomization"
