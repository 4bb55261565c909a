"""Read the tags that `$imagepolicy` markers hold, and set new ones without touching another byte.

`scan` finds the marked scalars, and new bytes replace theirs. No YAML emitter is used: none keeps a file as it was
(docs/facts/flux.md).
"""

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import NoReturn

from gitops_promotion.core.markers.parts import Content, UnfitValueError, is_range
from gitops_promotion.core.markers.scan import Marker, Scan, scan
from gitops_promotion.core.markers.spelling import marker_comment, mentions
from gitops_promotion.core.tags import NO_TAG, Tag, check_image, is_plain_string, is_tag
from gitops_promotion.core.untrusted import quoted
from gitops_promotion.errors import Fault, ManifestError, UsageError

_LISTED = 10
_SHOWN = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Edited:
    """The result of setting a tag.

    `edits` has only files whose bytes change. `previous` is the tag that all markers had before, "" if they had none or
    several. `tag` is the tag that they have now, NO_TAG if they have only image names. `markers` is their number.
    """

    edits: dict[str, bytes]
    previous: str
    tag: Tag
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
    return agreed_tag([marker for result in _scans(files, group, app) for marker in result.markers])


def agreed_tag(live: Sequence[Marker]) -> Tag | None:
    """Return the tag that the live markers of one application agree on, as `read_tag` does. Raises ManifestError."""
    markers = [marker for marker in live if marker.part.has_version]
    if not markers:
        return None
    group, app = markers[0].group, markers[0].app
    tags = {marker: _checked_tag(marker) for marker in markers}
    name = _common(group, app, "tag", {marker: tag.name for marker, tag in tags.items()})
    digest = _common(group, app, "digest", {marker: tag.digest for marker, tag in tags.items()})
    if not name:
        _fail(markers[0], "has a :digest marker, and no other marker of the application has its tag: add one")
    return Tag(name, digest)


def _common(group: str, app: str, noun: str, values: Mapping[Marker, str]) -> str:
    """Return the value that all markers with a value agree on, "" if none has one."""
    values = {marker: value for marker, value in values.items() if value}
    if len(set(values.values())) > 1:
        places = ", ".join(f"{marker.at} = {value}" for marker, value in values.items())
        raise ManifestError(
            f"the markers of {group}:{app} disagree on the {noun}: {places}; make them agree",
            faults=[
                Fault(m.path, m.line, f"the {noun} of {group}:{app} is {value} here") for m, value in values.items()
            ],
        )
    return next(iter(values.values()), "")


def set_tag(
    files: Mapping[str, bytes],
    *,
    group: str,
    app: str,
    tag: Tag,
    image: str = "",
    location: str = "the files read",
    pin: bool = True,
) -> Edited:
    """Return the edits that put `tag` (and `image` as the new name, if given) where the application's markers say.

    `location` names the files in the error that there is no marker. With `pin` False no digest is added to a value that
    is a tag alone, and it is no error if no marker can have the digest.

    Raises ManifestError if there is nowhere to put the tag, its digest or the image name, if a marked value cannot take
    its part, if an unmarked digest stands beside a value that changes, or if a file that carries the application's
    marker does not parse; UsageError if `image` is no image name.
    """
    if image:
        check_image(image)
    scans = list(_scans(files, group, app))
    markers = [marker for result in scans for marker in result.markers]
    if not markers:
        raise missing(files, group, app, location)
    contents = {marker: _read(marker) for marker in markers if image or marker.part.has_version}
    if pin:
        contents = {marker: content.pinned() for marker, content in contents.items()}
    warnings = [str(misplaced) for result in scans for misplaced in result.misplaced]
    warnings += _check_slots(markers, contents, tag, image, pin=pin)
    values = {marker: _updated(marker, content, tag, image) for marker, content in contents.items()}
    _check_digests(values, tag)
    edits: dict[str, bytes] = {}
    # `values` are in the order of the paths, and of the scalars in each file.
    for path, of_path in groupby(values.items(), key=lambda item: item[0].path):
        spliced = _splice(files[path], of_path)
        if spliced != files[path]:
            edits[path] = spliced
    return Edited(
        edits=edits,
        previous=_agreed([content.tag for marker, content in contents.items() if marker.part.has_version]),
        tag=tag if _can_hold(contents.values(), tag) else NO_TAG,
        warnings=tuple(warnings),
        markers=len(markers),
    )


