"""The keys of the status gate: whose commit statuses count for an environment."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gitops_promotion.core.forge import OWN_CONTEXT
from gitops_promotion.core.status_contexts import context_problem, has_open_name, mixed_up

if TYPE_CHECKING:
    from gitops_promotion.core.config.document import Document, Entry

KEYS = ("statusContext", "requiredContexts", "clusters", "require")

_CONTEXT_EXAMPLE = "kustomization/apps/2fb0a5b0"
_MAX_CLUSTERS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Clusters:
    """The clusters that report on an environment: `required` of `count` must be healthy.

    `names` are the last parts of their status contexts; empty where any clusters count.
    """

    count: int
    required: int
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusSettings:
    """The statuses that count for an environment.

    `contexts` are their patterns (empty: the default patterns), `required` the names of others that must be green.
    Without `clusters`, those that reported on earlier commits are expected.
    """

    contexts: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    clusters: Clusters | None = None


def read(document: "Document", fields: Mapping[str, "Entry"], key_path: str) -> StatusSettings | None:
    """Return the settings of the status gate of one environment, None if it has none."""
    settings = StatusSettings(
        contexts=_read_contexts(document, fields, key_path),
        required=_read_required(document, fields, key_path),
        clusters=_read_clusters(document, fields, key_path),
    )
    return None if settings == StatusSettings() else settings


def _read_contexts(document: "Document", fields: Mapping[str, "Entry"], key_path: str) -> tuple[str, ...]:
    """Return the patterns of the statuses that count for an environment; empty where it has none of its own."""
    return document.texts(fields.get("statusContext"), f"{key_path}.statusContext", context_problem, _CONTEXT_EXAMPLE)


def _read_required(document: "Document", fields: Mapping[str, "Entry"], key_path: str) -> tuple[str, ...]:
    """Return the names of the statuses of other systems that must be there too."""
    return document.texts(
        fields.get("requiredContexts"), f"{key_path}.requiredContexts", _required_problem, "[integration-tests]"
    )


def _required_problem(text: str) -> str:
    if text.casefold() == OWN_CONTEXT:
        return "that is this tool's own status, name those of other systems"
    return "" if text.isprintable() and text == text.strip() else "write one line without blanks at its ends"


def _read_clusters(document: "Document", fields: Mapping[str, "Entry"], key_path: str) -> Clusters | None:
    """Return `clusters: 3` or `clusters: [0c9c2e41, 77c1d9e4]`, and `require: all | N`."""
    entry, require = fields.get("clusters"), fields.get("require")
    if entry is None or entry.is_empty:
        if require is not None and not require.is_empty:
            document.fail(require.line, f"{key_path}.require needs clusters, write for example clusters: 3")
        return None
    names: tuple[str, ...] = ()
    if entry.node.id == "sequence":
        names = document.texts(entry, f"{key_path}.clusters", _cluster_problem, "[0c9c2e41, 77c1d9e4]")
        if len({name.casefold() for name in names}) != len(names):
            document.fail(entry.line, f"{key_path}.clusters has a cluster twice (case ignored), remove one")
        count = len(names)
    else:
        count = _number(document.checked(entry, f"{key_path}.clusters", _count_problem, "")) or 1
    text = document.checked(require, f"{key_path}.require", _require_problem, "all")
    required = count if text == "all" else _number(text) or count
    if required > count and require is not None:
        document.fail(require.line, f"{key_path}.require is {required} and clusters has {count}, lower it")
    return Clusters(count=count, required=required, names=names)


def _number(text: str) -> int:
    """Return a number from 1 to the most clusters, 0 for any other text."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 5 and int(text) <= _MAX_CLUSTERS else 0


def _count_problem(text: str) -> str:
    return "" if _number(text) else f"write a number from 1 to {_MAX_CLUSTERS}, or a list such as [0c9c2e41, 77c1d9e4]"


def _require_problem(text: str) -> str:
    return "" if text == "all" or _number(text) else "accepted are all, or a number of clusters"


def _cluster_problem(text: str) -> str:
    return "" if text.isprintable() and not set("/* ") & set(text) else "write the last part of a status context"


def mixed_up_contexts(
    contexts: Mapping[str, Sequence[str]], own_contexts: Mapping[str, Sequence[str]]
) -> dict[str, str]:
    """Return by environment the problem that its statuses cannot be told from those of another one, and what to do.

    `contexts` are the patterns of all environments, `own_contexts` those that environments have for themselves. Two
    environments that both use the default patterns are no problem. A pattern with an open name is reported elsewhere.
    """
    problems: dict[str, str] = {}
    names = list(contexts)
    for number, name in enumerate(names):
        for other_number, other_name in enumerate(names[:number]):
            if not (own_contexts.get(name) or own_contexts.get(other_name)):
                continue
            patterns = [text for text in contexts[name] if not has_open_name(text)]
            other_patterns = [
                text for text in contexts[other_name] if not (own_contexts.get(other_name) and has_open_name(text))
            ]
            if pattern := mixed_up(patterns, name, other_patterns, other_name):
                problems[name] = (
                    f"{name} and {other_name} have statuses of the same name, {pattern!r}: give each a statusContext "
                    f"of its own (environments[{number}], environments[{other_number}]), such as {_CONTEXT_EXAMPLE} "
                    "and kustomization/apps/77c1d9e4"
                )
    return problems
