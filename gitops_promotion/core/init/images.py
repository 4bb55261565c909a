"""Where the manifests of a tree say which image runs: the places that a marker can be put behind."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import yaml
from yaml.error import YAMLError
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from gitops_promotion.core.layout import MarkerName
from gitops_promotion.core.markers import scan
from gitops_promotion.core.tags import ImageReference
from gitops_promotion.errors import ManifestError

Kind = Literal["image", "tag", "chart"]

_BOM = b"\xef\xbb\xbf"
_DEPTH = 60
_MAX_BYTES = 1 << 20
_FOREIGN_KINDS = frozenset({"CustomResourceDefinition", "ImagePolicy", "ImageRepository", "ImageUpdateAutomation"})
_FLUX_ITSELF = ("flux-system", "gotk-components.yaml")
_POD_LISTS = ("containers", "initContainers")


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """One value that is an image, a tag or the version of a chart.

    `image` is the image's name without tag, or the chart; `owner` is the object's name. `marker` is the name of the
    marker that the value has already. `is_main`: the container has the name of its object, or is the only one.
    `is_free`: a marker can be put behind the value.
    """

    path: str
    line: int
    value: str
    kind: Kind
    image: str
    owner: str
    marker: MarkerName | None = None
    is_main: bool = True
    is_free: bool = True

    @property
    def at(self) -> str:
        """The place for messages: `file:line`."""
        return f"{self.path}:{self.line}"

    @property
    def base_name(self) -> str:
        """The last part of the image's name."""
        return self.image.rpartition("/")[2].partition(":")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployer:
    """An object that applies a folder of the repository: a Flux Kustomization, or an Application of Argo CD."""

    name: str
    path: str
    file: str
    kind: Literal["flux", "argo"]


def find_images(content: bytes, path: str) -> list[Image]:
    """Return the images of a file; none if it cannot be read or is encrypted."""
    text = _text(content)
    if text is None or any(part in _FLUX_ITSELF for part in path.split("/")):
        return []
    try:
        # Markers of names and digests have no tag.
        tags = [marker for marker in scan(content, path).markers if marker.part.has_tag]
    except ManifestError:
        return []
    marked = {marker.line: MarkerName(marker.group, marker.app) for marker in tags}
    lines = text.split("\n")
    images: dict[int, Image] = {}
    for document in _documents(text):
        if _text_at(document, "kind") in _FOREIGN_KINDS or _child(document, "sops") is not None:
            continue
        for image, node in _images(document, path):
            images.setdefault(node.start_mark.index, _placed(image, node, lines, marked))
    lines_of_images = {image.line for image in images.values()}
    without_image = [
        Image(path=path, line=line, value="", kind="tag", image=name.app, owner=name.app, marker=name)
        for line, name in marked.items()
        if line not in lines_of_images
    ]
    return [*images.values(), *without_image]


def find_deployers(content: bytes, path: str) -> list[Deployer]:
    """Return the objects of a file that apply folders of a repository."""
    if b"kind" not in content or (b"Kustomization" not in content and b"Application" not in content):
        return []
    text = _text(content)
    return [] if text is None else list(_deployers(text, path))


def _deployers(text: str, path: str) -> Iterator[Deployer]:
    for document in _documents(text):
        api, kind, name = (_text_at(document, *keys) for keys in (("apiVersion",), ("kind",), ("metadata", "name")))
        if kind == "Kustomization" and api.startswith("kustomize.toolkit.fluxcd.io/"):
            yield Deployer(name=name, path=_folder(_text_at(document, "spec", "path")), file=path, kind="flux")
        if kind == "Application" and api.startswith("argoproj.io/"):
            folder = _folder(_text_at(document, "spec", "source", "path"))
            yield Deployer(name=name, path=folder, file=path, kind="argo")


def _folder(text: str) -> str:
    return text.removeprefix("./").strip("/")


def _text(content: bytes) -> str | None:
    if len(content) > _MAX_BYTES:
        return None
    try:
        return content.removeprefix(_BOM).decode()
    except UnicodeDecodeError:
        return None


