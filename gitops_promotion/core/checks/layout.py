"""Checks of the tree against the configuration: environments, and the markers that they find or miss."""

import difflib
from collections.abc import Iterator, Sequence

from gitops_promotion.core import strays
from gitops_promotion.core.checks.finding import Problem
from gitops_promotion.core.checks.tree import Tree
from gitops_promotion.core.config import Config
from gitops_promotion.core.environments import Pipeline
from gitops_promotion.core.markers.spelling import marker_comment
from gitops_promotion.core.names import Application, Site


def nothing_found(tree: Tree) -> Iterator[Problem]:
    """Yield a problem if no environment has a marker, though the tree has some."""
    if tree.config and not tree.owned and tree.strays:
        advice = strays.nothing_found_advice(tree.config.layout, tree.strays)
        line = tree.config_lines.of_key("environments")
        yield Problem(path=tree.config_file, line=line, message=advice.problem, fix=advice.step)


def no_marker(tree: Tree) -> Iterator[Problem]:
    """Yield a problem if the tree has no marker, nor anything that may be meant as one."""
    if tree.config and not (tree.markers or tree.misplaced or tree.near_misses or tree.broken):
        line = tree.config_lines.of_key("environments")
        yield Problem(path=tree.config_file, line=line, message=strays.NO_MARKER.problem, fix=strays.NO_MARKER.step)


def nothing_in_environment(tree: Tree) -> Iterator[Problem]:
    """Yield the environments without a marker, where others have some.

    An environment with a file that cannot be read is left out: the file may have markers.
    """
    if not tree.config or not tree.owned:
        return
    layout = tree.config.layout
    with_markers = {site.environment for site in tree.owned}
    with_markers |= {name for path in tree.broken for name in layout.in_reach(path)}
    for name in tree.config.pipeline.names:
        if name in with_markers:
            continue
        has_files = any(name in layout.in_reach(path) for path in tree.contents)
        advice = strays.without_markers(layout, name, tree.strays, has_files=has_files)
        yield Problem(
            path=tree.config_file,
            line=tree.config_lines.of_environment(name),
            message=advice.problem,
            fix=advice.step,
        )


def missing_markers(tree: Tree) -> Iterator[Problem]:
    """Yield the applications that have no marker in an environment of their way."""
    if not tree.config:
        return
    with_markers = {site.environment for site in tree.owned}
    for application in tree.applications:
        way = tree.config.way(application)
        present = [name for name in way.names if tree.has(application, name)]
        for name in _gaps(way, present):
            # An environment without any marker is one finding, not one for each application.
            if name in with_markers and not any(tree.config.layout.holds(p, application, name) for p in tree.broken):
                yield _missing_marker(tree, tree.config, application, name, present[0])


def _gaps(way: Pipeline, present: Sequence[str]) -> Iterator[str]:
    """Yield the environments without a marker that need one for a promotion from or into an environment with one."""
    for name in way.names:
        awaited_by = [target for target in way.targets(name) if target in present]
        needed = any(
            group for target in awaited_by for group in way.requirements(target) if not set(group) & set(present)
        )
        has_sibling = any(set(way.sources(target)) & set(present) for target in awaited_by)
        is_target = any(source in present for source in way.sources(name))
        if name not in present and (is_target or (needed and has_sibling)):
            yield name


def _missing_marker(tree: Tree, config: Config, application: Application, environment: str, source: str) -> Problem:
    layout = config.layout
    marker = tree.owned[Site(application, source)].markers[0]
    name = layout.marker_name(application, environment)
    key = f"groups.{application.group}.applications.{application.name}.environments"
    return Problem(
        path=marker.path,
        line=marker.line,
        message=f"{environment} has no marker of {application}, so its tags do not go there",
        fix=f"put {marker_comment(name.group, name.app, 'tag')} behind its tag in "
        f"{layout.where(application, environment)}, {_slip(tree, config, application, environment)}or leave "
        f"{environment} out of {key}",
    )


def _slip(tree: Tree, config: Config, application: Application, environment: str) -> str:
    """Return the step to correct a marker of nearly the same name that no promotion reaches, "" if there is none."""
    earlier = config.way(application).before(environment)
    names = [
        candidate.name
        for candidate in tree.applications
        if candidate.group == application.group
        and tree.has(candidate, environment)
        and not any(tree.has(candidate, name) for name in earlier)
    ]
    if not (near := difflib.get_close_matches(application.name, names, n=1)):
        return ""
    marker = tree.owned[Site(Application(application.group, near[0]), environment)].markers[0]
    return f"correct the marker {marker.group}:{marker.app} at {marker.path}:{marker.line}, "


def claimed_twice(tree: Tree) -> Iterator[Problem]:
    """Yield the markers that belong to several environments."""
    for marker, conflict in tree.conflicts:
        yield Problem(
            path=marker.path,
            line=marker.line,
            message=conflict.rpartition(": ")[0],
            fix=conflict.rpartition(": ")[2],
        )


def misfits(tree: Tree) -> Iterator[Problem]:
    """Yield the markers in an environment's file that do not fit there, such as one of another environment."""
    for stray in tree.strays if tree.config and tree.owned else ():
        assert tree.config  # noqa: S101  the loop runs only with a configuration
        if advice := strays.mismatch_advice(tree.config.layout, stray):
            yield Problem(path=stray.path, line=stray.line, message=advice.problem, fix=advice.step)


def outside(tree: Tree) -> Iterator[Problem]:
    """Yield the markers in files that belong to no environment."""
    for stray in tree.strays if tree.config and tree.owned else ():
        assert tree.config  # noqa: S101  the loop runs only with a configuration
        layout = tree.config.layout
        if layout.in_reach(stray.path):
            continue
        keys = dict.fromkeys(layout.path_key(environment.name) for environment in layout.environments)
        yield Problem(
            path=stray.path,
            line=stray.line,
            message=f"the marker {stray.name} is in a file of no environment, so no promotion changes its tag",
            fix=f"move it to an environment's file, remove it, or correct {' or '.join(keys)}",
        )


def left_out(tree: Tree) -> Iterator[Problem]:
    """Yield the markers in environments that their application leaves out."""
    for site, owned in tree.owned.items() if tree.config else ():
        assert tree.config  # noqa: S101  the loop runs only with a configuration
        application = site.application
        if site.environment in tree.config.way(application).names:
            continue
        key = f"groups.{application.group}.applications.{application.name}.environments"
        yield Problem(
            path=owned.markers[0].path,
            line=owned.markers[0].line,
            message=f"{key} leaves {site.environment} out, so the markers of {application} there are not managed",
            fix="remove the marker, or add the environment to that key",
        )
