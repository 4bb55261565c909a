"""The values of a file by places that stay the same when other objects or list items come and go.

A document and an item of a `kind: List` are identified by their kind, namespace and name, and an item of another list
by its `name`, as in Kubernetes and kustomize. Those without a name, or with the name of another one, are identified by
their number. Aliases and merge keys are followed.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set
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
from gitops_promotion.core.markers.scan import MAX_MIB
from gitops_promotion.errors import ManifestError

StablePlace = tuple[str, ...]
"""The document and the keys and items that lead to a value."""

_BOM = b"\xef\xbb\xbf"
_DEPTH = 100
_VISITS = 200_000
_MERGE = "<<"
_TOO_MUCH = "its aliases expand to too much data: write the repeated parts out"


@dataclass(frozen=True, slots=True, kw_only=True)
class Values:
    """The scalars of one file: `texts` by stable place, and the stable place of each place.

    `twins` are all places of a scalar that has several, by an alias or a merge key. `repeated` are the keys that one
    mapping has twice, with the line of the second: readers of YAML differ in which of the two counts. `ambiguous` are
    the places that have several values because of such keys; `texts` has the first value. `readable` is False for a
    text that is not UTF-8 or not YAML, is too large or is nested too deeply: then there are no scalars.
    """

    texts: Mapping[StablePlace, str] = field(default_factory=dict)
    stable: Mapping[Place, StablePlace] = field(default_factory=dict)
    twins: Mapping[StablePlace, Sequence[StablePlace]] = field(default_factory=dict)
    repeated: Mapping[StablePlace, int] = field(default_factory=dict)
    ambiguous: Set[StablePlace] = frozenset()
    readable: bool = True


@dataclass(slots=True)
class _Node:
    """A scalar (`text`), or a collection with children by key (of a sequence: by number)."""

    text: str | None = None
    children: list[tuple[str, "_Node"]] = field(default_factory=list)
    is_mapping: bool = False
    line: int = 0

    def child(self, key: str) -> "_Node | None":
        return next((node for name, node in self.children if name == key), None)

    def scalar(self, *keys: str) -> str:
        node: _Node | None = self
        for key in keys:
            node = node.child(key) if node else None
        return (node.text or "") if node else ""


class _TooDeepError(Exception):
    """Collections are nested too deeply to be followed."""


@dataclass(slots=True)
class _Walk:
    """What a walk over the nodes of a file has found, and the number of nodes that it may still visit."""

    visits: int
    has_aliases: bool
    texts: dict[StablePlace, str] = field(default_factory=dict)
    stable: dict[Place, StablePlace] = field(default_factory=dict)
    places: dict[int, list[StablePlace]] = field(default_factory=dict)
    repeated: dict[StablePlace, int] = field(default_factory=dict)
    ambiguous: set[StablePlace] = field(default_factory=set)

    def visit(self, node: _Node, place: Place, stable: StablePlace) -> None:
        self.visits -= 1
        if self.visits < 0:
            return
        if node.text is not None:
            if self.texts.setdefault(stable, node.text) != node.text:
                self.ambiguous.add(stable)
            self.stable.setdefault(place, stable)
            if self.has_aliases:
                self.places.setdefault(id(node), []).append(stable)
            return
        if len(place.path) >= _DEPTH:
            raise _TooDeepError
        if node.is_mapping:
            children = self._with_merged(node)
            elements: Sequence[str] = [key for key, _ in children]
            for key, line in _repeated(node):
                self.repeated.setdefault((*stable, key), line)
        else:
            children = node.children
            elements = _unique([_item_name(child) for _, child in children])
        for number, ((key, child), element) in enumerate(zip(children, elements, strict=True)):
            step: str | int = key if node.is_mapping else number
            self.visit(child, Place(place.document, (*place.path, step)), (*stable, element))

    def _with_merged(self, node: _Node, depth: int = 0) -> list[tuple[str, _Node]]:
        """Return a mapping's children, and those of the mappings that it merges where it has no key of that name."""
        keys = {key for key, _ in node.children}
        if _MERGE not in keys:
            return node.children
        children = list(node.children)
        for key, merged in node.children:
            if key != _MERGE or depth >= _DEPTH:
                continue
            for source in [merged] if merged.is_mapping else [child for _, child in merged.children]:
                self.visits -= 1 + len(source.children)
                if self.visits < 0:
                    break
                inherited = self._with_merged(source, depth + 1)
                children += [(name, child) for name, child in inherited if name not in keys]
                keys |= {name for name, _ in inherited}
        return children


