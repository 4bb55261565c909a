"""Rebuilds open promotions into the first environment, and features, that no longer fit the default branch.

Where the body of such a promotion speaks of something else than its branch proposes, it gets the texts of the branch.
`promote` proposes promotions into later environments again, but nothing else rebuilds these. Two features of one
environment edit the same line.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from gitops_promotion.core import branch_names
from gitops_promotion.core.commits import read_trailers
from gitops_promotion.core.feature.names import clean
from gitops_promotion.core.forge import PullRequest
from gitops_promotion.core.kinds import PROMOTION
from gitops_promotion.core.model import Outcome, Request
from gitops_promotion.core.names import Application, Site
from gitops_promotion.core.pull_request_text import read_metadata
from gitops_promotion.core.tags import Tag
from gitops_promotion.errors import PromotionError, UsageError
from gitops_promotion.workflow.branch import Branch, has_another_tag, read_branch
from gitops_promotion.workflow.build import KustomizeFinder, feature_environment
from gitops_promotion.workflow.deliver import deliver
from gitops_promotion.workflow.features import propose_feature, propose_removal
from gitops_promotion.workflow.intent import promotion_again, proposed_promotion
from gitops_promotion.workflow.races import repeat_after_races
from gitops_promotion.workflow.run import Run
from gitops_promotion.workflow.said_promotion import said_promotion
from gitops_promotion.workflow.tip import Tip


def heal(run: Run, pulls: Sequence[PullRequest], find_kustomize: KustomizeFinder) -> list[Outcome]:
    """Rebuild each of these pull requests that conflicts with or lags behind the tip, and return the outcomes.

    A branch with commits of people is left untouched. An error of one of them is its failed outcome.
    """
    return [*_heal_promotions(run, pulls), *_heal_features(run, pulls, find_kustomize)]


def _heal_promotions(run: Run, pulls: Iterable[PullRequest]) -> Iterator[Outcome]:
    """Yield the outcomes of the promotions into the first environment.

    The body only hints at which to look at; what is rebuilt is what the branch's tree proposes.
    """
    promotions = list(_entry_promotions(run.tip, pulls))
    run.tip.fetch_branches(pull.head for pull, _ in promotions)
    for pull, request in promotions:
        try:
            rebuilt = repeat_after_races(run, partial(_promotion_to_deliver, run, pull, request))
            if rebuilt is not None:
                yield deliver(run, partial(promotion_again, run, rebuilt))
        except PromotionError as error:
            yield Outcome.failed_for(request.application, request.environment, error)


def _entry_promotions(tip: Tip, pulls: Iterable[PullRequest]) -> Iterator[tuple[PullRequest, Request]]:
    """Yield the pull requests that may be promotions into the first environment, whatever their bodies say."""
    for pull in pulls:
        hint = read_metadata(pull.body)
        if hint is None or (application := hint.application) is None:
            continue
        entry = tip.config.way(application).entry.name
        if hint.env == entry or _has_branch_of(tip, pull, application, entry):
            yield pull, Request(kind=PROMOTION, application=application, environment=entry)


def _has_branch_of(tip: Tip, pull: PullRequest, application: Application, environment: str) -> bool:
    """Return True if a pull request speaks of a promotion of an application, on its branch into an environment."""
    with suppress(UsageError):
        return said_promotion(tip.config, pull) is not None and tip.config.branch(application, environment) == pull.head
    return False


def _promotion_to_deliver(run: Run, pull: PullRequest, request: Request, _attempt: int) -> Request | None:
    """Return the request to propose again, with the branch's tag; None if the pull request is as it should be."""
    said = said_promotion(run.tip.config, pull)
    is_said_elsewhere = said is not None and said.site.environment != request.environment
    if is_said_elsewhere and _newest_environment(run.tip, pull) not in ("", request.environment):
        return None
    branch = read_branch(run, pull.head, request.application)
    # A feature's branch has another owner, whatever its body says: its tag is for no promotion.
    proposed = proposed_promotion(request.application, branch) if branch else None
    if branch is None or proposed is None or proposed.environment != request.environment:
        return None
    is_due = said is not None and not said.is_of(branch) and _may_get_texts(run, request, branch)
    return proposed if is_due or (not is_said_elsewhere and _is_outdated(run, pull, branch)) else None


