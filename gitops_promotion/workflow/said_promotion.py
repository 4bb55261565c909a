"""What the body of an open pull request says that it promotes, and whether its branch proposes that.

A run that is killed after its push and before it edits the pull request leaves the two different.
"""

from contextlib import suppress
from dataclasses import dataclass

from gitops_promotion.core.config import Config
from gitops_promotion.core.deployments import same_tag
from gitops_promotion.core.forge import PullRequest
from gitops_promotion.core.names import Site
from gitops_promotion.core.pull_request_text import read_metadata
from gitops_promotion.core.tags import Tag
from gitops_promotion.errors import UsageError
from gitops_promotion.workflow.branch import Branch


@dataclass(frozen=True, slots=True, kw_only=True)
class SaidPromotion:
    """The promotion that a body speaks of: a hint only, since anybody may edit a description."""

    site: Site
    tag: Tag

    def is_of(self, branch: Branch) -> bool:
        """Return True if a branch proposes this tag for this environment."""
        return self.site.environment in branch.proposal.environments and same_tag(branch.proposal.tag, self.tag)


def said_promotion(config: Config, pull: PullRequest) -> SaidPromotion | None:
    """Return what a pull request says that it promotes; None if it says nothing, or has the branch of another."""
    hint = read_metadata(pull.body)
    if hint is None or (application := hint.application) is None or hint.type != "promote":
        return None
    with suppress(UsageError):
        if config.branch(application, hint.env) == pull.head:
            return SaidPromotion(site=Site(application, hint.env), tag=Tag.parse(hint.tag))
    return None
