"""Says in the pull request of a promotion how its tag came there and what changed, where the configuration asks."""

from collections.abc import Callable
from dataclasses import replace

from gitops_promotion.core import changes, deployments
from gitops_promotion.core.changes import Labels, Pair, Stop
from gitops_promotion.core.images import marked_images
from gitops_promotion.core.model import Plan
from gitops_promotion.core.names import Site
from gitops_promotion.core.plan import has_changes
from gitops_promotion.core.provenance import read_provenance
from gitops_promotion.core.pull_request_text import CHANGES_LIMIT, with_changes
from gitops_promotion.core.tags import NO_TAG, Tag
from gitops_promotion.errors import (
    ManifestError,
    NoImageError,
    ProviderError,
    RegistryError,
    UsageError,
)
from gitops_promotion.workflow.run import Run

SECONDS = 5.0
"""Seconds for all requests about the changes of one promotion."""


def describe(run: Run, plan: Plan) -> Plan:
    """Return the plan, whose body also says what changes where the configuration asks for that.

    It asks registries only with `changelog`, and no failure of theirs stops a promotion. Raises GitError.
    """
    request, config = plan.request, run.tip.config
    if not has_changes(request, config):
        return plan
    is_rollback = request.kind.goes_back
    previous = _parsed(plan.previous_tag)
    deadline = run.clock.monotonic() + SECONDS
    lines: list[str] = []
    labels = None
    if config.pull_requests.changelog:
        lines += [] if is_rollback else changes.way(_stops(run, plan))
        labels = _labels(run, plan, previous)
        if labels is None:
            lines += ["Changelog unavailable: the registry gave no answer.", ""]
    repository = config.source_repository(request.application)
    older, newer = (request.tag, previous) if is_rollback else (previous, request.tag)
    if labels and is_rollback:
        labels = Labels(old=labels.new, new=labels.old)
    if pair := changes.pair(repository, older, newer, labels):
        lines += changes.link(pair, removes=is_rollback)
        # An image may name any repository, so no forge is asked for a repository that only an image names.
        if config.pull_requests.changelog and repository:
            lines += _commits(run, pair, lambda: max(0.1, deadline - run.clock.monotonic()))
    if config.pull_requests.rendered_diff:
        # What builds an environment takes long to import, and most repositories do not ask for it.
        from gitops_promotion.workflow.rendering import rendered

        space = CHANGES_LIMIT - sum(len(line) + 1 for line in lines) - 50
        lines += rendered(run, plan, space)
    return replace(plan, body=with_changes(plan.body, lines))


def _commits(run: Run, pair: Pair, seconds_left: Callable[[], float]) -> list[str]:
    try:
        difference = run.sources.difference(
            pair.repository, pair.old.name, pair.new.name, limit=changes.MAX_COMMITS, left=seconds_left
        )
    except (ProviderError, UsageError) as error:
        run.note(f"changelog unavailable: {error}")
        return ["Changelog unavailable: the commits could not be read.", ""]
    return changes.commits(difference) if difference else []


def _stops(run: Run, plan: Plan) -> list[Stop]:
    """Return the environments before this one that have the tag now, in the order of the pipeline."""
    tip, application, tag = run.tip, plan.request.application, plan.request.tag
    way = tip.config.way(application)
    before = set(way.before(plan.request.environment))
    sites = [Site(application, name) for name in way.names if name in before]
    present = {site: tag for site in sites if deployments.same_tag(tip.tag(site), tag)}
    timelines = tip.timelines(present, [], sites) if present else {}
    deployed = {site: deployments.deployment(timelines[site], tag) for site in present}
    arrivals = {site: deployment.arrival for site, deployment in deployed.items() if deployment and deployment.arrival}
    heads = tip.heads(arrivals.values())
    stops = []
    for site in present:
        commit = arrivals.get(site)
        number = read_provenance(commit, heads.get(commit.sha)).number if commit else None
        since = commit.committed_at if commit else None
        stops.append(Stop(environment=site.environment, since=since, pull_request=number))
    return stops


def _labels(run: Run, plan: Plan, previous: Tag) -> Labels | None:
    """Return the labels of the old and the new image of the first marker; None if the registry gives no answer."""
    request, tip = plan.request, run.tip
    marker = tip.config.layout.marker_name(request.application, request.environment)
    files = {path: content for path, content in plan.edits.items() if content is not None}
    try:
        image = next(iter(marked_images(files, marker.group, marker.app).images))
        registries = run.registries(SECONDS)
        new = registries.labels(image, request.tag.digest or request.tag.name)
        old = registries.labels(image, previous.digest or previous.name) if previous.name else {}
    except ManifestError:
        return Labels(old={}, new={})
    except (NoImageError, RegistryError) as error:
        run.note(f"changelog unavailable: {error}")
        return None
    return Labels(old=old, new=new)


def _parsed(text: str) -> Tag:
    name, _, digest = text.partition("@")
    return Tag(name, digest) if name else NO_TAG
