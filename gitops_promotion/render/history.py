"""Events and metrics as text, JSON and CSV."""

import csv
import io
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from gitops_promotion.core import durations, untrusted
from gitops_promotion.core.history import Event, History
from gitops_promotion.core.metrics import ENOUGH, TOO_FEW, Metrics, Row, Span
from gitops_promotion.render.common import short_tag
from gitops_promotion.render.json_v1 import document

COLUMNS = (
    "time",
    "group",
    "app",
    "environment",
    "kind",
    "previous_tag",
    "tag",
    "pull_request",
    "sha",
    "by",
    "approved_by",
    "overridden_by",
    "reason",
)
"""The columns of the table, and the keys of an event."""

_METRICS = (
    "group",
    "app",
    "environment",
    "deployments",
    "per_week",
    "lead_time_seconds",
    "lead_time_count",
    "lead_time_step_seconds",
    "lead_time_step_count",
    "failed",
    "changes",
    "restore_seconds",
    "restore_count",
)
_FORMULAS = ("=", "+", "-", "@", "\t", "\r")


def human(view: History | Metrics, *, colour: bool = False) -> str:
    """Return one line for each event, or one for each row of metrics, and what was left out."""
    del colour
    lines = _events(view) if isinstance(view, History) else _metrics(view)
    lines += [f"left out: {text}" for text in view.left_out]
    return "".join(untrusted.terminal(line).rstrip() + "\n" for line in lines)


def _events(history: History) -> list[str]:
    if not history.events:
        since = f" since {_time(history.since)}" if history.since else ""
        return [f"no change of a tag{since}"]
    rows = [
        (
            _time(event.time),
            event.kind,
            str(event.application),
            event.environment,
            " -> ".join(short_tag(tag) or "none" for tag in (event.previous_tag, event.tag)),
            f"#{event.pull_request}" if event.pull_request else event.sha[:7],
            _people(event),
        )
        for event in history.events
    ]
    return _aligned(rows)


def _people(event: Event) -> str:
    parts = [f"by {event.by}" if event.by else ""]
    parts.append(f"approved by {' and '.join(event.approved_by)}" if event.approved_by else "")
    parts.append(f"overridden by {event.overridden_by}" if event.overridden_by else "")
    text = ", ".join(filter(None, parts))
    return ": ".join(filter(None, (text, event.reason or (f"feature {event.feature}" if event.feature else ""))))


def _metrics(metrics: Metrics) -> list[str]:
    window = f"{metrics.window_days:g} days since {_time(metrics.since)}"
    if not metrics.rows:
        return [f"no deployment in {window}"]
    rows = [("APPLICATION", "ENVIRONMENT", "DEPLOYMENTS", "A WEEK", "LEAD TIME", "OF THE STEP", "FAILED", "RESTORE")]
    rows += [
        (
            f"{row.group}/{row.app}" if row.app else f"{row.group}, all" if row.group else "all",
            row.environment,
            str(row.deployments),
            TOO_FEW if row.per_week is None else f"{row.per_week:g}",
            _span(row.lead_time),
            _span(row.lead_time_step),
            f"{row.failed} of {row.changes}",
            _span(row.restore),
        )
        for row in metrics.rows
    ]
    return [window, *_aligned(rows)]


def _span(span: Span) -> str:
    if not span.count:
        return "none"
    text = TOO_FEW if span.median_seconds is None else durations.shown(span.median_seconds)
    return f"{text} ({span.count})"


def _aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(map(str.ljust, row, widths)) for row in rows]


def _time(time: datetime | None) -> str:
    return f"{time:%Y-%m-%d %H:%M}" if time else "unknown time"


def json_v1(view: History | Metrics, *, colour: bool = False) -> str:
    """Return the document with the list `events`, or that with the list `metrics`."""
    del colour
    if isinstance(view, History):
        return document(
            events=[event_fields(event) for event in view.events],
            since=_iso(view.since),
            left_out=list(view.left_out),
        )
    return document(
        since=_iso(view.since),
        window_days=view.window_days,
        metrics=[_row_fields(row) for row in view.rows],
        left_out=list(view.left_out),
    )


def event_fields(event: Event) -> dict[str, Any]:
    """Return an event as the document has it: what is not known is null, or an empty list."""
    reason = event.reason or (f"feature {event.feature}" if event.feature else "")
    return {
        "time": _iso(event.time),
        "group": event.application.group,
        "app": event.application.name,
        "environment": event.environment,
        "kind": event.kind,
        "previous_tag": event.previous_tag or None,
        "tag": event.tag or None,
        "pull_request": event.pull_request,
        "sha": event.sha,
        "by": event.by or None,
        "approved_by": list(event.approved_by),
        "overridden_by": event.overridden_by or None,
        "reason": reason or None,
    }


def _row_fields(row: Row) -> dict[str, Any]:
    return {
        "group": row.group or None,
        "app": row.app or None,
        "environment": row.environment,
        "deployments": row.deployments,
        "per_week": row.per_week,
        "lead_time": _span_fields(row.lead_time),
        "lead_time_step": _span_fields(row.lead_time_step),
        "change_failure": {
            "failed": row.failed,
            "of": row.changes,
            "reason": TOO_FEW if row.changes < ENOUGH else None,
        },
        "restore": _span_fields(row.restore),
        "reason": TOO_FEW if row.per_week is None else None,
    }


def _span_fields(span: Span) -> dict[str, Any]:
    return {"median_seconds": span.median_seconds, "count": span.count, "reason": span.reason or None}


def _iso(time: datetime | None) -> str | None:
    return time.isoformat() if time else None


def csv_table(view: History | Metrics, *, colour: bool = False) -> str:
    """Return a table with a line of headings. No cell is a formula for a program that opens it."""
    del colour
    if isinstance(view, History):
        fields = [event_fields(event) for event in view.events]
        rows = [[_joined(values[column]) for column in COLUMNS] for values in fields]
        return _csv([COLUMNS, *rows])
    return _csv([_METRICS, *map(_metrics_cells, view.rows)])


def _metrics_cells(row: Row) -> list[str]:
    spans = [(span.median_seconds, span.count) for span in (row.lead_time, row.lead_time_step)]
    values = (
        *(row.group, row.app, row.environment, row.deployments, row.per_week),
        *(value for span in spans for value in span),
        *(row.failed, row.changes, row.restore.median_seconds, row.restore.count),
    )
    return [_joined(value) for value in values]


def _joined(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else "" if value is None else str(value)


def _csv(rows: Sequence[Sequence[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([[cell(value) for value in row] for row in rows])
    return text.getvalue()


def cell(text: str) -> str:
    """Return a cell that a spreadsheet shows as text, and in which nothing moves a terminal's cursor."""
    # https://owasp.org/www-community/attacks/CSV_Injection
    return untrusted.terminal(f"'{text}" if text.startswith(_FORMULAS) else text)
