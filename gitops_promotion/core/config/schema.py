"""The JSON Schema of the configuration, for editors: the keys are those of `KEYS`, and `TYPES` has the kind of each.

It accepts all that `parse` accepts, and more: a text that depends on other keys, such as the name of an environment in
`after`, is any text here.
"""

from collections.abc import Mapping
from typing import Any

from gitops_promotion.core import holds_file
from gitops_promotion.core.branch_names import BRANCHES
from gitops_promotion.core.config import KEYS
from gitops_promotion.core.notifications.channels import EVENTS
from gitops_promotion.core.notifications.channels import TYPES as TYPES_OF_CHANNELS
from gitops_promotion.core.pages import REPOSITORY, page

Schema = dict[str, Any]

DRAFT = "https://json-schema.org/draft/2020-12/schema"
CONFIG_ID = f"{REPOSITORY.replace('github.com', 'raw.githubusercontent.com')}/main/docs/schema/config.json"
"""The address of the configuration's schema, for the first line of a configuration."""

# A plain value is read as the text that it is written as: `010`, `on` and `1.10` are names.
TEXT: Schema = {"type": ["string", "number", "boolean", "null"]}
FLAG: Schema = {"anyOf": [{"type": ["boolean", "null"]}, {"enum": ["yes", "no", "on", "off", "y", "n"]}]}
TEXTS: Schema = {"anyOf": [TEXT, {"type": "array", "items": TEXT, "minItems": 1}]}
LIST: Schema = {"type": ["array", "null"], "items": TEXT}
WHOLE: Schema = {"anyOf": [{"type": ["integer", "null"]}, {"type": "string", "pattern": "^[0-9]+$"}]}

_REQUIRED = {
    "": ["environments"],
    "environments[]": ["name"],
    "environments[].windows[]": ["from", "to"],
    "notifications[]": ["name", "type"],
    "freezes[]": ["from", "until"],
}


def _one_of(*words: str) -> Schema:
    return {"enum": [*words, "", None]}


_EVENTS: Schema = {"anyOf": [_one_of(*EVENTS), {"type": "array", "items": {"enum": list(EVENTS)}, "minItems": 1}]}
_FREEZES: Schema = {"type": ["array", "null"], "items": {"$ref": "#/$defs/freeze"}}

TYPES: Mapping[str, Schema] = {
    "prflow": _one_of(*BRANCHES),
    "status_timeout_minutes": {"type": ["string", "integer", "null"]},
    "provider": TEXT,
    "branchTemplate": TEXT,
    "pathTemplate": TEXT,
    "markerTemplate": TEXT,
    "statusContext": TEXTS,
    "statusAuthors": LIST,
    "checkRunApps": LIST,
    "failFast": FLAG,
    "comment": FLAG,
    "templates.title": TEXT,
    "templates.body": TEXT,
    "templates.commit": TEXT,
    "labels": LIST,
    "reviewers": LIST,
    "assignees": LIST,
    "changelog": FLAG,
    "renderedDiff": FLAG,
    "verifyImage": {"anyOf": [{"const": "warn"}, *FLAG["anyOf"]]},
    "mergeMethod": _one_of("merge", "squash", "rebase"),
    "commitSigning": _one_of("git", "forge", "off"),
    "commitAuthor.name": TEXT,
    "commitAuthor.email": TEXT,
    "approverGroups": {"type": ["object", "null"], "additionalProperties": LIST},
    "notifications[].name": TEXT,
    "notifications[].type": _one_of(*TYPES_OF_CHANNELS),
    "notifications[].events": _EVENTS,
    "notifications[].environments": TEXTS,
    "notifications[].groups": TEXTS,
    "notifications[].applications": TEXTS,
    "notifications[].to": TEXTS,
    "notifications[].subject": TEXT,
    "notifications[].text": TEXT,
    "environments[].name": TEXT,
    "environments[].auto": FLAG,
    "environments[].overrides": FLAG,
    "environments[].rollback.approvals": FLAG,
    "environments[].autoRollback": TEXT,
    "environments[].after": {
        "anyOf": [
            TEXT,
            LIST,
            {"type": "object", "properties": {"any": TEXTS, "all": TEXTS}, "minProperties": 1, "maxProperties": 1},
        ]
    },
    "environments[].path": TEXTS,
    "environments[].marker": TEXT,
    "environments[].statusContext": TEXTS,
    "environments[].requiredContexts": TEXTS,
    "environments[].clusters": {"anyOf": [WHOLE, LIST]},
    "environments[].require": {"anyOf": [{"const": "all"}, WHOLE]},
    "environments[].unmanagedImages": _one_of("off", "report", "approve", "refuse"),
    "environments[].approvals.strategy": _one_of("single", "multi", "four-eyes"),
    "environments[].approvals.quorum": WHOLE,
    "environments[].approvals.approvers": LIST,
    "environments[].approvals.groups": LIST,
    "environments[].soak": TEXT,
    "environments[].windows[].days": TEXTS,
    "environments[].windows[].from": TEXT,
    "environments[].windows[].to": TEXT,
    "environments[].windows[].zone": TEXT,
    "environments[].freezes": _FREEZES,
    "freezes": _FREEZES,
    "freezes[].from": TEXT,
    "freezes[].until": TEXT,
    "freezes[].reason": TEXT,
    "freezes[].zone": TEXT,
    "groups.<group>.applications.<application>.featureOverwrite": FLAG,
    "groups.<group>.applications.<application>.featureLabelSelector": {
        "type": ["object", "null"],
        "additionalProperties": TEXT,
    },
    "groups.<group>.applications.<application>.environments": LIST,
    "groups.<group>.applications.<application>.sourceRepository": TEXT,
}
"""The schema of each key whose value is not a mapping, or a list of mappings, with keys of its own."""


