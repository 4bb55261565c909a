"""Checks of the file of holds: what cannot be read, and holds that concern no application."""

from collections.abc import Iterator

from gitops_promotion.core import holds_file
from gitops_promotion.core.checks.finding import Problem
from gitops_promotion.core.checks.lines import item_lines
from gitops_promotion.core.checks.tree import Tree
from gitops_promotion.core.holds import ANY, FILE, Hold, HoldsFile
from gitops_promotion.core.names import Application


def _parsed(tree: Tree) -> HoldsFile:
    if FILE in tree.irregular:
        return HoldsFile()
    names = tree.config.pipeline.names if tree.config else ()
    return holds_file.parse(tree.contents.get(FILE, b""), names)


def unreadable(tree: Tree) -> Iterator[Problem]:
    """Yield the faults of the file of holds, which stop every promotion that they could concern."""
    if kind := tree.irregular.get(FILE):
        yield Problem(path=FILE, line=1, message=f"the file of holds is {kind}", fix="make it a file")
    for problem in _parsed(tree).problems:
        fault = problem.fault
        yield Problem(path=FILE, line=max(fault.line, 1), message=fault.text, fix="correct this line")


def of_nobody(tree: Tree) -> Iterator[Problem]:
    """Yield the holds that concern no application."""
    holds = _parsed(tree)
    if not tree.config or holds.problems or not tree.applications:
        return
    lines = item_lines(tree.contents.get(FILE, b""), FILE, "holds")
    for hold, line in zip(holds.holds, lines, strict=False):
        if not any(_covers(hold, application) for application in tree.applications):
            yield Problem(
                path=FILE,
                line=line,
                message=f"no application is called {hold.group}/{hold.app}, so this hold stops nothing",
                fix="correct its names, or remove it",
            )


def _covers(hold: Hold, application: Application) -> bool:
    """Return True if a hold concerns an application; unknown environments are reported as faults of the file."""
    return hold.group in (ANY, application.group) and hold.app in (ANY, application.name)
