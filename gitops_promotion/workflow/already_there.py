"""What a run does and says where its environment has the tag already."""

from dataclasses import replace

from gitops_promotion.core import due
from gitops_promotion.core.model import Outcome, Plan
from gitops_promotion.workflow.arming import disarm_judged
from gitops_promotion.workflow.branch import read_branch
from gitops_promotion.workflow.run import Run


def already_there(run: Run, plan: Plan) -> Outcome:
    """Report that there is nothing to do; an open pull request for another tag must not undo that automatically."""
    request = plan.request
    message = f"{request.environment} already has {request.tag.name}"
    branch = None if run.dry_run else read_branch(run, plan.branch, request.application, request.feature)
    if branch is None or request.environment not in branch.proposal.environments:
        return Outcome.of_plan(plan, "unchanged", message)
    current = due.open_for(run.forge.pull_requests(head=plan.branch), plan.base)
    if current is None:
        return Outcome.of_plan(plan, "unchanged", message)
    if current.auto_merge:
        disarm_judged(run, current, branch.sha)
    message += (
        f"; pull request #{current.number} for {branch.proposal.tag} is still open, with auto-merge off: close it if "
        "it is obsolete"
    )
    return replace(Outcome.of_plan(plan, "unchanged", message), pull_request=replace(current, auto_merge=False))
