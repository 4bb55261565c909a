"""The values of options: durations, numbers, times and texts, read from what the command line has."""

import re
from typing import TYPE_CHECKING

import click

from gitops_promotion.errors import PromotionError, UsageError

if TYPE_CHECKING:
    from datetime import datetime, tzinfo

TEXT_LIMIT = 300
"""Characters of a text that a person gives, such as a reason."""

CLOCK_SKEW = 600
"""Seconds that the clock of the machine that built an image may be ahead."""

_NUMBER = re.compile(r"[1-9][0-9]{0,17}")


def duration(_: click.Context, __: click.Parameter, value: str | None) -> float | None:
    """Return an option's duration in seconds, None for an empty one. For click to call."""
    from gitops_promotion.core.config.values import duration

    try:
        return duration(value) if value else None
    except PromotionError as error:
        raise click.BadParameter(str(error)) from None


def number(_: click.Context, __: click.Parameter, value: str | None) -> int | None:
    """Return an option's number of a pull request, None for an empty one. For click to call."""
    if value and not _NUMBER.fullmatch(value):
        raise click.BadParameter(f"{value!r} is not the number of a pull request")
    return int(value) if value else None


def listed_number(_: click.Context, __: click.Parameter, value: str) -> int:
    """Return the number of a pull request on plain git. For click to call."""
    if not _NUMBER.fullmatch(value):
        raise click.BadParameter(
            f"{value!r} is not the number of a pull request: `gitops-promotion local list` shows the numbers"
        )
    return int(value)


def one_line(_: click.Context, __: click.Parameter, value: str | None) -> str:
    """Return a text that a person gives: one printable line of at most 300 characters. For click to call."""
    text = value or ""
    if not text.isprintable() or len(text) > TEXT_LIMIT:
        raise click.BadParameter(f"it must be one printable line of at most {TEXT_LIMIT} characters: shorten it")
    return text


def build_time(value: str | None, now: "datetime") -> "datetime | None":
    """Return the time at which an image was built, None for an empty value.

    Raises click.BadParameter for a time without a zone, and for one that is ahead of `now` by more than CLOCK_SKEW,
    since every later build would count as older.
    """
    time = time_with_offset(value)
    if time is not None and (time - now).total_seconds() > CLOCK_SKEW:
        raise click.BadParameter(
            f"{value!r} is in the future, now is {now.isoformat(timespec='seconds')}: correct the time or the clock"
        )
    return time


def time_with_offset(value: str | None) -> "datetime | None":
    """Return a time that is written with its offset, None for an empty value. Raises click.BadParameter."""
    from datetime import datetime

    if not value:
        return None
    try:
        time = datetime.fromisoformat(value)
    except ValueError:
        raise click.BadParameter(f"{value!r} is not a time: write it as 2026-01-31T12:00:00Z") from None
    if time.tzinfo is None:
        raise click.BadParameter(
            f"{value!r} has no time zone: write it with Z or an offset, as 2026-01-31T12:00:00Z or "
            "2026-01-31T13:00:00+01:00"
        )
    return time


def past_time(name: str, value: str | None, now: "datetime") -> "datetime | None":
    """Return the time that an option names: a duration before now, a date in UTC, or a time with an offset.

    None for an empty value. Raises UsageError.
    """
    from datetime import UTC, timedelta

    from gitops_promotion.core import untrusted
    from gitops_promotion.core.config.values import duration

    if not value:
        return None
    example = "write it as 90d, 2026-01-31 or 2026-01-31T12:00:00Z"
    if not re.match(r"\d{4}-", value):
        try:
            return now - timedelta(seconds=duration(value))
        except UsageError:
            raise UsageError(f"{name} {untrusted.quoted(value)} is no time: {example} (at most 366d)") from None
    time = _instant(name, value, example, zone_of_dates=UTC)
    if time > now:
        raise UsageError(
            f"{name} {untrusted.quoted(value)} is in the future: name a time in the past, or leave {name} out"
        )
    return time


def future_time(name: str, value: str | None, now: "datetime") -> "datetime | None":
    """Return the time in the future that an option names, None for an empty value. Raises UsageError."""
    from gitops_promotion.core import untrusted

    if not value:
        return None
    time = _instant(name, value, "write it as 2026-01-31T12:00:00Z")
    if time < now:
        raise UsageError(
            f"{name} {untrusted.quoted(value)} is in the past: name a time in the future, or leave {name} out"
        )
    return time


def _instant(name: str, value: str, example: str, *, zone_of_dates: "tzinfo | None" = None) -> "datetime":
    """Return a time that is written with its offset; with `zone_of_dates` also a date, which begins there."""
    from datetime import datetime

    from gitops_promotion.core import untrusted

    try:
        time = datetime.fromisoformat(value)
    except ValueError:
        raise UsageError(f"{name} {untrusted.quoted(value)} is no time: {example}") from None
    if time.tzinfo is None and "T" not in value and " " not in value:
        time = time.replace(tzinfo=zone_of_dates)
    if time.tzinfo is None:
        raise UsageError(f"{name} {untrusted.quoted(value)} has no time zone: {example}")
    return time


def end_time(name: str, value: str, now: "datetime") -> "datetime | None":
    """Return the end that an option names: a duration from now, the end of a date in UTC, or a time with an offset.

    None for an empty value. Raises UsageError.
    """
    from datetime import timedelta

    from gitops_promotion.core import untrusted
    from gitops_promotion.core.calendar import read_end, time_problem
    from gitops_promotion.core.config.values import duration

    if not value:
        return None
    if not time_problem(value, has_zone=False):
        return read_end(value, "UTC")
    try:
        return now.replace(microsecond=0) + timedelta(seconds=duration(value))
    except UsageError:
        example = "write it as 3d, 2026-12-24 or 2026-12-24T18:00+01:00"
        raise UsageError(f"{name} {untrusted.quoted(value)} is no time: {example} (at most 366d)") from None
