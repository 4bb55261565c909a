"""The configuration's `environments`, and the applications that leave some of them out."""

from collections.abc import Mapping, Sequence

from gitops_promotion.core.config.document import Document, Entry, is_empty
from gitops_promotion.core.config.values import duration, duration_problem, name_problem
from gitops_promotion.core.environments import Environment, Pipeline, Requirements
from gitops_promotion.core.gates import table
from gitops_promotion.core.gates.health import contexts_of
from gitops_promotion.core.gates.health_keys import mixed_up_contexts
from gitops_promotion.core.layout import PATH, marker_problem, path_problem

KEYS = ("name", "auto", "after", "path", "marker", "overrides", "rollback", "autoRollback", *table.KEYS)
"""The keys of one environment."""

ROLLBACK_KEYS = ("approvals",)
"""The keys of `rollback` of one environment."""

EXAMPLE = "[{name: dev, auto: true}, {name: prod}]"
"""A list of environments, for messages."""

_MAX_ENVIRONMENTS = 200


def read_environments(
    document: Document, entry: Entry | None, line: int, contexts: Sequence[str]
) -> tuple[Environment, ...]:
    """Return the environments; a missing list is reported at `line`.

    `contexts` are the patterns of statuses for environments that have none of their own.
    """
    items = document.items(entry, "environments", EXAMPLE)
    if entry and len(items) > _MAX_ENVIRONMENTS:
        document.fail(entry.line, f"environments has {len(items)} entries, at most {_MAX_ENVIRONMENTS} are accepted")
        items = items[:_MAX_ENVIRONMENTS]
    if entry is None or is_empty(entry.node) or entry.node.value == []:
        document.fail(entry.line if entry else line, f"environments is missing or empty, write it as {EXAMPLE}")
    environments: list[Environment] = []
    lines: dict[str, int] = {}
    for number, item in enumerate(items):
        environment = _environment(document, item, f"environments[{number}]")
        # Statuses are compared ignoring case, and some file systems do the same.
        key = environment.name.lower()
        if item.node.id == "mapping" and not key:
            document.fail(item.line, f"environments[{number}] has no name, write it as {{name: dev, auto: true}}")
        elif key in lines:
            document.fail(
                item.line,
                f"environments[{number}].name is {environment.name!r}: taken by line {lines[key]} (case ignored), "
                "rename one",
            )
        elif key:
            lines[key] = item.line
        environments.append(environment)
    _check_order(document, environments, items, lines)
    _check_contexts(document, environments, items, contexts)
    return tuple(environments)


def _check_contexts(
    document: Document, environments: Sequence[Environment], items: Sequence[Entry], contexts: Sequence[str]
) -> None:
    by_name = {environment.name: environment for environment in environments if environment.name}
    own_contexts = {name: contexts_of(environment) for name, environment in by_name.items()}
    problems = mixed_up_contexts({name: own_contexts[name] or contexts for name in by_name}, own_contexts)
    for environment, item in zip(environments, items, strict=True):
        if problem := problems.get(environment.name):
            document.fail(item.line, problem)


def _environment(document: Document, item: Entry, key_path: str) -> Environment:
    fields = document.mapping(item, key_path, KEYS)
    return Environment(
        name=document.checked(
            fields.get("name"), f"{key_path}.name", lambda text: name_problem("environment", text), ""
        ),
        auto=document.boolean(fields.get("auto"), f"{key_path}.auto"),
        after=_after(document, fields.get("after"), f"{key_path}.after"),
        paths=document.texts(fields.get("path"), f"{key_path}.path", path_problem, PATH),
        marker=document.checked(fields.get("marker"), f"{key_path}.marker", marker_problem, ""),
        overrides=_flag(document, fields.get("overrides"), f"{key_path}.overrides"),
        rollback_approvals=_rollback_approvals(document, fields.get("rollback"), f"{key_path}.rollback"),
        auto_rollback=_seconds(document, fields.get("autoRollback"), f"{key_path}.autoRollback"),
        settings=table.read_settings(document, fields, key_path),
    )


