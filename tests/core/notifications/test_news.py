"""Which news the outcomes of a run are, what happened since, and what makes news the same."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gitops_promotion.core.discussion import Discussion, Person
from gitops_promotion.core.forge import Review
from gitops_promotion.core.gates import Decision, Question, Reason, Verdict
from gitops_promotion.core.gates.approvals import Tally
from gitops_promotion.core.history import Event, Kind
from gitops_promotion.core.holds import Hold
from gitops_promotion.core.metrics import Health
from gitops_promotion.core.model import Outcome, Result
from gitops_promotion.core.names import Application, Site
from gitops_promotion.core.notifications.channels import EventName
from gitops_promotion.core.notifications.news import (
    News,
    of_approvals,
    of_arrivals,
    of_health,
    of_holds,
    of_outcome,
)
from gitops_promotion.core.opinions import Seats
from gitops_promotion.core.tags import Tag
from tests.support.nouns import OPEN_PULL

NOW = datetime(2026, 1, 10, tzinfo=UTC)
SINCE = NOW - timedelta(days=1)
WEB = Application("shop", "web")
PULL = replace(OPEN_PULL, url="https://x/7", head="promote/shop-web", head_sha="1" * 40, author="")


def outcome(result: Result, **more: Any) -> Outcome:
    values: dict[str, Any] = {"group": "shop", "app": "web", "environment": "prod", "tag": "2", "pull_request": PULL}
    return Outcome(**{"result": result, "message": "why", **values, **more})


def of_prod(decision: Decision, opinions: Decision | None = None, app: str = "web") -> tuple[Question, Verdict]:
    """The verdict on a promotion into prod, and what the opinions of people come to."""
    reasons = (Reason(gate="approvals of prod", evidence="seen"),)
    question = Question(application=Application("shop", app), tag=Tag("2"), environment="prod", requirements=())
    tally = opinions and Tally(decision=opinions, seats=Seats(filled=0, needed=1), reasons=reasons, who=("ann",))
    return question, Verdict(decision=decision, reasons=reasons, tally=tally)


def verdict(decision: Decision, opinions: Decision | None = None) -> dict[str, Any]:
    return {"verdicts": (of_prod(decision, opinions),)}


@pytest.mark.parametrize(
    ("result", "more", "events"),
    [
        ("opened", {}, ["proposed"]),
        ("updated", {}, ["proposed"]),
        ("unchanged", {}, []),
        ("skipped", {}, []),
        ("planned", {}, []),
        ("failed", {}, []),
        ("merged", {}, ["proposed", "merged"]),
        ("declined", {}, ["declined"]),
        ("refused", {}, ["refused"]),
        ("timed-out", {}, ["timed-out"]),
        ("opened", {"environment": ""}, []),
        ("updated", {"pull_request": replace(PULL, head="feature/shop-web-x")}, []),
        ("opened", {"pull_request": replace(PULL, head="hold/shop-web")}, []),
        ("merged", {"pull_request": replace(PULL, head="rollback/shop-web")}, ["proposed", "rolled-back"]),
        # Verdicts.
        ("updated", verdict("wait"), []),
        ("updated", verdict("wait", "wait"), ["waiting"]),
        ("unchanged", verdict("wait", "wait"), ["waiting"]),
        ("updated", verdict("wait", "pass"), ["approved"]),
        ("updated", verdict("pass", "pass"), ["approved"]),
        ("merged", verdict("pass", "pass"), ["approved", "merged"]),
        ("updated", verdict("refuse", "refuse"), ["declined"]),
        ("updated", verdict("refuse"), ["refused"]),
        ("updated", verdict("refuse", "wait"), ["refused"]),
        ("planned", verdict("wait", "wait"), []),
    ],
)
def test_an_outcome_is_news(result: Result, more: dict[str, Any], events: list[str]) -> None:
    assert [news.event for news in of_outcome(outcome(result, **more))] == events


def test_the_news_have_the_names_the_pull_request_and_the_reasons() -> None:
    [news] = of_outcome(outcome("updated", **verdict("wait", "wait")))
    assert news == News(
        event="waiting",
        group="shop",
        app="web",
        environment="prod",
        tag="2",
        number=7,
        url="https://x/7",
        reasons=("approvals of prod: seen",),
        who=("ann",),
    )


def test_a_pull_request_for_several_applications_is_told_for_each() -> None:
    verdicts = (of_prod("wait", "wait"), of_prod("refuse", app="cart"), of_prod("pass", "pass", app="api"))
    news = of_outcome(outcome("updated", verdicts=verdicts))
    assert [(item.event, item.app) for item in news] == [("waiting", "web"), ("refused", "cart"), ("approved", "api")]
    assert [(item.event, item.app) for item in of_outcome(outcome("merged", verdicts=verdicts[2:]))] == [
        ("approved", "api"),
        ("merged", "api"),
    ]


def test_a_head_that_is_refused_as_a_whole_is_told_with_the_names_of_the_outcome() -> None:
    refusal = Verdict(decision="refuse", reasons=(Reason(evidence="a stranger's commit"),))
    [news] = of_outcome(outcome("updated", verdicts=((None, refusal),)))
    assert (news.event, news.app, news.reasons) == ("refused", "web", ("a stranger's commit",))


def test_what_a_person_sends_past_the_gates_is_told_as_that() -> None:
    assert [news.event for news in of_outcome(outcome("opened"), overridden=True)] == ["overridden"]


def arrival(kind: Kind = "promotion", *, days: float = 0.5, number: int | None = 7, **more: Any) -> Event:
    return Event(
        time=NOW - timedelta(days=days),
        application=WEB,
        environment="prod",
        kind=kind,
        tag="2",
        previous_tag="1",
        pull_request=number,
        sha="a" * 40,
        by="ann",
        **more,
    )


@pytest.mark.parametrize(
    ("event", "names"),
    [
        (arrival(), ["merged"]),
        (arrival("rollback"), ["rolled-back"]),
        (arrival("override", overridden_by="eva", reason="it burns"), ["overridden", "merged"]),
        (arrival("manual"), []),
        (arrival("feature"), []),
        (arrival(days=2), []),
    ],
)
def test_what_was_merged_in_the_last_day_is_news(event: Event, names: list[str]) -> None:
    assert [news.event for news in of_arrivals([event], since=SINCE)] == names


def test_the_oldest_is_told_first() -> None:
    events = [arrival(days=0.1, number=2), arrival(days=0.2, number=1)]
    assert [news.number for news in of_arrivals(events, since=SINCE)] == [1, 2]


def test_a_merge_that_a_run_did_and_one_in_the_history_are_the_same_news() -> None:
    merged = next(news for news in of_outcome(outcome("merged")) if news.event == "merged")
    assert merged.id == of_arrivals([arrival()], since=SINCE)[0].id


def test_merges_without_a_pull_request_are_told_apart_by_their_commit() -> None:
    first, second = (
        of_arrivals([replace(arrival(number=None), sha=sha * 40)], since=SINCE)[0].id for sha in ("a", "b")
    )
    assert first != second


@pytest.mark.parametrize(
    ("health", "names"),
    [
        (Health(), []),
        (Health(green={("a" * 40, Site(WEB, "prod")): NOW}), ["healthy"]),
        (Health(red=frozenset({("a" * 40, Site(WEB, "prod"))})), ["timed-out"]),
    ],
)
def test_health_is_news(health: Health, names: list[str]) -> None:
    assert [news.event for news in of_health([arrival()], health, since=SINCE)] == names
    assert of_health([arrival(days=2)], health, since=SINCE) == []


def test_a_hold_of_the_last_day_is_news() -> None:
    hold = Hold(group="*", app="*", environment="prod", reason="freeze", by="eva", since=NOW)
    [news] = of_holds([hold, replace(hold, since=None), replace(hold, since=SINCE - timedelta(hours=1))], since=SINCE)
    assert (news.event, news.group, news.environment) == ("held", "*", "prod")
    assert "freeze" in news.reasons[0]
    assert of_holds([replace(hold, pull_request=3)], since=SINCE) == []


def test_people_whose_reviews_approve_have_approved_what_was_merged() -> None:
    reviews = (
        Review(author="ann", verdict="approved", sha=""),
        Review(author="bob", verdict="changes-requested", sha=""),
    )
    [merged] = of_arrivals([arrival()], since=SINCE)
    [news] = of_approvals(merged, Discussion(author=Person(name="x"), reviews=reviews))
    assert (news.event, news.number, news.reasons) == ("approved", 7, ("approved by ann",))
    assert of_approvals(merged, None) == ()


def test_an_id_changes_with_all_that_makes_news_other_news() -> None:
    news = News(event="merged", group="g", app="a", environment="e", tag="1", number=1)
    changes: list[dict[str, Any]] = [
        {"event": "approved"},
        {"group": "h"},
        {"app": "b"},
        {"environment": "f"},
        {"tag": "2"},
        {"number": 2},
        {"mark": "x"},
    ]
    ids = {news.id, *(replace(news, **change).id for change in changes)}
    assert len(ids) == len(changes) + 1
    assert {len(found) for found in ids} == {32}
    assert replace(news, reasons=("other words",), url="https://y").id == news.id


@pytest.mark.parametrize(
    ("event", "number", "is_of_open"),
    [("waiting", 3, True), ("refused", 3, True), ("waiting", 0, False), ("merged", 3, False)],
)
def test_news_of_a_verdict_on_a_pull_request_are_what_its_comment_speaks_of(
    event: EventName, number: int, is_of_open: bool
) -> None:
    assert News(event=event, number=number).is_of_open is is_of_open
