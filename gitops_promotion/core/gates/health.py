"""The status gate: a tag may move on when its commit statuses say that it is healthy in the environments before.

Flux reconciles only the newest of several commits, so a skipped commit never gets a status. Therefore the statuses of
every first-parent commit count on which the environment had the tag (docs/facts/flux.md, Commit statuses).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from gitops_promotion.core.commits import Commit
from gitops_promotion.core.deployments import Deployment
from gitops_promotion.core.environments import Environment, Pipeline, Requirements
from gitops_promotion.core.gates import Common, Evidence, Gate, Need, Question, Reason, Verdict, mildest, strictest
from gitops_promotion.core.gates.health_keys import Clusters, StatusSettings
from gitops_promotion.core.names import Application
from gitops_promotion.core.status_commits import HEALTH_CANDIDATES, expected_contexts
from gitops_promotion.core.status_contexts import belongs, fill
from gitops_promotion.core.status_reports import (
    Statuses,
    StatusReport,
    by_cluster,
    named_reports,
    newest_reports,
    state_of,
    worst,
)
from gitops_promotion.core.tags import Tag
from gitops_promotion.core.untrusted import code_span, quoted


def contexts_of(environment: Environment) -> tuple[str, ...]:
    """Return the patterns of statuses that an environment has for itself, empty if it uses the default ones."""
    settings = environment.setting("health")
    return settings.contexts if isinstance(settings, StatusSettings) else ()


def make(
    environment: str, pipeline: Pipeline, settings: Mapping[str, StatusSettings | None], common: Common
) -> "Health | None":
    """Return the status gate of an environment, None for the entry: nothing comes before it."""
    return _gate(settings, common) if pipeline.sources(environment) else None


def of_environment(environment: str, pipeline: Pipeline, common: Common) -> "Health":
    """Return the gate that judges the health of an environment itself, whatever comes after it."""
    return _gate({environment: pipeline.environment(environment).setting("health")}, common)


def _gate(settings: Mapping[str, StatusSettings | None], common: Common) -> "Health":
    by_source = {name: of_source or StatusSettings() for name, of_source in settings.items()}
    return Health(
        contexts={name: of_source.contexts or common.status_contexts for name, of_source in by_source.items()},
        required={name: of_source.required for name, of_source in by_source.items()},
        clusters={name: of_source.clusters for name, of_source in by_source.items()},
        authors=common.status_authors,
        fail_fast=common.fail_fast,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Which statuses count for a source: their patterns, others that are required, and the clusters that report.

    Without `clusters`, every context is expected that reported on the newest commit before the tag with any report.
    """

    patterns: tuple[str, ...]
    required: tuple[str, ...] = ()
    clusters: Clusters | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Health(Gate):
    """The status gate of one environment.

    `contexts` (patterns with placeholders), `required` and `clusters` are by source. `authors` are logins, () if the
    statuses of everybody count.
    """

    contexts: Mapping[str, tuple[str, ...]]
    required: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    clusters: Mapping[str, Clusters | None] = field(default_factory=dict)
    authors: tuple[str, ...] = ()
    fail_fast: bool = False
    needs: frozenset[Need] = frozenset({"deployments", "statuses"})
    judges_sources: bool = True

    def judge(self, question: Question, evidence: Evidence) -> Verdict:
        """Return whether the tag is healthy in one source of each requirement."""
        verdicts = {source: self.judge_source(question, evidence, source) for source in question.sources}
        verdict = strictest([mildest([verdicts[source] for source in group]) for group in question.requirements])
        verdict = replace(verdict, warnings=self._warnings(question, evidence))
        return _with_unseen(question, verdict) if question.unseen else verdict

    def _warnings(self, question: Question, evidence: Evidence) -> tuple[str, ...]:
        """Return a warning if statuses of several authors count and the configuration names no trusted ones."""
        patterns = [pattern for source in question.sources for pattern in self.patterns(question.application, source)]
        authors = {
            status.author
            for posted in evidence.statuses.values()
            for status in posted
            if status.author and belongs(status.context, patterns, genre=status.genre)
        }
        if self.authors or len(authors) < 2:
            return ()
        names = ", ".join(quoted(author) for author in sorted(authors)[:5])
        return (
            f"statuses of several authors count for {' and '.join(question.sources)} ({names}): set statusAuthors in "
            "the configuration to the one that Flux posts as",
        )

    def note(self, requirements: Requirements) -> str:
        """Return the sentence that names the sources whose health counts."""
        sources = list(dict.fromkeys(code_span(source) for group in requirements for source in group))
        if not sources:
            return ""
        verb = "are" if len(sources) > 1 else "is"
        return f"Its check `gitops-promotion status` passes when {' and '.join(sources)} {verb} healthy with this tag."

    def patterns(self, application: Application, source: str) -> tuple[str, ...]:
        """Return the patterns of an application's statuses in a source."""
        return fill(self.contexts[source], application, source)

    def counting(self, statuses: Statuses) -> Statuses:
        """Return the statuses of the trusted authors (`statusAuthors`, case ignored); all where none is named."""
        names = {author.casefold() for author in self.authors}
        if not names:
            return statuses
        return {sha: [s for s in posted if s.author.casefold() in names] for sha, posted in statuses.items()}

    def rules(self, application: Application, source: str) -> Rules:
        """Return which statuses count for an application in a source."""
        return Rules(
            patterns=self.patterns(application, source),
            required=self.required.get(source, ()),
            clusters=self.clusters.get(source),
        )

    def judge_source(self, question: Question, evidence: Evidence, source: str) -> Verdict:
        """Return whether the tag is healthy in one source."""
        return judge_source(
            application=question.application,
            tag_name=question.tag.name,
            source=source,
            deployment=evidence.deployments.get(source),
            statuses=self.counting(evidence.statuses),
            rules=self.rules(question.application, source),
            fail_fast=self.fail_fast,
            expired=evidence.expired,
            suspects=evidence.suspects.get(source, ()),
        )


