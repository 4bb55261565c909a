"""The status gate: a tag may move on when its commit statuses say that it is healthy in the environments before.

Flux reconciles only the newest of several commits, so a skipped commit never gets a status: every first-parent commit
of the default branch counts on which the environment had the tag (docs/facts/flux.md, Commit statuses).
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from gitops_promotion.core import untrusted
from gitops_promotion.core.commits import Commit
from gitops_promotion.core.deployments import Deployment
from gitops_promotion.core.forge import CommitStatus, StatusState
from gitops_promotion.core.gates import Evidence, Need, Question, Reason, Verdict, mildest, strictest
from gitops_promotion.core.names import Application
from gitops_promotion.core.status_contexts import belongs, fill

CANDIDATES = 100
"""The number of commits whose statuses are asked for, newest first."""

# Flux reports these with severity info, hence as success, though nothing was reconciled yet (docs/facts/flux.md).
_NOT_YET = re.compile(r"dependency not ready|health check canceled|progressing", re.IGNORECASE)

Statuses = Mapping[str, Sequence[CommitStatus]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """The status gate of one environment: the patterns of status contexts by source, placeholders and all."""

    contexts: Mapping[str, tuple[str, ...]]
    authors: tuple[str, ...] = ()
    fail_fast: bool = False
    needs: frozenset[Need] = frozenset({"deployments", "statuses"})

    def judge(self, question: Question, evidence: Evidence) -> Verdict:
        """Return whether the tag is healthy in one source of each requirement."""
        verdicts = {source: self._judge_source(question, evidence, source) for source in question.sources}
        verdict = strictest([mildest([verdicts[source] for source in group]) for group in question.requirements])
        return _with_unseen(question, verdict) if question.unseen else verdict

    def patterns(self, application: Application, source: str) -> tuple[str, ...]:
        """Return the patterns of an application's statuses in a source."""
        return fill(self.contexts[source], application, source)

    def counting(self, statuses: Statuses) -> Statuses:
        """Return the statuses of the trusted authors (`statusAuthors`, case ignored); all where none is named."""
        names = {author.casefold() for author in self.authors}
        if not names:
            return statuses
        return {sha: [s for s in posted if s.author.casefold() in names] for sha, posted in statuses.items()}

    def _judge_source(self, question: Question, evidence: Evidence, source: str) -> Verdict:
        return judge_source(
            application=question.application,
            tag_name=question.tag.name,
            source=source,
            deployment=evidence.deployments.get(source),
            statuses=self.counting(evidence.statuses),
            patterns=self.patterns(question.application, source),
            fail_fast=self.fail_fast,
            expired=evidence.expired,
            suspects=evidence.suspects.get(source, ()),
        )


def _with_unseen(question: Question, verdict: Verdict) -> Verdict:
    """Return a pass as what it is: the tag was green, but not with these parts of the change."""
    if verdict.decision != "pass":
        return verdict
    evidence = (
        f"{question.application} {question.tag.name} in {question.environment} is a manual change that no gate has "
        f"seen: {', '.join(question.unseen)}"
    )
    return replace(verdict, reasons=(Reason(gate="status gate", evidence=evidence, missing="check it by hand"),))


