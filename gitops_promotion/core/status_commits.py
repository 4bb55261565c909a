"""The commits whose statuses count as evidence of a tag's health and of its soak time in an environment."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from gitops_promotion.core.deployments import Deployment
from gitops_promotion.core.status_reports import Statuses, newest_reports

HEALTH_CANDIDATES = 100
"""The number of commits whose statuses are asked for, newest first."""

SOAK_CANDIDATES = 1000
"""The number of commits with the tag whose statuses are asked for at most, newest first."""


def commits_for_health(deployment: Deployment) -> list[str]:
    """Return the commits whose statuses decide: the newest with the tag, and the last before it arrived.

    Each of the two has its own limit: even if a tag stays long, the commits before it say which contexts to expect.
    """
    return [point.sha for points in (deployment.points, deployment.before) for point in points[:HEALTH_CANDIDATES]]


def commits_for_soak(deployment: Deployment, time: timedelta, now: datetime) -> list[str]:
    """Return the commits whose statuses decide: those made in the soak time, and before them as many as for health.

    The statuses of still older commits are from before the soak time, unless such a commit was the newest one then.
    """
    recent = sum(1 for p in deployment.points if p.commit.committed_at is None or p.commit.committed_at > now - time)
    return [point.sha for point in deployment.points[: min(recent + HEALTH_CANDIDATES, SOAK_CANDIDATES)]]


def expected_contexts(deployment: Deployment, statuses: Statuses, patterns: Sequence[str]) -> set[str]:
    """Return the contexts on the newest commit before the tag that has reports: one for each cluster that reports."""
    for point in deployment.before:
        if reports := newest_reports([point.sha], statuses, patterns):
            return set(reports)
    return set()
