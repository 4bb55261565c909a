"""The parts of an image that a marker can name: the whole image, its tag, its name or its digest.

A part reads a marked value, and the content that it returns gives the value for a new tag. A new part is a function
that reads values, and a line in `PARTS`. No part reads a value that it would damage: it raises UnfitValueError.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from gitops_promotion.core.tags import NO_TAG, ImageReference, Tag, is_digest, is_tag

Slot = Literal["name", "tag", "digest"]

# `KEY=value` is an item of kustomize's literals, an environment variable or an argument, such as `--set=image.tag=1`.
_ASSIGNMENT = re.compile(r"(-{0,2}(?:[A-Za-z_][A-Za-z0-9_./\[\]-]*=)+)([^=]*)", re.DOTALL)
# A version of semver and the ranges that Helm and Flux take: `1.2.3+build`, `^1.2`, `>=1.0.0 <2.0.0`, `1.x`.
_SEMVER = r"[vV]?(?:[0-9]+|[xX*])(?:\.(?:[0-9]+|[xX*]))*(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?"
_RANGE = re.compile(rf"(?:[=!<>~^]{{0,2}} ?{_SEMVER})(?:(?: ?\|\| ?| ?, ?| - | )[=!<>~^]{{0,2}} ?{_SEMVER})*")
_MAX_RANGE = 100
# No image has such a name: `1.2.3`, `v7`, `20240131-abc1234`, `latest`, a commit.
_VERSION = re.compile(
    r"[vV]?[0-9]+(?:\.[0-9A-Za-z]+)*(?:[-+_][0-9A-Za-z.+_-]*)?|latest|stable|(?=[a-f]*[0-9])[0-9a-f]{7,12}|[0-9a-f]{40}"
)
_TAG_KEY = re.compile(r".*(?:[Tt]ag|[Vv]ersion|[Rr]evision)|ref|semver|branch|commit")
_NAME_KEYS = frozenset({"name", "newName", "repository", "registry"})
_CHART_KEYS = frozenset({"chart", "helm.sh/chart"})
_DIGEST_KEY = re.compile(r".*[Dd]igest|sha|sha256")
_DIGEST_VALUE = re.compile(r"@?sha[0-9]+:[0-9a-f]{32,}|[0-9a-f]{64}")
# Values that parse as image names, but are none: git's refs, and files.
_NO_IMAGE = re.compile(r"refs/.*|.*://.*|.*\.(?:tgz|tar\.gz|zip|ya?ml|json)")


class UnfitValueError(Exception):
    """A marked value that does not fit its marker. The text says why, and what to do unless a suffix helps.

    `suffix` is that of the marker to write in place of the present one, None if no suffix helps.
    """

    def __init__(self, problem: str, *, suffix: str | None = None) -> None:
        super().__init__(problem)
        self.suffix = suffix


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """A marked value and its key ("" for an item of a list).

    `digest_beside`: the digest of the image is in the same mapping.
    """

    text: str
    key: str
    digest_beside: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """The image name, the tag and the digest in a marked value, unchecked; `sets` are those that a new tag replaces.

    `prefix` is the text before them, which stays: the `KEY=` of `KEY=value`. `pinnable`: a digest may be added to the
    tag.
    """

    prefix: str = ""
    name: str = ""
    tag: Tag = NO_TAG
    sets: frozenset[Slot]
    pinnable: bool = False

    @property
    def frame(self) -> str:
        """The text that stays, whatever the tag and the digest are."""
        return self.prefix + self.name

    def pinned(self) -> "Content":
        """Return the content with the digest among those that a new tag replaces, if it may be added."""
        return replace(self, sets=self.sets | {"digest"}) if self.pinnable else self

    def updated(self, tag: Tag, image: str) -> str:
        """Return the value for a new tag, and for a new image name unless that is "".

        A digest stays only if name and tag stay: it belongs to them. Raises UnfitValueError if no name is known.
        """
        name = image if image and "name" in self.sets else self.name
        if "name" in self.sets and not name:
            raise UnfitValueError("is empty: write the name of the image, or set it by `set-tag --image NAME`")
        version = tag.name if "tag" in self.sets else self.tag.name
        digest = self.tag.digest
        if "digest" in self.sets:
            digest = tag.digest or (digest if (name, version) == (self.name, self.tag.name) else "")
        if name:
            return self.prefix + str(ImageReference(name, version, digest))
        return self.prefix + (str(Tag(version, digest)) if version else digest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of an image, and the suffix of its markers ("" for none).

    `sets` are the slots that its values can have; `read` raises UnfitValueError for a value that cannot be this part.
    """

    suffix: str
    sets: frozenset[Slot]
    read: Callable[[Value], Content]

    @property
    def has_tag(self) -> bool:
        """True if its values have the tag of an image."""
        return "tag" in self.sets

    @property
    def has_version(self) -> bool:
        """True if its values have the version of an image: its tag, its digest or both."""
        return "tag" in self.sets or "digest" in self.sets


def is_digest_entry(key: str, text: str) -> bool:
    """Return True if a key and its value are an image's digest: `digest: sha256:...`, or `sha: ...` in some charts."""
    return len(text) >= 32 and bool(_DIGEST_KEY.fullmatch(key) and _DIGEST_VALUE.fullmatch(text))


