"""Arms and disarms pull requests: some gates forbid that one merges by itself, before its required check does."""

from gitops_promotion.core.forge import AutoMerge, PullRequest
from gitops_promotion.core.gates import Question, Verdict, own_status
from gitops_promotion.core.model import Plan, Request
from gitops_promotion.core.races import require_off
from gitops_promotion.errors import OutdatedError
from gitops_promotion.workflow.judge import judge, judge_arming
from gitops_promotion.workflow.run import Run


def disarm(run: Run, pull_request: PullRequest) -> None:
    """Disable auto-merge. Raises OutdatedError if the pull request is not open any more, ProviderError."""
    require_off(run.forge.set_auto_merge(pull_request, enabled=False))


def question_on(run: Run, request: Request, pull_request: PullRequest | None = None) -> Question:
    """Return the question that the gates answer on a promotion."""
    return Question(
        application=request.application,
        tag=request.tag,
        environment=request.environment,
        requirements=run.tip.config.way(request.application).requirements(request.environment),
        head=pull_request.head_sha if pull_request else "",
        override=request.origin.override,
        pull_request=pull_request,
    )


def verdict_on(run: Run, request: Request, pull_request: PullRequest | None = None) -> Verdict:
    """Return the verdict of all gates on a promotion now."""
    return judge(run.tip, run.lookups(), question_on(run, request, pull_request))


def arm(run: Run, plan: Plan, pull_request: PullRequest) -> AutoMerge:
    """Arm a pull request, or disarm it where its environment or a gate demands that; `reason` names the gate.

    Raises OutdatedError if the forge's answer is about an earlier state, ProviderError.
    """
    if not plan.auto_merge:
        if pull_request.auto_merge:
            disarm(run, pull_request)
        return AutoMerge(state="off")
    verdict = Verdict(decision="pass")
    if plan.gated or plan.request.kind.stops_at_holds:
        verdict = judge_arming(run.tip, run.lookups(), question_on(run, plan.request, pull_request))
        if verdict.decision != "pass":
            disarm_known(run, pull_request)
            return AutoMerge(state="off", reason="; ".join(verdict.texts))
    # Where a published verdict merges, a killed run may have left an armed pull request with a success: merge it now.
    if pull_request.auto_merge and not run.forge.publishes:
        return AutoMerge(state="armed")
    auto_merge = _unless_outdated(run, run.forge.set_auto_merge(pull_request, enabled=True))
    if auto_merge.state == "armed" and merges_without_check(run, plan.request):
        # The holds, which were judged above, may be about other applications, or released since it was proposed.
        run.forge.set_status(pull_request.head_sha, own_status(verdict, shorten=run.facts.status_text))
        return _unless_outdated(run, run.forge.set_auto_merge(pull_request, enabled=True))
    return _merge_clean(run, plan, pull_request) if auto_merge.state == "clean" else auto_merge


def merges_without_check(run: Run, request: Request) -> bool:
    """Return True where a published verdict merges, and holds alone can stop a change of a tag.

    Without holds nothing is required there, and it merges at once: a hold on something else must not change that.
    """
    is_possible = run.forge.publishes and request.kind.changes_tag
    return is_possible and run.tip.config.needs_holds_alone(request.application, request.environment)


def disarm_judged(run: Run, pull_request: PullRequest, head_sha: str) -> PullRequest:
    """Disable auto-merge of a pull request because of its head, and return it as it was read just before.

    Raises OutdatedError if it has another head by now, which may be right to merge by itself; ProviderError.
    """
    current = run.forge.pull_request(pull_request.number)
    if current.state == "open" and current.head_sha != head_sha:
        raise OutdatedError(f"{current.head} moved from {head_sha[:7]} to {current.head_sha[:7]} meanwhile")
    if current.state == "open" and current.auto_merge:
        disarm(run, current)
    return current


def disarm_known(run: Run, pull_request: PullRequest) -> None:
    """Disable auto-merge where it is on."""
    # The list of Azure DevOps does not say which are armed.
    current = pull_request if pull_request.auto_merge else run.forge.pull_request(pull_request.number)
    if current.auto_merge:
        disarm(run, current)


def _unless_outdated(run: Run, auto_merge: AutoMerge) -> AutoMerge:
    """Return the forge's answer. Raises OutdatedError if it is about an earlier state.

    A refusal is about an earlier state where the base has moved: the pull request may conflict with what came in.
    """
    if auto_merge.state == "moved":
        raise OutdatedError(auto_merge.reason)
    if auto_merge.state == "refused" and run.tip.has_moved():
        raise OutdatedError(f"{run.tip.base} has moved since it was read ({auto_merge.reason})")
    return auto_merge


def _merge_clean(run: Run, plan: Plan, pull_request: PullRequest) -> AutoMerge:
    """Merge a pull request that nothing on the forge holds, but never past this tool's own gate."""
    if plan.gated:
        verdict = verdict_on(run, plan.request, pull_request)
        if verdict.decision != "pass":
            return AutoMerge(
                state="refused",
                reason=f"{'; '.join(verdict.texts)}; and no branch rule of {plan.base} would hold it: make "
                "`gitops-promotion status` a required check, or run this again once the gate passes",
            )
    return _unless_outdated(run, run.forge.merge(pull_request))