def _documents(text: str) -> Iterator[MappingNode]:
    try:
        for document in yaml.compose_all(text, Loader=yaml.CBaseLoader):
            if isinstance(document, MappingNode):
                yield document
    except (YAMLError, RecursionError, ValueError):
        return


def _images(document: MappingNode, path: str) -> Iterator[tuple[Image, ScalarNode]]:
    owner = _text_at(document, "metadata", "name")
    kind = _text_at(document, "kind")

    def image(node: ScalarNode, kind: Kind, name: str, *, is_main: bool = True) -> tuple[Image, ScalarNode]:
        value = str(node.value)
        return Image(path=path, line=0, value=value, kind=kind, image=name, owner=owner or name, is_main=is_main), node

    if kind == "HelmRelease" and (version := _scalar(document, "spec", "chart", "spec", "version")):
        chart = _text_at(document, "spec", "chart", "spec", "chart") or owner
        yield image(version, "chart", chart.rpartition("/")[2])
    for item in _items(_child(document, "images")):
        name = _text_at(item, "newName") or _text_at(item, "name")
        if name and (tag := _scalar(item, "newTag")):
            yield image(tag, "tag", name)
    for mapping, siblings in _mappings(document):
        repository = "/".join(filter(None, (_text_at(mapping, "registry"), _text_at(mapping, "repository"))))
        if repository and (tag := _scalar(mapping, "tag")) and tag.value:
            yield image(tag, "tag", repository)
        node = _scalar(mapping, "image")
        reference = ImageReference.parse(str(node.value)) if node else None
        if node and reference and (reference.tag or reference.digest):
            names = (_text_at(mapping, "name"), reference.name.rpartition("/")[2])
            yield image(node, "image", reference.name, is_main=siblings < 2 or owner in names)


def _mappings(document: MappingNode) -> Iterator[tuple[MappingNode, int]]:
    """Yield every mapping with the number of containers beside it, itself included; 0 for one that is no container."""
    pending: list[tuple[Node, int, int]] = [(document, 0, 0)]
    ids: set[int] = set()
    while pending:
        node, siblings, depth = pending.pop()
        if id(node) in ids or depth > _DEPTH:
            continue
        ids.add(id(node))
        if isinstance(node, MappingNode):
            yield node, siblings
            containers = sum(len(_items(_child(node, key))) for key in _POD_LISTS)
            for key, value in reversed(node.value):
                is_pod_list = isinstance(key, ScalarNode) and key.value in _POD_LISTS
                if is_pod_list and isinstance(value, SequenceNode):
                    pending += [(item, containers, depth + 1) for item in reversed(value.value)]
                else:
                    pending.append((value, 0, depth + 1))
        elif isinstance(node, SequenceNode):
            pending += [(item, 0, depth + 1) for item in reversed(node.value)]


def _placed(image: Image, node: ScalarNode, lines: list[str], marked: dict[int, MarkerName]) -> Image:
    """Return an image with its line, its marker, and whether a marker can be put behind it."""
    start, end = node.start_mark, node.end_mark
    is_block = node.style in ("|", ">")
    line = (start if is_block else end).line + 1
    behind = lines[end.line][end.column :].strip() if not is_block and start.line == end.line else "|"
    return Image(
        path=image.path,
        line=line,
        value=image.value,
        kind=image.kind,
        image=image.image,
        owner=image.owner,
        is_main=image.is_main,
        marker=marked.get(line),
        is_free=not behind,
    )


# --- nodes


def _child(node: Any, key: str) -> Node | None:
    if not isinstance(node, MappingNode):
        return None
    return next((value for name, value in node.value if isinstance(name, ScalarNode) and name.value == key), None)


def _items(node: Node | None) -> list[Node]:
    return list(node.value) if isinstance(node, SequenceNode) else []


def _scalar(node: Any, *keys: str) -> ScalarNode | None:
    for key in keys:
        node = _child(node, key)
    return node if isinstance(node, ScalarNode) else None


def _text_at(node: Any, *keys: str) -> str:
    scalar = _scalar(node, *keys)
    return str(scalar.value) if scalar else ""