def _with_unseen(question: Question, verdict: Verdict) -> Verdict:
    """Return a pass with the parts of the change that no gate has seen: the tag was green, but not together with them.

    For a promotion that merges by itself return a refusal, since nobody looks at it.
    """
    if verdict.decision != "pass":
        return verdict
    evidence = (
        f"{question.application} {question.tag.name} in {question.environment} is a manual change that no gate has "
        f"seen: {', '.join(question.unseen)}"
    )
    if question.unattended and question.sources:
        return _refusal("status gate", evidence, "delete the branch and run `gitops-promotion promote --all`")
    return replace(verdict, reasons=(Reason(gate="status gate", evidence=evidence, missing="check it by hand"),))


def unseen_digest(tag: Tag, deployments: Iterable[Deployment | None]) -> tuple[str, ...]:
    """Return the digest of a tag as a part that no gate has seen if no source had the tag with this digest, else ()."""
    is_seen = any(deployed.has_digest(tag) for deployed in deployments if deployed)
    return () if is_seen or not tag.digest else (f"the digest {tag.digest}",)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Finding:
    """What some statuses say about a tag: `failures` and `waits` are sentences.

    A healthy finding may have some too, about clusters that need not be healthy.
    """

    healthy: bool
    reports: tuple[StatusReport, ...] = ()
    failures: tuple[str, ...] = ()
    waits: tuple[str, ...] = ()


