"""Which marked values a pull request changes: gates must judge their tags.

Values are compared by their place in the file, not by lines of text. A changed value counts whether its marker stays or
is removed. A marker that is removed at one place and added at another could hide a change, so it is an error. So is an
image whose marked value is removed while another file names the image without a marker (docs/concepts.md, What the gate
compares).
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from gitops_promotion.core.commits import LFS_POINTER, FileChange
from gitops_promotion.core.images import VERSION_KEYS, name_beside
from gitops_promotion.core.layout import Layout, MarkerName
from gitops_promotion.core.marker_conflicts import conflict_of
from gitops_promotion.core.markers import Marker, is_manifest, scan
from gitops_promotion.core.markers.parts import UnfitValueError, Value
from gitops_promotion.core.markers.places import StablePlace, Values, read_values
from gitops_promotion.core.names import Site
from gitops_promotion.core.strays import Stray
from gitops_promotion.core.tags import Tag
from gitops_promotion.core.untrusted import quoted
from gitops_promotion.errors import ManifestError

# Values are looked for in files of any name up to this size, in manifests of any size.
_OTHER_FILES = 1 << 20

Effect = Literal["tag", "name", "unmarked", "removed"]
"""What happens to a marked value.

`tag`: its tag changes. `name`: only its image name changes. `unmarked`: its tag changes and its marker is removed.
`removed`: the value is removed.
"""


@dataclass(frozen=True, slots=True)
class GatedChange:
    """A marked value that a pull request changes, of one application in one environment.

    `tag` is the new tag, None for a value that is removed. `unseen` are the differences that no gate can judge, such as
    another image name.
    """

    site: Site
    effect: Effect
    tag: Tag | None = None
    unseen: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class GatedChanges:
    """The changes that gates judge, and the markers of changed values that no environment claims."""

    changes: tuple[GatedChange, ...] = ()
    unclaimed: tuple[Stray, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Marked:
    """A marker with the stable place of its value."""

    marker: Marker
    place: StablePlace

    @property
    def name(self) -> MarkerName:
        return MarkerName(self.marker.group, self.marker.app)

    @property
    def identity(self) -> tuple[StablePlace, MarkerName]:
        return self.place, self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    """One side of a changed file: its markers of tags and digests, and all its values by stable place."""

    marked: tuple[_Marked, ...] = ()
    values: Values = field(default_factory=Values)


def gated_changes(
    changes: Sequence[FileChange], blobs: Mapping[str, bytes], layout: Layout, gated: Collection[str]
) -> GatedChanges:
    """Return the changes of marked values in a diff.

    `blobs` has the contents of all regular files of the diff, `gated` are the environments that have gates. Raises
    ManifestError, naming file and line, for a manifest that no longer parses, for a marked file that becomes a link, a
    submodule or a pointer to a large file, and for a marker or an image whose change could not be followed.
    """
    before: dict[str, _File] = {}
    after: dict[str, _File] = {}
    for change in changes:
        if is_manifest(change.path):
            before[change.path], after[change.path] = _read(change, blobs)
    missing = {path: list(_gone(before[path], after[path])) for path in before}
    arrived = {path: list(_gone(after[path], before[path])) for path in before}
    _forget_moved_files(changes, missing, arrived, layout)
    lost_markers = [
        _Lost(marked=marked, path=path, site=site)
        for path, markers in missing.items()
        for marked in markers
        for site in layout.claims(path, marked.name)
        if site.environment in gated
    ]
    removed = [marker for marker in lost_markers if marker.marked.place not in after[marker.path].values.texts]
    _check_kinds(changes, blobs, lost_markers, removed, layout)
    _check_readable(lost_markers, after)
    for path in before:
        marked = (*before[path].marked, *after[path].marked)
        if any(c.environment in gated for name in {m.name for m in marked} for c in layout.claims(path, name)):
            _check_keys(path, before[path], after[path])
    _check_moves(lost_markers, arrived, layout)
    _check_images(changes, blobs, removed, before, after)
    gated_changes: dict[GatedChange, None] = {}
    unclaimed: dict[Stray, None] = {}
    for path in sorted(before):
        for marker, effect, tag, unseen in _differences(before[path], after[path], missing[path], arrived[path]):
            name = MarkerName(marker.group, marker.app)
            claims = layout.claims(path, name)
            if effect in ("tag", "name") and (conflict := conflict_of(layout, name, claims)):
                raise ManifestError.at(path, marker.line, conflict)
            gated_changes |= dict.fromkeys(GatedChange(site, effect, tag, unseen) for site in claims)
            if not claims:
                unclaimed[Stray(path, marker.line, name)] = None
    return GatedChanges(changes=tuple(gated_changes), unclaimed=tuple(unclaimed))


MARKER_REMOVED = "its marker is removed, a manual change: its tag is not gated any more"


def manual_change(changes: Sequence[GatedChange]) -> str:
    """Return why the changes of one application are a manual change, whose tag no gate judges; "" if they are not."""
    effects = {change.effect for change in changes}
    if effects <= {"removed"}:
        return MARKER_REMOVED
    if effects <= {"name", "removed"}:
        unseen = dict.fromkeys(text for change in changes for text in change.unseen)
        return f"a manual change that no gate has seen: {', '.join(unseen)}"
    return ""


def _read(change: FileChange, blobs: Mapping[str, bytes]) -> tuple[_File, _File]:
    """Return both sides of a changed manifest; both are empty if neither side has a marker."""
    sides = [(blobs[blob] if blob else None) for blob in (change.old_file, change.new_file)]
    after = _markers(change.path, sides[1])
    try:
        before = _markers(change.path, sides[0])
    except ManifestError:
        # A manifest that did not parse before counts as empty: everything that it says now is a change.
        before, sides[0] = [], None
    if not before and not after:
        return _File(), _File()
    return _file(change.path, sides[0], before), _file(change.path, sides[1], after)


def _markers(path: str, content: bytes | None) -> list[Marker]:
    return [marker for marker in scan(content, path).markers if marker.part.has_version] if content else []


def _file(path: str, content: bytes | None, markers: Sequence[Marker]) -> _File:
    values = read_values(content, path) if content else Values()
    marked = [_Marked(marker=m, place=values.stable.get(m.place, (path, *map(str, m.place)))) for m in markers]
    return _File(marked=tuple(marked), values=values)


def _gone(side: _File, other_side: _File) -> Iterator[_Marked]:
    """Yield the markers of one side that the other does not have at their place."""
    identities = {marked.identity for marked in other_side.marked}
    return (marked for marked in side.marked if marked.identity not in identities)


def _forget_moved_files(
    changes: Sequence[FileChange],
    missing: dict[str, list[_Marked]],
    arrived: dict[str, list[_Marked]],
    layout: Layout,
) -> None:
    """Empty the lists of files that only got a new name in the same folder and environment: no value has changed."""
    added = {(c.new_file or "", _folder(c.path)): c.path for c in changes if c.old is None and c.new_file}
    for change in changes:
        if change.new is not None or not (target := added.get((change.old_file or "", _folder(change.path)))):
            continue
        names = {marked.name for marked in missing.get(change.path, ())}
        if all(layout.claims(change.path, name) == layout.claims(target, name) for name in names):
            missing[change.path] = []
            arrived[target] = []


def _folder(path: str) -> str:
    return path.rpartition("/")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Lost:
    """A marker that is no longer at its place, in an environment that has gates."""

    marked: _Marked
    path: str
    site: Site

    def error(self, problem: str, advice: str) -> ManifestError:
        text = f"the marker of {self.site.application} {problem}, past the gate of {self.site.environment}: {advice}"
        return ManifestError.at(self.path, self.marked.marker.line, text)


def _check_kinds(
    changes: Sequence[FileChange],
    blobs: Mapping[str, bytes],
    lost_markers: Sequence[_Lost],
    removed: Sequence[_Lost],
    layout: Layout,
) -> None:
    """Raise for a marked file, or a folder with one, that becomes a link, a submodule or a pointer to a large file.

    Raise also for one that is removed while such an entry is added to its environment.
    """
    for change in changes:
        kind = {"symlink": "a symbolic link", "submodule": "a submodule"}.get(change.new_kind if change.new else "", "")
        if change.new_file and blobs.get(change.new_file, b"").startswith(LFS_POINTER):
            kind = "a pointer to a large file (Git LFS)"
        for lost_marker in lost_markers if kind else ():
            if lost_marker.path == change.path or lost_marker.path.startswith(f"{change.path}/"):
                raise lost_marker.error(f"is lost because {change.path} becomes {kind}", "keep manifests as files")
        environments = layout.in_reach(change.path) if kind and removed else ()
        for lost_marker in removed:
            if lost_marker.site.environment in environments:
                raise lost_marker.error(f"is removed while {change.path} is added as {kind}", "keep manifests as files")


def _check_readable(lost_markers: Sequence[_Lost], after: Mapping[str, _File]) -> None:
    """Raise for a marked file that becomes one whose values cannot be followed."""
    for lost_marker in lost_markers:
        if not after[lost_marker.path].values.readable:
            raise lost_marker.error(
                "is lost because the file cannot be read any more", "write it as YAML in UTF-8, of at most 16 MiB"
            )


def _check_keys(path: str, before: _File, after: _File) -> None:
    """Raise for a key that the change puts into a mapping a second time, and for a marked value that is there twice."""
    new = {place: line for place, line in after.values.repeated.items() if place not in before.values.repeated}
    new |= {marked.place: marked.marker.line for marked in after.marked if marked.place in after.values.ambiguous}
    if new:
        place, line = next(iter(new.items()))
        problem = f"the key {quoted(place[-1])} is there twice, and readers differ in which one counts: remove one"
        raise ManifestError.at(path, line, problem)


def _check_moves(lost_markers: Sequence[_Lost], arrived: Mapping[str, Sequence[_Marked]], layout: Layout) -> None:
    """Raise for a marker that is removed at one place and added at another: its value could change unseen."""
    targets = {
        site: marked.marker.at
        for path, markers in arrived.items()
        for marked in markers
        for site in layout.claims(path, marked.name)
    }
    for lost_marker in lost_markers:
        if target := targets.get(lost_marker.site):
            raise lost_marker.error(
                f"moves to {target}", "remove the marker in one pull request, and add it in another"
            )


def _check_images(
    changes: Sequence[FileChange],
    blobs: Mapping[str, bytes],
    removed: Sequence[_Lost],
    before: Mapping[str, _File],
    after: Mapping[str, _File],
) -> None:
    """Raise for an image whose marked value is removed while a changed file has it, unmarked, with another tag."""
    texts = _unmarked_texts(changes, blobs, after) if removed else {}
    for lost_marker in removed:
        marker = lost_marker.marked.marker
        content = _content(marker, marker.value)
        if not content:
            continue
        name, value = content[0], marker.value
        if not name:
            # The value is a tag or a digest, and another key of its mapping has the name.
            name = name_beside(lost_marker.marked.place, before[lost_marker.path].values)
            value = _reference(name, value)
        if not name:
            continue
        pattern = re.compile(r"(?<![\w./-])" + re.escape(name) + r"[:@][^\s\"'#,]+")
        for path, text in texts.items():
            for match in pattern.finditer(text):
                if not value.endswith(match[0]):
                    raise lost_marker.error(
                        f"is removed while its image remains in {path} as {quoted(match[0], 200)}",
                        "remove the marker in one pull request, and change the tag in another",
                    )


def _unmarked_texts(
    changes: Sequence[FileChange], blobs: Mapping[str, bytes], after: Mapping[str, _File]
) -> Mapping[str, str]:
    """Return by path the text of each changed file and, one on a line, its values; marked values are left out of both.

    A tag or a digest with the name of its image beside it is there a second time, together with that name.
    """
    texts = {}
    for change in changes:
        content = blobs.get(change.new_file or "")
        if content is None:
            continue
        marked = after[change.path].marked if change.path in after else ()
        pieces, start = [], 0
        for marker in sorted((m.marker for m in marked), key=lambda marker: marker.start):
            pieces.append(content[start : marker.start])
            start = marker.end
        places = {m.place for m in marked}
        # An escape can hide an image in the text, but not in a value. Text that is not YAML has no values.
        read = read_values(content, change.path) if change.path in after or len(content) < _OTHER_FILES else Values()
        values: list[str] = []
        for place, text in read.texts.items():
            if place not in places:
                name = name_beside(place, read) if place[-1] in VERSION_KEYS else ""
                values += [text, _reference(name, text)] if name and text else [text]
        texts[change.path] = "\n".join([b" ".join([*pieces, content[start:]]).decode(errors="replace"), *values])
    return texts


def _reference(name: str, version: str) -> str:
    """Return the reference of an image, from its name and a tag or a digest."""
    return f"{name}@{version}" if version.startswith("sha256:") else f"{name}:{version}"


_Difference = tuple[Marker, Effect, Tag | None, tuple[str, ...]]


def _differences(
    before: _File, after: _File, missing: Iterable[_Marked], arrived: Iterable[_Marked]
) -> Iterator[_Difference]:
    """Yield the marked values that differ. A marker that is added or removed at an equal value is no difference."""
    old_markers = {marked.identity: marked.marker for marked in before.marked}
    for marked in after.marked:
        old = old_markers.get(marked.identity)
        if old is not None and old.value != marked.marker.value:
            yield _difference(marked.marker, old.value, marked.marker.value)
    for marked in before.marked:
        # A value of its own may replace an alias of a marked value, or a merge of its mapping.
        for place in before.values.twins.get(marked.place, ()):
            text = after.values.texts.get(place)
            if text is not None and text not in (marked.marker.value, after.values.texts.get(marked.place)):
                marker, effect, tag, unseen = _difference(marked.marker, marked.marker.value, text)
                yield marker, "unmarked" if effect == "tag" else effect, tag, unseen
    for marked in missing:
        text = after.values.texts.get(marked.place)
        if text is None:
            yield marked.marker, "removed", None, ()
        elif text != marked.marker.value:
            marker, effect, tag, unseen = _difference(marked.marker, marked.marker.value, text)
            yield marker, "unmarked" if effect == "tag" else effect, tag, unseen
    for marked in arrived:
        text = before.values.texts.get(marked.place)
        if text != marked.marker.value:
            yield _difference(marked.marker, text or "", marked.marker.value)


def _difference(marker: Marker, old: str, new: str) -> _Difference:
    content = _content(marker, new)
    if content is None:
        raise ManifestError.at(
            marker.path, marker.line, f"{new[:200]!r} is no version that the gate can judge: write a tag"
        )
    name, tag = content
    old_content = _content(marker, old) if old else None
    if old_content is None or old_content[0] == name:
        return marker, "tag", tag, ()
    unseen = (f"the image name {old_content[0] or '(none)'} -> {name or '(none)'}",)
    return marker, "name" if old_content[1] == tag else "tag", tag, unseen


def _content(marker: Marker, text: str) -> tuple[str, Tag] | None:
    """Return the image name and the tag in a value, read as the marker's part reads it; None if it cannot be."""
    try:
        content = marker.part.read(Value(text=text, key=marker.key, digest_beside=marker.digest_beside))
    except UnfitValueError:
        return None
    return content.name, content.tag