def read_values(content: bytes, path: str) -> Values:
    """Return the scalars of a file. Raises ManifestError where aliases expand to too much data."""
    if len(content) > MAX_MIB << 20:
        return Values(readable=False)
    try:
        # Nodes are told apart by `id()`, so all of them must exist until the walk has ended.
        documents, size = _documents(content.removeprefix(_BOM).decode())
        walk = _Walk(visits=size + _VISITS, has_aliases=b"*" in content)
        if walk.has_aliases and _expanded_size(documents) > walk.visits:
            raise ManifestError.at(path, 1, _TOO_MUCH)
        names = _unique([_document_name(document) for document in documents])
        for number, (document, name) in enumerate(zip(documents, names, strict=True)):
            walk.visit(document, Place(number, ()), (name,))
    except (UnicodeDecodeError, YAMLError, _TooDeepError):
        return Values(readable=False)
    if walk.visits < 0:
        raise ManifestError.at(path, 1, _TOO_MUCH)
    twins = {place: places for places in walk.places.values() if len(places) > 1 for place in places}
    return Values(texts=walk.texts, stable=walk.stable, twins=twins, repeated=walk.repeated, ambiguous=walk.ambiguous)


def _expanded_size(documents: Sequence[_Node]) -> int:
    """Return how many nodes a walk would visit, without merged mappings; 0 where it would be too deep."""
    sizes: dict[int, tuple[int, int]] = {}

    def measure(node: _Node, depth: int) -> tuple[int, int]:
        """Return the size of a node and the depth of its collections."""
        if node.text is not None:
            return 1, 0
        if depth >= _DEPTH:
            raise _TooDeepError
        if id(node) not in sizes:
            parts = [measure(child, depth + 1) for _, child in node.children]
            sizes[id(node)] = 1 + sum(size for size, _ in parts), 1 + max((deep for _, deep in parts), default=0)
        size, deep = sizes[id(node)]
        if depth + deep > _DEPTH:
            raise _TooDeepError
        return size, deep

    try:
        return sum(measure(document, 0)[0] for document in documents)
    except _TooDeepError:
        return 0


def _repeated(mapping: _Node) -> Iterator[tuple[str, int]]:
    """Yield each key that a mapping repeats, with the line of its value; a key that is a collection does not count."""
    if len(mapping.children) > 1:
        keys: set[str] = set()
        for key, child in mapping.children:
            if key and key in keys:
                yield key, child.line
            keys.add(key)


def _item_name(item: _Node) -> str:
    return (item.scalar("name") or _document_name(item)) if item.is_mapping else ""


def _document_name(document: _Node) -> str:
    parts = (
        document.scalar("kind"),
        document.scalar("metadata", "namespace"),
        document.scalar("metadata", "name"),
    )
    return "/".join(parts) if parts[0] else ""


def _unique(names: Sequence[str]) -> list[str]:
    """Return the names, or the numbers of those that are empty or not unique, or look like a number."""
    counts = Counter(names)
    return [
        name if name and not name.startswith("#") and counts[name] == 1 else f"#{number}"
        for number, name in enumerate(names)
    ]


def _documents(text: str) -> tuple[list[_Node], int]:
    """Return the documents of a text, and its number of nodes; anchors may be set again, unknown aliases are empty."""
    documents: list[_Node] = []
    size = 0
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
        size += isinstance(event, NodeEvent)
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
            documents.append(root or _Node(text=""))
            root, anchors = None, {}
    return documents, size


def _node(event: Event) -> _Node:
    line = event.start_mark.line + 1
    if isinstance(event, ScalarEvent):
        return _Node(text=event.value, line=line)
    return _Node(is_mapping=isinstance(event, MappingStartEvent), line=line)
