"""Finds the tags that were never healthy where they are, for `autoRollback`."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from gitops_promotion.core import auto_rollback, deployments, status_commits
from gitops_promotion.core.auto_rollback import Decision
from gitops_promotion.core.deployments import Deployment
from gitops_promotion.core.gates import health
from gitops_promotion.core.kinds import rollback_branch
from gitops_promotion.core.names import Site
from gitops_promotion.core.rollback import earlier_tags
from gitops_promotion.core.status_reports import reports_by_context
from gitops_promotion.core.tags import NO_TAG, Tag
from gitops_promotion.errors import ManifestError
from gitops_promotion.workflow.green_before import was_green
from gitops_promotion.workflow.lookups import Lookups
from gitops_promotion.workflow.run import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Late:
    """A tag that was never healthy where it is, and what to do about it."""

    site: Site
    tag: Tag
    decision: Decision


def find_late(run: Run) -> Iterator[Late]:
    """Yield the tags that have failed for the time of `autoRollback` of their environment and were never healthy.

    Nothing is asked where no environment has the key; else the statuses of all commits in question are one request.
    Raises GitError, ProviderError, ConfigError.
    """
    tip = run.tip
    limits = {e.name: timedelta(seconds=e.auto_rollback) for e in tip.config.pipeline.environments if e.auto_rollback}
    sites = [site for site in tip.marked.sites() if site.environment in limits]
    present = {site: deployed for site in sites if (deployed := _present_deployment(run, site, sites))}
    shas = [sha for deployed in present.values() for sha in status_commits.commits_for_health(deployed)]
    lookups = run.lookups(heads=tuple(dict.fromkeys(shas)))
    for site, deployed in present.items():
        tag = deployed.points[0].tag or NO_TAG
        gate = health.of_environment(site.environment, tip.config.pipeline, tip.config.common)
        statuses = gate.counting(lookups.statuses(status_commits.commits_for_health(deployed)))
        patterns = gate.patterns(site.application, site.environment)
        reports = reports_by_context((point.sha for point in deployed.points), statuses, patterns)
        if not auto_rollback.is_late(reports, limits[site.environment], lookups.now):
            continue
        if _was_tried(run, site, tag) or _was_green_earlier(run, lookups, site, deployed, tag):
            continue
        suspects = health.suspects(
            deployed, statuses, patterns, partial(tip.changed_applications, environment=site.environment)
        )
        decision = auto_rollback.decide(
            site.application, site.environment, tag.name, suspects, has_green=_has_green(run, lookups, site)
        )
        yield Late(site=site, tag=tag, decision=decision)


def _present_deployment(run: Run, site: Site, scope: list[Site]) -> Deployment | None:
    """Return the deployment of the tag that a site has now, None without one whose arrival is known."""
    try:
        tag = run.tip.tag(site)
    except ManifestError:
        # Other verbs report this error.
        return None
    if tag is None:
        return None
    timelines = run.tip.timelines({site: tag}, [], scope, before=status_commits.HEALTH_CANDIDATES)
    deployed = deployments.deployment(timelines[site], tag)
    return deployed if deployed and deployed.current and deployed.arrival else None


def _has_green(run: Run, lookups: Lookups, site: Site) -> bool:
    return any(
        was_green(run.tip, lookups, site, earlier.tag, earlier.deployment)
        for earlier in earlier_tags(run.tip.whole_timeline(site))
    )


def _was_green_earlier(run: Run, lookups: Lookups, site: Site, present: Deployment, tag: Tag) -> bool:
    """Return True if the tag was healthy here at an earlier time, before it went away and came back."""
    shas = {point.sha for point in present.points}
    points = [point for point in run.tip.whole_timeline(site) if point.sha not in shas]
    while earlier := deployments.deployment(points, tag):
        if was_green(run.tip, lookups, site, tag, earlier):
            return True
        points = list(earlier.before)
    return False


def _was_tried(run: Run, site: Site, tag: Tag) -> bool:
    """Return True if a rollback from this tag was proposed before, whatever became of it."""
    repository = run.tip.repository
    for pull in run.forge.pull_requests(head=rollback_branch(site.application, site.environment, run.tip.config)):
        if not repository.fetch_commit(pull.head_sha):
            continue
        header = repository.headers([pull.head_sha]).get(pull.head_sha)
        if header and header.trailers.get("Previous-Tag", "").partition("@")[0] == tag.name:
            return True
    return False
