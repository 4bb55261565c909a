"""What a commit's message says of it."""

from datetime import UTC, datetime

import pytest

from gitops_promotion.core.commits import CommitHeader, Refs, read_time, read_trailers


@pytest.mark.parametrize(
    ("message", "trailers"),
    [
        ("Promote\n\nTag: 2\nEnvironment: dev\n", {"Tag": "2", "Environment": "dev"}),
        ("Promote\n\nTag: 1\n\nTag: 2\n", {"Tag": "2"}),
        ("Tag: 2", {"Tag": "2"}),
        ("Promote\n\nTag:2\nno trailer\nReason: a: b \n", {"Reason": "a: b"}),
        ("", {}),
    ],
)
def test_trailers_are_the_lines_of_the_last_paragraph(message: str, trailers: dict[str, str]) -> None:
    assert read_trailers(message) == trailers
    assert CommitHeader(parents=(), author="", author_email="", message=message).trailers == trailers


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2026-01-31T12:00:00+00:00", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        ("2026-01-31T12:00:00", None),
        ("yesterday", None),
    ],
)
def test_a_time_without_a_zone_is_none(text: str, time: datetime | None) -> None:
    assert read_time(text) == time


def test_a_branch_is_found_by_its_name() -> None:
    refs = Refs(default_branch="main", shas={"refs/heads/main": "a" * 40, "main": "b" * 40})
    assert (refs.branch("main"), refs.branch("other")) == ("a" * 40, None)
