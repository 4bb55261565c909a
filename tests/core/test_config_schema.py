"""The JSON Schemas for editors: what they accept and refuse, beside all that the examples of the documentation need."""

from typing import Any

import pytest
from jsonschema import Draft202012Validator

from gitops_promotion.core.config.schema import config_schema, holds_schema

CONFIG, HOLDS = Draft202012Validator(config_schema()), Draft202012Validator(holds_schema())
DEV: dict[str, Any] = {"name": "dev"}
HOLD = {"group": "shop", "app": "web", "environment": "prod"}


def config(environment: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    return {"environments": [{**DEV, **(environment or {})}], **more}


@pytest.mark.parametrize(
    ("document", "is_valid"),
    [
        (config(), True),
        ({"environments": None}, False),
        ({}, False),
        ({"environments": [{}]}, False),
        (config({"auto": "yes", "x-mine": 1}, **{"x-more": []}), True),
        (config({"atuo": True}), False),
        (config(enviroments=[]), False),
        (
            config(groups={"shop": {"applications": {"web": {"environments": ["dev"]}, "cart": None}}, "blog": None}),
            True,
        ),
        (config(groups={"shop": {"applications": {"web": {"environment": "dev"}}}}), False),
        (config(groups={"shop": {"application": {}}}), False),
        (config(groups=[]), False),
        (config(groups={"shop": []}), False),
        (config({"windows": [{"from": "09:00", "to": "16:00"}]}), True),
        (config({"windows": [{"from": "09:00", "to": "16:00", "days": ["mon"]}]}), True),
        (config({"windows": [{"from": "09:00"}]}), False),
        (config({"windows": None}), True),
        (config(freezes=[{"from": "2026-12-24", "until": "2026-12-26"}]), True),
        (config({"freezes": [{"from": "2026-12-24"}]}), False),
        (config({"approvals": {"strategy": "multi", "approvers": ["ann"]}}), True),
        (config({"approvals": {"strategy": "multi", "aprovers": ["ann"]}}), False),
        (config(notifications=[{"name": "team", "type": "slack", "events": ["waiting"]}]), True),
        (config(notifications=[{"name": "team", "type": "pigeon"}]), False),
        (config(status_timeout_minutes=[5]), False),
    ],
)
def test_a_configuration_has_known_keys_of_the_right_kind(document: Any, is_valid: bool) -> None:
    assert CONFIG.is_valid(document) is is_valid


@pytest.mark.parametrize(
    ("document", "is_valid"),
    [
        ({"holds": [HOLD]}, True),
        ({"holds": [{**HOLD, "tag": ["1", "2"], "x-ticket": 5}]}, True),
        ({"holds": None}, True),
        ({"holds": [{"group": "shop", "app": "web"}]}, False),
        ({"holds": [{**HOLD, "tags": ["1"]}]}, False),
        ({"hold": [HOLD], "holds": []}, False),
        ({}, False),
        ([], False),
    ],
)
def test_a_file_of_holds_has_entries_with_their_names(document: Any, is_valid: bool) -> None:
    assert HOLDS.is_valid(document) is is_valid


def test_a_key_is_described_by_the_heading_of_its_path() -> None:
    description = config_schema()["properties"]["branchTemplate"]["description"]
    assert description.endswith("/docs/configuration.md#branchtemplate")