def _check_slots(
    markers: Sequence[Marker], contents: Mapping[Marker, Content], tag: Tag, image: str, *, pin: bool
) -> list[str]:
    """Return warnings. Raise ManifestError if the markers have no slot for the tag, its digest or the image name."""
    first = next((marker for marker in markers if marker.part.has_version), markers[0])
    names = (first.group, first.app)
    slots = {slot for content in contents.values() for slot in content.sets}
    if image and "name" not in slots:
        _fail(first, "holds no image name, nor does another marker: leave out --image, or add a :name marker")
    if tag.digest and pin and "digest" not in slots:
        _fail(
            first,
            f"cannot hold the digest of {tag.name}@{tag.digest[:19]}..., nor can another marker: put "
            f"{marker_comment(*names, 'digest')} behind the digest of the image, or write the value as "
            f"{first.value or '<tag>'}@sha256:<digest>",
        )
    if _can_hold(contents.values(), tag):
        return []
    advice = f"put {marker_comment(*names, 'tag')} behind the tag or the image"
    if not image:
        _fail(first, f"cannot hold a tag: {advice}")
    return [f"{first.at}: no marker of {first.group}:{first.app} holds its tag, only the name changes: {advice}"]


def _can_hold(contents: Iterable[Content], tag: Tag) -> bool:
    """Return True if one of the values can have the tag, or its digest alone."""
    return any("tag" in content.sets or (tag.digest and "digest" in content.sets) for content in contents)


def only_tags_differ(old: bytes, new: bytes, group: str, app: str) -> bool:
    """Return True if two versions of a file differ in tags and digests of this application's markers alone.

    Every byte outside the marked scalars is the same, and so are the image names in them. False if a version does not
    parse.
    """
    try:
        return _frame(old, group, app) == _frame(new, group, app)
    except ManifestError:
        return False


def missing(files: Mapping[str, bytes], group: str, app: str, location: str) -> ManifestError:
    """Return the error for a location without a live marker of an application; it names the nearest application."""
    results = list(_readable(files))
    misplaced = [m for result in results for m in result.misplaced if (m.group, m.app) == (group, app)]
    names = sorted({f"{marker.group}:{marker.app}" for result in results for marker in result.markers})
    text = f'no "$imagepolicy" marker of {group}:{app} in {location}'
    if misplaced:
        reasons = "; ".join(f"{m.path}:{m.line}: {m.reason}" for m in misplaced[:_LISTED])
        return ManifestError(
            f"{text} has an effect: {reasons}", faults=[Fault(m.path, m.line, str(m.reason)) for m in misplaced]
        )
    text += f": put {marker_comment(group, app, 'tag')} behind the tag to set"
    if near := _nearest(group, app, [(marker.group, marker.app) for result in results for marker in result.markers]):
        text += f", or did you mean {near}?"
    if not names:
        return ManifestError(f"{text} (found no marker of any application)")
    remainder = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ManifestError(f"{text} (found: {', '.join(names[:_LISTED])}{remainder})")


def _nearest(group: str, app: str, names: Sequence[tuple[str, str]]) -> str:
    """Return the marker that may be meant, "" if there is none.

    Group and application are compared separately: a long name that is correct does not make up for a short name that is
    quite different.
    """
    groups = sorted({name for name, _ in names})
    for near_group in difflib.get_close_matches(group, groups):
        applications = sorted({application for name, application in names if name == near_group})
        if near := difflib.get_close_matches(app, applications, n=1):
            return f"{near_group}:{near[0]}"
    other_names = sorted({name for name, application in names if application == app})
    return f"{other_names[0]}:{app}" if other_names else ""