def _rollback_approvals(document: Document, entry: Entry | None, key_path: str) -> bool:
    fields = document.mapping(entry, key_path, ROLLBACK_KEYS)
    return _flag(document, fields.get("approvals"), f"{key_path}.approvals") is not False


def _seconds(document: Document, entry: Entry | None, key_path: str) -> float:
    text = document.checked(entry, key_path, duration_problem, "")
    return duration(text) if text and not duration_problem(text) else 0.0


def _flag(document: Document, entry: Entry | None, key_path: str) -> bool | None:
    return None if entry is None or is_empty(entry.node) else document.boolean(entry, key_path)


def _after(document: Document, entry: Entry | None, key_path: str) -> Requirements | None:
    """Return `after`: a name, a list (all of it), `{any: [...]}`, `{all: [...]}`, or `[]` (no source)."""
    if entry is None or is_empty(entry.node):
        return None
    names, one_suffices = entry, False
    if entry.node.id == "mapping":
        fields = document.mapping(entry, key_path, ("any", "all"))
        if len(fields) != 1:
            document.fail(entry.line, f"{key_path} needs one of any and all, write it as {{any: [qa-eu, qa-us]}}")
            return None
        [(key, names)] = fields.items()
        one_suffices = key == "any"
        key_path = f"{key_path}.{key}"
        if is_empty(names.node) or names.node.value == []:
            document.fail(names.line, f"{key_path} is empty, name the environments before this one")
            return None
    if names.node.id == "sequence" and not names.node.value:
        return ()
    sources = document.texts(names, key_path, lambda text: name_problem("environment", text), "[qa-eu, qa-us]")
    names_once = tuple(dict.fromkeys(sources))
    return (names_once,) if one_suffices else tuple((source,) for source in names_once)


def _check_order(
    document: Document, environments: list[Environment], items: list[Entry], lines: Mapping[str, int]
) -> None:
    names = [environment.name for environment in environments]
    unknown = False
    for environment, item in zip(environments, items, strict=True):
        for source in dict.fromkeys(source for group in environment.after or () for source in group):
            if source not in names:
                unknown = True
                document.fail(
                    item.line,
                    f"{environment.name} comes after {source!r}, which is no environment: use {', '.join(names)}",
                )
    if unknown or not all(names) or len(lines) != len(names):
        return
    if environments and (fault := Pipeline(environments=tuple(environments)).fault):
        name = next((name for name in names if name in fault), names[0])
        document.fail(lines[name.lower()], f"environments: {fault}")


def read_way(
    document: Document, entry: Entry | None, key_path: str, environments: Sequence[Environment]
) -> tuple[str, ...]:
    """Return the environments that an application passes through, in the pipeline's order; empty: all of them."""
    names = document.texts(entry, key_path, lambda text: name_problem("environment", text), "[dev, prod]", several=True)
    existing = [environment.name for environment in environments]
    if unknown := [name for name in names if name not in existing]:
        document.fail(
            entry.line if entry else 1,
            f"{key_path} has {unknown[0]!r}, which is no environment: use {', '.join(existing)}",
        )
        return ()
    pipeline = Pipeline(environments=tuple(environments))
    if not names or not all(existing) or pipeline.fault:
        return ()
    way = pipeline.way(names)
    if way.fault:
        document.fail(entry.line if entry else 1, f"{key_path}: {way.fault}")
    return way.names


def check_fan_out(document: Document, entry: Entry, environments: Sequence[Environment]) -> None:
    """Report environments with several targets, whose promotions cannot share one branch."""
    if len({environment.name.lower() for environment in environments}) < len(environments):
        return  # A name that is taken is reported by itself: what comes after it cannot be known.
    pipeline = Pipeline(environments=tuple(environments))
    for name in pipeline.names:
        if len(targets := pipeline.targets(name)) > 1:
            document.fail(
                entry.line,
                f"{' and '.join(targets)} come after {name}, and with prflow per-app an application has one branch: "
                "set prflow: per-env",
            )
