"""What people have stopped: the holds and the declines of many applications at once, to show them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from gitops_promotion.core.deployments import same_tag
from gitops_promotion.core.forge import PullRequest
from gitops_promotion.core.holds import Hold
from gitops_promotion.core.kinds import PROMOTION
from gitops_promotion.core.model import Request
from gitops_promotion.core.names import Site
from gitops_promotion.core.tags import NO_TAG, Tag
from gitops_promotion.providers import Playable, Provider
from gitops_promotion.workflow.lookups import Lookups
from gitops_promotion.workflow.past import answer
from gitops_promotion.workflow.rejections import find_decline
from gitops_promotion.workflow.run import Run
from gitops_promotion.workflow.tip import Tip

BRANCHES = 10
"""The most promotion branches that are asked for declines, since each is a request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Next:
    """A tag that would come next into an environment of an application, since a source has it."""

    site: Site
    tag: Tag


def next_tags(tip: Tip, tags: Mapping[Site, Tag | None]) -> Iterator[Next]:
    """Yield the tags of sources that their targets do not have."""
    for site, tag in tags.items():
        way = tip.config.way(site.application)
        source_tags = (tags.get(Site(site.application, source)) for source in way.sources(site.environment))
        yield from (Next(site=site, tag=t) for t in dict.fromkeys(source_tags) if t and not same_tag(t, tag))


def read_holds(
    holds: Sequence[Hold], tags: Mapping[Site, Tag | None], following: Sequence[Next], now: datetime
) -> dict[Site, list[str]]:
    """Return the holds on whole environments, and on the tags that come next, by application and environment."""
    texts_by_site: dict[Site, list[str]] = {}
    upcoming = [*following, *(Next(site=site, tag=NO_TAG) for site in tags)]
    for step in upcoming:
        for hold in holds:
            if hold.covers(step.site.application, step.site.environment, step.tag, now):
                texts = texts_by_site.setdefault(step.site, [])
                texts += [str(hold)] if str(hold) not in texts else []
    return texts_by_site


def read_declines(run: Run, lookups: Lookups, following: Sequence[Next], left_out: list[str]) -> dict[Site, list[str]]:
    """Return the declines of tags that would come next, as far as the forge can be asked for them."""
    config = run.tip.config
    topic = "which promotions were declined"
    branches = dict.fromkeys(config.branch(n.site.application, n.site.environment) for n in following)
    if len(branches) > BRANCHES and not isinstance(run.forge, Playable):
        left_out.append(f"{topic}: {len(branches)} branches would have to be asked for; narrow it with --app or --env")
        return {}
    pulls = answer(run, left_out, topic, lambda forge: _pulls(forge, list(branches))) if branches else {}
    declined: dict[Site, list[str]] = {}
    for step in following:
        request = Request(
            kind=PROMOTION, application=step.site.application, environment=step.site.environment, tag=step.tag
        )
        branch = config.branch(step.site.application, step.site.environment)
        if decline := find_decline(run, lookups, request, (pulls or {}).get(branch, ())):
            declined.setdefault(step.site, []).append(str(decline))
    return declined


def _pulls(forge: Provider, branches: Sequence[str]) -> dict[str, list[PullRequest]]:
    """Return the pull requests of these branches, newest first."""
    if isinstance(forge, Playable):
        pulls = forge.every_pull_request()
        return {branch: [pull for pull in pulls if pull.head == branch] for branch in branches}
    return {branch: forge.pull_requests(head=branch) for branch in branches}
