"""Read the tags that `$imagepolicy` markers hold, and set new ones without touching another byte.

`scan` says where the marked scalars stand, and new bytes are spliced in. Nothing is ever written out by a YAML emitter:
no emitter keeps a file as it was (FLUX 1, "kyaml damage").
"""

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NoReturn

from gitops_promotion.core.markers.scan import Marker, Scan, mentions, scan
from gitops_promotion.core.tags import ImageReference, Tag, check_image, is_plain_string
from gitops_promotion.errors import ManifestError, UsageError

_LISTED = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Edited:
    """What setting a tag gives: `edits` holds only files whose bytes change; `previous` is "" if there is not one."""

    edits: dict[str, bytes]
    previous: str
    warnings: tuple[str, ...]
    markers: int


def applications(files: Mapping[str, bytes]) -> set[tuple[str, str]]:
    """Return (group, app) of all live markers; a file that does not parse is left out."""
    return {(marker.group, marker.app) for result in _readable(files) for marker in result.markers}


def read_tag(files: Mapping[str, bytes], group: str, app: str) -> Tag | None:
    """Return the tag, with a digest where one is written, that the markers of an application agree on.

    None if no live marker holds a tag or digest. Raises ManifestError, naming each file:line, if they disagree, if one
    holds no readable tag, or if a file that carries the application's marker does not parse.
    """
    markers = [m for result in _scans(files, group, app) for m in result.markers if m.part != "name"]
    if not markers:
        return None
    tags = {marker: _checked_tag(marker) for marker in markers}
    for part in ("name", "digest"):
        values = {marker: value for marker, tag in tags.items() if (value := getattr(tag, part))}
        if len(set(values.values())) > 1:
            listed = ", ".join(f"{marker.at} = {value}" for marker, value in values.items())
            what = "tag" if part == "name" else "digest"
            raise ManifestError(f"the markers of {group}:{app} disagree on the {what}: {listed}; make them agree")
    name = next((tag.name for tag in tags.values() if tag.name), "")
    if not name:
        _fail(markers[0], "is a :digest marker and no other marker of the application holds its tag: add one")
    return Tag(name, next((tag.digest for tag in tags.values() if tag.digest), ""))


def set_tag(
    files: Mapping[str, bytes], *, group: str, app: str, tag: Tag, image: str = "", where: str = "the files read"
) -> Edited:
    """Return the edits that put `tag` (and `image` as the new name, if given) where the application's markers say.

    `where` names the place in the error that finds no marker. Raises ManifestError if there is nowhere to put the tag,
    if a marked value cannot take its part, or if a file that carries the application's marker does not parse;
    UsageError if `image` is no image name.
    """
    if image:
        check_image(image)
    scans = list(_scans(files, group, app))
    markers = [marker for result in scans for marker in result.markers]
    if not markers:
        raise missing(files, group, app, where)
    if not any(marker.part in ("image", "tag") or (marker.part == "digest" and tag.digest) for marker in markers):
        _fail(markers[0], f"cannot hold a tag: put the marker {_example(group, app)} behind the tag or the image")
    if image and not any(marker.part in ("image", "name") for marker in markers):
        _fail(markers[0], "holds no image name, nor does another marker: leave out --image, or add a :name marker")
    values = {marker: _new_value(marker, tag, image) for marker in markers}
    if not tag.digest:
        _check_digests(values, tag)
    previous = {_tag_of(marker) for marker in markers if marker.part != "name"}
    edits: dict[str, bytes] = {}
    for path in sorted({marker.path for marker in markers}):
        spliced = _splice(files[path], [(m, value) for m, value in values.items() if m.path == path])
        if spliced != files[path]:
            edits[path] = spliced
    return Edited(
        edits=edits,
        previous=_agreed(previous),
        warnings=tuple(str(misplaced) for result in scans for misplaced in result.misplaced),
        markers=len(markers),
    )


def only_tags_differ(old: bytes, new: bytes, group: str, app: str) -> bool:
    """Return True if two versions of a file differ in tags and digests of this application's markers alone.

    Every byte outside the marked scalars is the same, and so are the image names in them. False if one does not parse.
    """
    if old == new:
        return True
    try:
        return _frame(old, group, app) == _frame(new, group, app)
    except ManifestError:
        return False


def missing(files: Mapping[str, bytes], group: str, app: str, where: str) -> ManifestError:
    """Return the error that says `where` has no live marker of an application, what was found and what is nearest."""
    results = list(_readable(files))
    misplaced = [m for result in results for m in result.misplaced if (m.group, m.app) == (group, app)]
    found = sorted({f"{marker.group}:{marker.app}" for result in results for marker in result.markers})
    text = f'no "$imagepolicy" marker of {group}:{app} in {where}'
    if misplaced:
        listed = "; ".join(f"{m.path}:{m.line}: {m.reason}" for m in misplaced[:_LISTED])
        return ManifestError(f"{text} has an effect: {listed}")
    text += f": put {_example(group, app)} behind the tag to set"
    near = difflib.get_close_matches(f"{group}:{app}", found, n=1)
    if near:
        text += f", or did you mean {near[0]}?"
    if not found:
        return ManifestError(f"{text} (found no marker of any application)")
    more = f" and {len(found) - _LISTED} more" if len(found) > _LISTED else ""
    return ManifestError(f"{text} (found: {', '.join(found[:_LISTED])}{more})")


