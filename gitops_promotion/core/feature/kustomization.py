"""Adds entries to an environment's kustomization and removes them again; every other byte of the file stays.

As in `core/markers`, a parser locates the entries and the text is spliced; no YAML is emitted. Removing an entry
restores the file from before it was added.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from gitops_promotion.core.feature.manifests import Value, of_node
from gitops_promotion.core.tags import is_plain_string
from gitops_promotion.errors import ManifestError

NAMES = ("kustomization.yaml", "kustomization.yml", "Kustomization")
"""The file names that kustomize accepts; it rejects a folder with more than one of them."""

# Marks a list that was added for the first entry and is removed with the last one. Committed files contain this text.
_OWN_LIST = "# by gitops-promotion, gone with the last feature"
Node = Any  # ruamel's nodes share no typed interface


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An entry of `images:`: the alias of an image in a copy's files, and the image."""

    name: str
    new_name: str
    new_tag: str
    """The tag, followed by `@` and the digest if it is pinned: older versions drop the tag beside a `digest` key."""

    def fields(self) -> list[tuple[str, str]]:
        """Return the entry's keys and values as text for the file."""
        pairs = (("name", self.name), ("newName", self.new_name), ("newTag", self.new_tag))
        return [(key, value if is_plain_string(value) else f'"{value}"') for key, value in pairs]


def find(folder: str, paths: Sequence[str]) -> str | None:
    """Return the path of a folder's kustomization among `paths`, None if it has none. Raises ManifestError for two."""
    kustomizations = [path for name in NAMES if (path := f"{folder}/{name}") in set(paths)]
    if len(kustomizations) > 1:
        raise ManifestError(f"{' and '.join(kustomizations)}: kustomize accepts only one of them, remove the other")
    return kustomizations[0] if kustomizations else None


def with_entries(content: bytes, path: str, *, resource: str, images: Sequence[Image], prefix: str) -> bytes:
    """Return the kustomization with a resource, and with these images as the only ones that begin with `prefix`.

    Existing entries that are equal keep their place. Raises ManifestError, with file and line, for a file that cannot
    be edited.
    """
    images_by_name = {image.name: image for image in images}
    file = _File(content, path)
    existing = {name: node for name, node in file.images() if name.startswith(prefix)}
    for name, node in existing.items():
        if name not in images_by_name or file.fields(node) != images_by_name[name].fields():
            file = _File(file.without("images", name), path)
    if not any(_is_same_path(text, resource) for text, _ in file.resources()):
        file = _File(file.with_item("resources", [(None, resource)]), path)
    names = {name for name, _ in file.images()}
    for name, image in images_by_name.items():
        if name not in names:
            file = _File(file.with_item("images", image.fields()), path)
    return file.bytes()


def without_entries(content: bytes, path: str, *, resource: str, prefix: str) -> bytes:
    """Return the kustomization without a resource and without the images that begin with `prefix`.

    Raises ManifestError, with file and line, for a file that cannot be edited.
    """
    file = _File(content, path)
    for name in [name for name, _ in file.images() if name.startswith(prefix)]:
        file = _File(file.without("images", name), path)
    for text in [text for text, _ in file.resources() if _is_same_path(text, resource)]:
        file = _File(file.without("resources", text), path)
    return file.bytes()


def own_labels(content: bytes, path: str) -> Mapping[str, str]:
    """Return the labels that a kustomization adds to its objects, from `labels` and `commonLabels`.

    Raises ManifestError for a file that cannot be parsed.
    """
    file = _File(content, path)
    labels = _texts(file.section("commonLabels"))
    section = file.section("labels")
    for item in section.value if section is not None and section.id == "sequence" else ():
        if item.id == "mapping":
            labels |= _texts(next((value for key, value in item.value if key.value == "pairs"), None))
    return labels


def value(content: bytes, path: str) -> dict[str, Value]:
    """Return the content of a kustomization. Raises ManifestError for a file that cannot be parsed."""
    root = _File(content, path).root
    return dict(of_node(root, 100 * len(content))) if root is not None else {}


def values(content: bytes, path: str) -> list[Value]:
    """Return the content of each document of a YAML file.

    Raises ManifestError for a file that cannot be parsed, KustomizeError if aliases expand to too much data.
    """
    nodes = _composed(lambda yaml: list(yaml.compose_all(content.decode(errors="replace"))), path)
    return [of_node(node, 100 * len(content)) for node in nodes if node is not None]


