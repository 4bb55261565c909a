"""The container images that the objects of an environment name, and those that change without a gated tag.

All places that decide which image runs count: the containers of any pod template, image volumes, the images of other
kinds that have an `image`, the image values of a HelmRelease, and the `images` of kustomize and of Flux
(docs/unmanaged-images.md).
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from gitops_promotion.core.markers.places import StablePlace, read_values
from gitops_promotion.core.tags import ImageReference
from gitops_promotion.core.untrusted import quoted
from gitops_promotion.errors import ManifestError

NONE = "(none)"
"""What messages show for a place that has no image on one side."""

_POD_LISTS = {
    "containers": "container",
    "initContainers": "init container",
    "ephemeralContainers": "ephemeral container",
}
# A schema only describes fields, and the objects with which Flux looks for tags run no image.
_KINDS_WITHOUT_IMAGES = frozenset({"CustomResourceDefinition", "ImagePolicy", "ImageRepository", "Secret"})
_VALUE_PARTS = ("registry", "repository", "name", "tag", "digest", "sha")
_IMAGE_KEY = re.compile(r".*[iI]mage(?:[._-]?(?:[nN]ame|[tT]ag|[dD]igest|[rR]epository|[rR]egistry|[vV]ersion))?")
_ENTRY_PARTS = ("name", "newName", "newTag", "digest")
# A generator adds the hash of the contents to a name.
_HASH = re.compile(r"-[0-9a-z]{10}$")
_DEPTH = 3
_MERGE = "<<"


@dataclass(frozen=True, slots=True)
class Place:
    """Where an image is named: an object such as `Deployment shop/web`, and the path to the value in it."""

    object: str
    path: StablePlace

    @property
    def container(self) -> str:
        """The container for messages, such as `init container db`; the path if the place is no container."""
        if len(self.path) > 2 and self.path[-1] == "image" and self.path[-3] in _POD_LISTS:
            return f"{_POD_LISTS[self.path[-3]]} {self.path[-2]}"
        return ".".join(self.path)


Images = Mapping[Place, tuple[str, ...]]
"""The images at each place, sorted; several if more than one object or item has the same name."""


@dataclass(frozen=True, slots=True, order=True)
class ImageChange:
    """An image that changes: `old` and `new` as they are written, NONE on a side without one."""

    object: str
    container: str
    old: str
    new: str

    def __str__(self) -> str:
        place = f"{quoted_name(self.object)}, {quoted_name(self.container)}"
        return f"{place}: {quoted_name(self.old)} -> {quoted_name(self.new)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What a pull request changes of the images of one environment: those that no gated tag explains.

    `problem` says why the images cannot be read, "" if they can.
    """

    changes: tuple[ImageChange, ...] = ()
    problem: str = ""

    @property
    def is_empty(self) -> bool:
        """True if there is neither a change nor a problem."""
        return not self.changes and not self.problem


def quoted_name(text: str) -> str:
    """Return a name of a manifest for messages: as it is if it is short and printable, else quoted and cut."""
    return text if text.isprintable() and len(text) <= 200 else quoted(text, 200)


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedTag:
    """The tag of an application that the gates judge: `stand_in` takes its place on both sides of a comparison.

    `digest` takes the place of its digest, which may be added or removed. `unmarked` is the tag that a value gets while
    its marker is removed, "" if no marker is removed. `names` are the images that the application has in its sources: a
    new marker of the application may be behind one of these, and behind no other image.
    """

    stand_in: str
    digest: str = ""
    old: str = NONE
    new: str = NONE
    unmarked: str = ""
    names: frozenset[str] = frozenset()


@dataclass(slots=True, kw_only=True)
class _Collected:
    """The images of some files; the values of ConfigMaps are kept until a HelmRelease names them."""

    images: dict[Place, list[str]] = field(default_factory=dict)
    config_maps: list[tuple[str, str, str, str]] = field(default_factory=list)
    values_from: set[tuple[str, str]] = field(default_factory=set)

    def add(self, owner: str, path: StablePlace, image: str) -> None:
        self.images.setdefault(Place(owner, path), []).append(image)


def read_images(files: Mapping[str, bytes], *, unchanged: Collection[str] = ()) -> Images:
    """Return the images that files of YAML or JSON name, by place.

    Raises ManifestError for a file that no YAML loader reads, or in which loaders read different values. Such a file is
    left out if it is one of `unchanged`, the paths of files that are the same on both sides.
    """
    collected = _Collected()
    for path in sorted(files):
        try:
            _read_file(collected, files[path], path, "", _DEPTH)
        except ManifestError:
            if path not in unchanged:
                raise
    for owner, name, key, text in collected.config_maps:
        if (name, key) in collected.values_from or (_HASH.sub("", name), key) in collected.values_from:
            _read_config_map(collected, owner, key, text)
    return {place: tuple(sorted(images)) for place, images in collected.images.items()}