def judge_source(
    *,
    application: Application,
    tag_name: str,
    source: str,
    deployment: Deployment | None,
    statuses: Statuses,
    rules: Rules,
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
    findings = _findings(subject, source, deployment, statuses, rules)
    if all(finding.healthy for finding in findings):
        reports = [report for finding in findings for report in finding.reports]
        texts = [f"{subject} is healthy ({', '.join(map(str, reports))})"]
        texts += [text for finding in findings for text in (*finding.failures, *finding.waits)]
        newest = max((report.at for report in reports if report.at), default=None)
        return Verdict(decision="pass", reasons=_reasons(gate, texts), newest_evidence=newest)
    if not deployment.current:
        return _refusal(
            gate,
            f"{subject} is superseded: {source} has moved on before the tag was healthy there",
            f"`gitops-promotion promote --all` proposes the tag that {source} has now",
        )
    unhealthy = [finding for finding in findings if not finding.healthy]
    failures = [text for finding in unhealthy for text in finding.failures]
    waits = [text for finding in unhealthy for text in finding.waits]
    causes = [f"changed in {source} since it was last green: {', '.join(suspects)}"] if failures and suspects else []
    repair = (f"make {source} healthy, or give it another tag",)
    silence = (f"if nothing more comes from {source}: gitops-promotion doctor",)
    return Verdict(
        decision="refuse" if failures and (fail_fast or expired) else "wait",
        reasons=_reasons(gate, [*failures, *causes], repair) + _reasons(gate, waits, silence),
    )


def _reasons(gate: str, texts: Iterable[str], steps: tuple[str, ...] = ()) -> tuple[Reason, ...]:
    return tuple(Reason(gate=gate, evidence=text, steps=steps) for text in texts)


def _findings(
    subject: str, source: str, deployment: Deployment, statuses: Statuses, rules: Rules
) -> tuple[_Finding, ...]:
    shas = [point.sha for point in deployment.points[:HEALTH_CANDIDATES]]
    if not deployment.current:
        # Nobody reports on a tag that was replaced: a report that was pending then stays so, and is left out.
        statuses = {sha: [s for s in posted if state_of(s) != "pending"] for sha, posted in statuses.items()}
    reports = newest_reports(shas, statuses, rules.patterns)
    if rules.clusters:
        finding = _in_clusters(subject, reports, rules.clusters)
    else:
        finding = _as_before(subject, reports, expected_contexts(deployment, statuses, rules.patterns))
    if not reports and (rules.clusters or not finding.waits):
        patterns = " or ".join(rules.patterns)
        text = f"{subject} has no status yet: Flux has posted nothing matching {patterns} on {shas[-1][:7]} or later"
        finding = replace(finding, waits=(*finding.waits, text))
    return (finding, _required(subject, source, named_reports(shas, statuses, rules.required), rules.required))


def _as_before(subject: str, reports: Mapping[str, StatusReport], expected: set[str]) -> _Finding:
    """Return the finding of all reports; the `expected` contexts are those that reported on earlier commits."""
    ordered = tuple(report for _, report in sorted(reports.items()))
    absent = tuple(
        f"{subject} is waiting for {context}, which reported on earlier commits but not since this tag arrived"
        for context in sorted(expected - reports.keys())
    )
    return _Finding(
        healthy=bool(reports) and not absent and worst(ordered) == "success",
        reports=ordered,
        failures=_failed(subject, ordered),
        waits=(*_in_progress(subject, ordered), *absent),
    )


def _in_clusters(subject: str, reports: Mapping[str, StatusReport], clusters: Clusters) -> _Finding:
    """Return the finding of the configured clusters: `clusters.required` of them must be healthy; no others count."""
    names = [name.casefold() for name in clusters.names]
    of_cluster = {
        name: cluster_reports
        for name, cluster_reports in by_cluster(report for _, report in sorted(reports.items())).items()
        if name in names or not names
    }
    states = {name: worst(cluster_reports) for name, cluster_reports in of_cluster.items()}
    green = [name for name, state in states.items() if state == "success"]
    red = [name for name, state in states.items() if state == "failure"]
    absent = [name for name in names if name not in states] or ["another"] * (clusters.count - len(states))
    every = clusters.required == clusters.count
    healthy = len(green) >= clusters.required and not (every and len(green) < len(states))
    too_many_red = len(red) > (0 if every else max(clusters.count, len(states)) - clusters.required)
    of_others = tuple(
        report for name, cluster_reports in of_cluster.items() if name not in green for report in cluster_reports
    )
    failures = _failed(subject, of_others)
    waits = _in_progress(subject, of_others)
    if not healthy:
        required = "all" if every else str(clusters.required)
        text = f"{subject} is healthy in {len(green)} of {clusters.count} clusters, {required} must be"
        waits = (f"{text}; no report yet of {', '.join(absent)}" if absent else text, *waits)
    return _Finding(
        healthy=healthy,
        reports=tuple(report for name in green for report in of_cluster[name]),
        # Failures of some clusters do not refuse while enough of the others can still become healthy.
        failures=failures if too_many_red or healthy else (),
        waits=waits if too_many_red or healthy else (*waits, *failures),
    )


def _required(subject: str, source: str, reports: Mapping[str, StatusReport], names: Sequence[str]) -> _Finding:
    """Return the finding of the statuses that the source requires beside those of its clusters."""
    absent = tuple(
        f"{subject} is waiting for the status {name}, which requiredContexts of {source} demands"
        for name in names
        if name not in reports
    )
    present = tuple(reports.values())
    return _Finding(
        healthy=not absent and worst(present) == "success",
        reports=present,
        failures=_failed(subject, present),
        waits=(*_in_progress(subject, present), *absent),
    )


def _failed(subject: str, reports: Iterable[StatusReport]) -> tuple[str, ...]:
    return tuple(
        f"{subject} failed: {report} says {report.description or 'failure'!r}"
        for report in reports
        if report.state == "failure"
    )


def _in_progress(subject: str, reports: Iterable[StatusReport]) -> tuple[str, ...]:
    return tuple(
        f"{subject} is in progress: {report} {report.description}".rstrip()
        for report in reports
        if report.state == "pending"
    )


def _refusal(gate: str, evidence: str, missing: str) -> Verdict:
    return Verdict(
        decision="refuse", reasons=(Reason(gate=gate, evidence=evidence, missing=missing, steps=(missing,)),)
    )


def suspects(
    deployment: Deployment,
    statuses: Statuses,
    patterns: Sequence[str],
    changed_applications: Callable[[Commit], Iterable[Application]],
) -> list[str]:
    """Return every application whose tag changed in the environment since it was last green; none without a failure.

    The verdict is the group's: one status covers all its applications, so any of these may be the cause. The very
    first commit changed no tag: it has no tags before it.
    """
    reports = newest_reports((point.sha for point in deployment.points[:HEALTH_CANDIDATES]), statuses, patterns)
    failing = {context for context, report in reports.items() if report.state == "failure"}
    names: set[str] = set()
    for point in (*deployment.points, *deployment.before) if failing else ():
        green = {
            c for c, report in newest_reports([point.sha], statuses, patterns).items() if report.state == "success"
        }
        failing -= green
        if not failing:
            break
        if point.commit.parents:
            names |= set(map(str, changed_applications(point.commit)))
    return sorted(names)
