"""Windows and freezes on the clocks of real places: the second before and after each boundary, and all change days."""

from datetime import UTC, datetime, timedelta

import pytest

from gitops_promotion.core.calendar import DAYS, Calendar, Freeze, Window, instant_of, instant_text, zone, zone_problem

SECOND = timedelta(seconds=1)


def window(start: str, end: str, zone: str = "UTC", days: str = " ".join(DAYS)) -> Window:
    minutes = [int(text[:2]) * 60 + int(text[3:]) for text in (start, end)]
    return Window(days=tuple(DAYS.index(d) for d in days.split()), start=minutes[0], end=minutes[1], zone=zone)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


WORK = window("09:00", "16:00", "Europe/Stockholm", "mon tue wed thu")
NIGHT = window("22:00", "04:00", "Europe/Stockholm", "fri")


# Each row is an instant from which the window is open (True) or shut (False), and was the opposite a second before.
@pytest.mark.parametrize(
    ("window", "boundary", "is_open"),
    [
        (WORK, "2026-11-30T09:00+01:00", True),
        (WORK, "2026-11-30T16:00+01:00", False),
        (WORK, "2026-07-02T09:00+02:00", True),
        (window("00:00", "24:00", days="mon"), "2026-11-30T00:00Z", True),
        (window("00:00", "24:00", days="mon"), "2026-12-01T00:00Z", False),
        (window("22:00", "00:00", days="mon"), "2026-12-01T00:00Z", False),
        # Past midnight it belongs to the day on which it starts.
        (NIGHT, "2026-11-27T22:00+01:00", True),
        (NIGHT, "2026-11-28T04:00+01:00", False),
        # Spring in Stockholm: 02:00 becomes 03:00.
        (window("02:30", "05:00", "Europe/Stockholm"), "2026-03-29T01:00Z", True),
        (window("01:00", "02:30", "Europe/Stockholm"), "2026-03-29T01:00Z", False),
        # Autumn: 03:00 becomes 02:00, and what is open at half past two is so twice.
        (window("02:15", "02:45", "Europe/Stockholm"), "2026-10-25T00:15Z", True),
        (window("02:15", "02:45", "Europe/Stockholm"), "2026-10-25T00:45Z", False),
        (window("02:15", "02:45", "Europe/Stockholm"), "2026-10-25T01:15Z", True),
        (window("02:15", "02:45", "Europe/Stockholm"), "2026-10-25T01:45Z", False),
        (window("22:00", "02:30", "Europe/Stockholm"), "2026-10-25T01:00Z", True),
        # Lord Howe's clock changes by half an hour: 02:00 becomes 02:30, and 02:00 becomes 01:30.
        (window("02:10", "03:00", "Australia/Lord_Howe"), "2026-10-04T02:30+11:00", True),
        (window("01:40", "01:50", "Australia/Lord_Howe"), "2026-04-05T01:40+11:00", True),
        (window("01:40", "01:50", "Australia/Lord_Howe"), "2026-04-05T01:40+10:30", True),
        # No midnight in Santiago on that Sunday: 00:00 becomes 01:00.
        (window("00:00", "24:00", "America/Santiago", "sun"), "2026-09-06T01:00-03:00", True),
        (window("00:30", "02:00", "America/Santiago"), "2026-09-06T01:00-03:00", True),
        (window("00:00", "24:00", "America/Santiago", "sat"), "2026-09-06T01:00-03:00", False),
        (window("00:00", "24:00", "America/Santiago", "sat"), "2026-04-05T00:00-04:00", False),
        (window("23:30", "00:30", "America/Santiago", "sat"), "2026-04-04T23:30-03:00", True),
        (window("23:30", "00:30", "America/Santiago", "sat"), "2026-04-04T23:30-04:00", True),
        # Brazil has had no change days since 2019.
        (window("09:00", "10:00", "America/Sao_Paulo"), "2018-12-03T09:00-02:00", True),
        (window("09:00", "10:00", "America/Sao_Paulo"), "2026-12-03T09:00-03:00", True),
        # The sign of these names is the reverse of an offset's.
        (window("09:00", "10:00", "Etc/GMT-2"), "2026-12-03T09:00+02:00", True),
    ],
)
def test_a_window_changes_at_its_boundary_and_not_a_second_before(window: Window, boundary: str, is_open: bool) -> None:
    instant = at(boundary)
    assert (window.is_open(instant - SECOND), window.is_open(instant)) == (not is_open, is_open)
    if is_open:
        assert window.next_opening(instant - SECOND) == instant
        assert window.last_opening(instant) == instant
        assert window.next_opening(instant) != instant


def test_a_window_that_the_clock_skips_stays_shut_that_day() -> None:
    skipped = window("02:00", "02:50", "Europe/Stockholm")
    day = at("2026-03-29T00:00+01:00")
    assert not any(skipped.is_open(day + timedelta(minutes=minute)) for minute in range(23 * 60))
    assert skipped.next_opening(day) == at("2026-03-30T02:00+02:00")
    weekly = window("02:00", "02:50", "Europe/Stockholm", "sun")
    assert weekly.next_opening(day) == at("2026-04-05T02:00+02:00")


@pytest.mark.parametrize(
    ("window", "skipped"),
    [
        (window("02:00", "03:00", "Europe/Stockholm"), "2026-03-29"),
        (window("02:10", "02:40", "Europe/Stockholm", "sun"), "2026-03-29"),
        (window("02:00", "02:30", "Australia/Lord_Howe"), "2026-10-04"),
        (window("00:00", "01:00", "America/Santiago"), "2026-09-06"),
        (window("02:00", "03:01", "Europe/Stockholm"), None),
        (window("01:59", "03:00", "Europe/Stockholm"), None),
        (window("02:10", "02:40", "Europe/Stockholm", "mon"), None),
        (window("02:00", "02:31", "Australia/Lord_Howe"), None),
        (window("02:00", "03:00"), None),
        (window("02:00", "03:00", "Asia/Tokyo"), None),
    ],
)
def test_a_window_that_a_change_day_skips_is_found(window: Window, skipped: str | None) -> None:
    found = window.skipped()
    assert (f"{found:%Y-%m-%d}" if found else None) == skipped


