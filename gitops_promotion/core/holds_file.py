"""Read `gitops-promotion.holds.yaml`, and add and remove entries without touching its other bytes."""

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from gitops_promotion.core.calendar import read_end, read_start, time_problem
from gitops_promotion.core.config.document import Document, Entry, Node, line_of
from gitops_promotion.core.config.values import name_problem
from gitops_promotion.core.holds import ANY, FILE, Hold, HoldsFile, Problem
from gitops_promotion.core.names import is_name
from gitops_promotion.core.tags import Tag
from gitops_promotion.core.untrusted import quoted, reason_problem
from gitops_promotion.errors import ConfigError, UsageError

KEYS = ("group", "app", "environment", "tag", "reason", "by", "since", "until")
"""The keys of one hold."""

_EXAMPLE = "{group: webshop, app: webui, environment: prod, reason: broken checkout}"
_BY_HAND = f"edit {FILE} by hand"
# Texts that every reader of YAML reads as text without quotes.
_PLAIN = re.compile(
    r"(?!(?:true|false|yes|no|on|off|y|n|null)$)[A-Za-z][A-Za-z0-9._/@+-]*(?: [A-Za-z0-9._/@+-]+)*", re.I
)


def parse(source: bytes, environments: Sequence[str]) -> HoldsFile:
    """Return the holds and what cannot be read; `environments` are the known names."""
    if _is_blank(source):
        return HoldsFile()
    try:
        document, items = _items(source)
        document.finish()
    except ConfigError as error:
        return HoldsFile(problems=tuple(Problem(fault=fault) for fault in error.faults))
    holds: list[Hold] = []
    problems: list[Problem] = []
    for number, item in enumerate(items):
        entry = Document("", item.node, FILE)
        try:
            hold = _hold(entry, item, f"holds[{number}]", environments)
            entry.finish()
            holds.append(hold)
        except ConfigError as error:
            name = _readable_environment(item.node, environments)
            problems += [Problem(fault=fault, environment=name) for fault in error.faults]
    return HoldsFile(holds=tuple(holds), problems=tuple(problems))


def _is_blank(source: bytes) -> bool:
    return all(not text.strip() or text.lstrip().startswith(b"#") for text in source.splitlines())


def _items(source: bytes) -> tuple[Document, list[Entry]]:
    document = Document.parse(source, FILE)
    top = document.mapping(Entry(line_of(document.root), document.root), "the file", ("holds",))
    if "holds" not in top:
        # The faults so far are the reason: the file is no mapping, or the key is misspelled.
        document.finish()
        document.fail(line_of(document.root), f"the file has no holds, write holds: [{_EXAMPLE}]")
    return document, document.items(top.get("holds"), "holds", f"[{_EXAMPLE}]")


def _readable_environment(node: Node, environments: Sequence[str]) -> str:
    """Return the one environment that a faulty entry can concern, "" if it may concern any.

    A name that no environment has is misspelled, and any environment may be meant.
    """
    if node.id != "mapping":
        return ""
    values = [value for key, value in node.value if key.id == "scalar" and key.value in ("environment", "<<")]
    text = str(values[0].value) if len(values) == 1 and values[0].id == "scalar" else ""
    return text if is_name(text) and (text in environments or not environments) else ""


def _hold(document: Document, item: Entry, key_path: str, environments: Sequence[str]) -> Hold:
    if item.node.id != "mapping":
        document.fail(item.line, f"{key_path} is not a mapping, write {_EXAMPLE}")
        document.finish()
    fields = document.mapping(item, key_path, KEYS)

    def name(key: str) -> str:
        entry = fields.get(key)
        if entry is None or entry.is_empty:
            document.fail(item.line, f'{key_path} has no {key}, give it a name or "{ANY}"')
            return ANY
        return document.checked(entry, f"{key_path}.{key}", lambda text: _name_problem(key, text), ANY)

    def time(key: str) -> str:
        problem = time_problem
        return document.checked(fields.get(key), f"{key_path}.{key}", lambda text: problem(text, has_zone=False), "")

    environment = name("environment")
    if environments and environment not in (ANY, *environments):
        document.fail(
            item.line, f"{key_path}.environment is {quoted(environment)}, which is none: use {', '.join(environments)}"
        )
    tags = document.texts(fields.get("tag"), f"{key_path}.tag", _tag_problem, "1.4.2")
    since, until = time("since"), time("until")
    hold = Hold(
        group=name("group"),
        app=name("app"),
        environment=environment,
        reason=document.checked(fields.get("reason"), f"{key_path}.reason", reason_problem, ""),
        by=document.checked(fields.get("by"), f"{key_path}.by", reason_problem, ""),
    )
    document.finish()
    return replace(
        hold,
        tags=tuple(map(Tag.parse, tags)),
        since=read_start(since, "UTC") if since else None,
        until=read_end(until, "UTC") if until else None,
    )


def _name_problem(key: str, text: str) -> str:
    return "" if text == ANY else name_problem({"app": "application"}.get(key, key), text)


def _tag_problem(text: str) -> str:
    try:
        Tag.parse(text)
    except UsageError as error:
        return str(error)
    return ""


