"""Whether the head of a promotion branch is worth keeping, with its reviews and checks, or a new one is pushed."""

from gitops_promotion.core import branch_contents
from gitops_promotion.core.forge import HeadState, PullRequest
from gitops_promotion.core.model import Plan
from gitops_promotion.workflow.arming import verdict_on
from gitops_promotion.workflow.branch import Branch, branch_changes
from gitops_promotion.workflow.publishing import published_state
from gitops_promotion.workflow.run import Run


def is_worth_keeping(run: Run, plan: Plan, branch: Branch, current: PullRequest | None) -> bool:
    """Return True if the branch still proposes the plan and can be merged: then its reviews and checks stay valid."""
    tip = run.tip
    if not branch_contents.same_edits(plan, branch.proposal, branch.head, tip.config):
        return False
    if not branch_contents.changes_only(plan, *branch_changes(tip, branch.sha), tip.config):
        return False
    at_tip = branch.base_sha == tip.sha
    if not at_tip and tip.repository.conflicts(tip.sha, branch.sha):
        return False
    if at_tip and not plan.gated:
        return True
    if current is None:
        head_state = HeadState(failed=published_state(run, branch.sha) == "failure")
    else:
        head_state = run.forge.head_state(current)
    if head_state.outdated and not at_tip:
        return False
    return not (plan.gated and head_state.failed and _would_pass_now(run, plan, current, head_state))


def _would_pass_now(run: Run, plan: Plan, current: PullRequest | None, head_state: HeadState) -> bool:
    """Return True if a check that failed on this head would pass on a new one, which alone runs it again.

    A check that may be another tool's is expected to fail again, unless it began before the environment was healthy:
    so a head is replaced once for each new status of Flux, not once an hour.
    """
    verdict = verdict_on(run, plan.request, current)
    if verdict.decision != "pass" or head_state.failed_since is None:
        return verdict.decision == "pass"
    return verdict.newest_evidence is not None and verdict.newest_evidence > head_state.failed_since
