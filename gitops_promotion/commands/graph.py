"""`graph`: the pipeline, and what each environment's patterns find at the tip."""

from typing import TYPE_CHECKING

from gitops_promotion.core import graph as picture
from gitops_promotion.core import strays
from gitops_promotion.core.graph import Graph
from gitops_promotion.errors import ManifestError
from gitops_promotion.workflow.run import Run
from gitops_promotion.workflow.steps import layout_warnings, marker_warnings

if TYPE_CHECKING:
    from gitops_promotion.core.names import Application


def graph(run: Run) -> Graph:
    """Return the graph of the default branch's configuration and files. Raises ConfigError, GitError."""
    tip, marked = run.tip, run.tip.marked
    applications: dict[str, list[Application]] = {}
    for site in marked.sites():
        applications.setdefault(site.environment, []).append(site.application)
    errors = [*marked.conflicts(), *marked.broken()]
    warnings: list[str] = []
    if text := marked.nothing_found():
        errors.insert(0, ManifestError.at(tip.config_file, 0, text))
    elif applications:
        warnings = [*marker_warnings(tip), *layout_warnings(tip)]
    elif not errors:
        warnings = [str(strays.NO_MARKER)]
    return picture.draw(tip.config, marked.paths(), applications, errors=[*map(str, errors)], warnings=warnings)
