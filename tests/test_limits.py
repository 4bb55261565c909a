"""docs/limits.md says what the code does: each limit is that of its constant, has a test, and none is missing."""

import ast
import importlib
import re
from collections.abc import Iterator
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

import gitops_promotion
from gitops_promotion.cli.verbs import wait
from gitops_promotion.core import durations
from gitops_promotion.core.pull_request_text import BODY_LIMIT, TITLE_LIMIT
from gitops_promotion.core.untrusted import STATUS_LIMIT
from gitops_promotion.providers.azure_devops.facts import FORGE as AZURE_DEVOPS
from gitops_promotion.providers.facts import Forge
from gitops_promotion.providers.github.facts import FORGE as GITHUB
from gitops_promotion.providers.local.facts import FORGE as LOCAL

ROOT = Path(__file__).parents[1]
PACKAGE = Path(gitops_promotion.__file__).parent
PAGE = (ROOT / "docs" / "limits.md").read_text(encoding="utf-8")
UNITS = {
    "KiB": 1 << 10,
    "MiB": 1 << 20,
    "GiB": 1 << 30,
    "seconds": 1,
    "minutes": 60,
    "hour": 3600,
    "days": 86400,
}
LOOKS_LIKE_A_LIMIT = re.compile(
    r"_?(?:\w+_)?(?:LIMIT|MAX|MOST|TIMEOUT|PATIENCE|ATTEMPTS|PAGES|SECONDS|SILENCE|VISITS|CANDIDATES|LONGEST)(?:_\w+)?"
)
NOT_FROM_OUTSIDE = {
    "cli.option_values.TEXT_LIMIT",
    "ci.shell.OUTPUT_LIMIT",
    "core.branch_names._MAX_REF_PART",
    "core.config.document._MAX_LINE",
    "core.feature.names.LIMIT",
    "core.feature.names._HOST_LIMIT",
    "core.feature.selection._MAX_VALUES",
    "core.init.images._MAX_BYTES",
    "core.markers.near._MAX_LINE",
    "core.markers.parts._MAX_RANGE",
    "core.origin._MOST",
    "core.origin._NAME_LIMIT",
    "core.pull_request_text._NOTES_LIMIT",
    "core.pull_request_text._PART_LIMIT",
    "core.pull_request_text._SHORT_NOTES_LIMIT",
    "core.changes._MAX_SUBJECT",
    "core.config.values._SECONDS",
    "commands.feature_stale.DEFAULT_MAX_AGE",
    "commands.status.LONGEST_INTERVAL",
    "commands.wait._LONGEST",
    "git.advice._WORDS_LIMIT",
    "kustomize._REASON_LIMIT",
    "providers.azure_devops.answers.LIST_LIMIT",
    "providers.github.answers.URL_LIMIT",
    "providers.github.provider.DESCRIPTION_LIMIT",
    "providers.local.ledger.MOST_CHOICES",
    "providers.local.ledger.PATIENCE",
    "workflow.features._MAX_OBJECTS",
    "workflow.marked_files.MAX_PATHSPECS",
    "workflow.steps._MAX_WARNINGS",
    "workflow.stored_token._SECONDS",
}
"""Constants of such a name that bound nothing from outside: lengths of what is shown, parts of other limits."""


class Row(NamedTuple):
    """A row of a table of the page."""

    what: str
    limit: str
    constant: str
    test: str


def _rows() -> Iterator[Row]:
    for line in PAGE.splitlines():
        if line.startswith("|") and not line.startswith(("| what |", "| --- |")):
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            yield Row(cells[0], cells[1], cells[2].strip("`"), cells[3].strip("`"))


ROWS = list(_rows())


def written(limit: str) -> float:
    """Return the number that a limit says, in bytes or seconds where it has such a unit."""
    number, _, unit = limit.partition(" ")
    return float(number.replace(",", "")) * UNITS.get(unit, 1)


def value(constant: str) -> float:
    """Return the value of a constant, named from the package on, or from the standard library on."""
    parts = constant.split(".")
    for size in range(len(parts) - 1, 0, -1):
        for name in (f"gitops_promotion.{'.'.join(parts[:size])}", ".".join(parts[:size])):
            try:
                found: object = importlib.import_module(name)
            except ImportError:
                continue
            for part in parts[size:]:
                found = getattr(found() if isinstance(found, type) else found, part)
            if isinstance(found, timedelta):
                return found.total_seconds()
            if isinstance(found, tuple):
                found = found[-1]
            assert isinstance(found, int | float), constant
            return float(found << 20 if constant.endswith("_MIB") and isinstance(found, int) else found)
    raise AssertionError(f"{constant} is nowhere")


@cache
def names_of_tests(path: str) -> frozenset[str]:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


@pytest.mark.parametrize("row", ROWS, ids=[row.constant for row in ROWS])
def test_a_limit_is_that_of_its_constant_and_has_a_test(row: Row) -> None:
    assert written(row.limit) == value(row.constant)
    path, _, name = row.test.partition("::")
    assert name.startswith("test_")
    assert name in names_of_tests(path)


def test_every_constant_that_looks_like_a_limit_is_on_the_page() -> None:
    listed = {row.constant for row in ROWS}
    found = set()
    for path in PACKAGE.rglob("*.py"):
        module = ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            names = [target.id for target in getattr(node, "targets", []) if isinstance(target, ast.Name)]
            found |= {f"{module}.{name}" for name in names if LOOKS_LIKE_A_LIMIT.fullmatch(name)}
    assert found - listed - NOT_FROM_OUTSIDE == set(), "write a row into docs/limits.md"
    assert NOT_FROM_OUTSIDE - found == set()


@pytest.mark.parametrize("forge", [GITHUB, AZURE_DEVOPS, LOCAL], ids=lambda forge: forge.name)
def test_no_forge_gets_more_than_it_takes(forge: Forge) -> None:
    assert forge.body_limit >= BODY_LIMIT
    assert forge.title_limit >= TITLE_LIMIT
    assert len(forge.status_text("x" * 9999)) <= STATUS_LIMIT


def test_the_help_of_wait_says_its_default() -> None:
    [option] = [option for option in wait.command.params if option.name == "timeout"]
    assert f"[default: {durations.shown(wait._TIMEOUT)}]" in str(getattr(option, "help", ""))
