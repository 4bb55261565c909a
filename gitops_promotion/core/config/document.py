"""Read a YAML text as a graph of nodes, and take values out of it; every complaint has its line.

Values are read as they are written: no schema of YAML decides on the type of `on`, `010` or `1e3` before the expected
type is known. Nothing is built from the graph, so no alias can expand.
"""

import difflib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

from gitops_promotion.core import untrusted
from gitops_promotion.errors import ConfigError, Fault

Node = Any  # ruamel's nodes share no typed interface: `id`, `tag`, `value`, `style` and `start_mark` are used

# The words of YAML 1.1, as the Go tool read them; YAML 1.2 has the first pair only.
_BOOLEANS = {"true": True, "false": False, "yes": True, "no": False, "on": True, "off": False, "y": True, "n": False}
_NULLS = ("~", "null", "Null", "NULL")
_MAX_CHARACTERS = 1 << 20
_HALF_PAIR = re.compile("[\ud800-\udfff]")
_MAX_LINE = 500
_MOST_FAULTS = 20


@dataclass(frozen=True, slots=True)
class Entry:
    """The value of one key, and the line of its key: an anchored value may be on another line."""

    line: int
    node: Node

    @property
    def is_empty(self) -> bool:
        """True if the value counts as absent."""
        return is_empty(self.node)


