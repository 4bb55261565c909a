"""The soak gate: a tag must have been healthy in its sources for some time (docs/windows-and-holds.md, Soak time).

The times are those of the statuses themselves. Only a failure starts the clock again.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from gitops_promotion.core.deployments import Deployment
from gitops_promotion.core.environments import Pipeline, Requirements
from gitops_promotion.core.gates import Common, Evidence, Gate, Need, Question, Reason, Verdict, mildest, strictest
from gitops_promotion.core.gates.health import Health, Rules
from gitops_promotion.core.gates.health import make as make_health
from gitops_promotion.core.status_commits import SOAK_CANDIDATES, commits_for_soak
from gitops_promotion.core.status_reports import Statuses, StatusReport, by_cluster, reports_by_context, worst
from gitops_promotion.errors import UsageError

if TYPE_CHECKING:
    from gitops_promotion.core.config.document import Document, Entry


def read(document: "Document", fields: Mapping[str, "Entry"], key_path: str) -> timedelta | None:
    """Return the soak time of one environment, None if it has none."""
    text = document.checked(fields.get("soak"), f"{key_path}.soak", _duration_problem, "")
    return timedelta(seconds=_seconds(text)) if text and not _duration_problem(text) and _seconds(text) else None


def _seconds(text: str) -> float:
    # Imported here: the configuration imports the gates.
    from gitops_promotion.core.config.values import duration

    return duration(text)


def _duration_problem(text: str) -> str:
    try:
        _seconds(text)
    except UsageError as error:
        return str(error)
    return ""


def make(
    environment: str, pipeline: Pipeline, settings: Mapping[str, timedelta | None], common: Common
) -> "Soak | None":
    """Return the soak gate of an environment, None without a soak time or without a source."""
    statuses: dict[str, Any] = {e.name: e.setting("health") for e in pipeline.environments}
    of_sources = make_health(environment, pipeline, statuses, common)
    time = settings.get(environment)
    return Soak(health=of_sources, time=time) if of_sources and time else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Soak(Gate):
    """The soak gate of one environment; `health` is the status gate of its sources."""

    health: Health
    time: timedelta
    needs: frozenset[Need] = frozenset({"deployments", "statuses"})
    judges_sources: bool = True

    def judge(self, question: Question, evidence: Evidence) -> Verdict:
        """Return whether the tag has been healthy for long enough in one source of each requirement.

        For a source that is not healthy it gives no reason: the status gate gives it.
        """
        verdicts = {source: self._judge_source(question, evidence, source) for source in question.sources}
        return strictest([mildest([verdicts[source] for source in group]) for group in question.requirements])

    def _judge_source(self, question: Question, evidence: Evidence, source: str) -> Verdict:
        deployment = evidence.deployments.get(source)
        if deployment is None or self.health.judge_source(question, evidence, source).decision != "pass":
            return Verdict(decision="wait")
        return judge_source(
            subject=f"{question.application} {question.tag.name}",
            source=source,
            deployment=deployment,
            statuses=self.health.counting(evidence.statuses),
            rules=self.health.rules(question.application, source),
            time=self.time,
            now=evidence.now,
        )

    def commits(self, deployment: Deployment, now: datetime) -> list[str]:
        """Return the commits that were made in the soak time, and older ones on which the tag may have become green."""
        return commits_for_soak(deployment, self.time, now)

    def note(self, requirements: Requirements) -> str:
        """Return the sentence that says how long it must be healthy."""
        return (
            f"It must have been healthy there for {duration_text(self.time)} without a failure." if requirements else ""
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Since:
    """Since when a context, or several together, are healthy: from the report `first` on, after the failure `failed`.

    `at` is None if no success came after the failure, or if the time of `first` is not known.
    """

    at: datetime | None
    first: StatusReport
    failed: StatusReport | None = None


def judge_source(
    *,
    subject: str,
    source: str,
    deployment: Deployment,
    statuses: Statuses,
    rules: Rules,
    time: timedelta,
    now: datetime,
) -> Verdict:
    """Return whether a tag that is healthy in a source has been so for `time`, at `now` or when it was replaced."""
    gate = f"soak time of {source}"
    since = healthy_since(deployment, statuses, rules)
    if since is None or since.at is None:
        return Verdict(decision="wait", reasons=(Reason(gate=gate, evidence=f"{subject} {_no_beginning(since)}"),))
    text = f"{subject} is healthy since {time_text(since.at)}"
    if since.failed is not None and since.failed.at is not None:
        text += f" ({since.failed.context} failed {time_text(since.failed.at)})"
    ready = since.at + time
    replaced_at = deployment.replaced_by.committed_at if deployment.replaced_by else None
    if ready <= (min(now, replaced_at) if replaced_at else now):
        reason = Reason(gate=gate, evidence=f"{text}, for {duration_text(time)}")
        return Verdict(decision="pass", reasons=(reason,), newest_evidence=ready)
    if not deployment.current:
        text = f"{text} and was replaced in {source} before {duration_text(time)} were over"
        missing = f"`gitops-promotion promote --all` proposes the tag that {source} has now"
        return Verdict(decision="refuse", reasons=(Reason(gate=gate, evidence=text, missing=missing),))
    missing = f"could pass at {time_text(ready, up=True)}"
    return Verdict(decision="wait", reasons=(Reason(gate=gate, evidence=text, missing=missing, earliest=ready),))


def _no_beginning(since: Since | None) -> str:
    if since is None:
        return "has no status to begin with"
    if since.failed is None:
        return f"cannot begin: {since.first} has no time"
    failed = f"{since.failed.context} failed {time_text(since.failed.at)}" if since.failed.at else "it failed"
    return f"cannot begin: {failed}, and no success came after that"


def healthy_since(deployment: Deployment, statuses: Statuses, rules: Rules) -> Since | None:
    """Return since when all statuses together say that a tag is healthy, None without a status.

    The latest of their times counts. If some clusters suffice, it is the time at which enough of them were healthy.
    """
    shas = [point.sha for point in deployment.points[:SOAK_CANDIDATES]]
    reports = reports_by_context(shas, statuses, rules.patterns, rules.required)
    required = {name.casefold() for name in rules.required}
    since = {key: _of_context(posted) for key, posted in reports.items()}
    of_required = [since[key] for key in reports if key in required]
    of_source = {key: value for key, value in since.items() if key not in required}
    if rules.clusters and rules.clusters.required < rules.clusters.count:
        starts = _of_clusters(of_source, reports, rules)[: rules.clusters.required]
        return _latest([*starts, *of_required])
    names = [name.casefold() for name in rules.clusters.names] if rules.clusters else []
    counting = [value for key, value in of_source.items() if not names or reports[key][0].cluster.casefold() in names]
    return _latest([*counting, *of_required])


def _of_clusters(
    since: Mapping[str, Since], reports: Mapping[str, Sequence[StatusReport]], rules: Rules
) -> list[Since]:
    """Return since when each healthy cluster is healthy, the earliest first."""
    names = {name.casefold() for name in rules.clusters.names} if rules.clusters else set()
    newest = by_cluster(reports[key][0] for key in since)
    starts: list[tuple[datetime, Since]] = []
    for name, of_cluster in newest.items():
        keys = [key for key in since if reports[key][0].cluster.casefold() == name]
        latest = _latest([since[key] for key in keys])
        if (not names or name in names) and worst(of_cluster) == "success" and latest and latest.at:
            starts.append((latest.at, latest))
    return [latest for _, latest in sorted(starts, key=lambda pair: pair[0])]


def _latest(beginnings: Iterable[Since]) -> Since | None:
    """Return the latest of several times; one that is not known counts as later than all others."""
    future = datetime.max.replace(tzinfo=UTC)
    return max(beginnings, key=lambda since: since.at or future, default=None)


def _of_context(reports: Sequence[StatusReport]) -> Since:
    """Return when one context became healthy, from its reports, newest commit first.

    Reports count in the order of their times; of two with the same time the older commit's comes first.
    """
    finished = [report for report in reversed(reports) if report.state != "pending"]
    untimed = next((report for report in finished if report.at is None), None)
    if untimed is not None or not finished:
        return Since(at=None, first=untimed or reports[0])
    ordered = sorted(finished, key=lambda report: report.at or datetime.min.replace(tzinfo=UTC))
    failures = [number for number, report in enumerate(ordered) if report.state == "failure"]
    failed = ordered[failures[-1]] if failures else None
    successes = ordered[failures[-1] + 1 :] if failures else ordered
    return Since(
        at=successes[0].at if successes else None, first=successes[0] if successes else ordered[-1], failed=failed
    )


def time_text(instant: datetime, *, up: bool = False) -> str:
    """Return an instant as `2026-11-30 10:02 UTC`, cut to the minute, or with `up` rounded up to the next minute."""
    universal = instant.astimezone(UTC)
    minute = universal.replace(second=0, microsecond=0)
    return f"{minute + timedelta(minutes=1) if up and minute < universal else minute:%Y-%m-%d %H:%M} UTC"


def duration_text(time: timedelta) -> str:
    """Return a duration as the configuration accepts it, such as `1d12h`, `2h` or `1m30s`."""
    remaining = int(time.total_seconds() * 1000)
    text = ""
    for unit, milliseconds in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)):
        count, remaining = divmod(remaining, milliseconds)
        text += f"{count}{unit}" if count else ""
    return text