def _whole_image(value: Value) -> Content:
    prefix, value = _behind_assignment(value)
    if not value.text:
        return Content(sets=frozenset({"name", "tag", "digest"}))
    if is_digest(value.text):
        raise UnfitValueError("is a digest, but its marker names the whole image", suffix="digest")
    if is_range(value.text):
        raise UnfitValueError("is a version, but its marker names the whole image", suffix="tag")
    reference = _reference(value.text)
    is_word = not reference.tag and "/" not in reference.name
    if is_word and (_VERSION.fullmatch(reference.name) or _TAG_KEY.fullmatch(value.key)):
        raise UnfitValueError("is a tag, but its marker names the whole image", suffix="tag")
    if not reference.tag and not reference.digest:
        if value.key in _NAME_KEYS:
            raise UnfitValueError("is an image's name alone, but its marker names the whole image", suffix="name")
        if value.key in _CHART_KEYS:
            raise UnfitValueError("is the name of a chart: put the marker behind the chart's version")
    return _content(prefix, reference, "name", "tag", "digest")


def _tag(value: Value) -> Content:
    prefix, value = _behind_assignment(value)
    # `tag: v1@sha256:...` is a tag with its digest.
    name, at, digest = value.text.partition("@")
    if is_digest(value.text):
        raise UnfitValueError("is a digest, but its marker names the tag", suffix="digest")
    if "/" in value.text or ":" in name or (value.key == "image" and name):
        if _VERSION.fullmatch(value.text):
            raise UnfitValueError("is a tag, but its key says that it is an image: write name:tag")
        reference = _reference(value.text)
        if not reference.tag and not reference.digest and value.key != "image":
            raise UnfitValueError("is no tag, and no image reference with a tag: write name:tag")
        return _content(prefix, reference, "tag", "digest")
    if value.key in _NAME_KEYS or value.key in _CHART_KEYS:
        raise UnfitValueError(f"is a name by its key {value.key!r}: put the marker behind the tag")
    if name and not is_tag(name) and not is_range(name):
        raise UnfitValueError("is no tag: write the present tag alone, or take the marker out")
    if at and not is_digest(digest):
        raise UnfitValueError("has no digest behind the '@': write tag@sha256:<digest>, or the tag alone")
    return Content(
        prefix=prefix,
        tag=Tag(name, digest),
        sets=frozenset({"tag", "digest"} if at else {"tag"}),
        pinnable=value.key == "newTag" and not value.digest_beside,
    )


def _name(value: Value) -> Content:
    prefix, value = _behind_assignment(value)
    if not value.text:
        return Content(sets=frozenset({"name"}))
    reference = _reference(value.text)
    if not reference.tag and _VERSION.fullmatch(reference.name):
        raise UnfitValueError("is a tag, but its marker names the image's name", suffix="tag")
    return _content(prefix, reference, "name")


def _digest(value: Value) -> Content:
    prefix, value = _behind_assignment(value)
    if value.key == "image" or "/" in value.text or "@" in value.text:
        raise UnfitValueError("is an image reference, but its marker names the digest alone", suffix="")
    if value.text and not is_digest(value.text):
        raise UnfitValueError("is no digest: write sha256:<64 hex digits>")
    return Content(prefix=prefix, tag=Tag("", value.text), sets=frozenset({"digest"}))


def _behind_assignment(value: Value) -> tuple[str, Value]:
    """Return the `KEY=` of a value, "" if there is none, and the value behind it; its key is the last word of KEY."""
    match = _ASSIGNMENT.fullmatch(value.text)
    if not match:
        return "", value
    prefix, text = match.groups()
    if not text:
        raise UnfitValueError("has nothing behind the '=': write the present value there")
    last_word = re.split(r"[^A-Za-z0-9]", prefix[:-1])[-1]
    return prefix, Value(text=text, key=last_word.lower())


def is_range(text: str) -> bool:
    """Return True for a version, or a range of versions such as `>=1.0.0 <2.0.0`, that Helm and Flux take."""
    return len(text) <= _MAX_RANGE and bool(re.search(r"[0-9*]", text) and _RANGE.fullmatch(text))


def _reference(text: str) -> ImageReference:
    reference = ImageReference.parse(text)
    if reference is None or (not reference.tag and not reference.digest and _NO_IMAGE.fullmatch(reference.name)):
        raise UnfitValueError("is not an image reference: write name[:tag][@digest]")
    return reference


def _content(prefix: str, reference: ImageReference, *sets: Slot) -> Content:
    tag = Tag(reference.tag, reference.digest)
    return Content(prefix=prefix, name=reference.name, tag=tag, sets=frozenset(sets))


PARTS = {
    part.suffix: part
    for part in (
        Part(suffix="", sets=frozenset({"name", "tag", "digest"}), read=_whole_image),
        Part(suffix="tag", sets=frozenset({"tag", "digest"}), read=_tag),
        Part(suffix="name", sets=frozenset({"name"}), read=_name),
        Part(suffix="digest", sets=frozenset({"digest"}), read=_digest),
    )
}
"""All parts, by the suffix of their markers."""
