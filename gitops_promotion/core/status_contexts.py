"""Patterns of status contexts: which commit statuses speak for an environment.

A pattern such as `*/{group}-{env}` is compared part by part, case ignored; `*` stands for text within one part.
"""

import fnmatch
import re
from collections.abc import Iterable, Sequence

from gitops_promotion.core import branch_names
from gitops_promotion.core.forge import OWN_CONTEXT
from gitops_promotion.core.names import Application, is_name

DEFAULT = ("*/{group}-{env}", "*/{group}-{env}/*")

# Azure DevOps' genre of Flux's statuses; the alert's summary may follow (B16).
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


def _part_fits(part: str, pattern: str) -> bool:
    return bool(part) and fnmatch.fnmatchcase(part, pattern.replace("[", "[[]").replace("?", "[?]"))


def collisions(
    templates: Sequence[str], group: str, environment: str, environments: Iterable[str]
) -> list[tuple[str, str]]:
    """Return every other (group, environment) whose statuses would have the same context, for any groups there are.

    `a-b` in `c` and `a` in `b-c` both report as `a-b-c` (B32). A template without {group} means all groups alike.
    """
    pairs: dict[tuple[str, str], None] = {}
    for template in templates:
        name = branch_names.fill(template, group=group, env=environment)
        for other in environments if template.count("{group}") == 1 else ():
            before, _, after = template.replace("{env}", other).partition("{group}")
            middle = name[len(before) : len(name) - len(after)]
            if f"{before}{middle}{after}".casefold() == name.casefold() and is_name(middle):
                pairs[middle, other] = None
    return [pair for pair in pairs if pair != (group, environment)]


def context_problem(text: str) -> str:
    """Return the problem with a pattern of one environment, "" if there is none."""
    return branch_names.template_problem(text, ("group", "app", "env"), ())


def default_problem(text: str) -> str:
    """Return the problem with a pattern of all environments, which must tell them apart; "" if there is none."""
    return branch_names.template_problem(text, ("group", "app", "env"), ("env",))
