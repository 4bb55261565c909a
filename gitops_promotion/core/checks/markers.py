"""Checks of single markers: their spelling, their place, and the value that they mark."""

import re
from collections.abc import Iterator

from gitops_promotion.core.checks.finding import Problem
from gitops_promotion.core.checks.tree import Tree
from gitops_promotion.core.markers import Marker, Misplaced, unfit
from gitops_promotion.core.markers.near import Kind
from gitops_promotion.core.markers.parts import is_range
from gitops_promotion.core.markers.spelling import marker_comment
from gitops_promotion.core.tags import is_tag
from gitops_promotion.core.untrusted import quoted

_CORRECT = "correct the value or its marker"


def misspelled(tree: Tree) -> Iterator[Problem]:
    """Yield the comments that look like a marker but are none, because of their key, quotes, braces or suffix."""
    yield from _near_misses(tree, "misspelled", "write it as {}")
    explained = {(path, miss.line) for path, miss in tree.near_misses}
    for marker in tree.misplaced:
        if marker.kind == "spelling" and (marker.path, marker.line) not in explained:
            yield _misplaced(marker)


def commented_out(tree: Tree) -> Iterator[Problem]:
    """Yield the markers on lines that are commented out."""
    yield from _near_misses(tree, "commented-out", "remove the line, or its first #")


def in_block(tree: Tree) -> Iterator[Problem]:
    """Yield the markers inside block scalars."""
    yield from _near_misses(tree, "in-block", "keep the value outside of the block, with {} behind it")


def _near_misses(tree: Tree, kind: Kind, fix: str) -> Iterator[Problem]:
    for path, miss in tree.near_misses:
        if miss.kind == kind:
            yield Problem(path=path, line=miss.line, message=miss.problem, fix=fix.format(miss.marker))


def misplaced(tree: Tree) -> Iterator[Problem]:
    """Yield the markers at places where they set nothing."""
    for marker in tree.misplaced:
        if marker.kind == "place":
            yield _misplaced(marker)


def _misplaced(marker: Misplaced) -> Problem:
    reason, separator, step = marker.reason.rpartition(": ")
    return Problem(
        path=marker.path,
        line=marker.line,
        message=f"the marker of {marker.group}:{marker.app} has no effect: {reason if separator else step}",
        fix=step if separator else f"write {marker_comment(marker.group, marker.app, 'tag')} and nothing else",
    )


def unfit_values(tree: Tree) -> Iterator[Problem]:
    """Yield the markers whose value cannot be what they say, such as a digest behind a marker for a tag."""
    for marker in tree.markers:
        problem = unfit(marker)
        if problem and not _is_range(marker):
            yield Problem(path=marker.path, line=marker.line, message=problem[0], fix=problem[1] or _CORRECT)


def ranges(tree: Tree) -> Iterator[Problem]:
    """Yield the marked values that are a range of versions, which names no tag."""
    for marker in tree.markers:
        if _is_range(marker):
            yield Problem(
                path=marker.path,
                line=marker.line,
                message=f"{quoted(marker.value)} is a range of versions: it names no tag to promote, until "
                "the first promotion replaces it",
                fix="run `gitops-promotion new`, or write the version that runs now",
            )


def _is_range(marker: Marker) -> bool:
    text = marker.value
    return bool(marker.part.has_tag and text and not is_tag(text) and is_range(text) and marker.part.suffix == "tag")


def unreadable(tree: Tree) -> Iterator[Problem]:
    """Yield the files of environments that have markers and cannot be read."""
    for path, error in tree.broken.items():
        if not tree.config or not tree.config.layout.in_reach(path):
            continue
        for fault in error.faults:
            message, _, step = re.sub(r"\n.*", "", fault.text).rpartition(": ")
            yield Problem(path=path, line=max(fault.line, 1), message=message, fix=step)
