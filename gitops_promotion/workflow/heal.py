"""Rebuilds open features that no longer fit the default branch: two features of one environment edit the same line."""

from collections.abc import Iterable

from gitops_promotion.core import branch_names
from gitops_promotion.core.commits import read_trailers
from gitops_promotion.core.feature.names import clean
from gitops_promotion.core.forge import PullRequest
from gitops_promotion.core.model import Outcome
from gitops_promotion.core.names import Application
from gitops_promotion.core.tags import Tag
from gitops_promotion.errors import PromotionError, UsageError
from gitops_promotion.workflow.branch import read_branch
from gitops_promotion.workflow.build import KustomizeFinder, feature_environment
from gitops_promotion.workflow.features import propose_feature, propose_removal
from gitops_promotion.workflow.run import Run


def heal(run: Run, pulls: Iterable[PullRequest], find_kustomize: KustomizeFinder) -> list[Outcome]:
    """Return the outcomes of rebuilding the features among these pull requests that conflict or lag behind.

    The trailers of a branch's newest commit say which feature it proposes. A branch with other commits is left
    untouched. An error of one feature is its failed outcome.
    """
    features = [pull for pull in pulls if pull.head.startswith(branch_names.FEATURES)]
    run.tip.fetch_branches(pull.head for pull in features)
    outcomes: list[Outcome] = []
    for pull in features:
        sha = run.tip.branch(pull.head)
        trailers = read_trailers(run.tip.repository.message(sha)) if sha else {}
        group, _, name = trailers.get("Promotion", "").partition("/")
        application = Application(group, name)
        feature = trailers.get("Feature", "")
        try:
            if _needs_rebuild(run, pull, application, feature):
                tag = trailers.get("Tag", "")
                outcomes.append(_rebuild(run, application, feature, tag, find_kustomize))
        except PromotionError as error:
            outcomes.append(
                Outcome.failed(
                    error,
                    group=application.group,
                    app=application.name,
                    environment=feature_environment(run.tip.config),
                )
            )
    return outcomes


def _rebuild(run: Run, application: Application, feature: str, tag: str, find_kustomize: KustomizeFinder) -> Outcome:
    """Propose the feature again; its removal, if the branch proposes no tag."""
    name = clean(feature)
    if not tag:
        return propose_removal(run, application, feature=name, find_kustomize=find_kustomize)
    parsed_tag = Tag.parse(tag)
    return propose_feature(run, application, tag=parsed_tag, feature=name, find_kustomize=find_kustomize)


def _needs_rebuild(run: Run, pull: PullRequest, application: Application, feature: str) -> bool:
    """Return True if the branch is ours alone, proposes this feature, and conflicts with or lags behind the tip."""
    try:
        if run.tip.config.feature_branch(application, feature) != pull.head:
            return False
    except UsageError:
        return False
    branch = read_branch(run, pull.head, application, feature)
    if branch is None or branch.proposal.foreign or branch.proposal.other_owner or branch.base_sha == run.tip.sha:
        return False
    return bool(run.tip.repository.conflicts(run.tip.sha, branch.sha)) or run.forge.head_state(pull).outdated
