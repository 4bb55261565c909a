"""Rebuilds open features that no longer fit the default branch: two features of one environment edit the same line."""

from collections.abc import Iterable

from gitops_promotion.core.commits import read_trailers
from gitops_promotion.core.feature.names import clean
from gitops_promotion.core.forge import PullRequest
from gitops_promotion.core.model import Outcome
from gitops_promotion.core.tags import Tag
from gitops_promotion.errors import PromotionError, UsageError
from gitops_promotion.workflow.build import KustomizeFinder, feature_environment
from gitops_promotion.workflow.deliver import failed, read_branch
from gitops_promotion.workflow.features import propose_feature, propose_removal
from gitops_promotion.workflow.session import Session

_BRANCH_PREFIX = "feature/"


def heal(session: Session, pulls: Iterable[PullRequest], find_kustomize: KustomizeFinder) -> list[Outcome]:
    """Return the outcomes of rebuilding the features among these pull requests that conflict or lag behind.

    The trailers of a branch's newest commit say which feature it proposes. A branch with other commits is left
    untouched. An error of one feature is its failed outcome.
    """
    features = [pull for pull in pulls if pull.head.startswith(_BRANCH_PREFIX)]
    session.fetch_branches(pull.head for pull in features)
    outcomes: list[Outcome] = []
    for pull in features:
        sha = session.branch(pull.head)
        trailers = read_trailers(session.repository.message(sha)) if sha else {}
        group, _, app = trailers.get("Promotion", "").partition("/")
        feature = trailers.get("Feature", "")
        try:
            if _needs_rebuild(session, pull, group, app, feature):
                tag = trailers.get("Tag", "")
                outcomes.append(_rebuild(session, group, app, feature, tag, find_kustomize))
        except PromotionError as error:
            outcomes.append(failed(error, group=group, app=app, environment=feature_environment(session.config)))
    return outcomes


def _rebuild(
    session: Session, group: str, app: str, feature: str, tag: str, find_kustomize: KustomizeFinder
) -> Outcome:
    """Propose the feature again; its removal, if the branch proposes no tag."""
    name = clean(feature)
    if not tag:
        return propose_removal(session, group=group, app=app, feature=name, find_kustomize=find_kustomize)
    parsed_tag = Tag.parse(tag)
    return propose_feature(session, group=group, app=app, tag=parsed_tag, feature=name, find_kustomize=find_kustomize)


def _needs_rebuild(session: Session, pull: PullRequest, group: str, app: str, feature: str) -> bool:
    """Return True if the branch is ours alone, proposes this feature, and conflicts with or lags behind the tip."""
    try:
        if session.config.feature_branch(group, app, feature) != pull.head:
            return False
    except UsageError:
        return False
    branch = read_branch(session, pull.head, group, app, feature)
    if branch is None or branch.proposal.foreign or branch.proposal.rival or branch.base_sha == session.tip:
        return False
    return bool(session.repository.conflicts(session.tip, branch.sha)) or session.provider.head_state(pull).outdated
