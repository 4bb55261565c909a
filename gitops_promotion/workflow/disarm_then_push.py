"""Pushes the commit of a plan to its branch, after the branch's pull requests are disarmed."""

from collections.abc import Sequence

from gitops_promotion.core.commits import RefUpdate
from gitops_promotion.core.forge import Draft, PullRequest
from gitops_promotion.core.model import Plan
from gitops_promotion.errors import RefusedPushError
from gitops_promotion.workflow.arming import disarm
from gitops_promotion.workflow.branch import Branch
from gitops_promotion.workflow.committing import make_commit
from gitops_promotion.workflow.run import Run


def disarm_then_push(
    run: Run,
    plan: Plan,
    branch: Branch | None,
    pulls: Sequence[PullRequest],
    disarmed: list[int],
    *,
    note: Draft | None = None,
) -> str:
    """Disarm the branch's pull requests, push the plan's commit, and return it. Raises GitError, ProviderError.

    `disarmed` gets the numbers of those that were armed, also where the push fails. `note` is what the open pull
    request must say before the push, since nothing shows it afterwards.
    """
    repository, base = run.tip.repository, run.tip.sha
    # Made before anything changes: if it cannot be signed, everything stays as it is.
    commit = make_commit(run, base, plan.edits, plan.message)
    # A pull request that counts as closed, since its branch is gone, opens again with the branch (Azure DevOps).
    for pull in pulls:
        if pull.auto_merge:
            disarm(run, pull)
            disarmed.append(pull.number)
    if note is not None:
        run.forge.open_pull_request(note)
    expected = branch.sha if branch else None

    def push(sha: str) -> str:
        # The base belongs to the lease: a promotion that somebody has merged meanwhile must not be proposed again.
        update = RefUpdate(ref=f"refs/heads/{plan.branch}", new=sha, expected=expected)
        repository.push([update], unchanged={f"refs/heads/{run.tip.base}": base})
        return sha

    try:
        return push(commit)
    except RefusedPushError as error:
        if error.kind != "force" or branch is None:
            raise
        run.note(f"{run.tip.repository.url} allows no forced push: adding a commit on top of {plan.branch}")
        return push(make_commit(run, base, plan.edits, plan.message, on_top_of=branch.sha))
