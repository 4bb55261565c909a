"""Kubernetes objects as text: reads the output of kustomize, writes the files of a copy.

A scalar that is no string (`0644`, `true`, `1.10`) keeps its text and is never converted.
"""

import copy
import functools
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self

from gitops_promotion.core.tags import is_plain_string
from gitops_promotion.errors import KustomizeError

Value = Any  # a dict of str to Value, a list of Value, a str, or a Plain
Id = tuple[str, str, str, str]
"""API group, kind, namespace and name, which identify an object in Kubernetes."""

# Texts that need no quotes in any position of a YAML file.
_UNQUOTED = re.compile(r"[A-Za-z0-9_./][A-Za-z0-9_./@+=,-]*(?::[A-Za-z0-9_./@+=,-]+)*")
_ESCAPED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True, slots=True)
class Plain:
    """A number, boolean or null, as written in the file."""

    text: str


@dataclass(frozen=True, slots=True, eq=False)
class Object:
    """A Kubernetes object. Its content is never changed in place; `editable` returns a copy for that."""

    content: dict[str, Value]

    @property
    def group(self) -> str:
        """Its API group, "" for the core group."""
        return text(self.content.get("apiVersion")).rpartition("/")[0]

    @property
    def kind(self) -> str:
        """Its kind."""
        return text(self.content.get("kind"))

    @property
    def type(self) -> str:
        """`group/Kind`, as in `kinds.KINDS`."""
        return f"{self.group}/{self.kind}"

    @property
    def name(self) -> str:
        """Its name."""
        return text(self._metadata.get("name"))

    @property
    def namespace(self) -> str:
        """Its namespace, "" if it names none."""
        return text(self._metadata.get("namespace"))

    @property
    def labels(self) -> dict[str, str]:
        """Its own labels."""
        return strings(self._metadata.get("labels"))

    @property
    def annotations(self) -> dict[str, str]:
        """Its annotations."""
        return strings(self._metadata.get("annotations"))

    @property
    def id(self) -> Id:
        """Its identity in Kubernetes."""
        return (self.group, self.kind, self.namespace, self.name)

    @property
    def _metadata(self) -> dict[str, Value]:
        metadata = self.content.get("metadata")
        return metadata if isinstance(metadata, dict) else {}

    def editable(self) -> Self:
        """Return a deep copy."""
        return type(self)(copy.deepcopy(self.content))

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


def text(value: Value) -> str:
    """Return a scalar's text, "" for anything else."""
    if isinstance(value, Plain):
        return value.text
    return value if isinstance(value, str) else ""


def strings(value: Value) -> dict[str, str]:
    """Return the texts of a mapping's values by key; empty for anything but a mapping."""
    return {key: text(child) for key, child in value.items()} if isinstance(value, dict) else {}


def parse(output: bytes) -> tuple[Object, ...]:
    """Return the objects of kustomize's output, in its order. Raises KustomizeError for any other document."""
    documents = re.split(r"^---\n", output.decode(errors="replace"), flags=re.MULTILINE)
    return tuple(_object(document) for document in documents if document.strip())


# An environment is built several times, and most objects are the same each time.
@functools.lru_cache(maxsize=8192)
def _object(document: str) -> Object:
    # libyaml reads a large environment thirty times faster than a parser in Python.
    import yaml

    try:
        node = yaml.compose(document, Loader=yaml.CSafeLoader)
        content = of_node(node, 100 * len(document)) if node is not None and node.id == "mapping" else {}
    except (yaml.YAMLError, RecursionError) as error:
        reason = " ".join(str(error).split())[:200]
        raise KustomizeError(f"kustomize's output cannot be read ({reason}): report it with the environment") from error
    parsed = Object(content)
    if not (parsed.kind and parsed.name):
        raise KustomizeError(f"kustomize printed a document without kind or name, correct it: {document[:80]!r}")
    return parsed


def of_node(node: Any, limit: int) -> Value:
    """Return the value of a parser's node. Raises KustomizeError if its aliases expand to more than `limit` values."""
    return _value(node, [limit])


def _value(node: Any, budget: list[int]) -> Value:
    # Nested aliases let a small text expand to a huge tree.
    budget[0] -= 1
    if budget[0] < 0:
        raise KustomizeError("aliases expand to too much data: write the repeated parts without aliases")
    if node.id == "mapping":
        return {str(key.value): _value(value, budget) for key, value in node.value}
    if node.id == "sequence":
        return [_value(item, budget) for item in node.value]
    scalar = str(node.value)
    return Plain(scalar or "null") if not node.style and not (scalar and is_plain_string(scalar)) else scalar


def write(value: Value, comment: str = "") -> bytes:
    """Return the YAML file of a value, below a comment of one line."""
    head = f"# {comment}\n" if comment else ""
    return (head + "".join(f"{line}\n" for line in _lines(value))).encode()


def _lines(value: Value) -> Iterable[str]:
    if isinstance(value, dict) and value:
        for key, child in value.items():
            yield from _entry(f"{_scalar(key)}:", child, indent="  ")
    elif isinstance(value, list) and value:
        for item in value:
            yield from _item(item)
    else:
        yield _scalar(value)


def _entry(head: str, value: Value, indent: str) -> Iterable[str]:
    if isinstance(value, (dict, list)) and value:
        yield head
        # A list below a key is not indented, as in the output of kubectl.
        deeper = "" if isinstance(value, list) else indent
        yield from (deeper + line if line else "" for line in _lines(value))
    elif isinstance(value, str) and (block := _block(value)):
        yield f"{head} {block[0]}"
        yield from (indent + line if line else "" for line in block[1:])
    else:
        yield f"{head} {_scalar(value)}"


def _item(value: Value) -> Iterable[str]:
    if isinstance(value, str) and (block := _block(value)):
        yield f"- {block[0]}"
        yield from ("  " + line if line else "" for line in block[1:])
        return
    for number, line in enumerate(_lines(value)):
        yield ("- " if number == 0 else "  " if line else "") + line


def _block(value: str) -> list[str]:
    """Return the header and the lines of a literal block, [] for text that must be quoted."""
    if "\n" not in value.rstrip("\n") or value[0] in " \t\n" or _ESCAPED.search(value):
        return []
    body = value.rstrip("\n")
    newlines = len(value) - len(body)
    lines = body.split("\n")
    # Editors that strip trailing blanks would change such a line.
    if any(line.isspace() for line in lines):
        return []
    return ["|" + ("-", "", "+")[min(newlines, 2)], *lines, *[""] * (newlines - 1)]


def _scalar(value: Value) -> str:
    if isinstance(value, Plain):
        return value.text
    if isinstance(value, (dict, list)):
        return "{}" if isinstance(value, dict) else "[]"
    scalar = str(value)
    if _UNQUOTED.fullmatch(scalar) and is_plain_string(scalar):
        return scalar
    # YAML has the escapes of JSON but no surrogate pairs, and requires escapes for more characters.
    quoted = json.dumps(scalar, ensure_ascii=False)
    return _ESCAPED.sub(lambda match: f"\\u{ord(match[0]):04x}", quoted)
