"""The gates that a configuration can have, one row each.

A row has the keys of its gate below `environments[]`, reads them, and makes the gate of an environment from them. A new
gate is a file of this package and a row (CONTRIBUTING.md, A gate).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gitops_promotion.core.environments import Pipeline
from gitops_promotion.core.gates import Common, Gate, health, health_keys

if TYPE_CHECKING:
    from gitops_promotion.core.config.document import Document, Entry

Reader = Callable[["Document", Mapping[str, "Entry"], str], Any]
"""Reads a gate's keys of one environment, None without any: the document, the entries, and its name in messages."""

Maker = Callable[[str, Pipeline, Mapping[str, Any], Common], Gate | None]
"""Makes the gate of an environment from the settings of all environments; None where it has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One gate: its name in `Environment.settings`, its keys, and how they become a gate."""

    name: str
    keys: tuple[str, ...]
    read: Reader
    make: Maker


GATES: tuple[Row, ...] = (Row(name="health", keys=health_keys.KEYS, read=health_keys.read, make=health.make),)

KEYS = tuple(key for row in GATES for key in row.keys)
"""The keys of all gates, below `environments[]`."""


def read_settings(document: "Document", fields: Mapping[str, "Entry"], where: str) -> tuple[tuple[str, Any], ...]:
    """Return the settings of the gates that an environment has keys of, by the names of the rows."""
    settings = ((row.name, row.read(document, fields, where)) for row in GATES)
    return tuple((name, value) for name, value in settings if value is not None)


def make_gates(environment: str, pipeline: Pipeline, common: Common) -> tuple[Gate, ...]:
    """Return the gates of an environment."""
    gates = []
    for row in GATES:
        settings = {known.name: known.setting(row.name) for known in pipeline.environments}
        if (gate := row.make(environment, pipeline, settings, common)) is not None:
            gates.append(gate)
    return tuple(gates)
