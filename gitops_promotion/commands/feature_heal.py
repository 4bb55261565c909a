"""Open features that no longer fit the default branch are built anew: two that were proposed at once edit one line."""

from collections.abc import Iterable

from gitops_promotion.commands.feature import feature
from gitops_promotion.commands.feature_delete import feature_delete
from gitops_promotion.core.commits import read_trailers
from gitops_promotion.core.forge import PullRequest
from gitops_promotion.core.model import Outcome
from gitops_promotion.errors import PromotionError, UsageError
from gitops_promotion.workflow.build import Finding
from gitops_promotion.workflow.deliver import failed, read_branch
from gitops_promotion.workflow.session import Session

_BRANCHES = "feature/"


def heal(session: Session, pulls: Iterable[PullRequest], find: Finding) -> list[Outcome]:
    """Return the outcome of each feature among these open pull requests that conflicts with, or lags behind, the tip.

    What is wanted is read from the branch's own commit; one that holds anything else is left alone.
    """
    features = [pull for pull in pulls if pull.head.startswith(_BRANCHES)]
    session.fetch_branches(pull.head for pull in features)
    outcomes: list[Outcome] = []
    for pull in features:
        sha = session.branch(pull.head)
        trailers = read_trailers(session.repository.message(sha)) if sha else {}
        group, _, app = trailers.get("Promotion", "").partition("/")
        name, tag = trailers.get("Feature", ""), trailers.get("Tag", "")
        try:
            if not _is_stuck(session, pull, group, app, name):
                continue
            if tag:
                outcomes += feature(session, group=group, app=app, tag=tag, name=name, find=find)
            else:
                outcomes += feature_delete(session, group=group, app=app, name=name, find=find)
        except PromotionError as error:
            outcomes.append(failed(error, group=group, app=app, environment=session.config.first.name))
    return outcomes


def _is_stuck(session: Session, pull: PullRequest, group: str, app: str, name: str) -> bool:
    try:
        if session.config.feature_branch(group, app, name) != pull.head:
            return False
    except UsageError:
        return False
    branch = read_branch(session, pull.head, group, app, name)
    if branch is None or branch.proposal.foreign or branch.proposal.rival or branch.base_sha == session.tip:
        return False
    return bool(session.repository.conflicts(session.tip, branch.sha)) or session.provider.head_state(pull).outdated
