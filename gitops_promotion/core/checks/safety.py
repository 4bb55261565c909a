"""Checks of names that collide, and of gates that let too much through."""

import re
from collections.abc import Iterator

from gitops_promotion.core import status_contexts
from gitops_promotion.core.checks.finding import Problem
from gitops_promotion.core.checks.tree import Tree
from gitops_promotion.core.config import Config
from gitops_promotion.core.environments import Environment
from gitops_promotion.core.gates.health import contexts_of
from gitops_promotion.core.gates.table import GATES
from gitops_promotion.core.names import Application

_PRODUCTION = re.compile(r"(?:.*[._-])?(?:prod|production|prd|live)(?:[._-].*)?", re.IGNORECASE)


def shared_branches(tree: Tree) -> Iterator[Problem]:
    """Yield the applications whose promotions would have the same branch."""
    reported: set[frozenset[object]] = set()
    for application in tree.applications if tree.config else ():
        assert tree.config  # noqa: S101  the loop has no turn without it
        for name in tree.config.way(application).names:
            for other in tree.config.collisions(application, name):
                pair = frozenset((application, other))
                if other not in tree.applications or pair in reported:
                    continue
                reported.add(pair)
                yield Problem(
                    path=tree.config_file,
                    line=tree.config_lines.of_key("branchTemplate"),
                    message=f"the promotions of {application} and of {other} would have the same branch, "
                    f"{tree.config.branch(application, name)}",
                    fix="rename one of the two, or set branchTemplate, such as promote/{group}/{app}",
                )


def shared_statuses(tree: Tree) -> Iterator[Problem]:
    """Yield the environments whose commit statuses have the name of another group's or environment's."""
    if not tree.config:
        return
    reported: set[frozenset[tuple[str, str]]] = set()
    for claim in tree.owned:
        source = claim.environment
        if not tree.config.way(claim.application).names or not tree.config.pipeline.targets(source):
            continue
        for group, environment in _with_equal_statuses(tree, tree.config, claim.application, source):
            own = claim.application.group
            pair = frozenset(((own, source), (group, environment)))
            if pair in reported:
                continue
            reported.add(pair)
            yield Problem(
                path=tree.config_file,
                line=tree.config_lines.of_environment(environment),
                message=f"the statuses of {own} in {source} and of {group or 'all groups'} in {environment} have the "
                "same name, so the status gate cannot tell them apart",
                fix="rename one of the two, or set statusContext, such as */{group}/{env}",
            )


def _with_equal_statuses(
    tree: Tree, config: Config, application: Application, source: str
) -> Iterator[tuple[str, str]]:
    """Yield the groups ("": all) and environments whose statuses would speak for an application in an environment."""
    templates = config.context_templates
    groups = {(claim.application.group, claim.environment) for claim in tree.owned}
    for collision in status_contexts.collisions(templates, application, source):
        # Without a key of its own, an environment has patterns that were accepted always (workflow/judge.py).
        is_own = any(contexts_of(config.environment(name)) for name in (source, collision.environment))
        if (collision.group, collision.environment) in groups if collision.group else is_own:
            yield collision.group, collision.environment
    sites = ((claim.application, claim.environment) for claim in tree.owned)
    for other, environment in status_contexts.shared(templates, application, source, sites):
        yield str(other), environment


def merges_by_itself(tree: Tree) -> Iterator[Problem]:
    """Yield the environments of production that merge without a person."""
    for environment in tree.config.pipeline.environments if tree.config else ():
        if environment.auto and _PRODUCTION.fullmatch(environment.name) and not _has_setting(environment, "approvals"):
            yield Problem(
                path=tree.config_file,
                line=tree.config_lines.of_environment(environment.name),
                message=f"{environment.name} has auto: true, so its pull requests merge without a person",
                fix="set auto: false, or approvals"
                if any("approvals" in row.keys for row in GATES)
                else "set auto: false",
            )


def _has_setting(environment: Environment, key: str) -> bool:
    """Return True if an environment has a gate with this key."""
    return any(key in row.keys and environment.setting(row.name) is not None for row in GATES)