def edited(source: bytes, *, removed: Sequence[Hold] = (), added: Sequence[Hold] = ()) -> bytes:
    """Return the file without the entries in `removed` and with those in `added` at its end; all other bytes stay.

    An entry that is not there needs no removal, and one that is there is not added again. Raises ConfigError for a file
    that cannot be read, UsageError for one that is written so that only a person can edit it.
    """
    file = parse(source, ())
    if file.problems:
        raise ConfigError(faults=[problem.fault for problem in file.problems])
    remaining = [hold for hold in file.holds if hold not in removed]
    new = [hold for hold in dict.fromkeys(added) if hold not in remaining]
    text = _without_items(source.decode(), [number for number, hold in enumerate(file.holds) if hold in removed])
    problem = f"{FILE} cannot be edited without changing other entries: {_BY_HAND}"
    try:
        for hold in new:
            text = _with_item(text, hold)
    except ConfigError:
        raise UsageError(problem) from None
    content = text.encode()
    if parse(content, ()) != HoldsFile(holds=(*remaining, *new)):
        raise UsageError(problem)
    return content


def changed_holds(before: bytes, after: bytes) -> tuple[Sequence[Hold], Sequence[Hold]] | None:
    """Return the holds that a change of the file removes, and those that it adds; None if one side is unreadable."""
    old, new = parse(before, ()), parse(after, ())
    if old.problems or new.problems:
        return None
    removed = [hold for hold in old.holds if hold not in new.holds]
    return removed, [hold for hold in new.holds if hold not in old.holds]


def only_lifts(before: bytes, after: bytes, liftable: Sequence[Hold]) -> bool:
    """Return True if the file changes in nothing but that some of the holds in `liftable` are removed."""
    change = changed_holds(before, after)
    if change is None:
        return False
    removed, _ = change
    try:
        return bool(removed) and set(removed) <= set(liftable) and edited(before, removed=removed) == after
    except UsageError:
        return False


def _sequence(text: str) -> tuple[Node, Node] | None:
    """Return the nodes of the key `holds` and of its value, None for a file without content."""
    if _is_blank(text.encode()):
        return None
    root = Document.parse(text, FILE).root
    return next((key, value) for key, value in root.value if key.value == "holds")


def _without_items(text: str, numbers: Sequence[int]) -> str:
    sequence = _sequence(text) if numbers else None
    if sequence is None:
        return text
    _, node = sequence
    if node.flow_style:
        raise UsageError(f"{FILE} has its holds in brackets: {_BY_HAND}, or write each as a line with '- '")
    column = node.start_mark.column
    # An alias has the mark of its anchor.
    marks = [mark for item in node.value for mark in (item.start_mark.index, _content_end(item))]
    if marks != sorted(marks) or len({id(item) for item in node.value}) != len(node.value):
        raise UsageError(f"{FILE} has aliases in its holds: {_BY_HAND}")
    for number in reversed(numbers):
        item = node.value[number]
        start = _line_start(text, item.start_mark.index)
        # The dash may stand on a line of its own above the entry.
        while text[start + column : start + column + 1] != "-" and start > 0:
            start = _line_start(text, start - 1)
        text = text[:start] + text[_line_end(text, _content_end(item)) :]
    return text


def _with_item(text: str, hold: Hold) -> str:
    newline = "\r\n" if "\r\n" in text else "\n"
    sequence = _sequence(text)
    if sequence is None:
        return _ended(text, newline) + "holds:" + newline + _entry_text(hold, 2, newline)
    key, node = sequence
    if node.id == "sequence" and node.value:
        if node.flow_style:
            raise UsageError(f"{FILE} has its holds in brackets: {_BY_HAND}, or write each as a line with '- '")
        place, indent = _line_end(text, _content_end(node.value[-1])), node.start_mark.column
    else:
        # `holds:`, `holds: []`, `holds: ~`: the empty value is removed, a comment beside it stays.
        if node.end_mark.index > node.start_mark.index:
            text = text[: node.start_mark.index].rstrip(" ") + text[node.end_mark.index :]
        place, indent = _line_end(text, key.end_mark.index), 2
    before = _ended(text[:place], newline)
    return before + _entry_text(hold, indent, newline) + text[place:]


def _content_end(node: Node) -> int:
    """Return where the last value of a node ends: the mark of a block is behind the comments that follow it."""
    if node.id == "scalar" or not node.value or node.flow_style:
        return int(node.end_mark.index)
    last = node.value[-1]
    return _content_end(last[1] if isinstance(last, tuple) else last) or int(node.end_mark.index)


def _line_start(text: str, index: int) -> int:
    return text.rfind("\n", 0, index) + 1


def _line_end(text: str, index: int) -> int:
    """Return where the next line begins; a block of text ends there already."""
    if index and text[index - 1 : index] == "\n":
        return index
    end = text.find("\n", index)
    return len(text) if end < 0 else end + 1


def _ended(text: str, newline: str) -> str:
    return text if not text or text.endswith("\n") else text + newline


def _entry_text(hold: Hold, indent: int, newline: str) -> str:
    tags = [_scalar(str(tag)) for tag in hold.tags]
    values = {
        "group": _scalar(hold.group),
        "app": _scalar(hold.app),
        "environment": _scalar(hold.environment),
        "tag": tags[0] if len(tags) == 1 else f"[{', '.join(tags)}]" if tags else "",
        "reason": _scalar(hold.reason) if hold.reason else "",
        "by": _scalar(hold.by) if hold.by else "",
        "since": _time(hold.since),
        "until": _time(hold.until),
    }
    lines = [f"{key}: {value}" for key, value in values.items() if value]
    return "".join(f"{' ' * indent}{'  ' if number else '- '}{text}{newline}" for number, text in enumerate(lines))


def _scalar(text: str) -> str:
    return text if _PLAIN.fullmatch(text) else json.dumps(text, ensure_ascii=False)


def _time(instant: datetime | None) -> str:
    return f'"{instant.isoformat(timespec="seconds")}"' if instant else ""