def _read_file(collected: _Collected, content: bytes, path: str, owner: str, depth: int) -> None:
    """Add the images of one file; `owner` is the object that contains its text, "" for a file of its own."""
    values = read_values(content, path)
    if not values.readable:
        raise ManifestError.at(path, 0, "no YAML in UTF-8 that can be read: its images are unknown; correct it")
    for place, line in values.repeated.items():
        raise ManifestError.at(path, line, f"the key {quoted(place[-1])} is there twice: remove one")
    objects: dict[StablePlace, dict[StablePlace, str]] = {}
    for place, text in values.texts.items():
        if _MERGE in place:
            # The values of a merge key are there a second time, as keys of the mapping itself.
            continue
        size = _size_of_object(values.texts, place)
        objects.setdefault(place[:size], {})[place[size:]] = text
    for texts in objects.values():
        _read_object(collected, texts, path, owner, depth)


def _size_of_object(texts: Mapping[StablePlace, str], place: StablePlace) -> int:
    """Return how many steps of a place lead to its object: the steps into lists of objects are among them."""
    size = 1
    while len(place) > size + 2 and place[size] == "items" and texts.get((*place[:size], "kind"), "").endswith("List"):
        size += 2
    return size


def _read_object(collected: _Collected, texts: Mapping[StablePlace, str], path: str, owner: str, depth: int) -> None:
    kind = texts.get(("kind",), "")
    if kind in _KINDS_WITHOUT_IMAGES:
        return
    name = _name(kind, texts) or path
    full_name = f"{owner}: {name}" if owner else name
    if kind == "ConfigMap":
        key_names = ((place[1], text) for place, text in texts.items() if len(place) == 2 and place[0] == "data")
        collected.config_maps += [
            (full_name, texts.get(("metadata", "name"), ""), key, text) for key, text in key_names
        ]
        return
    is_chart = kind == "HelmRelease"
    overrides = kind in ("Kustomization", "Component", "HelmRelease", "ImageTagTransformer")
    for place, text in texts.items():
        if place[-1] == "image" or place[-2:] == ("image", "reference"):
            if text and not (is_chart and place[:2] == ("spec", "values")):
                collected.add(full_name, place, text)
        elif overrides and depth and _is_patch(place):
            _read_file(collected, text.encode(), f"{path} ({'.'.join(place)})", full_name, depth - 1)
    if overrides:
        _read_entries(collected, full_name, texts)
    if is_chart:
        _read_values_of_chart(collected, full_name, texts, ("spec", "values"))
        _note_sources_of_values(collected, texts)


def _name(kind: str, texts: Mapping[StablePlace, str]) -> str:
    name = texts.get(("metadata", "name")) or texts.get(("metadata", "generateName"), "")
    namespace = texts.get(("metadata", "namespace"), "")
    return f"{kind} {namespace}/{name}" if kind and namespace else f"{kind} {name}" if kind and name else ""


def _is_patch(place: StablePlace) -> bool:
    return place[-1] == "patch" or (len(place) > 1 and place[-2] == "patchesStrategicMerge")


def _read_entries(collected: _Collected, owner: str, texts: Mapping[StablePlace, str]) -> None:
    """Add the entries of `images` of a kustomization, a Kustomization of Flux or a post-renderer: what they set."""
    entries: dict[StablePlace, dict[str, str]] = {}
    for place, text in texts.items():
        is_entry = place[0] == "imageTag" or (len(place) > 2 and place[-3] == "images")
        if is_entry and place[-1] in _ENTRY_PARTS:
            entries.setdefault(place[:-1], {})[place[-1]] = text
    for place, parts in entries.items():
        name = parts.get("newName") or parts.get("name", "")
        collected.add(owner, place, _reference("", name, parts.get("newTag", ""), parts.get("digest", "")))


def _read_values_of_chart(
    collected: _Collected, owner: str, texts: Mapping[StablePlace, str], root: StablePlace, prefix: StablePlace = ()
) -> None:
    """Add the values of a chart below `root` that name an image: `repository` and `tag`, `image`, `imageTag`."""
    mappings: dict[StablePlace, dict[str, str]] = {}
    for place, text in texts.items():
        if place[: len(root)] != root or len(place) <= len(root):
            continue
        if place[-1] in _VALUE_PARTS:
            mappings.setdefault(place[:-1], {})[place[-1]] = text
        elif _IMAGE_KEY.fullmatch(place[-1]) and text:
            collected.add(owner, (*prefix, *place), text)
    for place, parts in mappings.items():
        if not any(key in parts for key in ("repository", "tag", "digest", "registry")):
            continue
        name = parts.get("repository") or parts.get("name", "")
        image = _reference(
            parts.get("registry", ""), name, parts.get("tag", ""), parts.get("digest") or parts.get("sha", "")
        )
        if image:
            collected.add(owner, (*prefix, *place), image)


