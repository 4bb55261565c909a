"""Checks of the values of all markers that an application has in an environment, taken together."""

from collections.abc import Iterator

from gitops_promotion.core.checks.finding import Problem
from gitops_promotion.core.checks.tree import Tree
from gitops_promotion.core.markers import read_tag, set_tag, unfit
from gitops_promotion.core.markers.spelling import marker_comment
from gitops_promotion.core.names import Site
from gitops_promotion.core.tags import Tag
from gitops_promotion.errors import ManifestError


def disagreeing(tree: Tree) -> Iterator[Problem]:
    """Yield the applications whose markers in one environment have different tags or digests, at the first marker."""
    for site in tree.owned:
        try:
            _tag(tree, site)
        except ManifestError as error:
            message, _, step = str(error).partition("\n")[0].rpartition("; ")
            fault = error.faults[0]
            yield Problem(
                path=fault.path,
                line=fault.line,
                message=message or fault.text,
                fix=step if message else "correct the value or its marker",
            )


def _tag(tree: Tree, site: Site) -> Tag | None:
    """Return the tag of an application in an environment, None if a value is a finding of its own.

    Raises ManifestError.
    """
    owned = tree.owned[site]
    if any(unfit(marker) for marker in owned.markers):
        return None
    return read_tag(owned.files, owned.markers[0].group, owned.markers[0].app)


def without_slot(tree: Tree) -> Iterator[Problem]:
    """Yield the digests of one environment that no marker of the next one can hold."""
    for site in tree.owned if tree.config else ():
        assert tree.config  # noqa: S101  the loop runs only with a configuration
        way = tree.config.way(site.application)
        tag = _readable_tag(tree, site)
        for target in way.targets(site.environment) if site.environment in way.names and tag and tag.digest else ():
            owned = tree.owned.get(Site(site.application, target))
            if owned is None or tag is None or _can_hold(tree, Site(site.application, target), tag):
                continue
            marker = owned.markers[0]
            yield Problem(
                path=marker.path,
                line=marker.line,
                message=f"{site.application} is pinned to a digest in {site.environment}, which no marker in {target}"
                " can hold, so its promotion fails",
                fix=f"write the value as {marker.value}@sha256:<digest>, or put "
                f"{marker_comment(marker.group, marker.app, 'digest')} behind a digest",
            )


def _readable_tag(tree: Tree, site: Site) -> Tag | None:
    try:
        return _tag(tree, site)
    except ManifestError:
        return None


def _can_hold(tree: Tree, site: Site, tag: Tag) -> bool:
    """Return True if the digest of a tag has a place in an environment, or if another finding says why not."""
    owned = tree.owned[site]
    name, app = owned.markers[0].group, owned.markers[0].app
    try:
        set_tag(owned.files, group=name, app=app, tag=Tag(tag.name))
    except ManifestError:
        return True
    try:
        set_tag(owned.files, group=name, app=app, tag=tag)
    except ManifestError:
        return False
    return True


def unmarked_digests(tree: Tree) -> Iterator[Problem]:
    """Yield the digests beside a marked tag that no marker names."""
    lines = {
        (marker.path, marker.digest_line): marker
        for owned in tree.owned.values()
        for marker in owned.markers
        if marker.digest_line
    }
    for (path, line), marker in lines.items():
        yield Problem(
            path=path,
            line=line,
            message=f"this digest stands beside the marked value on line {marker.line} and would keep the old image, "
            "so a new tag is refused",
            fix=f"put {marker_comment(marker.group, marker.app, 'digest')} behind it, or remove it",
        )
