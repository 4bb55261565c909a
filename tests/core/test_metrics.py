"""The four numbers, by table: the definitions of docs/history.md."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from gitops_promotion.core.forge import CommitStatus, StatusState
from gitops_promotion.core.history import Event, History, Kind
from gitops_promotion.core.metrics import Health, Metrics, Row, measure, read_health
from gitops_promotion.core.names import Application, Site

WEB, CART = Application("shop", "web"), Application("shop", "cart")
START = datetime(2026, 1, 1, tzinfo=UTC)
END = START + timedelta(days=70)
SOURCES = {Site(app, "qa"): ["dev"] for app in (WEB, CART)} | {
    Site(WEB, "prod"): ["qa"],
    Site(WEB, "all"): ["qa", "dev"],
    Site(WEB, "any"): ["dev", "qa"],
}


def at(hours: float) -> datetime:
    return START + timedelta(hours=hours)


def event(
    hours: float,
    env: str,
    previous: str,
    tag: str,
    kind: Kind = "promotion",
    *,
    sha: str = "",
    app: Application = WEB,
    built: float | None = None,
) -> Event:
    return Event(
        time=at(hours),
        application=app,
        environment=env,
        kind=kind,
        previous_tag=previous,
        tag=tag,
        sha=sha or f"{env}{hours}",
        built_at=None if built is None else at(built),
    )


def metrics(oldest_first: Sequence[Event], *, since: datetime = START, health: Health | None = None) -> Metrics:
    history = History(events=tuple(reversed(oldest_first)), since=START)
    return measure(history, since=since, until=END, sources=SOURCES, health=health)


def row(oldest_first: Sequence[Event], env: str = "dev", app: str = "web", *, health: Health | None = None) -> Row:
    rows = metrics(oldest_first, health=health).rows
    return next(row for row in rows if (row.app, row.environment) == (app, env))


def hours(seconds: float | None) -> float | None:
    return None if seconds is None else seconds / 3600


def test_frequency_is_deployments_by_the_weeks_of_the_window() -> None:
    found = row([event(n, "dev", str(n), str(n + 1)) for n in range(1, 6)])
    assert (found.deployments, found.per_week) == (5, 0.5)


def test_less_than_three_is_too_few() -> None:
    found = row([event(1, "dev", "1", "2"), event(2, "dev", "2", "3")])
    assert (found.deployments, found.per_week) == (2, None)


def test_a_bundle_is_one_deployment_of_its_group_and_one_of_each_application() -> None:
    bundle = [event(1, "dev", "1", "2", sha="c"), event(1, "dev", "5", "6", sha="c", app=CART)]
    found = {(r.group, r.app): r.deployments for r in metrics(bundle).rows}
    assert found == {("", ""): 1, ("shop", ""): 1, ("shop", "cart"): 1, ("shop", "web"): 1}


@pytest.mark.parametrize(
    "other",
    [
        event(2, "dev", "2", "2@sha256:" + "a" * 64),
        event(2, "dev", "2", "2"),
        event(2, "dev", "", "7", "feature"),
        event(2, "dev", "2", ""),
        event(2, "dev", "", "2"),
    ],
    ids=["a digest of the same tag", "the same tag", "a feature", "a removal", "a new marker"],
)
def test_what_is_no_deployment(other: Event) -> None:
    assert row([event(1, "dev", "1", "2"), other]).deployments == 1


def test_lead_time_is_from_arrival_to_arrival_and_in_all_from_the_first_environment() -> None:
    events = []
    for n in range(3):
        tag, previous, start = str(n + 2), str(n + 1), n * 100
        events += [event(start, "dev", previous, tag), event(start + 2, "qa", previous, tag)]
        events += [event(start + 7 + n, env, previous, tag) for n, env in enumerate(("prod", "all", "any"))]
    prod, qa, dev = row(events, "prod"), row(events, "qa"), row(events)
    assert [hours(span.median_seconds) for span in (prod.lead_time, prod.lead_time_step)] == [7, 5]
    assert [hours(span.median_seconds) for span in (qa.lead_time, qa.lead_time_step)] == [2, 2]
    assert (dev.lead_time.count, dev.lead_time_step.count) == (0, 0)
    steps = [row(events, env).lead_time_step.median_seconds for env in ("all", "any")]
    assert [hours(seconds) for seconds in steps] == [6, 7], "from the last of several sources"


def test_the_time_of_the_build_begins_the_lead_time_where_it_is_known() -> None:
    events = []
    for n in range(3):
        tag, previous = str(n + 2), str(n + 1)
        events += [event(n * 100 + 10, "dev", previous, tag, built=n * 100), event(n * 100 + 12, "qa", previous, tag)]
    assert hours(row(events).lead_time.median_seconds) == 10
    assert hours(row(events, "qa").lead_time.median_seconds) == 12
    assert hours(row(events, "qa").lead_time_step.median_seconds) == 2


def test_lead_time_ends_when_the_environment_is_green() -> None:
    events = []
    green = {}
    for n in range(3):
        events += [event(n * 100, "dev", str(n), str(n + 1)), event(n * 100 + 1, "qa", str(n), str(n + 1), sha=f"q{n}")]
        green[f"q{n}", Site(WEB, "qa")] = at(n * 100 + 5)
    assert hours(row(events, "qa", health=Health(green=green)).lead_time.median_seconds) == 5


def test_a_negative_time_of_clocks_that_disagree_is_left_out() -> None:
    events = []
    for n in range(3):
        events += [event(n * 100 + 9, "dev", str(n), str(n + 1)), event(n * 100 + 8, "qa", str(n), str(n + 1))]
    assert (row(events, "qa").lead_time.count, row(events, "qa").deployments) == (0, 3)


@pytest.mark.parametrize(
    ("kind", "tag", "failed"),
    [("rollback", "1", 1), ("manual", "1", 1), ("override", "1", 1), ("promotion", "3", 0), ("manual", "3", 0)],
)
def test_a_rollback_and_an_older_tag_by_hand_mean_that_the_deployment_before_failed(
    kind: Kind, tag: str, failed: int
) -> None:
    found = row([event(1, "dev", "1", "2"), event(5, "dev", "2", tag, kind)])
    assert (found.failed, found.changes) == (failed, 1 if failed else 2)


def test_an_older_tag_by_a_promotion_is_a_change_like_any_other() -> None:
    found = row([event(1, "dev", "1", "2"), event(5, "dev", "2", "1")])
    assert (found.failed, found.changes) == (0, 2)


def test_red_at_the_deadline_is_a_failure() -> None:
    events = [event(1, "dev", "1", "2", sha="bad"), event(4, "dev", "2", "3")]
    found = row(events, health=Health(red=frozenset({("bad", Site(WEB, "dev"))})))
    assert (found.failed, found.changes) == (1, 2)


def test_restore_is_from_the_arrival_of_the_bad_tag_until_the_next_good_one_is_green() -> None:
    events, green = [], {}
    for n in range(3):
        bad, good = f"{n}.1", f"{n}.0"
        events += [event(n * 100, "dev", "x", good), event(n * 100 + 10, "dev", good, bad)]
        events += [event(n * 100 + 13, "dev", bad, good, "rollback", sha=f"r{n}")]
        green[f"r{n}", Site(WEB, "dev")] = at(n * 100 + 14)
    found = row(events, health=Health(green=green))
    assert (found.failed, found.changes, found.restore.count) == (3, 6, 3)
    assert hours(found.restore.median_seconds) == 4
    assert hours(row(events).restore.median_seconds) == 3, "without a status the arrival stands for green"


def test_another_failure_in_between_restores_nothing() -> None:
    events = [event(10 + n * n, "dev", str(n), str(n + 1), sha=f"c{n}") for n in range(5)]
    red = frozenset((f"c{n}", Site(WEB, "dev")) for n in (1, 2, 3))
    assert hours(row(events, health=Health(red=red)).restore.median_seconds) == 12


def test_only_the_window_counts_but_tags_may_have_come_before_it() -> None:
    events = [event(1, "dev", "1", "2"), event(100, "qa", "1", "2")]
    found = metrics(events, since=at(50)).rows
    assert {(r.app, r.environment, r.deployments) for r in found if r.app} == {("web", "qa", 1)}
    assert next(r for r in found if r.app).lead_time.count == 1


def test_a_young_repository_has_a_shorter_window() -> None:
    found = metrics([], since=START - timedelta(days=500))
    assert (found.since, found.window_days, found.rows) == (START, 70, ())


def status(hour: float, state: StatusState, context: str = "kustomization/shop-dev/a") -> CommitStatus:
    return CommitStatus(context=context, state=state, created_at=at(hour))


@pytest.mark.parametrize(
    ("statuses", "green", "is_red"),
    [
        ({}, None, False),
        ({"c2": [status(3, "success")]}, 3, False),
        ({"c3": [status(5, "success")]}, 5, False),
        ({"c1": [status(3, "success")]}, None, False),
        ({"c4": [status(3, "success")]}, None, False),
        ({"c2": [status(3, "success"), status(4, "success", "kustomization/shop-dev/b")]}, 4, False),
        ({"c2": [status(3, "success"), status(4, "pending", "kustomization/shop-dev/b")]}, None, False),
        ({"c2": [status(3, "failure")]}, None, True),
        ({"c2": [status(3, "failure")], "c3": [status(6, "success")]}, 6, False),
        ({"c2": [status(3, "failure", "ci/build")]}, None, False),
        ({"c2": [status(2, "failure", "ci/build"), status(3, "success")]}, 3, False),
    ],
)
def test_health_is_read_of_the_commits_that_have_the_tag(
    statuses: dict[str, list[CommitStatus]], green: float | None, is_red: bool
) -> None:
    events = [event(9, "dev", "2", "3", sha="c4"), event(2, "dev", "1", "2", sha="c2")]
    shas = ["c4", "c3", "c2", "c1"]
    found = read_health(events, shas, statuses, patterns=lambda _: ["*/shop-dev/*"], late=END)
    key = ("c2", Site(WEB, "dev"))
    assert (key in found.pending) is (bool(statuses) and "pending" in str(statuses))
    assert found.green.get(key) == (None if green is None else at(green))
    assert (key in found.red) is is_red
