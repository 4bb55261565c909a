"""What happened lately without a run of this tool: merges by people, health, holds; in a bounded number of requests."""

from collections.abc import Callable, Sequence
from datetime import timedelta

from gitops_promotion.core.discussion import Discussion
from gitops_promotion.core.notifications import news as new
from gitops_promotion.core.notifications.news import News
from gitops_promotion.core.notifications.told import in_comment
from gitops_promotion.workflow.past import Past, Scope, read_past
from gitops_promotion.workflow.past_health import health_of
from gitops_promotion.workflow.run import Run

DAY = timedelta(days=1)
"""How far back news go: a new channel is not told the past."""

# How many of the newest commits are read.
_COMMITS = 200
_STATUSES = 20
"""How many commits are asked for their statuses; on Azure DevOps each is a request."""

# The most merged pull requests that are asked for their approvals.
_APPROVALS = 20


def recent_news(run: Run, wants: Callable[[str], bool]) -> list[News]:
    """Return the news of the last day, as far as the newest commits and statuses show them, oldest first.

    `wants` says which events are of interest. Raises ProviderError, GitError, ConfigError.
    """
    since = run.clock.now() - DAY
    news_list = new.of_holds(run.tip.holds.holds, since=since) if wants("held") else []
    if not any(map(wants, ("approved", "merged", "rolled-back", "overridden", "healthy", "timed-out"))):
        return news_list
    past = read_past(run.tip, Scope(), newest=_COMMITS)
    news_list += new.of_arrivals(past.history.events, since=since)
    if wants("healthy") or wants("timed-out"):
        news_list += _health(run, past)
    return news_list


def approvals(run: Run, merged: Sequence[News]) -> tuple[list[News], set[str]]:
    """Return the approvals of what was merged into environments that ask for some, and the keys in our comments there.

    One request for all on GitHub.
    """
    config = run.tip.config
    gated = [
        arrival for arrival in merged if arrival.number and config.environment(arrival.environment).setting("approvals")
    ][-_APPROVALS:]
    if not gated:
        return [], set()
    discussions = run.forge.discussions(list(dict.fromkeys(arrival.number for arrival in gated)))
    keys = {key for discussion in discussions.values() for key in comment_keys(discussion)}
    return [news for arrival in gated for news in new.of_approvals(arrival, discussions.get(arrival.number))], keys


def comment_keys(discussion: Discussion) -> tuple[str, ...]:
    """Return what our comment in a discussion says was told."""
    return in_comment(discussion.comments[0].body) if discussion.comments else ()


def _health(run: Run, past: Past) -> list[News]:
    """Return which of the tags that arrived in the last day are healthy, or failed."""
    now = run.clock.now()
    arrivals = [event for event in past.history.newest.values() if event.time is not None and event.time >= now - DAY]
    if not arrivals:
        return []
    shas = [commit.sha for commit in past.commits]
    last = max(shas.index(event.sha) for event in arrivals)
    statuses = run.forge.statuses(shas[: min(last + 1, _STATUSES)])
    health = health_of(run, past, arrivals, statuses)
    return new.of_health(arrivals, health, since=now - DAY)
