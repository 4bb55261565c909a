"""The keys of an environment that say whose commit statuses count for it."""

from collections.abc import Mapping, Sequence

from gitops_promotion.core.config.document import Document, Entry, is_empty
from gitops_promotion.core.environments import Clusters, Environment
from gitops_promotion.core.forge import OWN_CONTEXT
from gitops_promotion.core.status_contexts import context_problem, has_open_name, mixed_up

KEYS = ("statusContext", "requiredContexts", "clusters", "require")

_CONTEXT_EXAMPLE = "kustomization/apps/2fb0a5b0"
_MAX_CLUSTERS = 1000


def read_contexts(document: Document, fields: Mapping[str, Entry], where: str) -> tuple[str, ...]:
    """Return the patterns of the statuses that speak for an environment; empty where it has none of its own."""
    return document.texts(fields.get("statusContext"), f"{where}.statusContext", context_problem, _CONTEXT_EXAMPLE)


def read_required(document: Document, fields: Mapping[str, Entry], where: str) -> tuple[str, ...]:
    """Return the names of the statuses of other systems that must be there too."""
    return document.texts(
        fields.get("requiredContexts"), f"{where}.requiredContexts", _required_problem, "[integration-tests]"
    )


def _required_problem(text: str) -> str:
    if text.casefold() == OWN_CONTEXT:
        return "that is this tool's own status, name those of other systems"
    return "" if text.isprintable() and text == text.strip() else "write one line without blanks at its ends"


def read_clusters(document: Document, fields: Mapping[str, Entry], where: str) -> Clusters | None:
    """Return `clusters: 3` or `clusters: [0c9c2e41, 77c1d9e4]`, and `require: all | N`."""
    entry, require = fields.get("clusters"), fields.get("require")
    if entry is None or is_empty(entry.node):
        if require is not None and not is_empty(require.node):
            document.fail(require.line, f"{where}.require needs clusters, write for example clusters: 3")
        return None
    names: tuple[str, ...] = ()
    if entry.node.id == "sequence":
        names = document.texts(entry, f"{where}.clusters", _cluster_problem, "[0c9c2e41, 77c1d9e4]")
        if len({name.casefold() for name in names}) != len(names):
            document.fail(entry.line, f"{where}.clusters has a cluster twice (case ignored), remove one")
        count = len(names)
    else:
        count = _number(document.checked(entry, f"{where}.clusters", _count_problem, "")) or 1
    text = document.checked(require, f"{where}.require", _require_problem, "all")
    required = count if text == "all" else _number(text) or count
    if required > count and require is not None:
        document.fail(require.line, f"{where}.require is {required} and clusters has {count}, lower it")
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


def check_contexts(
    document: Document, environments: Sequence[Environment], items: Sequence[Entry], contexts: Sequence[str]
) -> None:
    """Report environments whose statuses cannot be told apart, where one has patterns of its own.

    A pattern with an open name is reported already.
    """
    for number, (environment, item) in enumerate(zip(environments, items, strict=True)):
        for other_number, other in enumerate(environments[:number]):
            if not (environment.status_contexts or other.status_contexts) or not (environment.name and other.name):
                continue
            own = [text for text in environment.status_contexts or contexts if not has_open_name(text)]
            pattern = mixed_up(own, environment.name, other.status_contexts or contexts, other.name)
            if pattern:
                document.fail(
                    item.line,
                    f"{environment.name} and {other.name} have statuses of the same name, {pattern!r}: give each a "
                    f"statusContext of its own (environments[{number}], environments[{other_number}]), such as "
                    f"{_CONTEXT_EXAMPLE} and kustomization/apps/77c1d9e4",
                )