class Document:
    """One YAML document; `finish` raises the complaints that were collected while its values were taken."""

    def __init__(self, text: str, root: Node, file: str) -> None:
        self.root = root
        self.file = file
        self._faults: dict[tuple[int, str], None] = {}
        self._warnings: dict[tuple[int, str], None] = {}
        # Aliases let a small text expand to a huge tree; a sensible file repeats itself a few times at most.
        self._visits_left = 1000 + 10 * len(text)
        self._merging: list[Node] = []

    @classmethod
    def parse(cls, source: bytes | str, file: str) -> Self:
        """Read exactly one document; `file` is its name in messages. Raises ConfigError for invalid YAML."""
        text = _decode(source, file) if isinstance(source, bytes) else source
        if len(text) > _MAX_CHARACTERS:
            raise ConfigError.at(file, 1, f"larger than {_MAX_CHARACTERS} characters, split or shorten it")
        return cls(text, _compose(text, file), file)

    def fail(self, line: int, text: str) -> None:
        """Note a complaint; the same one is reported once."""
        self._faults[line, untrusted.line(text, _MAX_LINE)] = None

    def warn(self, line: int, text: str) -> None:
        """Note a warning; the same one is reported once."""
        self._warnings[line, untrusted.line(text, _MAX_LINE)] = None

    @property
    def warnings(self) -> tuple[Fault, ...]:
        """All warnings, in the order of lines."""
        return tuple(Fault(self.file, line, text) for line, text in sorted(self._warnings))

    def finish(self) -> None:
        """Raise ConfigError with the complaints, in the order of lines, if there are any; of many, only the first."""
        if self._faults:
            first = sorted(self._faults)
            if (omitted := len(first) - _MOST_FAULTS) > 1:
                remark = f"here and below are {omitted} more faults, correct those above first"
                first[_MOST_FAULTS:] = [(first[_MOST_FAULTS][0], remark)]
            raise ConfigError(faults=[Fault(self.file, line, text) for line, text in first])

    def mapping(self, entry: Entry | None, key_path: str, accepted: tuple[str, ...] | None) -> dict[str, Entry]:
        """Return the entries of an optional mapping by key; `accepted` is None if any name may be a key."""
        if entry is None or is_empty(entry.node):
            return {}
        if entry.node.id != "mapping":
            self.fail(line_of(entry.node), f"{key_path} is not a mapping, write 'key: value' lines")
            return {}
        return self._entries(entry.node, key_path, accepted)

    def _entries(self, node: Node, key_path: str, accepted: tuple[str, ...] | None) -> dict[str, Entry]:
        entries: dict[str, Entry] = {}
        merges: list[Entry] = []
        first_lines: dict[str, int] = {}
        for key, value in node.value:
            self._visit()
            line = line_of(key)
            if key.id != "scalar" or is_empty(key):
                self.fail(line, f"{key_path} has a key that is not a plain string, write 'key: value'")
            elif key.value in first_lines:
                self.fail(
                    line,
                    f"{key_path} has the key {untrusted.quoted(key.value)} twice, "
                    f"first on line {first_lines[key.value]}: remove one",
                )
            elif key.value == "<<" and not key.style:
                merges.append(Entry(line, value))
            elif accepted is None or key.value in accepted:
                entries[key.value] = Entry(line, value)
            elif not key.value.startswith("x-"):
                self.fail(
                    line,
                    f"{key_path} has an unknown key {untrusted.quoted(key.value)}, {_nearest(key.value, accepted)}",
                )
            if key.id == "scalar":
                first_lines.setdefault(key.value, line)
        for merge in merges:
            self._merge(entries, merge, key_path, accepted)
        return entries

    def _merge(self, entries: dict[str, Entry], merge: Entry, key_path: str, accepted: tuple[str, ...] | None) -> None:
        for source in merge.node.value if merge.node.id == "sequence" else [merge.node]:
            self._visit()
            if source.id != "mapping" or source in self._merging:
                self.fail(
                    merge.line, f"{key_path} merges ('<<') something that is not another mapping, write the keys out"
                )
                continue
            self._merging.append(source)
            for key, value in self._entries(source, key_path, accepted).items():
                entries.setdefault(key, value)
            self._merging.pop()

    def _visit(self) -> None:
        self._visits_left -= 1
        if self._visits_left < 0:
            raise ConfigError.at(self.file, 1, "its aliases expand to too much data, write the repeated parts out")

    def items(self, entry: Entry | None, key_path: str, example: str) -> list[Entry]:
        """Return the items of an optional list; a complaint shows `example`."""
        if entry is None or is_empty(entry.node):
            return []
        if entry.node.id != "sequence":
            self.fail(line_of(entry.node), f"{key_path} is not a list, write it as {example}")
            return []
        for _ in entry.node.value:
            self._visit()
        return [Entry(line_of(node), node) for node in entry.node.value]

    def text(self, entry: Entry | None, key_path: str) -> str:
        """Return a scalar as it is written; "" if it is absent, empty or faulty."""
        if entry is None or is_empty(entry.node):
            return ""
        if entry.node.id != "scalar":
            self.fail(line_of(entry.node), f"{key_path} is a {entry.node.id}, write a plain value")
            return ""
        if not entry.node.tag.startswith("tag:yaml.org,2002:"):
            self.fail(
                line_of(entry.node), f"{key_path} has the YAML tag {entry.node.tag!r}, write the value without it"
            )
            return ""
        text = str(entry.node.value)
        if _HALF_PAIR.search(text):
            self.fail(line_of(entry.node), f"{key_path} has half of a surrogate pair, write the character itself")
            return ""
        return text

    def checked(self, entry: Entry | None, key_path: str, problem_with: Callable[[str], str], default: str) -> str:
        """Return a scalar, `default` if it is absent or empty; a text that `problem_with` returns is a complaint."""
        text = self.text(entry, key_path)
        if entry is None or not text:
            return default
        if problem := problem_with(text):
            self.fail(line_of(entry.node), f"{key_path} is {untrusted.quoted(text)}: {problem}")
        return text

    def texts(
        self,
        entry: Entry | None,
        key_path: str,
        problem_with: Callable[[str], str],
        example: str,
        *,
        several: bool = False,
    ) -> tuple[str, ...]:
        """Return one or several scalars, each checked by `problem_with`; with `several` only a list is accepted.

        Empty if the key is absent. An empty list and an empty item are complaints, which show `example`.
        """
        if entry is None or is_empty(entry.node):
            return ()
        if entry.node.id != "sequence" and not several:
            text = self.checked(entry, key_path, problem_with, "")
            return (text,) if text else ()
        items = self.items(entry, key_path, "[one, another]")
        if entry.node.id == "sequence" and not items:
            self.fail(entry.line, f"{key_path} is an empty list, write {example} or leave it out")
        texts = []
        for number, item in enumerate(items):
            texts.append(self.checked(item, f"{key_path}[{number}]", problem_with, ""))
            if is_empty(item.node):
                self.fail(item.line, f"{key_path}[{number}] is empty, write {example}")
        return tuple(texts)

    def boolean(self, entry: Entry | None, key_path: str) -> bool:
        """Return a boolean, written with any word of YAML 1.1; False if it is absent, empty or faulty."""
        text = self.text(entry, key_path)
        if entry is None or not text:
            return False
        if entry.node.style or text.lower() not in _BOOLEANS:
            quotes = " in quotes" if entry.node.style else ""
            self.fail(
                line_of(entry.node),
                f"{key_path} is {untrusted.quoted(text)}{quotes}: accepted are true, false, yes, no, on, off",
            )
            return False
        return _BOOLEANS[text.lower()]


