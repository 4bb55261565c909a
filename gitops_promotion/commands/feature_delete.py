"""`feature-delete`: remove one feature's copy from the first environment."""

from gitops_promotion.core.feature.names import clean
from gitops_promotion.core.model import Outcome
from gitops_promotion.workflow.build import KustomizeFinder
from gitops_promotion.workflow.features import propose_removal
from gitops_promotion.workflow.session import Session


def feature_delete(
    session: Session, *, group: str, app: str, name: str, find_kustomize: KustomizeFinder
) -> list[Outcome]:
    """Return the outcome of proposing to remove a feature's copy, or of closing its pull request.

    Raises UsageError, ConfigError, ManifestError, KustomizeError, ForeignCommitsError, GitError, ProviderError.
    """
    return [
        propose_removal(session, group=group, app=app, feature=clean(name), find_kustomize=find_kustomize),
    ]
