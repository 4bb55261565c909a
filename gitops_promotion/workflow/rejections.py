"""The rejection of an open promotion, which keeps a verb from proposing the same tag again."""

from collections.abc import Sequence
from dataclasses import replace

from gitops_promotion.core.branch_contents import displaced
from gitops_promotion.core.declines import Decline
from gitops_promotion.core.deployments import same_tag
from gitops_promotion.core.forge import PullRequest
from gitops_promotion.core.gates import Gate
from gitops_promotion.core.gates.approvals import Approvals
from gitops_promotion.core.gates.approvals_text import shown_name, shown_time
from gitops_promotion.core.gates.unmanaged_images import Images
from gitops_promotion.core.model import Request
from gitops_promotion.workflow import opinions
from gitops_promotion.workflow.arming import question_on
from gitops_promotion.workflow.branch import Branch
from gitops_promotion.workflow.run import Run


def approvals_of(configured: Sequence[Gate]) -> Approvals | None:
    """Return the gate of approvals among the gates of an environment."""
    of_people = (gate.approvals if isinstance(gate, Images) else gate for gate in configured)
    return next((gate for gate in of_people if isinstance(gate, Approvals)), None)


def find_rejection(run: Run, request: Request, pull: PullRequest | None, branch: Branch | None) -> Decline | None:
    """Return the rejection of an open promotion of this very tag, None without one; then it stays open as it is.

    Costs the requests for opinions where the environment has approvals. Raises ProviderError, GitError.
    """
    gate = approvals_of(run.tip.config.gates(request.environment))
    if gate is None or pull is None or branch is None or pull.head_sha != branch.sha:
        return None
    if not same_tag(branch.proposal.tag, request.tag) or request.environment not in branch.proposal.environments:
        return None
    question = question_on(run, request, pull)
    tally = gate.tally(question, opinions.gather(run.tip, run.lookups(), question, gate))
    if tally.decision != "refuse":
        return None
    rejection = next(opinion for opinion in tally.opinions if opinion.author in tally.rejected_by and opinion.counts)
    return Decline(pull_request=pull, by=rejection.author, at=rejection.at, rejected=True)


def taken_place(run: Run, request: Request, pull: PullRequest | None, branch: Branch | None) -> str:
    """Return what a request says of the open promotion into another environment that it replaces, "" for none.

    A rejection of that one is named: it was given on a head that the pull request loses, and is not kept.
    Raises ProviderError, GitError.
    """
    if pull is None or branch is None or not (replaced := displaced(request, branch.proposal)):
        return ""
    rejections = [
        f"{shown_name(rejection.by)} rejected that{shown_time(rejection.at)}, and it can be proposed again all the same"
        for name in branch.proposal.environments
        if name != request.environment
        and (tag := branch.proposal.tag)
        and (rejection := find_rejection(run, replace(request, environment=name, tag=tag), pull, branch))
    ]
    return "; ".join((f"it takes the place of {replaced}, which was open", *rejections))
