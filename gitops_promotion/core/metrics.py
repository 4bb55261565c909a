"""How often, how fast and how safely tags move: four numbers for each application, group and environment.

The definitions are those of docs/history.md. Everything is counted from events, in the order of the commits.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from statistics import median

from gitops_promotion.core.deployments import same_tag
from gitops_promotion.core.history import Event, History, parsed, returning
from gitops_promotion.core.names import Site
from gitops_promotion.core.status_contexts import belongs
from gitops_promotion.core.status_reports import Statuses, state_of

ENOUGH = 3
"""Fewer values than this are too few for a median or a rate."""

TOO_FEW = "too few"

# A report on a tag is on one of the first commits that have it: of several commits Flux reports on the newest.
_COMMITS = 20

Key = tuple[str, Site]
"""The key of an event: its commit, and its application and environment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """The median of several durations, in seconds, None where they are too few; and how many there are."""

    median_seconds: float | None = None
    count: int = 0

    @classmethod
    def of(cls, durations: Iterable[timedelta]) -> "Span":
        """Return the span of these durations. A negative one comes from clocks that disagree, and is left out."""
        seconds = [duration.total_seconds() for duration in durations if duration >= timedelta()]
        return cls(median_seconds=float(median(seconds)) if len(seconds) >= ENOUGH else None, count=len(seconds))

    @property
    def reason(self) -> str:
        """Why there is no median, "" if there is one."""
        return "" if self.count >= ENOUGH else TOO_FEW


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """The numbers of an application in an environment; `app` is "" for a whole group, `group` is "" too for all groups.

    `per_week` is the number of deployments in a week, None if there are too few. `failed` of `changes` deployments
    failed. `restore` is the time from a failed deployment until the next good one is green.
    """

    group: str
    app: str
    environment: str
    deployments: int
    per_week: float | None
    lead_time: Span
    lead_time_step: Span
    failed: int
    changes: int
    restore: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """The rows of a window of `window_days` that begins at `since`; `left_out` says what is not known."""

    since: datetime | None
    window_days: float
    rows: tuple[Row, ...]
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """What statuses say about deployments: when each was green first, and which were red at the deadline.

    For a deployment that is not in `green` the time of its arrival is used. `pending` are the deployments with a status
    of which none failed and not all were green by the deadline.
    """

    green: Mapping[Key, datetime] = field(default_factory=dict)
    red: frozenset[Key] = frozenset()
    pending: frozenset[Key] = frozenset()


def read_health(
    events: Sequence[Event],
    shas: Sequence[str],
    statuses: Statuses,
    *,
    patterns: Callable[[Site], Sequence[str]],
    late: datetime,
) -> Health:
    """Return what the statuses of commits say about the deployments among `events`.

    `shas` are those of the first-parent history, newest first, `patterns` returns the patterns of the contexts that
    count for an environment. A deployment is green when the last of the contexts that reported while the tag was there
    becomes green. A deployment before `late` is red if a context failed and was never green, and pending if it is
    neither green nor red.
    """
    order = {sha: number for number, sha in enumerate(shas)}
    green: dict[Key, datetime] = {}
    red: set[Key] = set()
    pending: set[Key] = set()
    ends: dict[Site, int] = {}
    for event in events:
        if not _deploys(event) or event.sha not in order:
            continue
        position = order[event.sha]
        newest_first = shas[ends.get(event.site, 0) : position + 1]
        ends[event.site] = position + 1
        reports = _first_reports(newest_first[-_COMMITS:], statuses, patterns(event.site))
        key = event.sha, event.site
        times = [time for time, _ in reports.values()]
        if times and all(times):
            green[key] = max(time for time in times if time)
        elif reports and event.time and event.time < late:
            (red if any(failed and not time for time, failed in reports.values()) else pending).add(key)
    return Health(green=green, red=frozenset(red), pending=frozenset(pending))


def _first_reports(
    shas: Sequence[str], statuses: Statuses, patterns: Sequence[str]
) -> dict[str, tuple[datetime | None, bool]]:
    """Return by context the time at which it was green first, None for never, and whether it ever failed."""
    reports: dict[str, tuple[datetime | None, bool]] = {}
    for status in (status for sha in shas for status in statuses.get(sha, ())):
        if not belongs(status.context, patterns, genre=status.genre):
            continue
        key = status.full_context.casefold()
        time, failed = reports.get(key, (None, False))
        state = state_of(status)
        if state == "success" and status.created_at:
            time = min(time, status.created_at) if time else status.created_at
        reports[key] = time, failed or state == "failure"
    return reports


@dataclass(frozen=True, slots=True, kw_only=True)
class _Deployment:
    """An event that gave an environment another tag. `restores`: the tag is an older one, so it is no change."""

    event: Event
    failed: bool
    restores: bool
    lead_time: timedelta | None
    lead_time_step: timedelta | None
    restore: timedelta | None


def measure(
    history: History,
    *,
    since: datetime,
    until: datetime,
    sources: Mapping[Site, Sequence[str]],
    health: Health | None = None,
    only: Iterable[Site] | None = None,
) -> Metrics:
    """Return the metrics of the time from `since` to `until`.

    `sources` are the environments right before each application's environment. `only` limits the rows, but what
    happened in the sources still counts. History that begins later makes the window shorter.
    """
    start = max(since, history.since) if history.since else since
    days = max((until - start).total_seconds() / 86400, 0.0)
    sites = None if only is None else set(only)
    deployments = [
        deployment
        for deployment in _deployments(history.events, sources, health or Health())
        if deployment.event.time is not None
        and start <= deployment.event.time <= until
        and (sites is None or deployment.event.site in sites)
    ]
    scopes: dict[tuple[str, str, str], list[_Deployment]] = {}
    for deployment in deployments:
        for scope in _scopes(deployment.event):
            scopes.setdefault(scope, []).append(deployment)
    rows = [_row(scope, of_scope, days / 7) for scope, of_scope in sorted(scopes.items())]
    return Metrics(since=start, window_days=round(days, 2), rows=tuple(rows), left_out=history.left_out)


