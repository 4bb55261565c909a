"""What disturbed runs met and how they ended: recorded by tests, written as the tables of docs/reliability.md.

    pytest --thorough --reliability docs/reliability.md tests/stories/test_faults.py tests/commands/test_killed.py ...

A test adds one `Met` for each run that it disturbed, as soon as that run has ended. They count once the test has
passed, which is the proof that the end was the right one.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

import pytest

from tests.forges.faults import Request

PROPERTY = "reliability"
BEGIN, END = "<!-- met -->", "<!-- /met -->"
PLAIN_GIT = "plain git"

# The first row that fits says what a request does: method, path, body.
EFFECTS: Sequence[tuple[str, str, str, str]] = (
    ("POST", r"/git-receive-pack$", "", "push"),
    ("GET", r"/info/refs$", "", "list refs"),
    ("POST", r"/git-upload-pack$", "", "fetch"),
    ("POST", r"graphql", r"disablePullRequestAutoMerge", "disarm"),
    ("POST", r"graphql", r"(?:enable|enqueue)PullRequest", "arm"),
    ("PATCH", r"/pullrequests/\d+$", r'"autoCompleteSetBy": ?\{"id": ?"0{8}-', "disarm"),
    ("PATCH", r"/pullrequests/\d+$", r"autoCompleteSetBy", "arm"),
    ("PATCH", r"/pullrequests/\d+$", r"completed", "merge"),
    ("PATCH", r"/(?:pulls|pullrequests)/\d+$", "", "rewrite the pull request"),
    ("POST", r"/(?:pulls|pullrequests)$", "", "open the pull request"),
    ("POST", r"/pulls/\d+/reviews$", "", "give an opinion"),
    ("PUT", r"/pullrequests/\d+/reviewers/", "", "give an opinion"),
    ("POST", r"/statuses(?:/\w+)?$", "", "publish a verdict"),
    ("(?:POST|PATCH)", r"/(?:comments|threads)(?:/\d+)*$", "", "comment"),
)
READ = "read"


@dataclass(frozen=True, slots=True, kw_only=True)
class Met:
    """One run that was disturbed.

    `effect` is what it was about to do, or had just done; `alone` says that it reached the end of an undisturbed run by
    itself, else the next run did.
    """

    provider: str
    verb: str
    effect: str
    fault: str
    alone: bool


@dataclass(frozen=True, slots=True)
class Record:
    """Where a test adds what it met; `properties` travel with its report, from any worker."""

    properties: list[tuple[str, object]]

    def add(self, met: Met) -> None:
        """Add one disturbed run."""
        self.properties.append((PROPERTY, astuple(met)))


def effect_of(request: Request) -> str:
    """Return what a request does."""
    body = request.body.decode(errors="replace")
    for method, path, text, effect in EFFECTS:
        found = re.fullmatch(method, request.method) and re.search(path, request.path, re.IGNORECASE)
        if found and re.search(text, body):
            return effect
    return READ


class Writer:
    """A plugin of pytest that writes the tables into a page, between BEGIN and END, once every test has passed."""

    def __init__(self, page: Path) -> None:
        """Remember the page. Raises UsageError for one without the place of the tables."""
        text = page.read_text(encoding="utf-8") if page.is_file() else ""
        if BEGIN not in text or END not in text:
            raise pytest.UsageError(f"{page} has no {BEGIN} and {END}, between which the tables belong")
        self._page = page
        self._met: Counter[Met] = Counter()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count what a test met that has passed."""
        if report.when == "call" and report.passed:
            self._met.update(_read(value) for name, value in report.user_properties if name == PROPERTY)

    def pytest_sessionfinish(self, exitstatus: int) -> None:
        """Write the page."""
        if exitstatus == pytest.ExitCode.OK and self._met:
            before, _, rest = self._page.read_text(encoding="utf-8").partition(BEGIN)
            after = rest.partition(END)[2]
            self._page.write_text(f"{before}{BEGIN}\n{tables(self._met)}\n{END}{after}", encoding="utf-8")


def _read(value: object) -> Met:
    assert isinstance(value, tuple | list)
    provider, verb, effect, fault, alone = value
    return Met(provider=provider, verb=verb, effect=effect, fault=fault, alone=alone)


def tables(counts: Mapping[Met, int]) -> str:
    """Return the sums, and for each provider a table of verbs and effects by fault."""
    total, alone = sum(counts.values()), sum(number for met, number in counts.items() if met.alone)
    parts = [
        f"{total} runs were disturbed. {alone} reached the right end by themselves. The other {total - alone} were "
        "killed, or ended with an error or a warning, and one more run reached it."
    ]
    for provider in sorted({met.provider for met in counts}):
        parts.append(f"### {provider[0].upper()}{provider[1:]}")
        of_provider = {met: number for met, number in counts.items() if met.provider == provider}
        parts.append("\n".join(_table(of_provider)))
    return "\n\n".join(parts)


def _table(counts: Mapping[Met, int]) -> Iterator[str]:
    faults = list(dict.fromkeys(met.fault for met in sorted(counts, key=lambda met: (met.fault, met.verb))))
    yield _row(["verb", "effect", *faults])
    yield _row(["---", "---", *["--:"] * len(faults)])
    for verb, effect in sorted({(met.verb, met.effect) for met in counts}):
        of_effect = {met: number for met, number in counts.items() if (met.verb, met.effect) == (verb, effect)}
        yield _row([f"`{verb}`", effect, *(_cell(of_effect, fault) for fault in faults)])


def _cell(counts: Mapping[Met, int], fault: str) -> str:
    """Return how many runs ended by themselves and, in parentheses, how many needed one more run."""
    alone, repaired = (
        sum(number for met, number in counts.items() if met.fault == fault and met.alone is ended)
        for ended in (True, False)
    )
    return " ".join(filter(None, (str(alone) if alone else "", f"({repaired})" if repaired else "")))


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
