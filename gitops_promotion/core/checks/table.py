"""All checks, one row each: the code, the level, the heading of its page, and the function that finds it.

A code is never used again for anything else. A new check is a function in a module of this package, a row, and a
section of `docs/checks.md`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from gitops_promotion.core.checks import configuration, holds, layout, markers, safety, tags
from gitops_promotion.core.checks.finding import Level, Problem
from gitops_promotion.core.checks.tree import Tree


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One check; `title` is the heading of its section in `docs/checks.md`."""

    code: str
    level: Level
    title: str
    find: Callable[[Tree], Iterator[Problem]]


CHECKS: tuple[Check, ...] = (
    Check(code="GP001", level="error", title="no configuration", find=configuration.missing),
    Check(code="GP002", level="error", title="faulty configuration", find=configuration.faulty),
    Check(code="GP003", level="warning", title="doubtful configuration", find=configuration.doubtful),
    Check(code="GP004", level="warning", title="settings of nobody", find=configuration.unknown_applications),
    Check(code="GP101", level="error", title="no environment has a marker", find=layout.nothing_found),
    Check(code="GP102", level="warning", title="an environment without markers", find=layout.nothing_in_environment),
    Check(
        code="GP103", level="warning", title="an application without a marker on its way", find=layout.missing_markers
    ),
    Check(code="GP104", level="error", title="a marker of several environments", find=layout.claimed_twice),
    Check(code="GP105", level="warning", title="a marker that does not fit its file", find=layout.misfits),
    Check(code="GP106", level="warning", title="a marker outside of all environments", find=layout.outside),
    Check(code="GP107", level="warning", title="a marker in an environment that is left out", find=layout.left_out),
    Check(code="GP108", level="warning", title="a tree without markers", find=layout.no_marker),
    Check(code="GP201", level="error", title="a misspelled marker", find=markers.misspelled),
    Check(code="GP202", level="warning", title="a marker that is commented out", find=markers.commented_out),
    Check(code="GP203", level="warning", title="a marker in a block scalar", find=markers.in_block),
    Check(code="GP204", level="error", title="a marker at a wrong place", find=markers.misplaced),
    Check(code="GP205", level="error", title="a marker that does not fit its value", find=markers.unfit_values),
    Check(code="GP206", level="error", title="a marked file that cannot be read", find=markers.unreadable),
    Check(code="GP207", level="warning", title="a range of versions", find=markers.ranges),
    Check(code="GP301", level="error", title="tags that disagree", find=tags.disagreeing),
    Check(code="GP302", level="error", title="a digest that the next environment cannot hold", find=tags.without_slot),
    Check(code="GP303", level="error", title="a digest beside a marked tag", find=tags.unmarked_digests),
    Check(code="GP401", level="error", title="two applications with one branch", find=safety.shared_branches),
    Check(code="GP402", level="error", title="statuses of the same name", find=safety.shared_statuses),
    Check(code="GP403", level="warning", title="production merges by itself", find=safety.merges_by_itself),
    Check(code="GP404", level="error", title="an environment that never opens", find=safety.never_open),
    Check(code="GP405", level="error", title="a faulty file of holds", find=holds.unreadable),
    Check(code="GP406", level="warning", title="a hold of nobody", find=holds.of_nobody),
)

USELESS = "GP901"
"""The code of comments that allow a code and silence nothing."""
