"""The gates that a configuration can have, one row each.

A row has the keys of its gate, reads them, and makes the gate of an environment from them. A new gate is a file of this
package and a row (CONTRIBUTING.md, A gate).
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from gitops_promotion.core.environments import Environment, Pipeline
from gitops_promotion.core.gates import (
    Common,
    Gate,
    approvals,
    approvals_keys,
    calendar_keys,
    freezes,
    health,
    health_keys,
    holds,
    soak,
    unmanaged_images,
    windows,
)
from gitops_promotion.core.overrides import Override

if TYPE_CHECKING:
    from gitops_promotion.core.config.document import Document, Entry

Reader = Callable[["Document", Mapping[str, "Entry"], str], Any]
"""Reads a gate's keys of one environment, from the document, its entries and its name in messages; None without any."""

TopReader = Callable[["Document", Mapping[str, "Entry"]], Any]
"""Reads a gate's keys at the top level, from the document and the entries; None without any."""

Checker = Callable[["Document", "Entry", Environment, Any], None]
"""Reports what is wrong with a gate's settings, from the document, the entry of an environment, the environment, and
the gate's settings at the top level."""

Maker = Callable[[str, Pipeline, Mapping[str, Any], Common], Gate | None]
"""Makes the gate of an environment from the settings of all environments; None where it has none."""


def _reads_nothing(_document: "Document", _fields: Mapping[str, "Entry"]) -> None:
    return None


def _has_no_keys(_document: "Document", _fields: Mapping[str, "Entry"], _key_path: str) -> None:
    return None


def _accepts_all(_document: "Document", _item: "Entry", _environment: Environment, _top: Any) -> None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One gate: its name in `Environment.settings` and `Common.settings`, its keys, and how they become a gate.

    `keys` are those below `environments[]`, `top_keys` those of the top level, and `mappings` has the keys of each
    mapping below them, by its path. `published`: people or the clock can change its verdict, so it must be published as
    a commit status: a check that ran once cannot show the change.
    """

    name: str
    keys: tuple[str, ...]
    read: Reader
    make: Maker
    published: bool = False
    top_keys: tuple[str, ...] = ()
    read_top: TopReader = _reads_nothing
    check: Checker = _accepts_all
    mappings: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


GATES: tuple[Row, ...] = (
    Row(name="health", keys=health_keys.KEYS, read=health_keys.read, make=health.make),
    Row(
        name="approvals",
        published=True,
        keys=approvals_keys.KEYS,
        read=approvals_keys.read,
        make=approvals.make,
        top_keys=approvals_keys.TOP_KEYS,
        read_top=approvals_keys.read_top,
        check=approvals_keys.check,
        mappings=approvals_keys.MAPPINGS,
    ),
    Row(
        name="images",
        keys=("unmanagedImages",),
        read=unmanaged_images.read,
        make=unmanaged_images.make,
        check=unmanaged_images.check,
    ),
    Row(name="soak", published=True, keys=("soak",), read=soak.read, make=soak.make),
    Row(
        name="windows",
        published=True,
        keys=("windows",),
        read=calendar_keys.read_windows,
        make=windows.make,
        mappings={"environments[].windows[]": calendar_keys.WINDOW_KEYS},
    ),
    Row(
        name="freezes",
        published=True,
        keys=("freezes",),
        read=calendar_keys.read_environment_freezes,
        make=freezes.make,
        top_keys=("freezes",),
        read_top=calendar_keys.read_top_freezes,
        mappings={"freezes[]": calendar_keys.FREEZE_KEYS},
    ),
    Row(name="holds", keys=(), read=_has_no_keys, make=holds.make),
)

KEYS = tuple(key for row in GATES for key in row.keys)
"""The keys of all gates, below `environments[]`."""

TOP_KEYS = tuple(key for row in GATES for key in row.top_keys)
"""The keys of all gates at the top level."""

MAPPINGS = {path: keys for row in GATES for path, keys in row.mappings.items()}
"""The keys of the mappings below those keys, by path."""


def read_settings(document: "Document", fields: Mapping[str, "Entry"], key_path: str) -> tuple[tuple[str, Any], ...]:
    """Return the settings of the gates that an environment has keys of, by the names of the rows."""
    settings = ((row.name, row.read(document, fields, key_path)) for row in GATES)
    return tuple((name, value) for name, value in settings if value is not None)


def read_top(document: "Document", top: Mapping[str, "Entry"]) -> Mapping[str, Any]:
    """Return the settings of the gates that have keys at the top level, by the names of the rows."""
    settings = {row.name: row.read_top(document, top) for row in GATES}
    return {name: value for name, value in settings.items() if value is not None}


def check(
    document: "Document", items: Sequence["Entry"], environments: Sequence[Environment], settings: Mapping[str, Any]
) -> None:
    """Report the settings of environments that do not fit those of the top level."""
    for item, environment in zip(items, environments, strict=False):
        for row in GATES:
            row.check(document, item, environment, settings.get(row.name))


def must_publish(pipeline: Pipeline, common: Common) -> bool:
    """Return True if an environment has a gate whose verdict must be published."""
    published = [row for row in GATES if row.published]
    return any(_make(row, name, pipeline, common) for row in published for name in pipeline.names)


def make_gates(
    environment: str,
    pipeline: Pipeline,
    common: Common,
    override: Override | None = None,
    *,
    only: Collection[str] | None = None,
) -> tuple[Gate, ...]:
    """Return the gates of an environment, without those that an override passes; `only` are the names of rows."""
    rows = [row for row in GATES if override is None or not override.passes(row.name)]
    rows = [row for row in rows if only is None or row.name in only]
    gates = (_make(row, environment, pipeline, common) for row in rows)
    return tuple(gate for gate in gates if gate is not None)


def _make(row: Row, environment: str, pipeline: Pipeline, common: Common) -> Gate | None:
    settings = {candidate.name: candidate.setting(row.name) for candidate in pipeline.environments}
    return row.make(environment, pipeline, settings, common)
