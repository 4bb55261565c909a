"""GitHub's own schemas, cut down (schemas/cut_github.py): what a request may say, what a reply must look like."""

import json
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from graphql import GraphQLSchema, build_schema
from jsonschema import Draft202012Validator, FormatChecker

SCHEMAS = Path(__file__).parent / "schemas"

FORMATS = {"date-time": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "uri": r"[a-z]+:.*"}


def _formats() -> FormatChecker:
    checker = FormatChecker(formats=())
    for name, pattern in FORMATS.items():

        def check(value: object, pattern: str = pattern) -> bool:
            return not isinstance(value, str) or re.fullmatch(pattern, value) is not None

        checker.checks(name)(check)
    return checker


@cache
def rest() -> dict[str, Any]:
    """The operations by `METHOD /path/{template}`, and `$defs`."""
    found: dict[str, Any] = json.loads((SCHEMAS / "github_rest.json").read_bytes())
    return found


@cache
def graphql() -> GraphQLSchema:
    return build_schema((SCHEMAS / "github_graphql.graphql").read_text())


@cache
def _validator(pointer: str) -> Draft202012Validator:
    schema: Any = rest()
    for key in pointer.split("|"):
        schema = schema[key]
    return Draft202012Validator({"$defs": rest()["$defs"], "allOf": [schema]}, format_checker=_formats())


def faults_of_body(operation: str, body: object) -> list[str]:
    """Say what GitHub would not accept of a request's body."""
    if "body" not in rest()["operations"][operation]:
        return [] if body is None else ["this operation takes no body"]
    return faults(f"operations|{operation}|body", body)


def faults_of_query(operation: str, query: Mapping[str, str]) -> list[str]:
    """Say what GitHub would ignore or refuse of a query."""
    known = rest()["operations"][operation]["query"]
    found = [f"there is no parameter {name!r}" for name in query if name not in known]
    for name in set(query) & set(known):
        value = int(query[name]) if known[name].get("type") == "integer" and query[name].isdigit() else query[name]
        found += faults(f"operations|{operation}|query|{name}", value)
    return found


def faults_of_reply(operation: str, status: int, value: object) -> list[str]:
    """Say where a reply of ours is not what GitHub documents; errors have the same form everywhere."""
    replies = rest()["operations"][operation]["replies"]
    if str(status) in replies:
        return faults(f"operations|{operation}|replies|{status}", value) if replies[str(status)] else []
    return faults("$defs|basic-error", value) if status >= 400 else [f"status {status} is not documented"]


def faults(pointer: str, value: object) -> list[str]:
    """Say what is wrong with a value by the schema at a place of `rest`, its keys joined by `|`."""
    shape = pointer, _shape(value)
    if shape in _valid:
        return []
    found = [f"{error.json_path}: {error.message[:200]}" for error in _validator(pointer).iter_errors(value)]
    if not found:
        _valid.add(shape)
    return found


# -- shapes: most values differ from one that was checked only in what no schema asks for

_valid: set[tuple[str, object]] = set()
"""The shapes of valid values, each with the place of its schema."""

_UNDERSTOOD = {
    *("type", "enum", "format", "minimum", "maximum", "properties", "required", "additionalProperties"),
    *("items", "minItems", "$ref", "allOf", "anyOf", "oneOf"),
}
"""The keywords of which `_shape` keeps all that they ask for."""


class _Asked(NamedTuple):
    """What the schemas ask of strings and numbers, besides their types."""

    words: frozenset[str]
    bounds: list[float]


@cache
def _asked() -> _Asked:
    words: set[str] = set()
    bounds: set[float] = set()
    for schema in _all_schemas():
        unknown = schema.keys() - _UNDERSTOOD
        assert not unknown, f"a schema asks for {unknown}: let `_shape` keep it"
        assert schema.get("minItems", 1) == 1, "a list of a shape is empty or not, of any length"
        assert all(isinstance(word, str | None) for word in schema.get("enum", ())), "`_shape` has texts of enums only"
        words.update(word for word in schema.get("enum", ()) if word is not None)
        bounds.update(schema[name] for name in ("minimum", "maximum") if name in schema)
    return _Asked(frozenset(words), sorted(bounds))


def _all_schemas() -> Iterator[Mapping[str, Any]]:
    pending: list[Any] = [*rest()["$defs"].values()]
    for operation in rest()["operations"].values():
        pending += [operation.get("body"), *operation["query"].values(), *operation["replies"].values()]
    while pending:
        schema = pending.pop()
        if isinstance(schema, dict):
            yield schema
            pending += [*schema.get("properties", {}).values(), schema.get("items"), schema.get("additionalProperties")]
            pending += [each for name in ("allOf", "anyOf", "oneOf") for each in schema.get(name, ())]


def _shape(value: object) -> object:
    """Return what the schemas can see of a value: two values with one shape are both valid, or neither is."""
    match value:
        case None:
            return None
        case str():
            return value if value in _asked().words else _formats_of(value)
        case bool():
            return bool, value
        case int():
            bounds = _asked().bounds
            return int, bisect_left(bounds, value), bisect_right(bounds, value)
        case dict():
            return dict, *((name, _shape(each)) for name, each in value.items())
        case list():
            return list, frozenset(map(_shape, value))
    # Equal to no other.
    return object()


_PATTERNS = tuple(re.compile(pattern) for pattern in FORMATS.values())


def _formats_of(text: str) -> tuple[bool, ...]:
    return tuple(pattern.fullmatch(text) is not None for pattern in _PATTERNS)
