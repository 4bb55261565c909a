"""The people behind a promotion, in the trailers of its commit and back."""

from datetime import UTC, datetime

import pytest

from gitops_promotion.core.origin import UNKNOWN, Origin
from gitops_promotion.core.overrides import Override

TEN = datetime(2026, 1, 31, 10, 0, tzinfo=UTC)
ELEVEN = datetime(2026, 1, 31, 11, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "origin",
    [
        UNKNOWN,
        Origin(triggered_by=("ann",)),
        Origin(triggered_by=("ann", "bob@example.com")),
        Origin(triggered_by=("ann",), again_by="eve", again_at=TEN),
        Origin(override=Override(person="ann", reason="outage", gates=True)),
    ],
)
def test_the_trailers_are_read_back(origin: Origin) -> None:
    assert Origin.read(origin.trailers) == origin


def test_a_name_with_a_comma_or_a_line_break_stays_one_name_on_one_line() -> None:
    origin = Origin(triggered_by=("Doe, Ann\nTag: 2", "bob"))
    assert origin.trailers["Triggered-By"] == "Doe  Ann Tag: 2, bob"
    assert len(Origin.read(origin.trailers).triggered_by) == 2


@pytest.mark.parametrize("text", ["", "soon", "2026-01-31T10:00:00", "2026-13-31T10:00:00Z"])
def test_a_time_that_is_none_counts_as_absent(text: str) -> None:
    assert Origin.read({"Again-By": "eve", "Again-At": text}).again_at is None


def test_a_rebuilt_promotion_keeps_its_people() -> None:
    first = Origin(triggered_by=("ann",), again_by="eve", again_at=TEN)
    assert UNKNOWN.joined(first) == first
    assert Origin(triggered_by=("bob", "ann")).joined(first).triggered_by == ("ann", "bob")
    assert Origin(again_by="dan", again_at=ELEVEN).joined(first) == Origin(
        triggered_by=("ann",), again_by="dan", again_at=ELEVEN
    )
    assert UNKNOWN.with_starter("") == UNKNOWN