def _texts(node: Node) -> dict[str, str]:
    if node is None or node.id != "mapping":
        return {}
    return {str(key.value): str(value.value) for key, value in node.value if value.id == "scalar"}


def _is_same_path(text: str, path: str) -> bool:
    """Return True if an entry of `resources:` is a path, possibly with `./` before it and `/` after it."""
    return re.sub(r"^(?:\./)+|/+$", "", text) == path


class _File:
    """A parsed kustomization. Each edit returns a new text, to be parsed again."""

    def __init__(self, content: bytes | str, path: str) -> None:
        self.path = path
        try:
            self.text = content.decode() if isinstance(content, bytes) else content
        except UnicodeDecodeError:
            raise ManifestError.at(path, 0, "not UTF-8 text: save the file as UTF-8") from None
        self.root = _compose(self.text, path)
        if self.root is not None and self.root.id != "mapping":
            self.fail(self.root, "is no mapping: a kustomization has keys such as resources")

    def bytes(self) -> bytes:
        return self.text.encode()

    def fail(self, node: Node, message: str) -> NoReturn:
        raise ManifestError.at(self.path, node.start_mark.line + 1 if node is not None else 1, message)

    def section(self, key: str) -> Node:
        """Return the value of a key of the root; None if it is absent."""
        pairs = [pair for pair in (self.root.value if self.root is not None else ()) if pair[0].value == key]
        if len(pairs) > 1:
            self.fail(pairs[1][0], f"the key {key} exists twice: join the two lists")
        return pairs[0][1] if pairs else None

    def items(self, key: str) -> list[Node]:
        """Return the nodes of a list of the root; [] where it is absent or empty."""
        node = self.section(key)
        if node is None or (node.id == "scalar" and node.value in ("", "null", "~")):
            return []
        if node.id != "sequence":
            self.fail(node, f"{key} is no list: write it as one")
        if node.anchor:
            self.fail(node, f"{key} has an anchor: remove the anchor, so that the list can be edited")
        return list(node.value)

    def resources(self) -> list[tuple[str, Node]]:
        return [(str(node.value), node) for node in self.items("resources") if node.id == "scalar"]

    def images(self) -> list[tuple[str, Node]]:
        entries = []
        for node in self.items("images"):
            pairs = node.value if node.id == "mapping" else ()
            name = next((value for key, value in pairs if key.value == "name"), None)
            if name is not None and name.id == "scalar":
                entries.append((str(name.value), node))
        return entries

    def fields(self, node: Node) -> list[tuple[str, str]]:
        """Return the keys and values of an entry as text of the file, without comments."""
        return [(str(key.value), self.text[value.start_mark.index : value.end_mark.index]) for key, value in node.value]

    # -- edits

    def with_item(self, key: str, fields: Sequence[tuple[str | None, str]]) -> str:
        """Return the text with an item at the end of a list, which is added if it is absent."""
        node, items = self.section(key), self.items(key)
        if node is not None and node.id == "sequence" and node.flow_style:
            return self._in_flow(node, items, _flow(fields))
        if items:
            column = items[-1].start_mark.column - self._dash(items[-1])
            return self._line_after(_end(items[-1]), _block(fields, " " * column))
        if node is not None:
            # A key without a value, such as `resources:`.
            key_node = next(key_node for key_node, value in self.root.value if value is node)
            if node.value:
                self.fail(node, f"{key} is {node.value}: remove the value or the key")
            return self._line_after(key_node.end_mark.index, _block(fields, ""))
        if self.root is not None and self.root.flow_style:
            self.fail(self.root, f"{key} cannot be added to a mapping in braces: write each key on its own line")
        # After the comments at the end of the file, but before the `...` that ends its document.
        has_end_mark = self.root is not None and re.search(r"^\.\.\.", self.text, re.MULTILINE)
        index = _end(self.root) if has_end_mark else len(self.text)
        return self._line_after(index, [f"{key}: {_OWN_LIST}", *_block(fields, "")])

    def _dash(self, item: Node) -> int:
        """Return the distance from an item back to its dash."""
        start = int(item.start_mark.index)
        line = self.text.rfind("\n", 0, start) + 1
        return start - self.text.rfind("-", line, start)

    def _in_flow(self, node: Node, items: list[Node], item: str) -> str:
        if not items:
            index = node.start_mark.index + 1
            return f"{self.text[:index]}{item}{self.text[index:]}"
        index = _end(items[-1])
        return f"{self.text[:index]}, {item}{self.text[index:]}"

    def _line_after(self, index: int, lines: Sequence[str]) -> str:
        """Return the text with whole lines below the line of `index`."""
        newline = "\r\n" if "\r\n" in self.text else "\n"
        line_end = self.text.find("\n", index)
        if line_end < 0 and self.text and not self.text.endswith("\n"):
            return self.text + "".join(newline + line for line in lines)
        position = len(self.text) if line_end < 0 else line_end + 1
        return self.text[:position] + "".join(line + newline for line in lines) + self.text[position:]

    def without(self, key: str, name: str) -> str:
        """Return the text without the item of that name, and without the list if it was added for its items."""
        node = self.section(key)
        entries = self.images() if key == "images" else self.resources()
        item = next(entry for entry_name, entry in entries if entry_name == name)
        items = self.items(key)
        if node.flow_style:
            return self._out_of_flow(items, items.index(item))
        start = self.text.rfind("\n", 0, item.start_mark.index) + 1
        if not re.fullmatch(r"[ \t]*-[ \t]*", self.text[start : item.start_mark.index]):
            self.fail(item, f"the entry {name!r} shares its line with others: put it on its own line")
        end = self._line_end(_end(item))
        key_node = next(key_node for key_node, value in self.root.value if value is node)
        key_start = self.text.rfind("\n", 0, key_node.start_mark.index) + 1
        key_line = self.text[key_start : self._line_end(key_node.end_mark.index)]
        if len(items) == 1 and key_line.rstrip("\r\n") == f"{key}: {_OWN_LIST}":
            start = key_start
        if end == len(self.text) and not self.text.endswith("\n"):
            # The removed line has no newline: the newline of the line before it is removed instead.
            start = max(start - 1, 0)
            start -= self.text[start - 1 : start] == "\r"
        return self.text[:start] + self.text[end:]

    def _line_end(self, index: int) -> int:
        newline = self.text.find("\n", index)
        return len(self.text) if newline < 0 else newline + 1

    def _out_of_flow(self, items: list[Node], number: int) -> str:
        if number:
            return self.text[: _end(items[number - 1])] + self.text[_end(items[number]) :]
        start, end = items[0].start_mark.index, _end(items[0])
        return self.text[:start] + self.text[items[1].start_mark.index if len(items) > 1 else end :]


