"""The JSON Schema of the documents of `--output json`; a test compares it with what `json_v1` writes."""

from typing import Any, get_args

from gitops_promotion.core.model import Result
from gitops_promotion.core.pages import page
from gitops_promotion.render.json_v1 import VERSION

Schema = dict[str, Any]

_TEXT: Schema = {"type": "string"}
_FLAG: Schema = {"type": "boolean"}
_NUMBER: Schema = {"type": "integer"}
_TEXTS: Schema = {"type": "array", "items": _TEXT}
_OBJECTS: Schema = {"type": "array", "items": {"type": "object"}}

_PULL_REQUEST: dict[str, Schema] = {
    "number": _NUMBER,
    "url": _TEXT,
    "state": {"enum": ["open", "merged", "closed"]},
    "head": _TEXT,
    "head_sha": _TEXT,
    "base": _TEXT,
    "merge_sha": {"type": ["string", "null"]},
    "auto_merge": _FLAG,
    "title": _TEXT,
    "author": _TEXT,
}

_PLAN: dict[str, Schema] = {
    "branch": _TEXT,
    "base": _TEXT,
    "base_sha": _TEXT,
    "commit_message": _TEXT,
    "title": _TEXT,
    "body": _TEXT,
    "auto_merge": _FLAG,
    "files": _TEXTS,
}


def _object(properties: dict[str, Schema], *, is_optional: bool = False) -> Schema:
    """Return the schema of an object that has all these keys; a later version may add others."""
    kind: Schema = {"type": ["object", "null"]} if is_optional else {"type": "object"}
    return {**kind, "properties": properties, "required": list(properties)}


_OUTCOME: dict[str, Schema] = {
    "result": {"enum": list(get_args(Result))},
    "exit_code": _NUMBER,
    "message": _TEXT,
    "group": _TEXT,
    "app": _TEXT,
    "environment": _TEXT,
    "tag": _TEXT,
    "previous_tag": _TEXT,
    "branch": _TEXT,
    "sha": _TEXT,
    "feature_url": _TEXT,
    "pull_request": _object(_PULL_REQUEST, is_optional=True),
    "reasons": _TEXTS,
    "warnings": _TEXTS,
    "plan": _object(_PLAN, is_optional=True),
    "diff": _TEXT,
}

DOCUMENTS: dict[str, dict[str, Schema]] = {
    "report": {"outcomes": {"type": "array", "items": _object(_OUTCOME)}},
    "pull_requests": {"pull_requests": {"type": "array", "items": _object(_PULL_REQUEST)}},
    "pull_request": {"pull_request": _object({**_PULL_REQUEST, "body": _TEXT, "diff": _TEXT})},
    "graph": {"entry": _TEXT, "environments": _OBJECTS},
    "findings": {"findings": _OBJECTS},
    "proposal": {
        "groups": _TEXTS,
        "applications": _OBJECTS,
        "environments": _OBJECTS,
        "files": _OBJECTS,
        "undecided": _TEXTS,
    },
    "history": {"events": _OBJECTS},
    "metrics": {"metrics": _OBJECTS},
    "approvals": {"approvals": _OBJECTS},
    "board": {"applications": _OBJECTS, "features": _OBJECTS},
    "why": {"group": _TEXT, "app": _TEXT, "environment": _TEXT, "reasons": _TEXTS, "next": _TEXTS, "text": _TEXT},
}
"""The keys of each document beside `version`, by the view that it shows."""


def output_schema() -> Schema:
    """Return the JSON Schema of all documents: one of those of DOCUMENTS."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "gitops-promotion --output json",
        "description": page("docs/exit-codes.md", "the-json-document"),
        "type": "object",
        "properties": {"version": {"const": VERSION}},
        "required": ["version"],
        "anyOf": [_object(keys) for keys in DOCUMENTS.values()],
    }
