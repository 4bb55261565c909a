"""Patterns of status contexts: which commit statuses count for an environment.

A pattern such as `*/{group}-{env}` is compared part by part, case ignored; `*` stands for any text within one part.
"""

import fnmatch
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from gitops_promotion.core import branch_names
from gitops_promotion.core.forge import OWN_CONTEXT
from gitops_promotion.core.names import Application, is_name

DEFAULT = ("*/{group}-{env}", "*/{group}-{env}/*")

# The genre of Flux's statuses on Azure DevOps; the alert's summary may follow (docs/migrating.md, B16).
_FLUX = re.compile(r"fluxcd(?::.*)?", re.IGNORECASE | re.DOTALL)


def fill(templates: Sequence[str], application: Application, environment: str) -> tuple[str, ...]:
    """Return the patterns for one application in one environment."""
    names = {"group": application.group, "app": application.name, "env": environment}
    return tuple(branch_names.fill(template, **names) for template in templates)


def belongs(context: str, patterns: Sequence[str], *, genre: str = "") -> bool:
    """Return True if a status context fits one of the patterns.

    A genre that is not Flux's counts only where a pattern begins with its name: `argocd/*/{group}-{env}`.
    """
    if not genre and context.casefold() == OWN_CONTEXT:
        return False
    if genre and not _FLUX.fullmatch(genre):
        start = f"{genre.casefold()}/"
        patterns = [pattern[len(start) :] for pattern in patterns if pattern.casefold().startswith(start)]
    parts = context.casefold().split("/")
    for pattern in patterns:
        pattern_parts = pattern.casefold().split("/")
        if len(pattern_parts) == len(parts) and all(map(_part_fits, parts, pattern_parts)):
            return True
    return False


def is_named(context: str, name: str, *, genre: str = "") -> bool:
    """Return True if a status has exactly this name, case ignored; a genre that is not Flux's is a part of the name."""
    full_context = context if not genre or _FLUX.fullmatch(genre) else f"{genre}/{context}"
    return full_context.casefold() == name.casefold()


def _part_fits(part: str, pattern: str) -> bool:
    return bool(part) and fnmatch.fnmatchcase(part, pattern.replace("[", "[[]").replace("?", "[?]"))


@dataclass(frozen=True, slots=True, order=True)
class Collision:
    """Statuses of another environment that may have the same context: those of one group ("": of every group)."""

    group: str
    environment: str


def collisions(templates: Mapping[str, Sequence[str]], application: Application, environment: str) -> list[Collision]:
    """Return the statuses that could be taken for those of an application in an environment, whatever groups exist.

    `templates` has those of each environment. `a-b` in `c` and `a` in `b-c` both report as `a-b-c` (docs/migrating.md,
    B32). A template without {group} is the same for all groups. Templates with {app} are left to `shared`.
    """
    candidates: dict[Collision, None] = {}
    patterns = fill([t for t in templates[environment] if "{app}" not in t], application, environment)
    for pattern, (name, templates_of_name) in product(patterns, templates.items()):
        for template in templates_of_name:
            group = None if "{app}" in template else _group_of(template.replace("{env}", name), pattern)
            if group is not None and (group or name != environment):
                candidates[Collision(group, name)] = None
    return [collision for collision in candidates if collision != Collision(application.group, environment)]


def _group_of(template: str, pattern: str) -> str | None:
    """Return the group for which a template gives a pattern, "" if it does so for every group, None if for none."""
    pairs = list(zip(template.split("/"), pattern.split("/"), strict=False))
    if template.count("/") != pattern.count("/"):
        return None
    pairs = [pair for pair in pairs if "*" not in pair]
    expression = ""
    for piece in re.split(r"(\{group\}|\*)", "/".join(part for part, _ in pairs)):
        if piece == "{group}":
            expression += "(?P=group)" if "<group>" in expression else "(?P<group>[^/]+)"
        else:
            expression += "[^/]*" if piece == "*" else re.escape(piece)
    match = re.fullmatch(expression, "/".join(text for _, text in pairs), re.IGNORECASE)
    group = match.groupdict().get("group", "") if match else None
    return group if not group or is_name(group) else None


def shared(
    templates: Mapping[str, Sequence[str]],
    application: Application,
    environment: str,
    other_sites: Iterable[tuple[Application, str]],
) -> list[tuple[Application, str]]:
    """Return the other sites whose statuses may have the names of this one's, although the templates have {app}."""
    own_patterns = list(
        zip(templates[environment], fill(templates[environment], application, environment), strict=True)
    )

    def is_shared(other_application: Application, name: str) -> bool:
        return any(
            "{app}" in template + own_template and overlap(pattern, own_pattern)
            for template, pattern in zip(templates[name], fill(templates[name], other_application, name), strict=True)
            for own_template, own_pattern in own_patterns
        )

    return [site for site in other_sites if site != (application, environment) and is_shared(*site)]


def overlap(first: str, second: str) -> bool:
    """Return True if a context can fit both patterns."""
    parts, other_parts = first.casefold().split("/"), second.casefold().split("/")
    return len(parts) == len(other_parts) and all(map(_parts_overlap, parts, other_parts))


def _parts_overlap(first: str, second: str) -> bool:
    """Return True if a text fits both patterns of one part."""
    # A table, row by row: whether the end of `first` from an index on overlaps with the end of `second` from another.
    below = [not second[i:].strip("*") for i in range(len(second) + 1)]
    for index in range(len(first) - 1, -1, -1):
        row = [not first[index:].strip("*")]
        for i in range(len(second) - 1, -1, -1):
            if "*" in (first[index], second[i]):
                row.append(below[i] or row[-1])
            else:
                row.append(first[index] == second[i] and below[i + 1])
        below = row[::-1]
    return below[0]


def has_open_name(template: str) -> bool:
    """Return True if a `*` takes the place where the name of a group or an application could be.

    The first part of a context is a kind, such as `kustomization`, and the last of three is a cluster. Applications
    differ in the parts with {group} or {app}; without such a part, in the parts between the first and the last.
    """
    parts = template.split("/")
    open_parts = [part for part in parts if "{group}" in part or "{app}" in part]
    if not open_parts:
        open_parts = parts[1:] or parts
        if len(open_parts) > 1 and open_parts[-1] == "*":
            open_parts.pop()
    return any("*" in part for part in open_parts)


_TOKENS = Application("\ue000", "\ue001")


def mixed_up(templates: Sequence[str], environment: str, other_templates: Sequence[str], other_environment: str) -> str:
    """Return a pattern of one environment that takes statuses of another, for any application; "" if none does."""
    others_patterns = fill(other_templates, _TOKENS, other_environment)
    for template, pattern in zip(templates, fill(templates, _TOKENS, environment), strict=True):
        if any(overlap(pattern, other_pattern) for other_pattern in others_patterns):
            return template
    return ""


def context_problem(text: str) -> str:
    """Return the problem with a pattern of one environment, "" if there is none."""
    if problem := branch_names.template_problem(text, ("group", "app", "env"), ()):
        return problem
    return open_name_problem(text) if has_open_name(text) else ""


def open_name_problem(text: str) -> str:
    """Return what is wrong with a pattern whose name is open."""
    return (
        "its * takes the statuses of other groups and applications too: write their names, or {group} and {app}, in "
        f"place of it: such as {'/'.join(['*', '{group}-{env}', *['*'] * (text.count('/') > 1)])}"
    )


def default_problem(text: str) -> str:
    """Return the problem with a pattern of all environments, which must tell them apart; "" if there is none."""
    return branch_names.template_problem(text, ("group", "app", "env"), ("env",))
