"""What is in the checkout but not on the remote: the usual reason why something that a person sees is not found."""

import difflib

from gitops_promotion.core.layout import MarkerName, is_file_pattern
from gitops_promotion.core.markers import scan
from gitops_promotion.core.names import Site
from gitops_promotion.errors import ManifestError
from gitops_promotion.workflow.tip import Tip

# The most groups that one text lists.
_LISTED = 10


def no_marker(tip: Tip, site: Site) -> str:
    """Return why the tip has no marker of an application in an environment, "" if nothing more is known."""
    return _in_checkout(tip, site) or _no_file(tip, site)


def _in_checkout(tip: Tip, site: Site) -> str:
    layout = tip.config.layout
    name = layout.marker_name(site.application, site.environment)
    for path, content in sorted(tip.repository.checked_out_yaml().items()):
        if layout.holds(path, site.application, site.environment) and _has_marker(content, path, name):
            return f"the marker of {site.application} in {path} {tip.not_pushed}"
    return ""


def _has_marker(content: bytes, path: str, name: MarkerName) -> bool:
    try:
        return any((marker.group, marker.app) == (name.group, name.app) for marker in scan(content, path).markers)
    except ManifestError:
        return False


def _no_file(tip: Tip, site: Site) -> str:
    """Return the message that an environment has no file of a group, with the group that may be meant."""
    layout, application = tip.config.layout, site.application
    if tip.repository.has_files(tip.sha, layout.group_pathspecs(application.group, site.environment)):
        return ""
    folders = layout.where(application, site.environment)
    text = f"there is no file in {folders} on {tip.base}"
    for pattern in folders.split(" or "):
        other_pattern = pattern.removesuffix(".yaml") + ".yml" if pattern.endswith(".yaml") else f"{pattern[:-4]}.yaml"
        if is_file_pattern(pattern) and tip.repository.has_files(tip.sha, [f":(glob){other_pattern}"]):
            return (
                f"{text}, but there is {other_pattern}: correct {layout.path_key(site.environment)}, or rename the file"
            )
    groups = sorted({a.group for a in tip.applications() if a.group != application.group})
    if near := difflib.get_close_matches(application.group, groups, n=1):
        return f"{text}: did you mean the group {near[0]}?"
    listed_groups = [*groups[:_LISTED], *([f"{len(groups) - _LISTED} more"] if len(groups) > _LISTED else [])]
    advice = f"use a group that has markers ({', '.join(listed_groups)}), " if groups else ""
    return f"{text}: {advice}put the manifests there, or correct {layout.path_key(site.environment)}"