def _scopes(event: Event) -> Iterator[tuple[str, str, str]]:
    group, app = event.application.group, event.application.name
    yield group, app, event.environment
    yield group, "", event.environment
    yield "", "", event.environment


def _row(scope: tuple[str, str, str], deployments: Sequence[_Deployment], weeks: float) -> Row:
    # A commit that brings the tags of several applications at once is one deployment of their group.
    count = len({deployment.event.sha for deployment in deployments})
    group, app, environment = scope
    changes = [deployment for deployment in deployments if not deployment.restores]
    return Row(
        group=group,
        app=app,
        environment=environment,
        deployments=count,
        per_week=round(count / weeks, 2) if count >= ENOUGH and weeks else None,
        lead_time=Span.of(d.lead_time for d in changes if d.lead_time is not None),
        lead_time_step=Span.of(d.lead_time_step for d in changes if d.lead_time_step is not None),
        failed=len({d.event.sha for d in changes if d.failed}),
        changes=len({d.event.sha for d in changes}),
        restore=Span.of(d.restore for d in changes if d.restore is not None),
    )


def _deployments(
    events: Sequence[Event], sources: Mapping[Site, Sequence[str]], health: Health
) -> Iterator[_Deployment]:
    """Yield the deployments among events, which are newest first."""
    by_site: dict[Site, list[Event]] = {}
    for event in reversed(events):
        if _deploys(event):
            by_site.setdefault(event.site, []).append(event)
    arrivals: dict[tuple[Site, str], list[Event]] = {}
    for event in events:
        if event.kind != "feature" and (tag := parsed(event.tag)):
            arrivals.setdefault((event.site, tag.name), []).append(event)
    returns = returning(events)
    order = {event.sha: number for number, event in enumerate(reversed(events))}
    ways = _Ways(arrivals=arrivals, sources=sources, order=order)
    for site, deployed in by_site.items():
        restores = [_restores(event, returns) for event in deployed]
        failed = [
            (event.sha, site) in health.red or (number + 1 < len(deployed) and restores[number + 1])
            for number, event in enumerate(deployed)
        ]
        for number, event in enumerate(deployed):
            green = health.green.get((event.sha, site), event.time)
            first, source = ways.first_arrival(event), ways.source_arrival(event)
            good = next((later for later in range(number + 1, len(deployed)) if not failed[later]), None)
            after = health.green.get((deployed[good].sha, site), deployed[good].time) if good is not None else None
            yield _Deployment(
                event=event,
                failed=failed[number],
                restores=restores[number],
                lead_time=_between(event.built_at or (first.built_at or first.time if first else None), green),
                lead_time_step=_between(source.time if source else None, event.time),
                restore=_between(event.time, after) if failed[number] else None,
            )


def _deploys(event: Event) -> bool:
    """Return True if an event brings another tag; a digest added to the same tag, a feature and a removal do not."""
    is_new = not same_tag(parsed(event.previous_tag), parsed(event.tag))
    return event.kind != "feature" and bool(event.tag and event.previous_tag) and is_new


def _restores(event: Event, returns: set[Key]) -> bool:
    """Return True for a rollback, and for an older tag that a person set by hand."""
    return event.kind == "rollback" or (event.kind in ("manual", "override") and (event.sha, event.site) in returns)


@dataclass(slots=True, kw_only=True)
class _Ways:
    """Where the tags of deployments came from: `arrivals` by place and name of the tag, newest first."""

    arrivals: Mapping[tuple[Site, str], Sequence[Event]]
    sources: Mapping[Site, Sequence[str]]
    order: Mapping[str, int]
    _first: dict[Key, Event | None] = field(default_factory=dict)

    def source_arrival(self, event: Event) -> Event | None:
        """Return the arrival of the tag in the environment before, the last one of several; None in the entry."""
        arrivals = [
            arrival
            for source in self.sources.get(event.site, ())
            if (arrival := self._arrival(Site(event.application, source), event)) is not None
        ]
        return max(arrivals, key=lambda arrival: self.order[arrival.sha], default=None)

    def first_arrival(self, event: Event) -> Event | None:
        """Return the arrival of the tag in the first environment, as far as it can be followed; None in the entry."""
        key = event.sha, event.site
        if key not in self._first:
            self._first[key] = None  # a pipeline has no cycle, but with a changed configuration its past may have one
            source = self.source_arrival(event)
            self._first[key] = (self.first_arrival(source) or source) if source else None
        return self._first[key]

    def _arrival(self, site: Site, event: Event) -> Event | None:
        tag = parsed(event.tag)
        arrivals = self.arrivals.get((site, tag.name if tag else ""), ())
        earlier = (arrival for arrival in arrivals if self.order[arrival.sha] < self.order[event.sha])
        return next((arrival for arrival in earlier if same_tag(parsed(arrival.tag), tag)), None)


def _between(start: datetime | None, end: datetime | None) -> timedelta | None:
    return end - start if start is not None and end is not None else None