# --- the new values


def _read(marker: Marker) -> Content:
    """Return the content of a marked value. Raises ManifestError if it cannot be what its marker says."""
    try:
        return marker.part.read(marker.marked)
    except UnfitValueError as error:
        suffix = error.suffix
        advice = "" if suffix is None else f": write {marker_comment(marker.group, marker.app, suffix)}"
        _fail(marker, f"{error}{advice}")


def _checked_tag(marker: Marker) -> Tag:
    """Return the tag in a marked value; its name is "" for a digest alone, which may be empty. Raises ManifestError."""
    tag = _read(marker).tag
    name = tag.name or ("" if marker.part.has_tag else "any")
    try:
        Tag.parse(str(Tag(name, tag.digest)))
    except UsageError:
        if is_range(name) and not is_tag(name):
            _fail(
                marker, "is a range of versions, which names no tag: run `gitops-promotion new`, or write one version"
            )
        _fail(marker, f"holds no {'image tag' if marker.part.has_tag else 'digest'} that can be read: correct it")
    return tag


def unfit(marker: Marker) -> tuple[str, str] | None:
    """Return the problem with a marked value and the step that solves it, None if its marker can read it."""
    value = quoted(marker.value, _SHOWN)
    try:
        marker.part.read(marker.marked)
    except UnfitValueError as error:
        problem, _, step = str(error).partition(": ")
        if error.suffix is not None:
            step = f"write {marker_comment(marker.group, marker.app, error.suffix)}"
        return f"{value} {problem}", step
    if marker.part.has_version:
        try:
            _checked_tag(marker)
        except ManifestError:
            noun = "image tag" if marker.part.has_tag else "digest"
            return f"{value} holds no {noun} that can be read", "correct it"
    return None


def _updated(marker: Marker, content: Content, tag: Tag, image: str) -> str:
    try:
        return content.updated(tag, image)
    except UnfitValueError as error:
        _fail(marker, str(error))


def _check_digests(values: Mapping[Marker, str], tag: Tag) -> None:
    """Raise ManifestError for a change that keeps the digest of the image, which belongs to the old tag."""
    tag_changes = any(marker.part.has_tag and value != marker.value for marker, value in values.items())
    for marker, value in values.items():
        pinned_alone = marker.part.has_version and not marker.part.has_tag and marker.value
        if pinned_alone and tag_changes and not tag.digest:
            _fail(marker, f"is a digest, which must change with the tag: give --tag {tag.name}@sha256:<digest>")
        if marker.digest_line and value != marker.value:
            raise ManifestError.at(
                marker.path,
                marker.digest_line,
                f"this digest stands beside a marked value that changes, and would keep the old image: put "
                f"{marker_comment(marker.group, marker.app, 'digest')} behind it, or remove it",
            )


def _agreed(tags: Sequence[Tag]) -> str:
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
            frame = _read(marker).frame if marker.part.has_version else marker.value
            pieces += [content[start : marker.start], frame.encode()]
            start = marker.end
    return [*pieces, content[start:]]


def _fail(marker: Marker, problem: str) -> NoReturn:
    raise ManifestError.at(marker.path, marker.line, f"{quoted(marker.value, _SHOWN)} {problem}")


# --- the files with markers


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


def with_stand_ins(content: bytes, path: str, tags: Mapping[tuple[str, str], Tag]) -> bytes:
    """Return a file in which the tags in `tags` replace those of the markers of their (group, app).

    Such a value loses its digest; a value that its marker cannot read stays. Raises ManifestError for a file that does
    not parse.
    """
    values: list[tuple[Marker, str]] = []
    for marker in scan(content, path).markers:
        tag = tags.get((marker.group, marker.app))
        if tag is None or not marker.part.has_version:
            continue
        try:
            values.append((marker, marker.part.read(marker.marked).updated(tag, "")))
        except UnfitValueError:
            continue
    return _splice(content, values)