def _note_sources_of_values(collected: _Collected, texts: Mapping[StablePlace, str]) -> None:
    entries: dict[StablePlace, dict[str, str]] = {}
    for place, text in texts.items():
        if place[:2] == ("spec", "valuesFrom") and len(place) == 4:
            entries.setdefault(place[:3], {})[place[3]] = text
    for entry in entries.values():
        if entry.get("kind") == "ConfigMap":
            collected.values_from.add((entry.get("name", ""), entry.get("valuesKey") or "values.yaml"))


def _read_config_map(collected: _Collected, owner: str, key: str, text: str) -> None:
    values = read_values(text.encode(), f"{owner} ({key})")
    if not values.readable:
        raise ManifestError.at(
            f"{owner} ({key})", 0, "no YAML that can be read, and a HelmRelease takes it: correct it"
        )
    texts = {place[1:]: value for place, value in values.texts.items()}
    if not texts or () in texts:
        # The text is one value, which `targetPath` puts into the values of the chart.
        collected.add(owner, ("data", key), text.strip())
        return
    _read_values_of_chart(collected, owner, texts, (), ("data", key))


def _reference(registry: str, name: str, tag: str, digest: str) -> str:
    image = "/".join(part for part in (registry, name) if part)
    image = f"{image}:{tag}" if tag else image
    return f"{image}@{digest}" if digest else image


# --- before and after


def unmanaged(before: Images, after: Images, judged: Sequence[JudgedTag] = ()) -> tuple[ImageChange, ...]:
    """Return the images that differ for another reason than a tag that the gates judge.

    On both sides the stand-in of an application takes the place of each of its marked tags (`JudgedTag`). An image that
    is removed with its whole object is no change, since nothing runs it any more.
    """
    objects = {place.object for place in after}
    judged = [replace(tag, names=tag.names | marked_names(before, tag.stand_in)) for tag in judged]
    changes: list[ImageChange] = []
    for place in {**before, **after}:
        old, new = ([_undigested(image, judged) for image in side.get(place, ())] for side in (before, after))
        for image in list(old):
            if image in new:
                old.remove(image)
                new.remove(image)
        if not new and place.object not in objects:
            continue
        for before_image, image in _pairs(old, new):
            if not any(_explains(tag, before_image, image) for tag in judged):
                sides = (_shown(before_image, [(k.stand_in, k.old) for k in judged]), _shown(image, _new_tags(judged)))
                changes.append(ImageChange(place.object, place.container, *sides))
    return tuple(sorted(set(changes)))


def _undigested(image: str, judged: Iterable[JudgedTag]) -> str:
    for tag in judged:
        image = image.replace(f"@{tag.digest}", "") if tag.digest else image
    return image


def marked_names(images: Images, stand_in: str) -> frozenset[str]:
    """Return the names of the images that have a stand-in as their tag."""
    return frozenset(_name_of(image) for at_place in images.values() for image in at_place if stand_in in image)


def _pairs(old: Sequence[str], new: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield the old and the new image of each change at one place, "" for none; images of one name are a pair."""
    unpaired = list(old)
    for image in new:
        match = next(
            (candidate for candidate in unpaired if _name_of(candidate) == _name_of(image)),
            unpaired[0] if unpaired else "",
        )
        if match:
            unpaired.remove(match)
        yield match, image
    yield from ((image, "") for image in unpaired)


def _new_tags(judged: Iterable[JudgedTag]) -> list[tuple[str, str]]:
    return [(tag.stand_in, tag.new) for tag in judged]


def _shown(image: str, tags: Iterable[tuple[str, str]]) -> str:
    for stand_in, tag in tags:
        image = image.replace(stand_in, tag)
    return image or NONE


def _name_of(image: str) -> str:
    reference = ImageReference.parse(image)
    return reference.name if reference else image


def _explains(tag: JudgedTag, old: str, new: str) -> bool:
    """Return True if the judged tag is the only difference."""
    if tag.stand_in in new:
        # The marker is new: with a new place, or at a value that had none.
        is_own = _name_of(new) in tag.names
        return is_own and (not old or (_name_of(old) == _name_of(new) and tag.stand_in not in old))
    if tag.stand_in in old and tag.unmarked:
        return new == old.replace(tag.stand_in, tag.unmarked)
    return False
