"""Events and metrics as text, JSON and CSV: what stands there, and that nothing in it acts."""

import csv
import io
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from gitops_promotion.core import durations
from gitops_promotion.core.history import Event, History
from gitops_promotion.core.metrics import Metrics, Row, Span
from gitops_promotion.core.names import Application
from gitops_promotion.render import history as render

AT = datetime(2026, 1, 31, 12, 30, tzinfo=UTC)
EVENT = Event(
    time=AT,
    application=Application("shop", "web"),
    environment="prod",
    kind="promotion",
    previous_tag="1.4.1",
    tag="1.4.2",
    pull_request=17,
    sha="a" * 40,
    by="ann",
    approved_by=("bob", "carol"),
    reason="",
)
EMPTY = Event(
    time=None, application=Application("shop", "web"), environment="prod", kind="manual", sha="b" * 40, tag="1"
)
HOSTILE = "\x1b[31m=1+1\n##vso[task]<script>"


def history(*events: Event) -> History:
    return History(events=events, since=AT, left_out=("who approved: no token",))


def cells(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text)))


def words(line: str) -> str:
    return " ".join(line.split())


def test_the_document_has_every_key_of_the_form_and_null_for_what_is_not_known() -> None:
    document = json.loads(render.json_v1(history(EVENT, EMPTY)))
    assert list(document) == ["version", "events", "since", "left_out"]
    assert (document["version"], document["since"], document["left_out"]) == (
        1,
        "2026-01-31T12:30:00+00:00",
        ["who approved: no token"],
    )
    first, second = document["events"]
    assert tuple(first) == render.COLUMNS == tuple(second)
    assert first["approved_by"] == ["bob", "carol"]
    unknown = ("time", "previous_tag", "pull_request", "by", "overridden_by", "reason")
    assert [second[key] for key in unknown] == [None] * 6
    assert second["approved_by"] == []


def test_the_table_has_the_same_columns_and_joins_people() -> None:
    rows = cells(render.csv_table(history(EVENT, EMPTY)))
    assert tuple(rows[0]) == render.COLUMNS
    assert dict(zip(rows[0], rows[1], strict=True))["approved_by"] == "bob, carol"
    assert dict(zip(rows[0], rows[2], strict=True))["pull_request"] == ""


@pytest.mark.parametrize("beginning", ["=", "+", "-", "@", "\t", "\r"])
def test_no_cell_is_a_formula(beginning: str) -> None:
    rows = cells(render.csv_table(history(replace(EVENT, by=f"{beginning}cmd|' /C calc'!A0"))))
    assert rows[1][render.COLUMNS.index("by")].startswith("'")
    assert rows[1][render.COLUMNS.index("tag")] == "1.4.2"


@pytest.mark.parametrize("field", ["by", "reason", "tag", "previous_tag", "overridden_by"])
def test_hostile_text_is_one_line_of_text_in_every_format(field: str) -> None:
    changes: dict[str, Any] = {field: HOSTILE}
    event = replace(EVENT, **changes)
    human = render.human(history(event))
    assert human.count("\n") == 2
    assert "\x1b" not in human
    table = render.csv_table(history(event))
    assert "\x1b" not in table
    assert len(cells(table)) == 2
    document = render.json_v1(history(event))
    assert "##vso" not in document
    assert json.loads(document)["events"][0][field] == HOSTILE


def test_people_read_one_line_for_each_event() -> None:
    first, second, left_out = render.human(history(EVENT, replace(EMPTY, feature="pr-1"))).splitlines()
    assert words(first) == (
        "2026-01-31 12:30 promotion shop/web prod 1.4.1 -> 1.4.2 #17 by ann, approved by bob and carol"
    )
    assert words(second) == "unknown time manual shop/web prod none -> 1 bbbbbbb feature pr-1"
    assert left_out == "left out: who approved: no token"
    assert render.human(History(events=(), since=AT)) == "no change of a tag since 2026-01-31 12:30\n"


def row(**changes: Any) -> Row:
    values: dict[str, Any] = {
        "group": "shop",
        "app": "web",
        "environment": "prod",
        "deployments": 4,
        "per_week": 2.0,
        "lead_time": Span(median_seconds=7200.0, count=4),
        "lead_time_step": Span(count=2),
        "failed": 1,
        "changes": 4,
        "restore": Span(),
    }
    return Row(**(values | changes))


def metrics(*rows: Row) -> Metrics:
    return Metrics(since=AT, window_days=14, rows=rows, left_out=("x",))


def test_metrics_say_too_few_in_place_of_a_number() -> None:
    document = json.loads(render.json_v1(metrics(row(), row(app="", group="", per_week=None, changes=2))))
    assert list(document) == ["version", "since", "window_days", "metrics", "left_out"]
    first, second = document["metrics"]
    assert first["lead_time"] == {"median_seconds": 7200.0, "count": 4, "reason": None}
    assert first["lead_time_step"] == {"median_seconds": None, "count": 2, "reason": "too few"}
    assert first["change_failure"] == {"failed": 1, "of": 4, "reason": None}
    assert (first["per_week"], first["reason"]) == (2.0, None)
    assert (second["group"], second["app"], second["per_week"], second["reason"]) == (None, None, None, "too few")
    assert second["change_failure"]["reason"] == "too few"


def test_metrics_are_a_table_for_people() -> None:
    window, heading, line, _ = render.human(metrics(row())).splitlines()
    assert window == "14 days since 2026-01-31 12:30"
    assert heading.split()[:2] == ["APPLICATION", "ENVIRONMENT"]
    assert words(line) == "shop/web prod 4 2 2h (4) too few (2) 1 of 4 none"
    assert render.human(metrics()).startswith("no deployment in 14 days since")
    assert cells(render.csv_table(metrics(row())))[1][:5] == ["shop", "web", "prod", "4", "2.0"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (59, "59s"), (60, "1m"), (3661, "1h 1m"), (86400, "1d"), (93600, "1d 2h"), (86460, "1d")],
)
def test_a_duration_has_its_two_largest_units(seconds: float, text: str) -> None:
    assert durations.shown(seconds) == text
