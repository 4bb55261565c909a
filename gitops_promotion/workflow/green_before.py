"""Tags that go back to where they were: whether one was green in an environment before."""

from gitops_promotion.core import deployments, status_commits
from gitops_promotion.core.branch_names import ROLLBACKS
from gitops_promotion.core.deployments import Deployment, same_tag
from gitops_promotion.core.gates import Evidence, Question, health
from gitops_promotion.core.names import Site
from gitops_promotion.core.tags import Tag
from gitops_promotion.errors import ManifestError
from gitops_promotion.workflow.lookups import Lookups
from gitops_promotion.workflow.tip import Tip


def is_return(tip: Tip, lookups: Lookups, question: Question) -> bool:
    """Return True if the tag, with its digest, was in its environment before and was green there.

    Its sources need not be healthy then. The whole history is read, except for a tag that is on its usual way from its
    sources. Raises GitError, ProviderError.
    """
    site = Site(question.application, question.environment)
    is_hinted = question.pull_request is not None and question.pull_request.head.startswith(ROLLBACKS)
    if not is_hinted and _is_on_its_way(tip, question):
        return False
    deployed = deployments.deployment(tip.whole_timeline(site), question.tag)
    return (
        deployed is not None
        and not deployed.current
        and deployed.has_digest(question.tag)
        and was_green(tip, lookups, site, question.tag, deployed)
    )


def was_green(tip: Tip, lookups: Lookups, site: Site, tag: Tag, deployed: Deployment) -> bool:
    """Return True if a tag was healthy in an environment while it was there. Raises ProviderError."""
    environment = site.environment
    gate = health.of_environment(environment, tip.config.pipeline, tip.config.common)
    statuses = lookups.statuses(status_commits.commits_for_health(deployed))
    evidence = Evidence(now=lookups.now, deployments={environment: deployed}, statuses=statuses)
    question = Question(application=site.application, tag=tag, environment=environment, requirements=((environment,),))
    return gate.judge(question, evidence).decision == "pass"


def _is_on_its_way(tip: Tip, question: Question) -> bool:
    """Return True if all sources have the tag now."""
    try:
        return all(same_tag(tip.tag(Site(question.application, name)), question.tag) for name in question.sources)
    except ManifestError:
        return False
