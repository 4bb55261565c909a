"""When a tag that was never healthy is rolled back by itself: by tables."""

from datetime import UTC, datetime, timedelta

import pytest

from gitops_promotion.core import auto_rollback
from gitops_promotion.core.forge import StatusState
from gitops_promotion.core.names import Application
from gitops_promotion.core.status_reports import StatusReport

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
LIMIT = timedelta(minutes=15)
WEBUI = Application("webshop", "webui")


def report(state: StatusState, minutes: float | None) -> StatusReport:
    """Return a report from so many minutes ago, None for no known time."""
    at = None if minutes is None else NOW - timedelta(minutes=minutes)
    return StatusReport(context="c", state=state, sha="a" * 40, at=at)


RED: StatusState = "failure"
GREEN: StatusState = "success"
PENDING: StatusState = "pending"
CASES: dict[str, tuple[dict[str, list[StatusReport]], bool]] = {
    "nothing was reported": ({}, False),
    "it failed long ago": ({"a": [report(RED, 20)]}, True),
    "it failed just now": ({"a": [report(RED, 1)]}, False),
    "a second before the time": ({"a": [report(RED, 15 - 1 / 60)]}, False),
    "at the time": ({"a": [report(RED, 15)]}, True),
    "the clock of the reporter is ahead": ({"a": [report(RED, -30)]}, False),
    "no time is known": ({"a": [report(RED, None)]}, False),
    "one of two times is known": ({"a": [report(RED, 20), report(RED, None)]}, False),
    "it fails again and again": ({"a": [report(RED, 1), report(RED, 20)]}, True),
    "it was healthy once": ({"a": [report(RED, 20), report(GREEN, 30)]}, False),
    "it is healthy": ({"a": [report(GREEN, 20)]}, False),
    "it is healthy again": ({"a": [report(GREEN, 1), report(RED, 20)]}, False),
    "something is in progress": ({"a": [report(RED, 20)], "b": [report(PENDING, 1)]}, False),
    "another cluster is healthy": ({"a": [report(RED, 20)], "b": [report(GREEN, 20)]}, True),
}


@pytest.mark.parametrize("case", CASES)
def test_a_tag_is_late_that_failed_for_long_and_was_never_healthy(case: str) -> None:
    reports, expected = CASES[case]
    assert auto_rollback.is_late(reports, LIMIT, NOW) == expected


@pytest.mark.parametrize(
    ("suspects", "has_green", "kind", "text"),
    [
        ([str(WEBUI)], True, "rollback", "webshop/webui 2 was never healthy in prod"),
        ([], True, "rollback", "webshop/webui 2 was never healthy in prod"),
        ([str(WEBUI), "webshop/cart"], True, "ask", "and webshop/cart changed there too"),
        ([str(WEBUI)], False, "ask", "and no earlier tag was"),
    ],
)
def test_only_a_sole_change_with_a_healthy_tag_before_it_is_rolled_back(
    suspects: list[str], has_green: bool, kind: str, text: str
) -> None:
    decision = auto_rollback.decide(WEBUI, "prod", "2", suspects, has_green=has_green)
    assert (decision.kind, text in decision.text) == (kind, True)
