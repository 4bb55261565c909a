"""Names for the completion of a command line, from the files of a checkout."""

from collections.abc import Mapping
from pathlib import Path

from gitops_promotion.core.checks import Tree
from gitops_promotion.errors import PromotionError
from gitops_promotion.git.worktree import WorkingTree
from gitops_promotion.providers import registry


def names(kind: str, sourcedir: str, group: str, environ: Mapping[str, str]) -> list[str]:
    """Return the names of a kind (group, app, environment or provider) in a checkout; none where it cannot be read.

    Applications are those of the group, of all groups for "".
    """
    if kind == "provider":
        return registry.names()
    try:
        tree = Tree(contents=WorkingTree.find(Path(sourcedir), environ).yaml_files())
    except PromotionError:
        return []
    if tree.config is None:
        return []
    if kind == "environment":
        return list(tree.config.pipeline.names)
    if kind == "group":
        return sorted({application.group for application in tree.applications})
    return sorted({a.name for a in tree.applications if group in ("", a.group)})
