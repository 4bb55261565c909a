"""Which images the markers of an application name, and where the registry of an image is."""

from collections.abc import Mapping
from dataclasses import dataclass

from gitops_promotion.core.markers.parts import UnfitValueError
from gitops_promotion.core.markers.places import StablePlace, Values, read_values
from gitops_promotion.core.markers.scalars import Place
from gitops_promotion.core.markers.scan import Marker, scan
from gitops_promotion.core.markers.spelling import mentions
from gitops_promotion.core.tags import check_image
from gitops_promotion.core.untrusted import quoted
from gitops_promotion.errors import ManifestError, UsageError

DOCKER_HUB = "registry-1.docker.io"
"""The host of Docker Hub's registry, which has the images whose names have no host."""

_HUB_NAMES = ("docker.io", "index.docker.io", DOCKER_HUB)


@dataclass(frozen=True, slots=True, order=True)
class Image:
    """An image without its tag: the host of its registry, with the port, and its name there."""

    host: str
    name: str

    @classmethod
    def parse(cls, text: str) -> "Image":
        """Read `[host[:port]/]path`. Raises UsageError.

        The first part is a host if it has a dot or a colon, or is `localhost`; without one the image is on Docker Hub,
        and in `library` there if its name has one part.
        """
        check_image(text)
        host, slash, name = text.partition("/")
        if not slash or not ("." in host or ":" in host or host == "localhost"):
            host, name = DOCKER_HUB, text
        if host in _HUB_NAMES:
            return cls(DOCKER_HUB, name if "/" in name else f"library/{name}")
        return cls(host.lower(), name)

    @property
    def is_local(self) -> bool:
        """True if the registry is on this machine, so that it may be without TLS."""
        return is_loopback(self.host.partition(":")[0])

    def __str__(self) -> str:
        return f"{self.host}/{self.name}"


def is_loopback(host: str) -> bool:
    """Return True for `localhost` and for 127.0.0.0/8, written as an address."""
    parts = host.split(".")
    is_address = len(parts) == 4 and all(part.isascii() and part.isdigit() and int(part) < 256 for part in parts)
    return host == "localhost" or (is_address and parts[0] == "127")


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkedImages:
    """The images that an application's markers name, each with the place of its first marker.

    `unnamed` has a sentence for each marker whose image is not known.
    """

    images: Mapping[Image, str]
    unnamed: tuple[str, ...]


def marked_images(files: Mapping[str, bytes], group: str, app: str) -> MarkedImages:
    """Return the images of the markers for a tag. Raises ManifestError if no image is known.

    The value of a marker for the whole image has the name of the image. For a tag alone the name is the value of a
    `:name` marker beside it; else `newName` or `name` in kustomize's `images`; else `repository` in the values of a
    chart, with `registry` if it is there.
    """
    images: dict[Image, str] = {}
    unnamed: list[str] = []
    first: Marker | None = None
    for path in sorted(files):
        if not mentions(files[path], group, app):
            continue
        markers = [marker for marker in scan(files[path], path).markers if (marker.group, marker.app) == (group, app)]
        names = {_mapping(marker): marker.value for marker in markers if not marker.part.has_version}
        values = read_values(files[path], path)
        for marker in markers:
            if not marker.part.has_tag:
                continue
            first = first or marker
            place = values.stable.get(marker.place)
            beside = name_beside(place, values) if place else ""
            text = _own_name(marker) or names.get(_mapping(marker), "") or beside
            try:
                images.setdefault(Image.parse(text), marker.at)
            except UsageError:
                subject = f"its name is {quoted(text)}" if text else "no name stands beside it"
                unnamed.append(f"{marker.at}: cannot tell the image of {group}:{app} ({subject})")
    if first and not images:
        raise ManifestError.at(
            first.path,
            first.line,
            f"cannot tell which image the markers of {group}:{app} are about, so no registry can be asked: put the "
            "image's name beside the tag, as newName in kustomize's images or as repository in a chart's values, or "
            "leave out --verify, --pin and verifyImage",
        )
    return MarkedImages(images=images, unnamed=tuple(unnamed))


def _mapping(marker: Marker) -> Place:
    return Place(marker.place.document, marker.place.path[:-1])


def _own_name(marker: Marker) -> str:
    """Return the name of the image in a marked value, "" for a tag alone."""
    try:
        name = marker.part.read(marker.marked).name
    except UnfitValueError:
        return ""
    return name.removeprefix("docker://").removeprefix("oci://")


VERSION_KEYS = ("newTag", "tag", "digest")
"""The keys of a tag or a digest in a mapping that has the name of the image too."""


def name_beside(place: StablePlace, values: Values) -> str:
    """Return the name of the image in the mapping of a tag or a digest, "" if there is none."""
    repository = _text(values, place, "repository")
    if place[-1] == "newTag" or (place[-1] == "digest" and not repository):
        return _text(values, place, "newName") or _text(values, place, "name")
    registry = _text(values, place, "registry")
    return f"{registry}/{repository}" if registry and repository else repository


def _text(values: Values, place: StablePlace, key: str) -> str:
    """Return the value of another key of the same mapping, "" if there is none, or several."""
    sibling = (*place[:-1], key)
    return "" if sibling in values.ambiguous else values.texts.get(sibling, "")