def commits_to_query(deployment: Deployment) -> list[str]:
    """Return the commits whose statuses decide: the newest with the tag, and the last before it arrived.

    Each of the two has a limit of its own: however long a tag stays, the contexts to expect are known from before.
    """
    return [point.sha for points in (deployment.points, deployment.before) for point in points[:CANDIDATES]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Report:
    """The newest status of one context."""

    context: str
    state: StatusState
    sha: str
    description: str
    at: datetime | None


def judge_source(
    *,
    application: Application,
    tag_name: str,
    source: str,
    deployment: Deployment | None,
    statuses: Statuses,
    patterns: Sequence[str],
    fail_fast: bool,
    expired: bool,
    suspects: Sequence[str] = (),
) -> Verdict:
    """Return whether the tag is healthy in one source.

    Pending and absent statuses wait. A failure waits for Flux to retry until the time is over, unless `fail_fast`.
    """
    gate = f"status gate of {source}"
    subject = f"{application} {tag_name}"
    if deployment is None:
        return _refusal(
            gate,
            f"{subject} has not been in {source}",
            f"promote it there first, or restore the tag that {source} has now",
        )
    reports = _newest_reports(deployment, statuses, patterns)
    expected = expected_contexts(deployment, statuses, patterns)
    absent = sorted(expected - reports.keys())
    failed = [report for _, report in sorted(reports.items()) if report.state == "failure"]
    pending = [report for _, report in sorted(reports.items()) if report.state == "pending"]
    if reports and not absent and not failed and not pending:
        shown = ", ".join(f"{report.context} on {report.sha[:7]}" for _, report in sorted(reports.items()))
        newest = max((report.at for report in reports.values() if report.at), default=None)
        reason = Reason(gate=gate, evidence=f"{subject} is healthy ({shown})")
        return Verdict(decision="pass", reasons=(reason,), newest_evidence=newest)
    if not deployment.current:
        return _refusal(
            gate,
            f"{subject} is superseded: {source} has moved on before the tag was healthy there",
            f"`gitops-promotion promote --all` proposes the tag that {source} has now",
        )
    texts = [f"{subject} failed: {r.context} on {r.sha[:7]} says {r.description or 'failure'!r}" for r in failed]
    if failed and suspects:
        texts.append(f"changed in {source} since it was last green: {', '.join(suspects)}")
    texts += [f"{subject} is in progress: {r.context} on {r.sha[:7]} {r.description}".rstrip() for r in pending]
    texts += [
        f"{subject} is waiting for {context}, which reported on earlier commits but not since this tag arrived"
        for context in absent
    ]
    if not reports and not absent:
        since = deployment.points[-1].sha[:7]
        texts.append(
            f"{subject} has no status yet: Flux has posted nothing matching {' or '.join(patterns)} on {since} or later"
        )
    refused = bool(failed) and (fail_fast or expired)
    return Verdict(
        decision="refuse" if refused else "wait",
        reasons=tuple(Reason(gate=gate, evidence=text) for text in texts),
    )


def _refusal(gate: str, evidence: str, missing: str) -> Verdict:
    return Verdict(decision="refuse", reasons=(Reason(gate=gate, evidence=evidence, missing=missing),))


def _newest_reports(deployment: Deployment, statuses: Statuses, patterns: Sequence[str]) -> dict[str, _Report]:
    """Return the newest report of each context while the tag was there."""
    if not deployment.current:
        # Nobody reports on it any more: what was in progress when it left is judged by the reports before.
        statuses = {sha: [s for s in posted if _state(s) != "pending"] for sha, posted in statuses.items()}
    return reports_on((point.sha for point in deployment.points[:CANDIDATES]), statuses, patterns)


def reports_on(shas: Iterable[str], statuses: Statuses, patterns: Sequence[str]) -> dict[str, _Report]:
    """Return the newest report of each context that fits, over commits given newest first, by context in lower case."""
    reports: dict[str, _Report] = {}
    for sha in shas:
        for status in statuses.get(sha, ()):
            key = status.full_context.casefold()
            if key not in reports and belongs(status.context, patterns, genre=status.genre):
                reports[key] = _Report(
                    context=untrusted.line(status.full_context, untrusted.STATUS_LIMIT),
                    state=_state(status),
                    sha=sha,
                    description=untrusted.line(status.description, untrusted.STATUS_LIMIT),
                    at=status.created_at,
                )
    return reports


def expected_contexts(deployment: Deployment, statuses: Statuses, patterns: Sequence[str]) -> set[str]:
    """Return the contexts of the newest commit before the tag that has any: one for each cluster that reports."""
    for point in deployment.before:
        if reports := reports_on([point.sha], statuses, patterns):
            return set(reports)
    return set()


def suspects(
    deployment: Deployment,
    statuses: Statuses,
    patterns: Sequence[str],
    changed_applications: Callable[[Commit], Iterable[Application]],
) -> list[str]:
    """Return every application whose tag changed in the environment since it was last green; none without a failure.

    The verdict is the group's: one status covers all its applications, so any of these may be the cause.
    """
    reports = reports_on((point.sha for point in deployment.points[:CANDIDATES]), statuses, patterns)
    failing = {context for context, report in reports.items() if report.state == "failure"}
    names: set[str] = set()
    for point in (*deployment.points, *deployment.before) if failing else ():
        green = {c for c, report in reports_on([point.sha], statuses, patterns).items() if report.state == "success"}
        failing -= green
        if not failing:
            break
        names |= set(map(str, changed_applications(point.commit)))
    return sorted(names)


def _state(status: CommitStatus) -> StatusState:
    return "pending" if status.state == "success" and _NOT_YET.search(status.description) else status.state
