"""The board from values: cells, how far behind, states, and whose board it is."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gitops_promotion.core import board as boards
from gitops_promotion.core.board import Behind, Board, Cell, Facts, Feature, Promotion, Statement
from gitops_promotion.core.environments import Environment, Pipeline
from gitops_promotion.core.gates import Decision
from gitops_promotion.core.history import Event, Kind
from gitops_promotion.core.names import Application, Site
from gitops_promotion.core.tags import Tag

WEB = Application("shop", "web")
START = datetime(2026, 1, 1, tzinfo=UTC)
NOW = START + timedelta(days=10)
LINEAR = Pipeline(environments=(Environment(name="dev"), Environment(name="qa"), Environment(name="prod")))


def event(day: float, env: str, tag: str, previous: str = "", kind: Kind = "promotion", **more: Any) -> Event:
    values: dict[str, Any] = {"pull_request": int(day), "sha": f"{env}{day}", "by": "ann"} | more
    return Event(
        time=START + timedelta(days=day),
        application=WEB,
        environment=env,
        kind=kind,
        previous_tag=previous,
        tag=tag,
        **values,
    )


def tags(**of: str) -> Mapping[Site, Tag | None]:
    return {Site(WEB, name): Tag(tag) if tag else None for name, tag in of.items()}


def cells(facts: Facts, pipeline: Pipeline = LINEAR) -> dict[str, Cell]:
    [line] = boards.lines(facts, [WEB], lambda _: pipeline, now=NOW)
    return {cell.environment: cell for cell in line.cells}


def test_a_cell_says_since_when_by_which_commit_and_pull_request() -> None:
    events = [event(5, "dev", "2", "1"), event(1, "dev", "1")]
    cell = cells(Facts(tags=tags(dev="2"), events=events, page=lambda number: f"https://x/{number}"))["dev"]
    assert (cell.tag, cell.since, cell.sha) == ("2", START + timedelta(days=5), "dev5")
    assert (cell.pull_request, cell.url, cell.by) == (5, "https://x/5", "ann")


def test_where_history_is_cut_off_the_arrival_is_not_known() -> None:
    cell = cells(Facts(tags=tags(dev="3"), events=[event(5, "dev", "2", "1")]))["dev"]
    assert (cell.tag, cell.since, cell.pull_request) == ("3", None, None)


@pytest.mark.parametrize(
    ("events", "now", "behind"),
    [
        # Equal tags, and a digest that only one of them carries.
        ([], {"dev": "1", "qa": "1"}, None),
        # Two versions came to dev since it had that of qa; the first of them four days ago.
        (
            [event(8, "dev", "3", "2"), event(6, "dev", "2", "1"), event(1, "dev", "1")],
            {"dev": "3", "qa": "1"},
            Behind(of="dev", versions=2, days=4),
        ),
        # A tag that dev never had, and one to which dev went back: none of them is known to be newer.
        ([event(6, "dev", "2", "1")], {"dev": "2", "qa": "9"}, Behind(of="dev")),
        (
            [event(6, "dev", "1", "2"), event(5, "dev", "2", "1")],
            {"dev": "1", "qa": "2"},
            Behind(of="dev", versions=1, days=4),
        ),
        # Dev went back from the tag of qa, by a rollback or by hand: that is nothing to bring into qa.
        ([event(6, "dev", "1", "2", "rollback"), event(5, "dev", "2", "1")], {"dev": "1", "qa": "2"}, None),
        ([event(6, "dev", "1", "2", "manual"), event(5, "dev", "2", "1")], {"dev": "1", "qa": "2"}, None),
        (
            [event(7, "dev", "1", "3", "rollback"), event(6, "dev", "3", "2"), event(5, "dev", "2", "1")],
            {"dev": "1", "qa": "2"},
            None,
        ),
        # A tag that is rolled back, and the tag before it, count as no newer version.
        (
            [event(8, "dev", "4", "2"), event(7, "dev", "2", "3", "rollback"), event(6, "dev", "3", "2")],
            {"dev": "4", "qa": "2"},
            Behind(of="dev", versions=1, days=2),
        ),
        (
            [event(8, "dev", "3", "1"), event(7, "dev", "1", "2", "rollback"), event(6, "dev", "2", "1")],
            {"dev": "3", "qa": "2"},
            Behind(of="dev", versions=1, days=2),
        ),
        ([event(7, "dev", "1", "2", "rollback")], {"dev": "1", "qa": "2"}, None),
        (
            [event(8, "dev", "3", "1"), event(7, "dev", "1", "2", "rollback")],
            {"dev": "3", "qa": "1"},
            Behind(of="dev", versions=1, days=2),
        ),
        # Another source brought the tag, and dev still has the one that qa had before.
        ([event(6, "qa", "2", "1"), event(5, "dev", "1", "0")], {"dev": "1", "qa": "2"}, None),
        # A tag that a person set, and that dev never had, is newer.
        ([event(6, "dev", "2", "1", "manual")], {"dev": "2", "qa": "1"}, Behind(of="dev", versions=1, days=4)),
        # The history does not say how dev came to its tag.
        ([event(5, "dev", "1")], {"dev": "2", "qa": "1"}, Behind(of="dev")),
        # A source without a tag, and no tag of its own.
        ([], {"dev": "", "qa": "1"}, None),
        ([], {"dev": "1", "qa": ""}, None),
    ],
)
def test_how_far_an_environment_is_behind(events: list[Event], now: dict[str, str], behind: Behind | None) -> None:
    assert cells(Facts(tags=tags(**now), events=events))["qa"].behind == behind


@pytest.mark.parametrize(
    ("eu", "events_of_eu"), [("2", [event(7, "eu", "2", "1"), event(1, "eu", "1")]), ("1", []), ("7", [])]
)
def test_of_several_sources_the_one_furthest_ahead_counts(eu: str, events_of_eu: list[Event]) -> None:
    graph = Pipeline(
        environments=(
            Environment(name="dev"),
            Environment(name="eu", after=(("dev",),)),
            Environment(name="us", after=(("dev",),)),
            Environment(name="prod", after=(("eu",), ("us",))),
        )
    )
    events = [event(9, "us", "3", "2"), event(8, "us", "2", "1"), event(1, "us", "1"), *events_of_eu]
    found = cells(Facts(tags=tags(dev="3", eu=eu, us="3", prod="1"), events=events), graph)["prod"].behind
    assert found == Behind(of="us", versions=2, days=2)


def promotion(decision: Decision = "wait", *, who: tuple[str, ...] = (), said: tuple[Statement, ...] = ()) -> Promotion:
    return Promotion(pull_request=7, url="https://x/7", title="t", tag="2", decision=decision, who=who, statements=said)


@pytest.mark.parametrize(
    ("cell", "state"),
    [
        (Cell(environment="qa", tag="1"), "current"),
        (Cell(environment="qa"), "absent"),
        (Cell(environment="qa", tag="1", behind=Behind(of="dev")), "behind"),
        (Cell(environment="qa", tag="1", behind=Behind(of="dev"), declined=("x",)), "declined"),
        (Cell(environment="qa", tag="1", behind=Behind(of="dev"), open=promotion()), "waiting"),
        (Cell(environment="qa", tag="1", open=promotion("pass")), "ready"),
        (Cell(environment="qa", tag="1", open=promotion("refuse")), "refused"),
        (Cell(environment="qa", tag="1", open=promotion(), holds=("x",)), "held"),
        (Cell(environment="qa", tag="1", holds=("x",), problems=("y",)), "problem"),
    ],
)
def test_one_word_sums_a_cell_up_and_the_most_urgent_wins(cell: Cell, state: str) -> None:
    assert cell.state == state
    assert state in boards.STATES


def board(*, promotions: Mapping[Site, Promotion], statements: Mapping[int, tuple[Statement, ...]] = {}) -> Board:
    facts = Facts(
        tags=tags(dev="2", qa="1", prod="1"),
        events=[event(5, "dev", "2", "1"), event(4, "qa", "1"), event(3, "prod", "1")],
        promotions=promotions,
        statements=statements,
    )
    lines = boards.lines(facts, [WEB], lambda _: LINEAR, now=NOW)
    return Board(commit="c", made_at=NOW, environments=LINEAR.names, lines=lines, features=())


def test_waiting_keeps_applications_with_an_open_promotion() -> None:
    assert boards.waiting_only(board(promotions={})).lines == ()
    assert len(boards.waiting_only(board(promotions={Site(WEB, "qa"): promotion()})).lines) == 1


@pytest.mark.parametrize(
    ("opened", "user", "is_mine"),
    [
        (promotion(who=("Ann", "bob")), "ann", True),
        (promotion(who=("bob",)), "ann", False),
        (promotion("wait"), "ann", False),
        (promotion("pass"), "ann", False),
        (promotion("refuse", who=("ann",)), "ann", True),
    ],
)
def test_mine_is_what_the_person_can_act_on(opened: Promotion, user: str, is_mine: bool) -> None:
    found = boards.of_person(board(promotions={Site(WEB, "qa"): opened}), user)
    assert (len(found.lines), found.person) == (int(is_mine), user)


def test_of_an_application_only_what_the_person_can_act_on_waits_for_the_person() -> None:
    promotions = {Site(WEB, "qa"): promotion(who=("ann",)), Site(WEB, "prod"): promotion(who=("bob",))}
    everybody = board(promotions=promotions)
    assert [cell.environment for _, cell, _ in everybody.waiting] == ["qa", "prod"]
    assert [cell.environment for _, cell, _ in boards.of_person(everybody, "ann").waiting] == ["qa"]


def test_mine_also_has_what_the_person_decided_with_the_comment() -> None:
    approved = Statement(author="Ann", opinion="approved", at=NOW, comment="fine")
    other = replace(approved, author="bob")
    opened = promotion(who=("bob",), said=(approved, other))
    found = boards.of_person(board(promotions={Site(WEB, "qa"): opened}, statements={5: (approved,)}), "ann")
    assert [(d.site.environment, d.tag, d.pull_request, d.statement.comment) for d in found.decided] == [
        ("dev", "2", 5, "fine"),
        ("qa", "2", 7, "fine"),
    ]


def test_a_feature_is_there_until_its_removal() -> None:
    events = [
        event(6, "dev", "", kind="feature", feature="pr-2"),
        event(5, "dev", "a", kind="feature", feature="pr-1"),
        event(4, "dev", "b", kind="feature", feature="pr-2"),
    ]
    assert boards.features(events) == [
        Feature(
            application=WEB,
            feature="pr-1",
            environment="dev",
            tag="a",
            since=START + timedelta(days=5),
            by="ann",
            pull_request=5,
        )
    ]


def test_an_application_is_in_the_most_urgent_state_of_its_cells() -> None:
    [line] = boards.lines(Facts(tags=tags(dev="2", qa="1", prod="")), [WEB], lambda _: LINEAR, now=NOW)
    assert [cell.state for cell in line.cells] == ["current", "behind", "absent"]
    assert line.state == "behind"
    assert replace(line, cells=()).state == "absent"