@pytest.mark.parametrize(
    ("local", "name", "first", "last"),
    [
        ("2026-03-29T02:30", "Europe/Stockholm", "2026-03-29T01:00Z", "2026-03-29T01:00Z"),
        ("2026-10-25T02:30", "Europe/Stockholm", "2026-10-25T00:30Z", "2026-10-25T01:30Z"),
        ("2026-10-04T02:15", "Australia/Lord_Howe", "2026-10-03T15:30Z", "2026-10-03T15:30Z"),
        ("2026-09-06T00:00", "America/Santiago", "2026-09-06T04:00Z", "2026-09-06T04:00Z"),
        ("2026-12-24T18:00", "Europe/Stockholm", "2026-12-24T17:00Z", "2026-12-24T17:00Z"),
    ],
)
def test_a_local_time_that_is_missing_or_doubled_has_a_known_instant(
    local: str, name: str, first: str, last: str
) -> None:
    moment, place = datetime.fromisoformat(local), zone(name)
    assert (instant_of(moment, place), instant_of(moment, place, last=True)) == (at(first), at(last))


CHRISTMAS = Freeze(start=at("2026-12-19T23:00Z"), end=at("2027-01-06T23:00Z"), zone="Europe/Stockholm")
LONGER = Freeze(start=at("2027-01-05T00:00Z"), end=at("2027-01-08T12:00Z"))


@pytest.mark.parametrize(
    ("calendar", "now", "opening"),
    [
        (Calendar(freezes=(CHRISTMAS,)), "2026-12-24T12:00Z", "2027-01-06T23:00Z"),
        (Calendar(freezes=(CHRISTMAS, LONGER)), "2026-12-24T12:00Z", "2027-01-08T12:00Z"),
        (Calendar(freezes=(LONGER, CHRISTMAS)), "2026-12-24T12:00Z", "2027-01-08T12:00Z"),
        # The freeze ends on a Thursday at midnight, the window opens in the morning.
        (Calendar(windows=(WORK,), freezes=(CHRISTMAS,)), "2026-12-24T12:00Z", "2027-01-07T08:00Z"),
        # Out of the window first, and the next one lies in the freeze.
        (Calendar(windows=(WORK,), freezes=(CHRISTMAS,)), "2026-12-19T12:00Z", "2027-01-07T08:00Z"),
        (Calendar(windows=(WORK, NIGHT)), "2026-11-27T20:59:59Z", "2026-11-27T21:00Z"),
        (Calendar(windows=(NIGHT, WORK)), "2026-11-28T12:00Z", "2026-11-30T08:00Z"),
        (Calendar(), "2026-11-28T12:00Z", "2026-11-28T12:00Z"),
        (Calendar(windows=(WORK,)), "2026-11-30T12:00Z", "2026-11-30T12:00Z"),
    ],
)
def test_the_next_opening_is_outside_freezes_and_in_a_window(calendar: Calendar, now: str, opening: str) -> None:
    found = calendar.next_opening(at(now))
    assert found is not None
    assert found[0] == at(opening)


def test_a_freeze_holds_from_its_first_second_to_the_last_before_its_end() -> None:
    calendar = Calendar(freezes=(CHRISTMAS,))
    edges = [CHRISTMAS.start - SECOND, CHRISTMAS.start, CHRISTMAS.end - SECOND, CHRISTMAS.end]
    assert [calendar.freeze_at(edge) is not None for edge in edges] == [False, True, True, False]
    assert calendar.last_opening(CHRISTMAS.end - SECOND) is None
    assert calendar.last_opening(CHRISTMAS.end) == CHRISTMAS.end


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("localtime", "no place's time zone"),
        ("posixrules", "no place's time zone"),
        ("Factory", "no place's time zone"),
        ("Europe", "unknown time zone"),
        ("../etc/passwd", "unknown time zone"),
        ("/etc/localtime", "unknown time zone"),
        ("", "unknown time zone"),
        ("a\x00b", "unknown time zone"),
        ("CEST", "unknown time zone"),
        ("europe/stockholm", "did you mean Europe/Stockholm?"),
        ("US/Eastern", ""),
        ("UTC", ""),
    ],
)
def test_only_names_of_the_time_zone_database_are_zones(name: str, words: str) -> None:
    assert words in zone_problem(name)
    assert bool(words) == bool(zone_problem(name))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("UTC", "Mon 2026-11-30 23:30 UTC"),
        ("Europe/Stockholm", "Tue 2026-12-01 00:30 Europe/Stockholm (2026-11-30 23:30 UTC)"),
        ("America/New_York", "Mon 2026-11-30 18:30 America/New_York (23:30 UTC)"),
    ],
)
def test_an_instant_is_shown_in_its_zone_and_in_utc(name: str, text: str) -> None:
    assert instant_text(at("2026-11-30T23:30Z"), name) == text


@pytest.mark.parametrize(
    ("window", "text"),
    [
        (WORK, "mon-thu 09:00-16:00 Europe/Stockholm"),
        (window("00:00", "24:00"), "00:00-24:00 UTC"),
        (window("09:00", "10:00", days="mon wed"), "mon, wed 09:00-10:00 UTC"),
    ],
)
def test_a_window_is_shown_as_it_is_written(window: Window, text: str) -> None:
    assert str(window) == text
