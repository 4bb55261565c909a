"""`feature`: show an unmerged change in the first environment, next to the released version."""

from gitops_promotion.core.feature.names import clean
from gitops_promotion.core.model import Outcome
from gitops_promotion.core.tags import Tag
from gitops_promotion.workflow.build import KustomizeFinder
from gitops_promotion.workflow.features import propose_feature
from gitops_promotion.workflow.session import Session


def feature(
    session: Session, *, group: str, app: str, tag: str, name: str, find_kustomize: KustomizeFinder
) -> list[Outcome]:
    """Return the outcome of proposing a feature of an application, at a tag, for the first environment.

    Raises UsageError, ConfigError, ManifestError, KustomizeError, ForeignCommitsError, GitError, ProviderError.
    """
    parsed_tag, cleaned_name = Tag.parse(tag), clean(name)
    return [
        propose_feature(
            session, group=group, app=app, tag=parsed_tag, feature=cleaned_name, find_kustomize=find_kustomize
        )
    ]
