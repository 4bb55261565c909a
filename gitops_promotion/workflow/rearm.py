"""Arms and disarms open promotions whose environment has opened or closed since they were armed.

`promote` does this for the promotions that it proposes again. Those into the first environment, and those that a person
has asked for, are not among them.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial

from gitops_promotion.core.forge import PullRequest
from gitops_promotion.core.gates import Verdict
from gitops_promotion.core.kinds import PROMOTION
from gitops_promotion.core.model import Outcome, Request
from gitops_promotion.core.names import Site
from gitops_promotion.core.pull_request_text import read_metadata
from gitops_promotion.errors import ManifestError, PromotionError, UsageError
from gitops_promotion.workflow.arming import disarm_judged, disarm_known, merges_without_check, question_on
from gitops_promotion.workflow.branch import has_another_tag, read_branch
from gitops_promotion.workflow.deliver import deliver
from gitops_promotion.workflow.intent import promotion_again, proposed_promotion
from gitops_promotion.workflow.judge import judge_arming
from gitops_promotion.workflow.overriding import counting_override
from gitops_promotion.workflow.races import repeat_after_races
from gitops_promotion.workflow.run import Run


def rearm(run: Run, pulls: Sequence[PullRequest], outcomes: Sequence[Outcome]) -> Iterator[Outcome]:
    """Yield an outcome for each of these open promotions that must be armed or disarmed now.

    `outcomes` are those of the run so far: what it has delivered needs nothing more, and a promotion that stays as it
    is gets one outcome only. The body only hints at which to look at; what is judged is what the branch's tree
    proposes.
    """
    reported = {
        ("unchanged", outcome.pull_request.number, outcome.environment) for outcome in outcomes if outcome.pull_request
    }
    failures = {_failure(outcome) for outcome in outcomes if outcome.result == "failed"}
    delivered = {outcome.pull_request.number for outcome in outcomes if outcome.pull_request and outcome.sha}
    hinted = [(pull, hint) for pull in pulls if pull.number not in delivered and (hint := _hint(run, pull))]
    run.tip.fetch_branches(pull.head for pull, _ in hinted)
    for pull, hint in hinted:
        try:
            decided = repeat_after_races(run, partial(_decide, run, pull, hint))
            if isinstance(decided, Request):
                yield deliver(run, partial(promotion_again, run, decided))
            elif decided is not None and (decided.result, pull.number, decided.environment) not in reported:
                yield decided
        except PromotionError as error:
            failed = Outcome.failed_for(hint.application, hint.environment, error)
            # What cannot be read, such as the file of holds, has failed the promotion itself already.
            if _failure(failed) not in failures:
                yield failed


def _failure(outcome: Outcome) -> tuple[str, ...]:
    """Return what tells one failure from another."""
    return outcome.group, outcome.app, outcome.environment, outcome.message


def _hint(run: Run, pull: PullRequest) -> Request | None:
    """Return what a pull request says that it promotes, where it may have to be armed, disarmed or merged."""
    hint, config = read_metadata(pull.body), run.tip.config
    if hint is None or (application := hint.application) is None:
        return None
    with suppress(UsageError):
        is_own = pull.head == config.branch(application, hint.env) and hint.env in config.way(application).names
        request = Request(kind=PROMOTION, application=application, environment=hint.env)
        if is_own and (any(gate.stops_arming for gate in config.gates(hint.env)) or _is_left_armed(run, pull, request)):
            return request
    return None


def _decide(run: Run, pull: PullRequest, hint: Request, _attempt: int) -> Request | Outcome | None:
    """Return what to deliver again to arm it, the outcome of disarming it, or None if it is as it should be."""
    branch = read_branch(run, pull.head, hint.application)
    request = proposed_promotion(hint.application, branch) if branch else None
    if branch is None or request is None or request.environment != hint.environment or branch.proposal.foreign:
        return None
    if branch.proposal.origin.override and counting_override(run.tip, run.lookups(), branch.sha):
        # An override is for one head, which a person sends past these gates.
        return None
    try:
        verdict = judge_arming(run.tip, run.lookups(), question_on(run, request, pull))
    except ManifestError:
        # What cannot be read may hold it.
        disarm_known(run, pull)
        raise
    is_auto = run.tip.config.environment(request.environment).auto
    site = Site(request.application, request.environment)
    if verdict.decision == "pass":
        # A new head would undo a later tag, such as a hotfix by hand: whether that is due, `promote` says.
        is_ready = is_auto and (not pull.auto_merge or _is_left_armed(run, pull, request))
        return request if is_ready and not has_another_tag(run.tip, site, branch) else None
    current = disarm_judged(run, pull, branch.sha)
    if current.state == "open" and current.auto_merge:
        return _waiting(request, replace(current, auto_merge=False), verdict, disarmed=True)
    return _waiting(request, current, verdict, disarmed=False) if is_auto and current.state == "open" else None


def _is_left_armed(run: Run, pull: PullRequest, request: Request) -> bool:
    """Return True if it is armed and waits for a check that is not needed, or not any more."""
    return pull.auto_merge and merges_without_check(run, request)


def _waiting(request: Request, pull: PullRequest, verdict: Verdict, *, disarmed: bool) -> Outcome:
    message = f"pull request #{pull.number} is open, with auto-merge off: {'; '.join(verdict.texts)}"
    outcome = Outcome.of(request, "updated" if disarmed else "unchanged", message)
    return replace(outcome, branch=pull.head, sha=pull.head_sha, pull_request=pull, reasons=verdict.texts)