def is_empty(node: Node) -> bool:
    """Return True for an empty value, YAML's null and an empty text: all of them count as absent."""
    return node.id == "scalar" and (not node.value or (not node.style and node.value in _NULLS))


def line_of(node: Node) -> int:
    """Return the line on which a node starts, counted from 1."""
    return int(node.start_mark.line) + 1


def _decode(source: bytes, file: str) -> str:
    try:
        return source.decode("utf-8")
    except UnicodeDecodeError as error:
        line = source.count(b"\n", 0, error.start) + 1
        raise ConfigError.at(file, line, "is not UTF-8 text, save it as UTF-8") from None


def _compose(text: str, file: str) -> Node:
    # Imported here, so that `--help` loads no YAML parser (docs/architecture.md#budgets).
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError
    from ruamel.yaml.reader import ReaderError

    yaml = YAML(typ="safe", pure=True)
    yaml.composer.warn_double_anchors = False  # setting an anchor again is allowed
    try:
        root = yaml.compose(text)
    except RecursionError:
        raise ConfigError.at(file, 1, "is nested too deeply, write it with fewer levels") from None
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise ConfigError.at(file, line, "has a character that YAML forbids, remove it") from None
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = untrusted.line(f"{error.problem or ''} {error.context or ''}".strip(), _MAX_LINE)
        # An open quote or bracket is noticed at the end of the file, and must be corrected at its beginning.
        start = f" begun on line {error.context_mark.line + 1}" if error.context and error.context_mark else ""
        line = mark.line + 1 if mark else 1
        raise ConfigError.at(file, line, f"is not valid YAML here, correct it: {problem}{start}") from None
    except YAMLError as error:
        raise ConfigError.at(
            file, 1, f"is not valid YAML, correct it: {untrusted.line(str(error), _MAX_LINE)}"
        ) from None
    except (ValueError, OverflowError, AttributeError, AssertionError):
        # ruamel.yaml gives the number of an escape to `chr` unchecked: "\UFFFFFFFF" ends in an OverflowError.
        raise ConfigError.at(
            file, _line_of_impossible_character(text), "is not valid YAML, correct it: an escape names no character"
        ) from None
    if root is None:
        raise ConfigError.at(file, 1, "is empty, it needs at least 'environments: [{name: dev, auto: true}]'")
    return root


def _line_of_impossible_character(text: str) -> int:
    escapes = re.finditer(r"\\U([0-9A-Fa-f]{8})", text)
    first = next((escape.start() for escape in escapes if int(escape[1], 16) > 0x10FFFF), 0)
    return text.count("\n", 0, first) + 1


def _nearest(key: str, accepted: tuple[str, ...]) -> str:
    lower = {name.lower(): name for name in accepted}
    close = difflib.get_close_matches(key.lower(), lower, n=1)
    hint = f"did you mean {lower[close[0]]!r}? " if close else ""
    return f"{hint}accepted: {', '.join(accepted)} and x-..."
