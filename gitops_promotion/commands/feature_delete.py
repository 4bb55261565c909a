"""`feature-delete`: remove one feature's copy from the first environment."""

from gitops_promotion.core.feature.names import clean
from gitops_promotion.core.model import Outcome
from gitops_promotion.core.names import check_application
from gitops_promotion.workflow.build import KustomizeFinder
from gitops_promotion.workflow.features import propose_removal
from gitops_promotion.workflow.run import Run


def feature_delete(run: Run, *, group: str, app: str, name: str, find_kustomize: KustomizeFinder) -> list[Outcome]:
    """Return the outcome of proposing to remove a feature's copy, or of closing its pull request.

    Raises UsageError, ConfigError, ManifestError, KustomizeError, ForeignCommitsError, GitError, ProviderError.
    """
    feature_name = clean(name)
    application = check_application(group, app)
    return [propose_removal(run, application, feature=feature_name, find_kustomize=find_kustomize)]
