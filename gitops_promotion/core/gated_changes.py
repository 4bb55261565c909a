"""What a pull request changes of the tags that gates must judge: by the place of each marked value, not by text.

A change of the value at a place counts, whether its marker stays or goes. A marker that goes from one place and comes
to another could hide a change, so it is an error, and so is an image that goes on elsewhere without a marker
(docs/concepts.md, What the gate compares).
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from gitops_promotion.core.commits import LFS_POINTER, FileChange
from gitops_promotion.core.layout import Claim, Layout, MarkerName
from gitops_promotion.core.markers import Marker, is_manifest, scan
from gitops_promotion.core.markers.parts import UnfitValueError, Value
from gitops_promotion.core.markers.places import StablePlace, read_values
from gitops_promotion.core.strays import Stray
from gitops_promotion.core.tags import Tag
from gitops_promotion.errors import ManifestError

Effect = Literal["tag", "name", "unmarked", "removed"]
"""What happens to a marked value: its tag changes, only its image name does, its tag changes as its marker goes, or the
value itself goes."""


@dataclass(frozen=True, slots=True)
class GatedChange:
    """A marked value that a pull request changes, of one application in one environment.

    `tag` is the new tag of a value whose marker goes. `unseen` are the differences that no gate can judge, such as
    another image name.
    """

    claim: Claim
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
    """One side of a changed file: its markers of versions, and all its values by stable place."""

    marked: tuple[_Marked, ...] = ()
    texts: Mapping[StablePlace, str]


def gated_changes(
    changes: Sequence[FileChange], blobs: Mapping[str, bytes], layout: Layout, gated: Collection[str]
) -> GatedChanges:
    """Return what a diff changes of marked values.

    `blobs` has the contents of all regular files of the diff, `gated` are the environments that have gates. Raises
    ManifestError, naming file and line, for a manifest that no longer parses, for a marked file that becomes something
    else than a file, and for a marker or an image whose change could not be followed.
    """
    before = {c.path: _read(c.path, c.old_file, blobs, strict=False) for c in changes if is_manifest(c.path)}
    after = {c.path: _read(c.path, c.new_file, blobs, strict=True) for c in changes if is_manifest(c.path)}
    gone = {path: list(_gone(before[path], after[path])) for path in before}
    arrived = {path: list(_gone(after[path], before[path])) for path in before}
    _forget_moved_files(changes, gone, arrived)
    lost = [
        _Lost(marked=marked, path=path, claim=claim)
        for path, markers in gone.items()
        for marked in markers
        for claim in layout.claims(path, marked.name)
        if claim.environment in gated
    ]
    _check_kinds(changes, blobs, lost)
    _check_moves(lost, arrived, layout)
    _check_images(changes, blobs, [m for m in lost if m.marked.place not in after[m.path].texts], after)
    gated_changes: dict[GatedChange, None] = {}
    unclaimed: dict[Stray, None] = {}
    for path in sorted(before):
        for marker, effect, tag, unseen in _differences(before[path], after[path], gone[path], arrived[path]):
            name = MarkerName(marker.group, marker.app)
            claims = layout.claims(path, name)
            gated_changes |= dict.fromkeys(GatedChange(claim, effect, tag, unseen) for claim in claims)
            if not claims:
                unclaimed[Stray(path, marker.line, name)] = None
    return GatedChanges(changes=tuple(gated_changes), unclaimed=tuple(unclaimed))


def _read(path: str, blob: str | None, blobs: Mapping[str, bytes], *, strict: bool) -> _File:
    if blob is None:
        return _File(texts={})
    content = blobs[blob]
    try:
        markers = [marker for marker in scan(content, path).markers if marker.part.has_version]
    except ManifestError:
        if strict:
            raise
        # A manifest that did not parse before counts as empty: whatever it says now is a change.
        return _File(texts={})
    if not markers and b"imagepolicy" not in content and len(content) > 1 << 20:
        return _File(texts={})
    values = read_values(content, path)
    marked = [_Marked(marker=m, place=values.stable.get(m.place, (path, *map(str, m.place)))) for m in markers]
    return _File(marked=tuple(marked), texts=values.texts)


def _gone(one: _File, other: _File) -> Iterator[_Marked]:
    """Yield the markers of one side that the other does not have at their place."""
    identities = {marked.identity for marked in other.marked}
    return (marked for marked in one.marked if marked.identity not in identities)


def _forget_moved_files(
    changes: Sequence[FileChange], gone: dict[str, list[_Marked]], arrived: dict[str, list[_Marked]]
) -> None:
    """Leave out files that only have a new name in the same folder: nothing in them has changed."""
    added = {(c.new_file or "", _folder(c.path)): c.path for c in changes if c.old is None and c.new_file}
    for change in changes:
        if change.new is None and (target := added.get((change.old_file or "", _folder(change.path)))):
            gone[change.path] = []
            arrived[target] = []


def _folder(path: str) -> str:
    return path.rpartition("/")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Lost:
    """A marker that is no longer at its place, in an environment that has gates."""

    marked: _Marked
    path: str
    claim: Claim

    def error(self, problem: str, advice: str) -> ManifestError:
        text = f"the marker of {self.claim.application} {problem}, past the gate of {self.claim.environment}: {advice}"
        return ManifestError.at(self.path, self.marked.marker.line, text)


def _check_kinds(changes: Sequence[FileChange], blobs: Mapping[str, bytes], lost: Sequence[_Lost]) -> None:
    """Raise for a marked file, or a folder with one, that becomes a link, a submodule or a pointer to a large file."""
    for change in changes:
        kind = {"symlink": "a symbolic link", "submodule": "a submodule"}.get(change.new_kind if change.new else "", "")
        if change.new_file and blobs.get(change.new_file, b"").startswith(LFS_POINTER):
            kind = "a pointer to a large file (Git LFS)"
        for lost_marker in lost if kind else ():
            if lost_marker.path == change.path or lost_marker.path.startswith(f"{change.path}/"):
                raise lost_marker.error(f"goes as {change.path} becomes {kind}", "keep manifests as files")


def _check_moves(lost: Sequence[_Lost], arrived: Mapping[str, Sequence[_Marked]], layout: Layout) -> None:
    """Raise for a marker that goes from one place and comes to another: the value under it could change unseen."""
    targets = {
        claim: marked.marker.at
        for path, markers in arrived.items()
        for marked in markers
        for claim in layout.claims(path, marked.name)
    }
    for lost_marker in lost:
        if target := targets.get(lost_marker.claim):
            raise lost_marker.error(
                f"moves to {target}", "remove the marker in one pull request, and add it in another"
            )


def _check_images(
    changes: Sequence[FileChange], blobs: Mapping[str, bytes], lost: Sequence[_Lost], after: Mapping[str, _File]
) -> None:
    """Raise for an image whose marked value goes while another changed file has it, unmarked, with another tag."""
    for lost_marker in lost:
        marker = lost_marker.marked.marker
        content = _content(marker, marker.value)
        for path, reference in (
            _unmarked_references(changes, blobs, after, content[0]) if content and content[0] else ()
        ):
            if reference != marker.value:
                raise lost_marker.error(
                    f"is removed while its image goes on in {path} as {reference[:200]!r}",
                    "remove the marker in one pull request, and change the tag in another",
                )


def _unmarked_references(
    changes: Sequence[FileChange], blobs: Mapping[str, bytes], after: Mapping[str, _File], image: str
) -> Iterator[tuple[str, str]]:
    pattern = re.compile(rb"(?<![\w./-])" + re.escape(image.encode()) + rb"[:@][^\s\"'#,]+")
    for change in changes:
        if change.new_file is None:
            continue
        marked = {m.marker.value for m in after[change.path].marked} if change.path in after else set()
        for match in pattern.finditer(blobs.get(change.new_file, b"")):
            reference = match[0].decode(errors="replace")
            if reference not in marked:
                yield change.path, reference


_Difference = tuple[Marker, Effect, Tag | None, tuple[str, ...]]


def _differences(
    before: _File, after: _File, gone: Iterable[_Marked], arrived: Iterable[_Marked]
) -> Iterator[_Difference]:
    """Yield the marked values that differ. A marker alone that goes or comes is no difference."""
    old_markers = {marked.identity: marked.marker for marked in before.marked}
    for marked in after.marked:
        old = old_markers.get(marked.identity)
        if old is not None and old.value != marked.marker.value:
            yield _difference(marked.marker, old.value, marked.marker.value)
    for marked in gone:
        text = after.texts.get(marked.place)
        if text is None:
            yield marked.marker, "removed", None, ()
        elif text != marked.marker.value:
            marker, effect, tag, unseen = _difference(marked.marker, marked.marker.value, text)
            yield marker, "unmarked" if effect == "tag" else effect, tag, unseen
    for marked in arrived:
        text = before.texts.get(marked.place)
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
