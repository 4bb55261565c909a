"""Checks of the configuration file itself."""

import difflib
from collections.abc import Iterator

from gitops_promotion.core import holds
from gitops_promotion.core.checks.finding import Problem
from gitops_promotion.core.checks.tree import Tree
from gitops_promotion.core.names import Application

_NEAR = 0.8


def missing(tree: Tree) -> Iterator[Problem]:
    """Yield a problem if the configuration is missing, at the file that may be meant as the configuration."""
    if tree.config_file in tree.contents:
        return
    if kind := tree.irregular.get(tree.config_file):
        yield Problem(path=tree.config_file, line=1, message=f"the configuration is {kind}", fix="make it a file")
        return
    # The file of holds has a name of the same kind, and to move it would lose the holds.
    names = [path for path in tree.contents if "/" not in path and path != holds.FILE]
    near = difflib.get_close_matches(tree.config_file, names, n=1, cutoff=_NEAR)
    near = near or sorted(path for path in tree.contents if path.endswith(f"/{tree.config_file}"))
    yield Problem(
        path=near[0] if near else tree.config_file,
        line=1,
        message=f"the repository has no {tree.config_file} in its root, which names the environments",
        fix=f"move this file to {tree.config_file} in the root"
        if near
        else "run `gitops-promotion init`, or write one: docs/configuration.md",
    )


def faulty(tree: Tree) -> Iterator[Problem]:
    """Yield the faults of the configuration, each of which makes every verb fail."""
    for fault in tree.config_faults:
        yield Problem(path=fault.path, line=fault.line, message=fault.text, fix="correct this line")


def doubtful(tree: Tree) -> Iterator[Problem]:
    """Yield the values that are accepted and probably do not mean what they say."""
    for warning in tree.config.warnings if tree.config else ():
        yield Problem(path=warning.path, line=warning.line, message=warning.text, fix="correct this line")


def unknown_applications(tree: Tree) -> Iterator[Problem]:
    """Yield the groups and applications with settings that no marker names."""
    groups = {application.group for application in tree.applications}
    for group, applications in tree.config.groups.items() if tree.config and groups else ():
        if group not in groups:
            yield _unknown(tree, f"group {group}", tree.config_lines.of_group(group), group, groups)
            continue
        names = {application.name for application in tree.applications if application.group == group}
        for name in applications:
            if Application(group, name) not in tree.applications:
                line = tree.config_lines.of_group(group, name)
                yield _unknown(tree, f"application {group}/{name}", line, name, names)


def _unknown(tree: Tree, subject: str, line: int, name: str, names: set[str]) -> Problem:
    near = difflib.get_close_matches(name, sorted(names), n=1)
    return Problem(
        path=tree.config_file,
        line=line,
        message=f"no environment has a marker of the {subject}, so its settings have no effect",
        fix=f"did you mean {near[0]}?" if near else "correct the name, or remove it",
    )
