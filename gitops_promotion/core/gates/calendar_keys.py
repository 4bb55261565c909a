"""The keys `windows` and `freezes`: when promotions into an environment may merge."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from gitops_promotion.core.calendar import (
    DAYS,
    Calendar,
    Freeze,
    Window,
    instant_text,
    read_end,
    read_start,
    time_problem,
    zone_problem,
)
from gitops_promotion.core.environments import Environment
from gitops_promotion.core.gates import Common
from gitops_promotion.core.untrusted import LINE_LIMIT, reason_problem

if TYPE_CHECKING:
    from gitops_promotion.core.config.document import Document, Entry

WINDOW_KEYS = ("days", "from", "to", "zone")
FREEZE_KEYS = ("from", "until", "reason", "zone")

NARROWEST = 30
"""Minutes: a scheduled run may miss a shorter window, since it starts late when the forge is busy."""

_WINDOW = '{days: [mon-thu], from: "09:00", to: "16:00", zone: Europe/Stockholm}'
_FREEZE = "{from: 2026-12-20, until: 2027-01-06, reason: Christmas, zone: Europe/Stockholm}"
_CLOCK = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")
_MOST = 200


def calendar_of(environment: Environment, common: Common) -> Calendar:
    """Return the windows and the freezes of an environment, those of the top level included."""
    freezes = (*(common.settings.get("freezes") or ()), *(environment.setting("freezes") or ()))
    return Calendar(windows=environment.setting("windows") or (), freezes=freezes)


def read_windows(document: "Document", fields: Mapping[str, "Entry"], key_path: str) -> tuple[Window, ...] | None:
    """Return the windows of one environment, None if it has none."""
    entry = fields.get("windows")
    if entry is None or entry.is_empty:
        return None
    items = _items(document, entry, f"{key_path}.windows", f"[{_WINDOW}]")
    windows = [_window(document, item, f"{key_path}.windows[{number}]") for number, item in enumerate(items)]
    return tuple(window for window in windows if window)


def _items(document: "Document", entry: "Entry", key_path: str, example: str) -> list["Entry"]:
    items = document.items(entry, key_path, example)
    if entry.node.id == "sequence" and not items:
        document.fail(entry.line, f"{key_path} is an empty list, write {example} or leave it out")
    if len(items) > _MOST:
        document.fail(entry.line, f"{key_path} has {len(items)} entries, at most {_MOST} are accepted")
    return items[:_MOST]


def _window(document: "Document", item: "Entry", key_path: str) -> Window | None:
    fields = document.mapping(item, key_path, WINDOW_KEYS)
    missing = [key for key in ("from", "to") if key not in fields or fields[key].is_empty]
    if item.node.id != "mapping" or missing:
        document.fail(item.line, f"{key_path} has no {' and no '.join(missing)}, write {_WINDOW}")
        return None
    texts = [
        document.checked(fields["from"], f"{key_path}.from", _start_problem, ""),
        document.checked(fields["to"], f"{key_path}.to", _end_problem, ""),
    ]
    name = document.checked(fields.get("zone"), f"{key_path}.zone", zone_problem, "UTC")
    days = document.texts(fields.get("days"), f"{key_path}.days", _days_problem, "[mon-thu]")
    if not all(map(_is_clock, texts)) or zone_problem(name) or any(map(_days_problem, days)):
        return None
    start, end = map(_minutes, texts)
    if start == end:
        document.fail(item.line, f'{key_path} begins and ends at {texts[0]}: a whole day is from: "00:00", to: "24:00"')
        return None
    numbers = sorted({number for text in days for number in _day_numbers(text)})
    window = Window(days=tuple(numbers) or tuple(range(len(DAYS))), start=start, end=end, zone=name)
    _warn(document, item, key_path, window)
    return window


def _warn(document: "Document", item: "Entry", key_path: str, window: Window) -> None:
    if window.minutes < NARROWEST:
        document.warn(
            item.line,
            f"{key_path} is open for {window.minutes} minutes: a scheduled run may come too late, use at least "
            f"{NARROWEST}",
        )
    if (change := window.skipped()) is not None:
        document.warn(
            item.line, f"{key_path} ({window}) stays shut on {change:%Y-%m-%d}: the clock skips that time, widen it"
        )


def read_environment_freezes(
    document: "Document", fields: Mapping[str, "Entry"], key_path: str
) -> tuple[Freeze, ...] | None:
    """Return the freezes of one environment alone, None if it has none."""
    return _freezes(document, fields.get("freezes"), f"{key_path}.freezes")


def read_top_freezes(document: "Document", top: Mapping[str, "Entry"]) -> tuple[Freeze, ...] | None:
    """Return the freezes of all environments, None if there is none."""
    return _freezes(document, top.get("freezes"), "freezes")


def _freezes(document: "Document", entry: "Entry | None", key_path: str) -> tuple[Freeze, ...] | None:
    if entry is None or entry.is_empty:
        return None
    items = _items(document, entry, key_path, f"[{_FREEZE}]")
    freezes = [_freeze(document, item, f"{key_path}[{number}]") for number, item in enumerate(items)]
    return tuple(freeze for freeze in freezes if freeze)


def _freeze(document: "Document", item: "Entry", key_path: str) -> Freeze | None:
    fields = document.mapping(item, key_path, FREEZE_KEYS)
    missing = [key for key in ("from", "until") if key not in fields or fields[key].is_empty]
    if item.node.id != "mapping" or missing:
        document.fail(item.line, f"{key_path} has no {' and no '.join(missing)}, write {_FREEZE}")
        return None
    has_zone = "zone" in fields and not fields["zone"].is_empty
    texts = [
        document.checked(fields[key], f"{key_path}.{key}", lambda text: time_problem(text, has_zone=has_zone), "")
        for key in ("from", "until")
    ]
    name = document.checked(fields.get("zone"), f"{key_path}.zone", zone_problem, "UTC")
    reason = document.checked(fields.get("reason"), f"{key_path}.reason", reason_problem, "")
    if any(not text or time_problem(text, has_zone=has_zone) for text in texts) or zone_problem(name):
        return None
    freeze = Freeze(
        start=read_start(texts[0], name), end=read_end(texts[1], name), reason=reason[:LINE_LIMIT], zone=name
    )
    if freeze.end <= freeze.start:
        document.fail(
            item.line,
            f"{key_path} ends on {instant_text(freeze.end, name)}, which is not after its beginning on "
            f"{instant_text(freeze.start, name)}: correct from or until",
        )
        return None
    return freeze


def _start_problem(text: str) -> str:
    return "" if _CLOCK.fullmatch(text) else "write a time from 00:00 to 23:59, such as 09:00"


def _end_problem(text: str) -> str:
    return "" if _is_clock(text) else "write a time from 00:00 to 24:00, such as 16:00"


def _is_clock(text: str) -> bool:
    return text == "24:00" or bool(_CLOCK.fullmatch(text))


def _minutes(text: str) -> int:
    hours, minutes = text.split(":")
    return int(hours) * 60 + int(minutes)


def _days_problem(text: str) -> str:
    return "" if _day_numbers(text) else f"accepted are {', '.join(DAYS)} and ranges such as mon-thu"


def _day_numbers(text: str) -> list[int]:
    """Return the days of `mon` or `fri-mon` by number; none for anything else."""
    names = text.casefold().split("-")
    if len(names) > 2 or not set(names) <= set(DAYS):
        return []
    first, last = DAYS.index(names[0]), DAYS.index(names[-1])
    return [(first + number) % len(DAYS) for number in range((last - first) % len(DAYS) + 1)]
