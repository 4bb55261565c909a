"""GitHub's own schemas, cut down (schemas/cut_github.py): what a request may say, what a reply must look like."""

import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

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
    return _faults(f"operations|{operation}|body", body)


def faults_of_query(operation: str, query: Mapping[str, str]) -> list[str]:
    """Say what GitHub would ignore or refuse of a query."""
    known = rest()["operations"][operation]["query"]
    found = [f"there is no parameter {name!r}" for name in query if name not in known]
    for name in set(query) & set(known):
        value = int(query[name]) if known[name].get("type") == "integer" and query[name].isdigit() else query[name]
        found += _faults(f"operations|{operation}|query|{name}", value)
    return found


def faults_of_reply(operation: str, status: int, value: object) -> list[str]:
    """Say where a reply of ours is not what GitHub documents; errors have the same form everywhere."""
    replies = rest()["operations"][operation]["replies"]
    if str(status) in replies:
        return _faults(f"operations|{operation}|replies|{status}", value) if replies[str(status)] else []
    return _faults("$defs|basic-error", value) if status >= 400 else [f"status {status} is not documented"]


def _faults(pointer: str, value: object) -> list[str]:
    return [f"{error.json_path}: {error.message[:200]}" for error in _validator(pointer).iter_errors(value)]
