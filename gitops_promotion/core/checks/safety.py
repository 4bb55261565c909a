"""Checks of names that collide, and of gates that let too much through."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta

from gitops_promotion.core import status_contexts
from gitops_promotion.core.checks.finding import Problem
from gitops_promotion.core.checks.tree import Tree
from gitops_promotion.core.config import Config
from gitops_promotion.core.environments import Environment
from gitops_promotion.core.gates.calendar_keys import calendar_of
from gitops_promotion.core.gates.health import contexts_of
from gitops_promotion.core.gates.table import GATES
from gitops_promotion.core.names import Site

_YEAR = timedelta(days=365)
_PRODUCTION = re.compile(r"(?:.*[._-])?(?:prod|production|prd|live)(?:[._-].*)?", re.IGNORECASE)


def is_production(environment: str) -> bool:
    """Return True for a usual name of a production environment."""
    return _PRODUCTION.fullmatch(environment) is not None


def shared_branches(tree: Tree) -> Iterator[Problem]:
    """Yield the applications whose promotions would have the same branch."""
    reported: set[frozenset[object]] = set()
    for application in tree.applications if tree.config else ():
        assert tree.config  # noqa: S101  the loop runs only with a configuration
        for name in tree.config.way(application).names:
            for second in tree.config.collisions(application, name):
                pair = frozenset((application, second))
                if second not in tree.applications or pair in reported:
                    continue
                reported.add(pair)
                yield Problem(
                    path=tree.config_file,
                    line=tree.config_lines.of_key("branchTemplate"),
                    message=f"the promotions of {application} and of {second} would have the same branch, "
                    f"{tree.config.branch(application, name)}",
                    fix="rename one of the two, or set branchTemplate, such as promote/{group}/{app}",
                )


def shared_statuses(tree: Tree) -> Iterator[Problem]:
    """Yield the environments whose commit statuses have the name of another group's or environment's."""
    if not tree.config:
        return
    reported: set[frozenset[tuple[str, str]]] = set()
    sources = [site for site in sorted(tree.owned) if tree.config.pipeline.targets(site.environment)]
    for source, target in [*_of_groups(tree, tree.config, sources), *_of_applications(tree, tree.config, sources)]:
        pair = frozenset((source, target))
        if pair in reported:
            continue
        reported.add(pair)
        yield Problem(
            path=tree.config_file,
            line=tree.config_lines.of_environment(target[1]),
            message=f"the statuses of {source[0]} in {source[1]} and of {target[0] or 'all groups'} in {target[1]} "
            "have the same name, so the status gate cannot tell them apart",
            fix="rename one of the two, or set statusContext, such as */{group}/{env}",
        )


_Pair = tuple[tuple[str, str], tuple[str, str]]
"""Two groups or two applications, each with an environment."""


def _of_groups(tree: Tree, config: Config, sources: Iterable[Site]) -> Iterator[_Pair]:
    """Yield pairs of groups whose statuses have the same name, each with its environment ("": all groups)."""
    templates = config.context_templates
    groups = {(site.application.group, site.environment) for site in tree.owned}
    representatives = {(site.application.group, site.environment): site for site in sources}
    for names, site in representatives.items():
        for collision in status_contexts.collisions(templates, site.application, site.environment):
            # Environments that both use the patterns of the top level were always accepted (workflow/judge.py).
            is_own = any(contexts_of(config.environment(name)) for name in (site.environment, collision.environment))
            colliding_site = (collision.group, collision.environment)
            if colliding_site in groups if collision.group else is_own:
                yield names, colliding_site


def _of_applications(tree: Tree, config: Config, sources: Iterable[Site]) -> Iterator[_Pair]:
    """Yield pairs of applications whose statuses have the same name although the pattern has {app}."""
    templates = config.context_templates
    if not any("{app}" in template for patterns in templates.values() for template in patterns):
        return
    sites: dict[str, list[Site]] = {}
    for site in tree.owned:
        sites.setdefault(_bucket(templates, site), []).append(site)
    for site in sources:
        alike = [(site.application, site.environment) for site in sites[_bucket(templates, site)]]
        for application, environment in status_contexts.shared(templates, site.application, site.environment, alike):
            yield (str(site.application), site.environment), (str(application), environment)


def _bucket(templates: Mapping[str, Sequence[str]], site: Site) -> str:
    """Return a text that is the same for all applications and environments whose statuses may have one name.

    Where each template has {app} in the same part and without a `*`, that part must be equal: only those need to be
    compared with each other, which matters in trees with thousands of markers.
    """
    split = {name: [template.split("/") for template in patterns] for name, patterns in templates.items()}
    positions = {
        next((number for number, part in enumerate(parts) if "{app}" in part and "*" not in part), -1)
        for patterns in split.values()
        for parts in patterns
    }
    if len(positions) != 1 or -1 in positions:
        return ""
    [position] = positions
    if any(len({parts[position] for parts in patterns}) > 1 for patterns in split.values()):
        return ""
    template = split[site.environment][0][position]
    return status_contexts.fill([template], site.application, site.environment)[0].casefold()


def merges_by_itself(tree: Tree) -> Iterator[Problem]:
    """Yield the environments of production that merge without a person."""
    for environment in tree.config.pipeline.environments if tree.config else ():
        if environment.auto and is_production(environment.name) and not _has_setting(environment, "approvals"):
            yield Problem(
                path=tree.config_file,
                line=tree.config_lines.of_environment(environment.name),
                message=f"{environment.name} has auto: true, so its pull requests merge without a person",
                fix="set auto: false, or approvals",
            )


def never_open(tree: Tree) -> Iterator[Problem]:
    """Yield the environments whose windows and freezes leave no moment within a year."""
    config, now = tree.config, tree.now
    if config is None or now is None:
        return
    for environment in config.pipeline.environments:
        calendar = calendar_of(environment, config.common)
        if not calendar.windows and not calendar.freezes:
            continue
        opening = calendar.next_opening(now)
        if opening is None or opening[0] - now > _YEAR:
            yield Problem(
                path=tree.config_file,
                line=tree.config_lines.of_environment(environment.name),
                message=f"the windows and freezes of {environment.name} leave it shut for a year or longer",
                fix="correct its windows, or the end of a freeze",
            )


def _has_setting(environment: Environment, key: str) -> bool:
    """Return True if an environment has a gate with this key."""
    return any(key in row.keys and environment.setting(row.name) is not None for row in GATES)
