"""Commit statuses as reports on a tag."""

from collections.abc import Mapping, Sequence

import pytest

from gitops_promotion.core.forge import CommitStatus, StatusState
from gitops_promotion.core.status_reports import StatusReport, by_cluster, named_reports, newest_reports, worst


def status(context: str, state: StatusState = "success", genre: str = "", description: str = "") -> CommitStatus:
    return CommitStatus(context=context, state=state, genre=genre, description=description)


STATUSES: Mapping[str, Sequence[CommitStatus]] = {
    "c2": [status("E2E", "pending"), status("load", genre="tests"), status("kustomization/shop-dev/a", "failure")],
    "c1": [status("e2e"), status("kustomization/shop-dev/A"), status("kustomization/shop-dev/b", genre="fluxcd")],
}


@pytest.mark.parametrize(
    ("name", "report"),
    [
        ("e2e", ("E2E", "c2", "pending")),
        ("tests/load", ("tests/load", "c2", "success")),
        ("load", None),
        ("fluxcd/kustomization/shop-dev/b", None),
        ("kustomization/shop-dev/b", ("fluxcd/kustomization/shop-dev/b", "c1", "success")),
    ],
)
def test_the_newest_report_of_a_name_counts_and_its_genre_is_a_part_of_it(
    name: str, report: tuple[str, str, str] | None
) -> None:
    reports = named_reports(["c2", "c1"], STATUSES, [name, "none"])
    assert list(reports) == ([name] if report else [])
    if report:
        assert (reports[name].context, reports[name].sha, reports[name].state) == report


def test_the_newest_report_of_each_context_that_fits_counts() -> None:
    reports = newest_reports(["c2", "c1"], STATUSES, ["*/shop-dev/*"])
    found = [(report.cluster, report.state, str(report)) for report in reports.values()]
    assert found == [
        ("a", "failure", "kustomization/shop-dev/a on c2"),
        ("b", "success", "fluxcd/kustomization/shop-dev/b on c1"),
    ]
    assert sorted(by_cluster(reports.values())) == ["a", "b"]


@pytest.mark.parametrize(
    ("states", "expected"),
    [("success", "success"), ("success pending", "pending"), ("pending failure success", "failure")],
)
def test_of_several_states_the_worst_counts(states: str, expected: str) -> None:
    reports = [
        StatusReport(context="c", state=state, sha="s")
        for state in ("success", "pending", "failure")
        if state in states
    ]
    assert worst(reports) == expected
