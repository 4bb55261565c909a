"""Commit statuses as reports on a tag: the newest of each context, over the commits on which it was there."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from gitops_promotion.core import untrusted
from gitops_promotion.core.forge import CommitStatus, StatusState
from gitops_promotion.core.status_contexts import belongs, is_named

# Flux reports these with severity info, so as success, though nothing was reconciled yet (docs/facts/flux.md).
_NOT_YET = re.compile(r"dependency not ready|health check canceled|progressing", re.IGNORECASE)

Statuses = Mapping[str, Sequence[CommitStatus]]
"""The statuses of commits, by the id of the commit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusReport:
    """The newest status of one context."""

    context: str
    state: StatusState
    sha: str
    description: str = ""
    at: datetime | None = None

    @property
    def cluster(self) -> str:
        """The last part of its context, which identifies the cluster if Flux reports."""
        return self.context.rpartition("/")[2]

    def __str__(self) -> str:
        return f"{self.context} on {self.sha[:7]}"


def newest_reports(shas: Iterable[str], statuses: Statuses, patterns: Sequence[str]) -> dict[str, StatusReport]:
    """Return the newest report of each context that fits, over commits given newest first, by context in lower case."""
    reports: dict[str, StatusReport] = {}
    for sha in shas:
        for status in statuses.get(sha, ()):
            key = status.full_context.casefold()
            if key not in reports and belongs(status.context, patterns, genre=status.genre):
                reports[key] = _report(sha, status, state_of(status))
    return reports


def named_reports(shas: Iterable[str], statuses: Statuses, names: Iterable[str]) -> dict[str, StatusReport]:
    """Return the newest report of each name, over commits given newest first; any system may have posted it."""
    reports: dict[str, StatusReport] = {}
    pending = list(names)
    for sha in shas:
        for name in list(pending):
            for status in statuses.get(sha, ()):
                if is_named(status.context, name, genre=status.genre):
                    reports[name] = _report(sha, status, status.state)
                    pending.remove(name)
                    break
    return reports


def reports_by_context(
    shas: Iterable[str], statuses: Statuses, patterns: Sequence[str], names: Sequence[str] = ()
) -> dict[str, list[StatusReport]]:
    """Return every report of each context that fits, newest commit first, by context in lower case.

    Each of `names` is a context too, whichever system posted it.
    """
    reports: dict[str, list[StatusReport]] = {}
    for sha in shas:
        for status in statuses.get(sha, ()):
            if belongs(status.context, patterns, genre=status.genre):
                reports.setdefault(status.full_context.casefold(), []).append(_report(sha, status, state_of(status)))
            for name in names:
                if is_named(status.context, name, genre=status.genre):
                    reports.setdefault(name.casefold(), []).append(_report(sha, status, status.state))
    return reports


def by_cluster(reports: Iterable[StatusReport]) -> dict[str, list[StatusReport]]:
    """Return the reports by their cluster, in lower case."""
    clusters: dict[str, list[StatusReport]] = {}
    for report in reports:
        clusters.setdefault(report.cluster.casefold(), []).append(report)
    return clusters


def state_of(status: CommitStatus) -> StatusState:
    """Return the state of a status of Flux: a success whose description says that nothing is ready yet is pending."""
    return "pending" if status.state == "success" and _NOT_YET.search(status.description) else status.state


def worst(reports: Iterable[StatusReport]) -> StatusState:
    """Return the state of several reports together."""
    states = {report.state for report in reports}
    return "failure" if "failure" in states else "pending" if "pending" in states else "success"


def _report(sha: str, status: CommitStatus, state: StatusState) -> StatusReport:
    return StatusReport(
        context=untrusted.line(status.full_context, untrusted.STATUS_LIMIT),
        state=state,
        sha=sha,
        description=untrusted.line(status.description, untrusted.STATUS_LIMIT),
        at=status.created_at,
    )
