"""The values of a file by places that stay the same when other objects or list items come and go.

A document is known by its kind, namespace and name, an item of a list by its `name`, as Kubernetes and kustomize know
them; by their number where they have none, or share it with another. Aliases and merge keys are followed.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import yaml
from yaml.error import YAMLError
from yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
)

from gitops_promotion.core.markers.scalars import Place
from gitops_promotion.errors import ManifestError

StablePlace = tuple[str, ...]
"""The document and the keys and items that lead to a value."""

_BOM = b"\xef\xbb\xbf"
_DEPTH = 100
_VISITS = 200_000
_MERGE = "<<"


@dataclass(frozen=True, slots=True, kw_only=True)
class Values:
    """The scalars of one file: `texts` by stable place, and the stable place of each place."""

    texts: Mapping[StablePlace, str] = field(default_factory=dict)
    stable: Mapping[Place, StablePlace] = field(default_factory=dict)


@dataclass(slots=True)
class _Node:
    """A scalar (`text`), or a collection with children by key (of a sequence: by number)."""

    text: str | None = None
    children: list[tuple[str, "_Node"]] = field(default_factory=list)
    is_mapping: bool = False

    def child(self, key: str) -> "_Node | None":
        return next((node for name, node in self.children if name == key), None)

    def scalar(self, *keys: str) -> str:
        node: _Node | None = self
        for key in keys:
            node = node.child(key) if node else None
        return (node.text or "") if node else ""


def read_values(content: bytes, path: str) -> Values:
    """Return the scalars of a file; none of a text that is not YAML or UTF-8.

    Raises ManifestError where aliases expand to too much data.
    """
    try:
        documents = list(_documents(content.removeprefix(_BOM).decode()))
    except (UnicodeDecodeError, YAMLError):
        return Values()
    visits = iter(range(_VISITS))
    names = _unique([_document_name(document) for document in documents])
    texts: dict[StablePlace, str] = {}
    stable: dict[Place, StablePlace] = {}
    for number, (document, name) in enumerate(zip(documents, names, strict=True)):
        for place, stable_place, text in _scalars(document, (), (name,), visits):
            texts.setdefault(stable_place, text)
            stable.setdefault(Place(number, place), stable_place)
    if next(visits, None) is None:
        raise ManifestError.at(path, 1, "its aliases expand to too much data: write the repeated parts out")
    return Values(texts=texts, stable=stable)


def _document_name(document: _Node) -> str:
    parts = (
        document.scalar("kind"),
        document.scalar("metadata", "namespace"),
        document.scalar("metadata", "name"),
    )
    return "/".join(parts) if parts[0] else ""


def _unique(names: Sequence[str]) -> list[str]:
    """Return the names, or the numbers of those that are empty or not unique."""
    counts = Counter(names)
    return [name if name and counts[name] == 1 else f"#{number}" for number, name in enumerate(names)]


def _scalars(
    node: _Node, path: tuple[str | int, ...], stable: StablePlace, visits: Iterator[int]
) -> Iterator[tuple[tuple[str | int, ...], StablePlace, str]]:
    """Yield the scalars below a node; each visit takes one of `visits`, and no more than there are."""
    if node.text is not None:
        yield path, stable, node.text
        return
    if len(path) >= _DEPTH or next(visits, None) is None:
        return
    children = _with_merged(node) if node.is_mapping else node.children
    elements: Sequence[str] = [key for key, _ in children]
    if not node.is_mapping:
        elements = _unique([child.scalar("name") if child.is_mapping else "" for _, child in children])
    for number, ((key, child), element) in enumerate(zip(children, elements, strict=True)):
        step: str | int = key if node.is_mapping else number
        yield from _scalars(child, (*path, step), (*stable, element), visits)


def _with_merged(node: _Node) -> list[tuple[str, _Node]]:
    """Return a mapping's children, and those of the mappings that it merges where it has no key of that name."""
    children = list(node.children)
    keys = {key for key, _ in children}
    for key, merged in node.children:
        if key != _MERGE:
            continue
        sources = [merged] if merged.is_mapping else [child for _, child in merged.children]
        for source in sources:
            children += [(name, child) for name, child in source.children if name not in keys]
            keys |= {name for name, _ in source.children}
    return children


def _documents(text: str) -> Iterator[_Node]:
    """Yield the documents of a text; anchors may be set again, and unknown aliases are empty."""
    stack: list[_Node] = []
    keys: list[str | None] = []
    anchors: dict[str, _Node] = {}
    root: _Node | None = None

    def add(node: _Node) -> None:
        nonlocal root
        if not stack:
            root = node
        elif not stack[-1].is_mapping:
            stack[-1].children.append((str(len(stack[-1].children)), node))
        elif keys[-1] is None:
            keys[-1] = node.text or ""
        else:
            stack[-1].children.append((keys[-1], node))
            keys[-1] = None

    for event in yaml.parse(text, Loader=yaml.CBaseLoader):
        if isinstance(event, AliasEvent):
            add(anchors.get(event.anchor, _Node(text="")))
        elif isinstance(event, NodeEvent):
            node = _node(event)
            if event.anchor:
                anchors[event.anchor] = node
            add(node)
            if not isinstance(event, ScalarEvent):
                stack.append(node)
                keys.append(None)
        elif isinstance(event, (MappingEndEvent, SequenceEndEvent)):
            stack.pop()
            keys.pop()
        elif isinstance(event, DocumentEndEvent):
            yield root or _Node(text="")
            root, anchors = None, {}


def _node(event: Event) -> _Node:
    if isinstance(event, ScalarEvent):
        return _Node(text=event.value)

    return _Node(is_mapping=isinstance(event, MappingStartEvent))
