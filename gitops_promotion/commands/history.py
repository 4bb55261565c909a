"""`history`: who promoted what, when and by which pull request, and how often, fast and safely that goes."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from gitops_promotion.core.history import History
from gitops_promotion.core.metrics import Health, Metrics, measure
from gitops_promotion.core.names import Site
from gitops_promotion.workflow.past import Past, Scope, answer, limited, read_past, with_people
from gitops_promotion.workflow.past_health import health_of
from gitops_promotion.workflow.run import Run
from gitops_promotion.workflow.tip import Tip

DEFAULT_WINDOW = timedelta(days=90)
"""How far back metrics go without --since."""

# How many commits are asked for their statuses; on Azure DevOps each is a request.
_COMMITS = 100


def history(run: Run, scope: Scope, *, since: datetime | None) -> History:
    """Return the events of a scope, newest first, with the people that the forge knows.

    Raises UsageError for an unknown name, ConfigError, GitError.
    """
    return with_people(run, limited(read_past(run.tip, scope).history, scope=scope, since=since))


def metrics(run: Run, scope: Scope, *, since: datetime | None) -> Metrics:
    """Return the metrics of a scope. Raises UsageError for an unknown name, ConfigError, GitError.

    Where the forge answers, the statuses of the newest commits say when a tag was green.
    """
    tip = run.tip
    past = read_past(tip, scope)
    until = run.clock.now()
    start = since or until - DEFAULT_WINDOW
    sites = {event.site for event in past.history.events}
    left_out = list(past.history.left_out)
    health = _health(run, past, start, left_out)
    return measure(
        replace(past.history, left_out=tuple(left_out)),
        since=start,
        until=until,
        sources=_sources(tip, sites),
        health=health,
        only=[site for site in sites if scope.has(site)],
    )


def _health(run: Run, past: Past, since: datetime, left_out: list[str]) -> Health:
    recent = [commit.sha for commit in past.commits if commit.committed_at and commit.committed_at >= since]
    if not any(event.sha in recent for event in past.history.events):
        return Health()
    topic = "when tags were green (the time of their arrival is used)"
    statuses = answer(run, left_out, topic, lambda forge: forge.statuses(recent[:_COMMITS]))
    if statuses is None:
        return Health()
    if not any(statuses.values()):
        left_out.append(f"{topic}: no commit has a status")
    elif len(recent) > _COMMITS:
        left_out.append(f"{topic}: before the newest {_COMMITS} commits")
    return health_of(run, past, past.history.events, statuses)


def _sources(tip: Tip, sites: set[Site]) -> Mapping[Site, Sequence[str]]:
    config = tip.config
    return {
        site: way.sources(site.environment)
        for site in sites
        if site.environment in (way := config.way(site.application)).names
    }
