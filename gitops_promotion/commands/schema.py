"""`schema`: the JSON Schema of a document that people write or scripts read."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from gitops_promotion.core.config.schema import config_schema, holds_schema
from gitops_promotion.render.schema import output_schema

SCHEMAS: Mapping[str, Callable[[], dict[str, Any]]] = {
    "config": config_schema,
    "holds": holds_schema,
    "output": output_schema,
}
"""Every schema by its name; the first is the default."""


def schema(name: str) -> str:
    """Return a schema of SCHEMAS as JSON text."""
    return json.dumps(SCHEMAS[name](), indent=2) + "\n"