def holds_schema() -> Schema:
    """Return the JSON Schema of the file of holds."""
    hold = {
        "type": "object",
        "properties": {**dict.fromkeys(holds_file.KEYS, TEXT), "tag": TEXTS},
        "required": ["group", "app", "environment"],
        "patternProperties": {"^x-": {}},
        "additionalProperties": False,
    }
    return {
        "$schema": DRAFT,
        "title": "gitops-promotion.holds.yaml",
        "type": "object",
        "properties": {"holds": {"type": ["array", "null"], "items": hold}},
        "required": ["holds"],
        "additionalProperties": False,
    }


def config_schema() -> Schema:
    """Return the JSON Schema of the configuration."""
    return {
        "$schema": DRAFT,
        "$id": CONFIG_ID,
        "title": "gitops-promotion.yaml",
        "description": page("docs/configuration.md"),
        **_mapping(""),
        "$defs": {"freeze": _mapping("freezes[]")},
    }


def _mapping(path: str) -> Schema:
    """Return the schema of a mapping with fixed keys; keys that begin with `x-` are free."""
    properties = {key: _described(f"{path}.{key}" if path else key) for key in KEYS[path]}
    return {
        "type": "object",
        "properties": properties,
        "patternProperties": {"^x-": {}, "^<<$": {}},
        "additionalProperties": False,
        **({"required": _REQUIRED[path]} if path in _REQUIRED else {}),
    }


def _described(path: str) -> Schema:
    anchor = "".join(character for character in path if character.isalnum() or character in "_-").lower()
    return {"description": page("docs/configuration.md", anchor), **_of_key(path)}


def _of_key(path: str) -> Schema:
    """Return the schema of one key's value, by what `KEYS` says of the paths below it."""
    if path in TYPES:
        return TYPES[path]
    if f"{path}[]" in KEYS:
        items = _mapping(f"{path}[]")
        return {"type": "array" if path in _REQUIRED[""] else ["array", "null"], "items": items}
    names = {"groups": "groups.<group>", "groups.<group>.applications": "groups.<group>.applications.<application>"}
    if path in names:
        free = _mapping(names[path])
        return {"type": ["object", "null"], "additionalProperties": {**free, "type": ["object", "null"]}}
    # A key that neither `TYPES` nor `KEYS` has is a KeyError: it needs an entry in `TYPES`.
    return {**_mapping(path), "type": ["object", "null"]}
