"""`feature`: show an unmerged change in the first environment, next to the released version."""

from gitops_promotion.core.feature.names import clean
from gitops_promotion.core.model import Outcome
from gitops_promotion.core.names import check_application
from gitops_promotion.core.tags import Tag
from gitops_promotion.workflow.build import KustomizeFinder
from gitops_promotion.workflow.features import propose_feature
from gitops_promotion.workflow.run import Run


def feature(run: Run, *, group: str, app: str, tag: str, name: str, find_kustomize: KustomizeFinder) -> list[Outcome]:
    """Return the outcome of proposing a feature of an application, at a tag, for the first environment.

    Raises UsageError, ConfigError, ManifestError, KustomizeError, ForeignCommitsError, GitError, ProviderError.
    """
    parsed_tag, feature_name = Tag.parse(tag), clean(name)
    application = check_application(group, app)
    return [propose_feature(run, application, tag=parsed_tag, feature=feature_name, find_kustomize=find_kustomize)]
