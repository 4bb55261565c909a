"""The numbers of a measurement as Markdown, with the machine, and whether the goals are met."""

import os
import platform
import subprocess
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.measure import FLOOR, IMPORT, TOOL, Key, Row

PERFORMANCE = Path(__file__).parents[1] / "docs" / "performance.md"
SCALE = Path(__file__).parents[1] / "docs" / "scale.md"
FACTOR = 4
"""How many times the floor's CPU a verb about one application may take, beside that of the imports."""
COMMANDS = 6
"""The processes of git that such a verb may start."""
GROWTH = 1.5
"""How many times its CPU at 30 files such a verb may take at 100,000."""
EACH = 2.0
"""Milliseconds of CPU that a verb about all applications may take for each."""
ALL_APPLICATIONS = 5.0
"""CPU seconds that `promote --all` may take on 1,000 applications."""
MEMORY = 200
"""MiB that a verb may take on 5,000 applications."""

_ONE = ("new", "promote", "status")
_ALL = ("promote --all", "status --publish")


def replace_part(page: Path, text: str, part: str = "numbers") -> None:
    """Write a measurement's text into a part of a page, in place of that of the last one.

    Two comments mark where the part begins and ends. Raises ValueError if the page does not have them.
    """
    begin, end = f"<!-- {part}: begin -->", f"<!-- {part}: end -->"
    before, opened, rest = page.read_text(encoding="utf-8").partition(begin)
    _, closed, after = rest.partition(end)
    if not (opened and closed):
        raise ValueError(f"{page} has no part between {begin} and {end}: add these two lines where the numbers belong")
    page.write_text(f"{before}{begin}\n\n{text}\n{end}{after}", encoding="utf-8")


def of_verbs(rows: Mapping[Key, Row], rounds: int) -> tuple[str, int]:
    """Return the table of all rows with the goals, and how many goals are missed."""
    goals = list(_goals(rows))
    missed = sum(not met for met, _ in goals)
    lines = [
        f"`python -m benchmarks verbs {rounds}` on {machine()}. Medians; the spread is between the cheapest and the "
        "dearest run. *git* are the processes of git that the command starts, and all of them; *requests* "
        "those of the API, and transfers of git.",
        "",
        "| repository | verb | program | wall s | CPU ms | spread ms | MiB | git | requests | kB |",
        "| --- | --- | --- | --: | --: | --: | --: | --: | --: | --: |",
        *(_line(key, row) for key, row in rows.items()),
        "",
        f"Goals met: {len(goals) - missed} of {len(goals)}.",
        "",
        "| goal | result |  |",
        "| --- | --- | --- |",
        *(f"| {text} | {'met' if met else '**missed**'} |" for met, text in goals),
    ]
    return "\n".join(lines) + "\n", missed


def _line(key: Key, row: Row) -> str:
    size, verb, who = key
    counts = row.counts
    cells = [
        size,
        f"`{verb}`" if verb != IMPORT else "imports of three libraries",
        who,
        f"{row.median(lambda cost: cost.wall):.2f}",
        f"{1000 * row.cpu:.0f}",
        f"{1000 * row.spread:.0f}",
        f"{row.median(lambda cost: cost.memory):.0f}",
        f"{counts.commands} of {counts.processes}",
        f"{counts.requests} + {counts.transfers}",
        f"{counts.sent / 1000:.0f}",
    ]
    return f"| {' | '.join(cells)} |"


def _goals(rows: Mapping[Key, Row]) -> Iterator[tuple[bool, str]]:
    """Yield whether each goal is met, and its text with the measured value."""
    sizes = list(dict.fromkeys(size for size, verb, _ in rows if verb in _ONE))
    small, large = sizes[0], sizes[-1]
    imports = rows[small, IMPORT, ""].cpu
    for verb in _ONE:
        row, floor = rows[small, verb, TOOL], rows[small, verb, FLOOR]
        limit = FACTOR * floor.cpu + imports
        text = f"`{verb}` at {small}: at most {FACTOR} x the floor's CPU and the imports, {1000 * limit:.0f} ms"
        yield row.cpu <= limit, f"{text} | {1000 * row.cpu:.0f} ms"
        commands = row.counts.commands
        yield commands <= COMMANDS, f"`{verb}`: at most {COMMANDS} processes of git | {commands}"
        growth = rows[large, verb, TOOL].cpu / row.cpu
        yield growth <= GROWTH, f"`{verb}` at {large}: at most {GROWTH} x its CPU at {small} | {growth:.2f} x"
    numbers = {size: int(size.split()[0].replace(",", "")) for size, verb, _ in rows if verb in _ALL}
    few, some, many = sorted(numbers, key=lambda size: numbers[size])
    for verb in _ALL:
        first, middle, last = (rows[size, verb, TOOL] for size in (few, some, many))
        for size, row, before, least in ((some, middle, first, few), (many, last, middle, some)):
            each = 1000 * (row.cpu - before.cpu) / (numbers[size] - numbers[least])
            text = f"`{verb}`: at most {EACH:g} ms of CPU for each application beyond {least}, up to {size}"
            yield each <= EACH, f"{text} | {each:.2f} ms"
        memory = last.median(lambda cost: cost.memory)
        yield memory <= MEMORY, f"`{verb}` on {many}: at most {MEMORY} MiB | {memory:.0f} MiB"
    cpu = rows[some, "promote --all", TOOL].cpu
    yield cpu <= ALL_APPLICATIONS, f"`promote --all` on {some}: at most {ALL_APPLICATIONS:g} s of CPU | {cpu:.2f} s"


def machine() -> str:
    """Return the machine in words: processors, system, Python, git, and how busy it was."""
    git = subprocess.run(["git", "--version"], capture_output=True, text=True, check=True).stdout.split()[2]
    busy = f"{os.getloadavg()[0]:.0f} processes waiting for a processor" if os.getloadavg()[0] >= 2 else "idle"
    day = datetime.now(UTC).date()
    system = f"{platform.system()} {platform.machine()}"
    return f"{os.cpu_count()} processors, {system}, Python {platform.python_version()}, git {git}, {day}, {busy}"
