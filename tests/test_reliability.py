"""The tables of docs/reliability.md: what a request is, what is counted, and where it is written."""

import re
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.forges.faults import Request
from tests.reliability import BEGIN, END, Met, Record, Writer, effect_of

PAGE = Path(__file__).parents[1] / "docs" / "reliability.md"


@pytest.mark.parametrize(
    ("method", "path", "body", "effect"),
    [
        ("POST", "/acme/gitops.git/git-receive-pack", "", "push"),
        ("GET", "/acme/gitops.git/info/refs", "", "list refs"),
        ("POST", "/acme/gitops.git/git-upload-pack", "", "fetch"),
        ("POST", "/api/v3/repos/acme/gitops/pulls", "{}", "open the pull request"),
        ("PATCH", "/api/v3/repos/acme/gitops/pulls/7", "{}", "rewrite the pull request"),
        ("POST", "/api/graphql", '{"query": "mutation($input: X!) { enablePullRequestAutoMerge(input: ..."}', "arm"),
        ("POST", "/api/graphql", '{"query": "mutation($input: X!) { disablePullRequestAutoMerge(..."}', "disarm"),
        ("POST", "/api/graphql", '{"query": "query { repository }"}', "read"),
        ("POST", f"/api/v3/repos/acme/gitops/statuses/{'a' * 40}", "{}", "publish a verdict"),
        ("POST", "/api/v3/repos/acme/gitops/pulls/7/reviews", "{}", "give an opinion"),
        ("PUT", "/c/_apis/git/repositories/r/pullRequests/7/reviewers/1234", "{}", "give an opinion"),
        ("POST", "/c/_apis/git/repositories/r/pullRequests", "{}", "open the pull request"),
        (
            "PATCH",
            "/c/_apis/git/repositories/r/pullRequests/7",
            '{"autoCompleteSetBy": {"id": "00000000-0000"}}',
            "disarm",
        ),
        ("PATCH", "/c/_apis/git/repositories/r/pullRequests/7", '{"autoCompleteSetBy": {"id": "1234"}}', "arm"),
        ("PATCH", "/c/_apis/git/repositories/r/pullRequests/7", '{"status": "completed"}', "merge"),
        ("GET", "/c/_apis/git/repositories/r/pullRequests/7", "", "read"),
    ],
)
def test_a_request_has_an_effect(method: str, path: str, body: str, effect: str) -> None:
    request = Request(number=1, kind="rest", method=method, path=path, body=body.encode())
    assert effect_of(request) == effect


def report(outcome: str, *met: Met) -> Any:
    record = Record([])
    for each in met:
        record.add(each)
    return SimpleNamespace(when="call", passed=outcome == "passed", user_properties=record.properties)


def test_what_tests_that_passed_have_met_is_written_between_the_marks(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    alone = Met(provider="plain git", verb="new", effect="push", fault="reset, once", alone=True)
    repaired = Met(provider="plain git", verb="new", effect="push", fault="reset, once", alone=False)
    writer = Writer(page)
    writer.pytest_runtest_logreport(report("passed", alone, alone, repaired))
    writer.pytest_runtest_logreport(report("failed", alone))
    writer.pytest_sessionfinish(1)
    assert "old" in page.read_text()
    writer.pytest_sessionfinish(0)
    text = page.read_text()
    assert (text.startswith("before\n"), text.endswith("after\n"), "old" in text) == (True, True, False)
    assert "3 runs were disturbed. 2 reached the right end by themselves. The other 1 were" in text
    assert "### Plain git\n\n| verb | effect | reset, once |\n| --- | --- | --: |\n| `new` | push | 2 (1) |\n" in text


def test_a_page_without_the_marks_is_refused(tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text("no marks")
    for name in ("page.md", "none.md"):
        with pytest.raises(pytest.UsageError, match="between which the tables belong"):
            Writer(tmp_path / name)


def test_the_page_has_the_sums_of_its_tables() -> None:
    text = PAGE.read_text(encoding="utf-8")
    tables = text[text.index(BEGIN) : text.index(END)]
    total, alone, repaired = map(int, re.findall(r"\b\d+\b", tables.partition("###")[0]))
    sums = Counter[bool]()
    for row in re.findall(r"^\| `.*", tables, re.MULTILINE):
        for in_brackets, number in re.findall(r"(\()?\b(\d+)\)?", "|".join(row.split("|")[3:])):
            sums[not in_brackets] += int(number)
    assert (sums[True], sums[False]) == (alone, repaired)
    assert total == alone + repaired
    assert {"### GitHub", "### Azure DevOps", "### Plain git"} <= set(tables.splitlines())
