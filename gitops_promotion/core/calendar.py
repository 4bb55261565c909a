"""Windows that recur every week, and freezes: when something may happen, in any time zone.

A window is open while the wall clock of its time zone shows a time in it, so no arithmetic with local times is needed.
An hour that the clock skips has no instant, and one that it repeats has two (docs/windows-and-holds.md, Change days).
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
"""The days of a week; the index of a day is its `weekday()`."""

_TIME = re.compile(r"2[01][0-9]{2}-[0-9]{2}-[0-9]{2}(?:[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2})?(Z|[+-][0-9]{2}:[0-9]{2})?)?")
_DAY = 24 * 60
_NOT_ZONES = frozenset({"localtime", "posixrules", "Factory"})
# Days. Longer than a week: a window may stay shut on a change day.
_LOOK_AHEAD = 16
_CHANGE_YEARS = range(2026, 2032)


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A time of day, on some days of each week; `start` and `end` are minutes after midnight on the wall clock.

    With `end` before `start` it goes on past midnight, and belongs to the day on which it starts.
    """

    days: tuple[int, ...] = tuple(range(7))
    start: int
    end: int
    zone: str = "UTC"

    def __str__(self) -> str:
        days = "" if len(self.days) == len(DAYS) else f"{_days_text(self.days)} "
        return f"{days}{_clock(self.start)}-{_clock(self.end)} {self.zone}"

    @property
    def minutes(self) -> int:
        """Its length in minutes, on a day without a change of the clock."""
        return (self.end - self.start) % _DAY or _DAY

    def is_open(self, now: datetime) -> bool:
        """Return True if the wall clock shows a time in the window."""
        local = now.astimezone(zone(self.zone))
        minute, day = local.hour * 60 + local.minute, local.weekday()
        if self.start < self.end:
            return day in self.days and self.start <= minute < self.end
        return (day in self.days and minute >= self.start) or ((day - 1) % 7 in self.days and minute < self.end)

    def next_opening(self, now: datetime) -> datetime | None:
        """Return the first instant after `now` at which it opens, None if there is none in the next two weeks."""
        openings = self._openings(now.astimezone(zone(self.zone)).date() - timedelta(days=1))
        return min((instant for instant in openings if instant > now), default=None)

    def last_opening(self, now: datetime) -> datetime | None:
        """Return the newest instant up to `now` at which it opened, None if there is none in the past two weeks."""
        openings = self._openings(now.astimezone(zone(self.zone)).date() - timedelta(days=_LOOK_AHEAD - 2))
        return max((instant for instant in openings if instant <= now), default=None)

    def _openings(self, first: date) -> Iterator[datetime]:
        """Yield the instants at which it opens, on the days from `first` on."""
        place = zone(self.zone)
        for number in range(_LOOK_AHEAD):
            day = first + timedelta(days=number)
            start = datetime.combine(day, time(self.start // 60, self.start % 60))
            for instant in {instant_of(start, place), instant_of(start, place, last=True), *changes(day, place)}:
                if self.is_open(instant) and not self.is_open(instant - timedelta(seconds=1)):
                    yield instant

    def skipped(self) -> datetime | None:
        """Return the first time, in the next years, at which the wall clock skips the whole window on one of its days.

        It is the instant of the change, in the zone; None if the clock never skips more than a part of the window.
        """
        place = zone(self.zone)
        for year in _CHANGE_YEARS:
            for instant in _changes_of_year(year, self.zone):
                after = instant.astimezone(place)
                before = (instant - timedelta(seconds=1)).astimezone(place).replace(tzinfo=None) + timedelta(seconds=1)
                day = before.date()
                start = datetime.combine(day, time()) + timedelta(minutes=self.start)
                end = datetime.combine(day, time()) + timedelta(minutes=self.start + self.minutes)
                if day.weekday() in self.days and before <= start and end <= after.replace(tzinfo=None):
                    return after
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Freeze:
    """A time in which nothing may happen, from `start` up to but without `end`; `zone` is for showing it."""

    start: datetime
    end: datetime
    reason: str = ""
    zone: str = "UTC"


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """The windows and freezes of one environment: open in a window (always, if there is none) outside all freezes."""

    windows: tuple[Window, ...] = ()
    freezes: tuple[Freeze, ...] = ()

    def freeze_at(self, now: datetime) -> Freeze | None:
        """Return the freeze of an instant, of several the one that ends last."""
        frozen = [freeze for freeze in self.freezes if freeze.start <= now < freeze.end]
        return max(frozen, key=lambda freeze: freeze.end, default=None)

    def window_at(self, now: datetime) -> Window | None:
        """Return the window that is open at an instant, whether there is a freeze or not."""
        return next((window for window in self.windows if window.is_open(now)), None)

    def next_opening(self, now: datetime) -> tuple[datetime, str] | None:
        """Return the next instant from `now` on at which it is open, and the zone to show it in; None if not known."""
        instant, name = now, self.windows[0].zone if self.windows else "UTC"
        # Each turn passes a freeze or goes to the opening of a window.
        for _ in range(2 * len(self.freezes) + 2):
            if (freeze := self.freeze_at(instant)) is not None:
                instant, name = freeze.end, freeze.zone
            elif not self.windows:
                return instant, name
            elif (window := self.window_at(instant)) is not None:
                return instant, window.zone
            else:
                openings = [(opening, w.zone) for w in self.windows if (opening := w.next_opening(instant))]
                if not openings:
                    return None
                instant, name = min(openings)
        return None

    def last_opening(self, now: datetime) -> datetime | None:
        """Return the newest end of a freeze or opening of a window up to `now`, None if there is none."""
        ends = [freeze.end for freeze in self.freezes if freeze.end <= now]
        openings = [opening for window in self.windows if (opening := window.last_opening(now))]
        return max([*ends, *openings], default=None)


def zone(name: str) -> tzinfo:
    """Return a time zone that `zone_problem` has accepted."""
    # Imported here: few configurations have windows.
    from zoneinfo import ZoneInfo

    return ZoneInfo(name)


def zone_problem(name: str) -> str:
    """Return why a name is no time zone, "" if it is one."""
    # These are another zone on each machine, or files of rules that belong to no place.
    if name in _NOT_ZONES or name.startswith(("posix/", "right/")):
        return "that is no place's time zone, write one such as Europe/Stockholm or UTC"
    if name not in _known_zones():
        close = next((zone_name for zone_name in _known_zones() if zone_name.casefold() == name.casefold()), "")
        return f"did you mean {close}?" if close else "unknown time zone, write one such as Europe/Stockholm or UTC"
    return ""


@lru_cache(maxsize=1)
def _known_zones() -> frozenset[str]:
    from zoneinfo import available_timezones

    return frozenset(available_timezones())


def instant_of(local: datetime, place: tzinfo, *, last: bool = False) -> datetime:
    """Return the instant in UTC at which the wall clock shows a time; of two the first, with `last` the second.

    A time that the clock skips is the instant at which it does.
    """
    first, second = local.replace(tzinfo=place, fold=0), local.replace(tzinfo=place, fold=1)
    if (first.utcoffset() or timedelta()) < (second.utcoffset() or timedelta()):
        return _change_between(second.astimezone(UTC), first.astimezone(UTC), place)
    return (second if last else first).astimezone(UTC)


def changes(day: date, place: tzinfo) -> list[datetime]:
    """Return the instants around a local day at which the clock of a zone is put forward or back."""
    start = datetime.combine(day, time(), UTC)
    marks = [start + timedelta(hours=hours) for hours in (-15, 6, 18, 39)]
    return list(_changes_in(marks, place))


def _changes_in(marks: Iterable[datetime], place: tzinfo) -> Iterator[datetime]:
    """Yield the changes of the clock between neighbouring instants; between two neighbours is at most one."""
    earlier: datetime | None = None
    for mark in marks:
        if earlier and _offset(earlier, place) != _offset(mark, place):
            yield _change_between(earlier, mark, place)
        earlier = mark


@lru_cache(maxsize=256)
def _changes_of_year(year: int, name: str) -> tuple[datetime, ...]:
    start = datetime(year, 1, 1, tzinfo=UTC)
    return tuple(_changes_in((start + timedelta(days=days) for days in range(0, 372, 6)), zone(name)))


def _change_between(before: datetime, after: datetime, place: tzinfo) -> datetime:
    """Return the first second at which the zone has the offset that it has at `after`."""
    old = _offset(before, place)
    seconds = int((after - before).total_seconds())
    unchanged = 0
    while seconds - unchanged > 1:
        middle = (unchanged + seconds) // 2
        if _offset(before + timedelta(seconds=middle), place) == old:
            unchanged = middle
        else:
            seconds = middle
    return before + timedelta(seconds=seconds)


def _offset(instant: datetime, place: tzinfo) -> timedelta:
    return instant.astimezone(place).utcoffset() or timedelta()


def read_start(text: str, name: str) -> datetime:
    """Return the first instant, in UTC, of a date or time that `time_problem` has accepted; `name` is the time zone."""
    return _instant(text, name, timedelta(), last=False)


def read_end(text: str, name: str) -> datetime:
    """Return the end of a date or time, in UTC.

    A date ends when the next one begins. Of a time that the clock shows twice, the second one counts.
    """
    return _instant(text, name, timedelta(days=1) if len(text) == len("2026-12-24") else timedelta(), last=True)


def _instant(text: str, name: str, later: timedelta, *, last: bool) -> datetime:
    moment = datetime.fromisoformat(text) + later
    return moment.astimezone(UTC) if moment.tzinfo else instant_of(moment, zone(name), last=last and not later)


def time_problem(text: str, *, has_zone: bool) -> str:
    """Return the problem with a date or time, which needs an offset where no zone is given."""
    example = "write a date such as 2026-12-24, or a time such as 2026-12-24T18:00+01:00"
    match = _TIME.fullmatch(text)
    if not match:
        return example
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return f"there is no such day or time, {example}"
    if not (has_zone or match[1] or ":" not in text):
        return "a time needs an offset, such as 2026-12-24T18:00+01:00, or give zone"
    return ""


def instant_text(instant: datetime, name: str) -> str:
    """Return an instant in a zone and in UTC, as `Mon 2026-11-30 09:00 Europe/Stockholm (08:00 UTC)`."""
    local, universal = instant.astimezone(zone(name)), instant.astimezone(UTC)
    text = f"{DAYS[local.weekday()].title()} {local:%Y-%m-%d %H:%M}"
    if name == "UTC":
        return f"{text} UTC"
    day = "" if local.date() == universal.date() else f"{universal:%Y-%m-%d} "
    return f"{text} {name} ({day}{universal:%H:%M} UTC)"


def _days_text(days: tuple[int, ...]) -> str:
    """Return days as `mon-thu`, or `mon, wed` where they do not follow each other."""
    if len(days) > 2 and days[-1] - days[0] == len(days) - 1:
        return f"{DAYS[days[0]]}-{DAYS[days[-1]]}"
    return ", ".join(DAYS[day] for day in days)


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"