# --- what a value becomes


def _whole(marker: Marker) -> bool:
    """Whether the scalar is a whole reference; `tag: v1@sha256:...` is a tag with its digest."""
    if marker.part == "image" or marker.key == "image" or "/" in marker.value:
        return True
    return ":" in marker.value.partition("@")[0]


def _reference(marker: Marker) -> ImageReference:
    reference = ImageReference.parse(marker.value)
    if reference is None:
        _fail(marker, "is not an image reference: write name[:tag][@digest]")
    if marker.part == "image" and marker.key in ("tag", "newTag") and not _looks_whole(marker.value):
        _fail(marker, f"is a tag, but its marker names the whole image: write {_example(marker.group, marker.app)}")
    return reference


def _looks_whole(value: str) -> bool:
    return "/" in value or ":" in value


def _tag_of(marker: Marker) -> Tag:
    """Return what a marked value says now, unchecked; parts that it does not hold are empty."""
    if marker.part == "digest":
        return Tag("", marker.value)
    if _whole(marker):
        reference = _reference(marker)
        return Tag(reference.tag, reference.digest)
    name, _, digest = marker.value.partition("@")
    return Tag(name, digest)


def _image_of(marker: Marker) -> str:
    """Return the image name in a marked value, "" if it is a tag or a digest alone."""
    if marker.part == "name":
        return marker.value
    return _reference(marker).name if marker.part != "digest" and _whole(marker) else ""


def _checked_tag(marker: Marker) -> Tag:
    """Return what a marked value says now; a `:digest` marker says nothing of the name, and may be empty."""
    tag = _tag_of(marker)
    name = tag.name or ("any" if marker.part == "digest" else "")
    try:
        Tag.parse(str(Tag(name, tag.digest)))
    except UsageError:
        _fail(marker, f"holds no {'digest' if marker.part == 'digest' else 'image tag'} that can be read: correct it")
    return tag


def _new_value(marker: Marker, tag: Tag, image: str) -> str:
    match marker.part:
        case "name" if image:
            reference = ImageReference.parse(marker.value) or ImageReference(image)
            return str(ImageReference(image, reference.tag, reference.digest))
        case "name":
            return marker.value
        case "digest":
            if marker.key == "image" or "/" in marker.value or "@" in marker.value:
                _fail(marker, "is an image reference, but its marker names the digest alone: leave out :digest")
            return tag.digest or marker.value
    if _whole(marker):
        return str(_reference(marker).at(tag, image if marker.part == "image" else ""))
    name, at, _ = marker.value.partition("@")
    if tag.digest:
        return str(tag) if at else tag.name
    return marker.value if name == tag.name else tag.name


def _check_digests(values: Mapping[Marker, str], tag: Tag) -> None:
    """Refuse to change the tag and keep the digest of a `:digest` marker: it would no longer fit (DESIGN 6)."""
    changes = any(value != marker.value for marker, value in values.items() if marker.part in ("image", "tag"))
    for marker in values:
        if marker.part == "digest" and changes:
            _fail(marker, f"is a digest, which must change with the tag: give --tag {tag.name}@sha256:<digest>")


def _agreed(tags: Iterable[Tag]) -> str:
    names = {tag.name for tag in tags if tag.name}
    digests = {tag.digest for tag in tags if tag.digest}
    if len(names) != 1:
        return ""
    return str(Tag(names.pop(), digests.pop() if len(digests) == 1 else ""))


def _splice(content: bytes, values: Iterable[tuple[Marker, str]]) -> bytes:
    pieces = []
    start = 0
    for marker, value in values:
        if value != marker.value:
            quote = marker.quote or ("" if is_plain_string(value) else '"')
            pieces += [content[start : marker.start], f"{quote}{value}{quote}".encode()]
            start = marker.end
    return b"".join([*pieces, content[start:]])


def _frame(content: bytes, group: str, app: str) -> list[bytes]:
    """Return the bytes around the scalars of an application, and the image names in them."""
    pieces = []
    start = 0
    for result in _scans({"": content}, group, app):
        for marker in result.markers:
            pieces += [content[start : marker.start], _image_of(marker).encode()]
            start = marker.end
    return [*pieces, content[start:]]


def _example(group: str, app: str) -> str:
    return f'# {{"$imagepolicy": "{group}:{app}:tag"}}'


def _fail(marker: Marker, what: str) -> NoReturn:
    raise ManifestError(f"{marker.at}: {marker.value[:200]!r} {what}")


# --- which files matter


def _scans(files: Mapping[str, bytes], group: str, app: str) -> Iterator[Scan]:
    """Yield the scan of each file that may hold the application's marker, of its own markers alone."""
    for path in sorted(files):
        if mentions(files[path], group, app):
            result = scan(files[path], path)
            yield Scan(
                markers=tuple(m for m in result.markers if (m.group, m.app) == (group, app)),
                misplaced=tuple(m for m in result.misplaced if (m.group, m.app) == (group, app)),
            )


def _readable(files: Mapping[str, bytes]) -> Iterator[Scan]:
    for path in sorted(files):
        try:
            yield scan(files[path], path)
        except ManifestError:
            continue
