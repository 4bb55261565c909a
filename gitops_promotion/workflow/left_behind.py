"""Open promotions that are left behind: their sources went back to the tag that the target has."""

from collections.abc import Iterator, Sequence
from contextlib import suppress

from gitops_promotion.core.deployments import same_tag
from gitops_promotion.core.forge import PullRequest
from gitops_promotion.core.model import Outcome
from gitops_promotion.core.pull_request_text import read_metadata
from gitops_promotion.errors import ManifestError, PromotionError, UsageError
from gitops_promotion.workflow.branch import read_branch
from gitops_promotion.workflow.run import Run
from gitops_promotion.workflow.steps import Step


def left_behind(run: Run, pulls: Sequence[PullRequest], outcomes: Sequence[Outcome]) -> list[Step]:
    """Return a step for each of these open promotions whose sources all have the tag of the target, and not its own.

    `outcomes` are those of the run so far: a place that has one gets no step. The body only hints at the place. An
    override is left out: a person has chosen its tag. Raises GitError.
    """
    reported = {(outcome.group, outcome.app, outcome.environment) for outcome in outcomes}
    steps = [
        (pull, step)
        for pull, step in _into_equal(run, pulls)
        if (step.application.group, step.application.name, step.environment) not in reported
    ]
    run.tip.fetch_branches(pull.head for pull, _ in steps)
    return [step for pull, step in steps if _proposes_another_tag(run, pull, step)]


def _into_equal(run: Run, pulls: Sequence[PullRequest]) -> Iterator[tuple[PullRequest, Step]]:
    """Yield the pull requests into environments that have the tag of all their sources."""
    tip = run.tip
    for pull in pulls:
        hint = read_metadata(pull.body)
        if hint is None or (application := hint.application) is None:
            continue
        step = Step(application=application, environment=hint.env)
        with suppress(ManifestError, UsageError):
            way = tip.config.way(step.application)
            if hint.env not in way.names or pull.head != tip.config.branch(step.application, hint.env):
                continue
            if step.is_settled(tip):
                yield pull, step


def _proposes_another_tag(run: Run, pull: PullRequest, step: Step) -> bool:
    try:
        branch = read_branch(run, pull.head, step.application)
    except PromotionError:
        # The step meets the error again, and reports it as its own.
        return True
    if branch is None or branch.proposal.environments != (step.environment,) or branch.proposal.origin.override:
        return False
    tag = run.tip.tag(step.target)
    return branch.proposal.tag is not None and not same_tag(branch.proposal.tag, tag)