def _end(node: Node) -> int:
    """Return the index after a node's last character; the end mark of a block is after the comments that follow it."""
    if node.id == "scalar" or node.flow_style or not node.value:
        end = int(node.end_mark.index)
        return end - 1 if node.id == "scalar" and node.style in ("|", ">") else end
    last = node.value[-1]
    return max(_end(last[0]), _end(last[1])) if isinstance(last, tuple) else _end(last)


def _block(fields: Sequence[tuple[str | None, str]], indent: str) -> list[str]:
    lines = [value if key is None else f"{key}: {value}" for key, value in fields]
    return [indent + ("  " if number else "- ") + line for number, line in enumerate(lines)]


def _flow(fields: Sequence[tuple[str | None, str]]) -> str:
    if fields[0][0] is None:
        return fields[0][1]
    return "{" + ", ".join(f"{key}: {value}" for key, value in fields) + "}"


def _compose(text: str, path: str) -> Node:
    return _composed(lambda yaml: yaml.compose(text), path)


def _composed(read: Callable[[Any], Node], path: str) -> Node:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    yaml = YAML(typ="safe", pure=True)
    yaml.composer.warn_double_anchors = False
    try:
        return read(yaml)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        reason = " ".join(f"{error.problem or ''} {error.context or ''}".split())
        line = mark.line + 1 if mark else 1
        raise ManifestError.at(path, line, f"is not valid YAML here, correct it: {reason}") from None
    except (YAMLError, RecursionError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ManifestError.at(path, 0, f"is not valid YAML, correct it: {reason}") from None
