"""Entries of an environment's kustomization: put in and taken out again, every other byte as it was.

As with markers (core/markers.py) a parser says where things stand, and text is spliced; nothing is emitted. What is
taken out leaves the file as it was before it was put in.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from gitops_promotion.core.feature.manifests import Value, of_node
from gitops_promotion.core.tags import is_plain_string
from gitops_promotion.errors import ManifestError

NAMES = ("kustomization.yaml", "kustomization.yml", "Kustomization")
"""What kustomize looks for in a folder; more than one of them is an error to it."""

# A section that was not there goes again with its last entry: it is known by this comment.
_OURS = "# by gitops-promotion, gone with the last feature"
Node = Any  # ruamel's nodes share no typed interface


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An entry of `images:`: what stands for an image in a copy's files, and the image."""

    name: str
    new_name: str
    new_tag: str
    """The tag, with its digest behind an `@` where it is pinned: older kustomizes drop the tag beside a `digest`."""

    def fields(self) -> list[tuple[str, str]]:
        """Return the entry's keys and values as they are written."""
        pairs = (("name", self.name), ("newName", self.new_name), ("newTag", self.new_tag))
        return [(key, value if is_plain_string(value) else f'"{value}"') for key, value in pairs]


def find(folder: str, paths: Sequence[str]) -> str | None:
    """Return the path of a folder's kustomization among `paths`, None if it has none. Raises ManifestError for two."""
    found = [path for name in NAMES if (path := f"{folder}/{name}") in set(paths)]
    if len(found) > 1:
        raise ManifestError(f"{' and '.join(found)}: kustomize takes one of them only, remove the other")
    return found[0] if found else None


def with_entries(content: bytes, path: str, *, resource: str, images: Sequence[Image], prefix: str) -> bytes:
    """Return the kustomization with one more resource, and with exactly these of the images that begin with `prefix`.

    Entries that are there and right stay where they are. Raises ManifestError, with file and line, for a file that
    cannot be edited.
    """
    wanted = {image.name: image for image in images}
    file = _File(content, path)
    here = {text: node for text, node in file.images() if text.startswith(prefix)}
    for name, node in here.items():
        if name not in wanted or file.fields(node) != wanted[name].fields():
            file = _File(file.without("images", name), path)
    if not any(_same(resource, text) for text, _ in file.resources()):
        file = _File(file.with_item("resources", [(None, resource)]), path)
    present = {text for text, _ in file.images()}
    for name, image in wanted.items():
        if name not in present:
            file = _File(file.with_item("images", image.fields()), path)
    return file.bytes()


def without_entries(content: bytes, path: str, *, resource: str, prefix: str) -> bytes:
    """Return the kustomization without a resource and without the images that begin with `prefix`.

    Raises ManifestError, with file and line, for a file that cannot be edited.
    """
    file = _File(content, path)
    for text in [text for text, _ in file.images() if text.startswith(prefix)]:
        file = _File(file.without("images", text), path)
    for text in [text for text, _ in file.resources() if _same(resource, text)]:
        file = _File(file.without("resources", text), path)
    return file.bytes()


def own_labels(content: bytes, path: str) -> Mapping[str, str]:
    """Return the labels that a kustomization gives to what it holds: `labels` and `commonLabels`.

    Raises ManifestError for a file that does not parse.
    """
    file = _File(content, path)
    found = _texts(file.section("commonLabels"))
    labels = file.section("labels")
    for item in labels.value if labels is not None and labels.id == "sequence" else ():
        if item.id == "mapping":
            found |= _texts(next((value for key, value in item.value if key.value == "pairs"), None))
    return found


def value(content: bytes, path: str) -> dict[str, Value]:
    """Return all that a kustomization says. Raises ManifestError for a file that does not parse."""
    root = _File(content, path).root
    return dict(of_node(root, 100 * len(content))) if root is not None else {}


def values(content: bytes, path: str) -> list[Value]:
    """Return what each document of a file says, kustomization or not. Raises ManifestError, KustomizeError."""
    nodes = _composed(lambda yaml: list(yaml.compose_all(content.decode(errors="replace"))), path)
    return [of_node(node, 100 * len(content)) for node in nodes if node is not None]


def _texts(node: Node) -> dict[str, str]:
    if node is None or node.id != "mapping":
        return {}
    return {str(key.value): str(value.value) for key, value in node.value if value.id == "scalar"}


def _same(wanted: str, text: str) -> bool:
    return re.sub(r"^(?:\./)+|/+$", "", text) == wanted