def _newest_environment(tip: Tip, pull: PullRequest) -> str:
    """Return the environment in the trailers of a branch's newest commit, "" without one; this costs no process."""
    sha = tip.branch(pull.head)
    return read_trailers(tip.repository.message(sha)).get("Environment", "") if sha else ""


def _may_get_texts(run: Run, request: Request, branch: Branch) -> bool:
    """Return True if the pull request of a branch may say and do what the branch proposes.

    A later tag in the environment has disarmed it: that stays so. An override is for one head.
    """
    if branch.proposal.foreign or branch.proposal.origin.override:
        return False
    return not has_another_tag(run.tip, Site(request.application, request.environment), branch)


@dataclass(frozen=True, slots=True, kw_only=True)
class _ProposedFeature:
    """The feature that a branch proposes by the trailers of its newest commit; without a tag it is a removal."""

    application: Application
    feature: str = ""
    tag: str = ""


def _heal_features(run: Run, pulls: Iterable[PullRequest], find_kustomize: KustomizeFinder) -> Iterator[Outcome]:
    """Yield the outcomes of the features."""
    features = [pull for pull in pulls if pull.head.startswith(branch_names.FEATURES)]
    run.tip.fetch_branches(pull.head for pull in features)
    for pull in features:
        proposed = _ProposedFeature(application=Application("", ""))
        try:
            proposed = repeat_after_races(run, partial(_proposed_feature, run, pull))
            if repeat_after_races(run, partial(_is_outdated_feature, run, pull, proposed)):
                yield _feature_again(run, pull, proposed, find_kustomize)
        except PromotionError as error:
            application = proposed.application
            environment = feature_environment(run.tip.config, application)
            yield Outcome.failed_for(application, environment, error)


def _proposed_feature(run: Run, pull: PullRequest, _attempt: int = 0) -> _ProposedFeature:
    sha = run.tip.branch(pull.head)
    trailers = read_trailers(run.tip.repository.message(sha)) if sha else {}
    group, _, name = trailers.get("Promotion", "").partition("/")
    feature, tag = trailers.get("Feature", ""), trailers.get("Tag", "")
    return _ProposedFeature(application=Application(group, name), feature=feature, tag=tag)


def _feature_again(run: Run, pull: PullRequest, proposed: _ProposedFeature, find_kustomize: KustomizeFinder) -> Outcome:
    """Propose the feature again, or its removal if the branch proposes no tag."""
    application, feature = proposed.application, clean(proposed.feature)

    def veto(pulls: Sequence[PullRequest], _branch: Branch | None) -> Outcome | None:
        is_closed = any(each.number == pull.number and each.state != "open" for each in pulls)
        if _proposed_feature(run, pull) == proposed and not is_closed:
            return None
        environment = feature_environment(run.tip.config, application)
        closed_text = f"pull request #{pull.number} for it was closed meanwhile"
        return Outcome(
            result="skipped",
            message=closed_text if is_closed else f"another run has changed {pull.head} meanwhile",
            group=application.group,
            app=application.name,
            environment=environment,
        )

    if not proposed.tag:
        return propose_removal(run, application, feature=feature, find_kustomize=find_kustomize, veto=veto)
    tag = Tag.parse(proposed.tag)
    return propose_feature(run, application, tag=tag, feature=feature, find_kustomize=find_kustomize, veto=veto)


def _is_outdated_feature(run: Run, pull: PullRequest, proposed: _ProposedFeature, _attempt: int) -> bool:
    """Return True if the branch is ours alone, proposes this feature, and conflicts with or lags behind the tip."""
    application, feature = proposed.application, proposed.feature
    try:
        if run.tip.config.feature_branch(application, feature) != pull.head:
            return False
    except UsageError:
        return False
    branch = read_branch(run, pull.head, application, feature)
    if branch is None or branch.proposal.foreign or branch.proposal.other_owner:
        return False
    return _is_outdated(run, pull, branch)


def _is_outdated(run: Run, pull: PullRequest, branch: Branch) -> bool:
    """Return True if a branch conflicts with the tip, or lags behind it where the forge demands that it does not."""
    if branch.base_sha == run.tip.sha:
        return False
    return bool(run.tip.repository.conflicts(run.tip.sha, branch.sha)) or run.forge.head_state(pull).outdated
