"""The parts of an image that a marker can name: the whole image, its tag, its name or its digest.

A part reads a marked value; the content that it returns knows what a new tag makes of it. A new part is a function that
reads values and a line in `PARTS`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from gitops_promotion.core.tags import NO_TAG, ImageReference, Tag

Slot = Literal["name", "tag", "digest"]


class UnfitValueError(Exception):
    """A marked value that cannot be what its marker says. The text says why, and what to do unless a suffix helps.

    `suffix` is that of the marker to write in place of the present one, None if none helps.
    """

    def __init__(self, problem: str, *, suffix: str | None = None) -> None:
        super().__init__(problem)
        self.suffix = suffix


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """A marked value and the key it stands under ("" for an item of a list)."""

    text: str
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """The image name, the tag and the digest in a marked value, unchecked; `sets` are those that a new tag replaces."""

    name: str = ""
    tag: Tag = NO_TAG
    sets: frozenset[Slot]

    @property
    def frame(self) -> str:
        """The text that stays, whatever the tag and the digest are."""
        return self.name if "tag" in self.sets else self._text(self.name, self.tag.name, "")

    def updated(self, tag: Tag, image: str) -> str:
        """Return the value for a new tag, and for a new image name unless that is "".

        A digest stays only while name and tag do: it belongs to them.
        """
        name = image if image and "name" in self.sets else self.name
        version = tag.name if "tag" in self.sets else self.tag.name
        digest = self.tag.digest
        if "digest" in self.sets:
            digest = tag.digest or (digest if (name, version) == (self.name, self.tag.name) else "")
        return self._text(name, version, digest)

    @staticmethod
    def _text(name: str, version: str, digest: str) -> str:
        if not name and not version:
            return digest
        image = f"{name}:{version}" if name and version else name or version
        return f"{image}@{digest}" if digest else image


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
        """Whether its values say an image's tag."""
        return "tag" in self.sets

    @property
    def has_name(self) -> bool:
        """Whether its values say an image's name, which a new name replaces."""
        return "name" in self.sets

    @property
    def has_version(self) -> bool:
        """Whether its values say which version of an image runs: its tag, its digest or both."""
        return "tag" in self.sets or "digest" in self.sets


def _whole_image(value: Value) -> Content:
    reference = _reference(value)
    if value.key in ("tag", "newTag") and not ("/" in value.text or ":" in value.text):
        raise UnfitValueError("is a tag, but its marker names the whole image", suffix="tag")
    return _content(reference, "name", "tag", "digest")


def _tag(value: Value) -> Content:
    # `tag: v1@sha256:...` is a tag with its digest.
    if value.key == "image" or "/" in value.text or ":" in value.text.partition("@")[0]:
        return _content(_reference(value), "tag", "digest")
    name, at, digest = value.text.partition("@")
    return Content(tag=Tag(name, digest), sets=frozenset({"tag", "digest"} if at else {"tag"}))


def _name(value: Value) -> Content:
    return _content(ImageReference.parse(value.text) or ImageReference(value.text), "name")


def _digest(value: Value) -> Content:
    if value.key == "image" or "/" in value.text or "@" in value.text:
        raise UnfitValueError("is an image reference, but its marker names the digest alone", suffix="")
    return Content(tag=Tag("", value.text), sets=frozenset({"digest"}))


def _reference(value: Value) -> ImageReference:
    reference = ImageReference.parse(value.text)
    if reference is None:
        raise UnfitValueError("is not an image reference: write name[:tag][@digest]")
    return reference


def _content(reference: ImageReference, *sets: Slot) -> Content:
    return Content(name=reference.name, tag=Tag(reference.tag, reference.digest), sets=frozenset(sets))


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