class _File:
    """One kustomization, parsed; each edit gives the text of another."""

    def __init__(self, content: bytes | str, path: str) -> None:
        self.path = path
        try:
            self.text = content.decode() if isinstance(content, bytes) else content
        except UnicodeDecodeError:
            raise ManifestError(f"{path}: not UTF-8 text: save the file as UTF-8") from None
        self.root = _compose(self.text, path)
        if self.root is not None and self.root.id != "mapping":
            self.fail(self.root, "is no mapping: a kustomization has keys such as resources")

    def bytes(self) -> bytes:
        return self.text.encode()

    def fail(self, node: Node, what: str) -> NoReturn:
        raise ManifestError(f"{self.path}:{node.start_mark.line + 1 if node is not None else 1}: {what}")

    def section(self, key: str) -> Node:
        """Return the value of a key of the root; None if it is absent."""
        found = [pair for pair in (self.root.value if self.root is not None else ()) if pair[0].value == key]
        if len(found) > 1:
            self.fail(found[1][0], f"{key} stands there twice: join the two")
        return found[0][1] if found else None

    def items(self, key: str) -> list[Node]:
        """Return the nodes of a list of the root; [] where it is absent or empty."""
        node = self.section(key)
        if node is None or (node.id == "scalar" and node.value in ("", "null", "~")):
            return []
        if node.id != "sequence":
            self.fail(node, f"{key} is no list")
        if node.anchor:
            self.fail(node, f"{key} has an anchor: write it without, so that it can be edited")
        return list(node.value)

    def resources(self) -> list[tuple[str, Node]]:
        return [(str(node.value), node) for node in self.items("resources") if node.id == "scalar"]

    def images(self) -> list[tuple[str, Node]]:
        found = []
        for node in self.items("images"):
            name = next((v for k, v in node.value if k.value == "name"), None) if node.id == "mapping" else None
            if name is not None and name.id == "scalar":
                found.append((str(name.value), node))
        return found

    def fields(self, node: Node) -> list[tuple[str, str]]:
        """Return an entry's keys and values as they are written, comments left out."""
        return [(str(k.value), self.text[v.start_mark.index : v.end_mark.index]) for k, v in node.value]

    # -- edits

    def with_item(self, key: str, fields: Sequence[tuple[str | None, str]]) -> str:
        """Return the text with an item at the end of a list, which is begun if it is not there."""
        node, items = self.section(key), self.items(key)
        if node is not None and node.id == "sequence" and node.flow_style:
            return self._in_flow(node, items, _flow(fields))
        if items:
            column = items[-1].start_mark.column - self._dash(items[-1])
            return self._line_after(_end(items[-1]), _block(fields, " " * column))
        if node is not None:
            # `resources:` and nothing behind it.
            name = next(name for name, value in self.root.value if value is node)
            if node.value:
                self.fail(node, f"{key} is {node.value}: leave it out or empty")
            return self._line_after(name.end_mark.index, _block(fields, ""))
        if self.root is not None and self.root.flow_style:
            self.fail(self.root, f"{key} cannot be added to a mapping in braces: write one key a line")
        # Behind the comments at the end of the file, but not behind the end of its document.
        ended = self.root is not None and re.search(r"^\.\.\.", self.text, re.MULTILINE)
        return self._line_after(_end(self.root) if ended else len(self.text), [f"{key}: {_OURS}", *_block(fields, "")])

    def _dash(self, item: Node) -> int:
        """How far left of an item its dash stands."""
        start = int(item.start_mark.index)
        line = self.text.rfind("\n", 0, start) + 1
        return start - self.text.rfind("-", line, start)

    def _in_flow(self, node: Node, items: list[Node], item: str) -> str:
        if not items:
            at = node.start_mark.index + 1
            return f"{self.text[:at]}{item}{self.text[at:]}"
        at = _end(items[-1])
        return f"{self.text[:at]}, {item}{self.text[at:]}"

    def _line_after(self, index: int, lines: Sequence[str]) -> str:
        """Put whole lines below the one that ends at or after `index`."""
        newline = "\r\n" if "\r\n" in self.text else "\n"
        at = self.text.find("\n", index)
        if at < 0:
            rest = self.text
            if not rest or rest.endswith("\n"):
                return rest + "".join(line + newline for line in lines)
            return rest + "".join(newline + line for line in lines)
        return self.text[: at + 1] + "".join(line + newline for line in lines) + self.text[at + 1 :]

    def without(self, key: str, name: str) -> str:
        """Return the text without the item of that name, and without the list if it was begun for it."""
        node = self.section(key)
        entries = self.images() if key == "images" else self.resources()
        item = next(each for text, each in entries if text == name)
        items = self.items(key)
        if node.flow_style:
            return self._out_of_flow(items, items.index(item))
        start = self.text.rfind("\n", 0, item.start_mark.index) + 1
        if not re.fullmatch(r"[ \t]*-[ \t]*", self.text[start : item.start_mark.index]):
            self.fail(item, f"the entry {name!r} shares its line with others: give it a line of its own")
        end = self._line_end(_end(item))
        head = next(each for each, value in self.root.value if value is node)
        begun = self.text.rfind("\n", 0, head.start_mark.index) + 1
        line = self.text[begun : self._line_end(head.end_mark.index)]
        if len(items) == 1 and line.rstrip("\r\n") == f"{key}: {_OURS}":
            start = begun
        if end == len(self.text) and not self.text.endswith("\n"):
            # The last line has no end: what ends the line before goes instead.
            start = max(start - 1, 0)
            start -= self.text[start - 1 : start] == "\r"
        return self.text[:start] + self.text[end:]

    def _line_end(self, index: int) -> int:
        at = self.text.find("\n", index)
        return len(self.text) if at < 0 else at + 1

    def _out_of_flow(self, items: list[Node], number: int) -> str:
        if number:
            return self.text[: _end(items[number - 1])] + self.text[_end(items[number]) :]
        start, end = items[0].start_mark.index, _end(items[0])
        return self.text[:start] + self.text[items[1].start_mark.index if len(items) > 1 else end :]


def _end(node: Node) -> int:
    """Return where a node's last character is; a block's own mark stands behind the comments that follow it."""
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
        what = " ".join(f"{error.problem or ''} {error.context or ''}".split())
        line = mark.line + 1 if mark else 1
        raise ManifestError(f"{path}:{line}: is not valid YAML here, correct it: {what}") from None
    except (YAMLError, RecursionError) as error:
        raise ManifestError(f"{path}: is not valid YAML, correct it: {' '.join(str(error).split())[:200]}") from None
