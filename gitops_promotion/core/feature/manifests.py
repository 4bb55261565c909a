"""Kubernetes objects as text: read what kustomize prints, write the files of a copy.

A scalar that is no string (`0644`, `true`, `1.10`) keeps its text: nothing here has to know which number it is.
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
"""API group, kind, namespace and name: what makes two objects the same to Kubernetes."""

# What needs no quotes wherever it stands; anything else gets them.
_BARE = re.compile(r"[A-Za-z0-9_./][A-Za-z0-9_./@+=,-]*(?::[A-Za-z0-9_./@+=,-]+)*")
_ODD = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True, slots=True)
class Plain:
    """A number, boolean or null, as it is written."""

    text: str


@dataclass(frozen=True, slots=True, eq=False)
class Object:
    """One object; its content is never changed in place, `editable` gives a copy to work on."""

    content: dict[str, Value]

    @property
    def group(self) -> str:
        """Its API group, "" for the core one."""
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
        """Its namespace, "" where it names none."""
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
        """What no other object has."""
        return (self.group, self.kind, self.namespace, self.name)

    @property
    def _metadata(self) -> dict[str, Value]:
        found = self.content.get("metadata")
        return found if isinstance(found, dict) else {}

    def editable(self) -> Self:
        """Return a copy that shares nothing with this one."""
        return type(self)(copy.deepcopy(self.content))

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


def text(value: Value) -> str:
    """Return a scalar's text, "" for anything else."""
    if isinstance(value, Plain):
        return value.text
    return value if isinstance(value, str) else ""


def strings(value: Value) -> dict[str, str]:
    """Return a mapping's scalars by key; empty for anything that is none."""
    return {key: text(each) for key, each in value.items()} if isinstance(value, dict) else {}


def parse(output: bytes) -> tuple[Object, ...]:
    """Return the objects of kustomize's output, in its order. Raises KustomizeError for what is no object."""
    documents = re.split(r"^---\n", output.decode(errors="replace"), flags=re.MULTILINE)
    return tuple(_object(document) for document in documents if document.strip())


# An environment is built several times, and all but a few objects are the same each time.
@functools.lru_cache(maxsize=8192)
def _object(document: str) -> Object:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        node = YAML(typ="safe", pure=True).compose(document)
    except (YAMLError, RecursionError) as error:
        first = " ".join(str(error).split())[:200]
        raise KustomizeError(f"kustomize's output cannot be read ({first}): report it with the environment") from error
    found = Object(of_node(node, 100 * len(document)) if node is not None and node.id == "mapping" else {})
    if not (found.kind and found.name):
        raise KustomizeError(f"kustomize printed something without kind or name: {document[:80]!r}")
    return found


def of_node(node: Any, most: int) -> Value:
    """Return what a parser's node says; `most` parts of it. Raises KustomizeError if aliases stand for more."""
    return _value(node, [most])


def _value(node: Any, budget: list[int]) -> Value:
    # Aliases make a small text stand for a huge tree.
    budget[0] -= 1
    if budget[0] < 0:
        raise KustomizeError("aliases stand for too much: write the repeated parts out")
    if node.id == "mapping":
        return {str(key.value): _value(value, budget) for key, value in node.value}
    if node.id == "sequence":
        return [_value(item, budget) for item in node.value]
    written = str(node.value)
    return Plain(written or "null") if not node.style and not (written and is_plain_string(written)) else written


def write(value: Value, comment: str = "") -> bytes:
    """Return a value as a YAML file of its own, below a comment of one line."""
    head = f"# {comment}\n" if comment else ""
    return (head + "".join(f"{line}\n" for line in _lines(value))).encode()


def _lines(value: Value) -> Iterable[str]:
    if isinstance(value, dict) and value:
        for key, each in value.items():
            yield from _entry(f"{_scalar(key)}:", each, indent="  ")
    elif isinstance(value, list) and value:
        for each in value:
            yield from _item(each)
    else:
        yield _scalar(value)


def _entry(head: str, value: Value, indent: str) -> Iterable[str]:
    if isinstance(value, (dict, list)) and value:
        yield head
        # A list may stand below its key without indent, as kubectl prints it.
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
    """Return a literal block's header and lines; [] for text that has to be quoted."""
    if "\n" not in value.rstrip("\n") or value[0] in " \t\n" or _ODD.search(value):
        return []
    body = value.rstrip("\n")
    ends = len(value) - len(body)
    lines = body.split("\n")
    # Lines of blanks alone are read well, but lost to the editors that people open the file with.
    if any(line.isspace() for line in lines):
        return []
    return ["|" + ("-", "", "+")[min(ends, 2)], *lines, *[""] * (ends - 1)]


def _scalar(value: Value) -> str:
    if isinstance(value, Plain):
        return value.text
    if isinstance(value, (dict, list)):
        return "{}" if isinstance(value, dict) else "[]"
    written = str(value)
    if _BARE.fullmatch(written) and is_plain_string(written):
        return written
    # JSON's escapes are YAML's; its pairs of surrogates are not, and of the rest YAML wants more escaped.
    quoted = json.dumps(written, ensure_ascii=False)
    return _ODD.sub(lambda match: f"\\u{ord(match[0]):04x}", quoted)
