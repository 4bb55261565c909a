"""Takes back an open promotion that something else replaces."""

from gitops_promotion.core import due
from gitops_promotion.core.commits import RefUpdate
from gitops_promotion.core.forge import PullRequest
from gitops_promotion.core.kinds import rollback_branch
from gitops_promotion.core.names import Application
from gitops_promotion.errors import RefusedPushError
from gitops_promotion.workflow.arming import disarm_judged
from gitops_promotion.workflow.branch import read_branch
from gitops_promotion.workflow.run import Run


def close_promotion(run: Run, application: Application, environment: str) -> PullRequest | None:
    """Close the open promotion of an application into an environment, and return it; None without one.

    It is disarmed first. Its branch is deleted, so that the closing is no decline (`core/declines.py`). Where the
    server allows no deletion, the pull request alone is closed. One with commits of people is only disarmed. Raises
    GitError, ProviderError.
    """
    return _close(run, run.tip.config.branch(application, environment), application, environment)


def close_rollback(run: Run, application: Application, environment: str) -> PullRequest | None:
    """Close the open rollback of an application in the same way, and return it; None without one."""
    return _close(run, rollback_branch(application, environment, run.tip.config), application, environment)


def _close(run: Run, branch: str, application: Application, environment: str) -> PullRequest | None:
    if run.tip.refs.branch(branch) is None:
        return None
    pull = due.open_for(run.forge.pull_requests(head=branch), run.tip.base)
    if pull is None:
        return None
    proposed_branch = read_branch(run, branch, application)
    if proposed_branch is None or environment not in proposed_branch.proposal.environments:
        return None
    disarm_judged(run, pull, proposed_branch.sha)
    if proposed_branch.proposal.foreign or proposed_branch.proposal.other_owner:
        run.note(f"{branch} has commits by others: pull request #{pull.number} stays open, with auto-merge off")
        return pull
    try:
        run.tip.repository.push([RefUpdate(ref=f"refs/heads/{branch}", new=None, expected=proposed_branch.sha)])
    except RefusedPushError as error:
        if error.kind != "delete":
            raise
    current = run.forge.pull_request(pull.number)
    return run.forge.close_pull_request(current) if current.state == "open" else current
