"""Rejections and declines, which keep a verb from proposing the same tag again.

An open promotion is rejected by the opinions on it. When another promotion takes its place on the branch, the pull
request keeps the rejection (`core/kept_rejections.py`).
"""

from collections.abc import Sequence

from gitops_promotion.core import declines, due, kept_rejections
from gitops_promotion.core.branch_contents import displaced
from gitops_promotion.core.declines import Decline
from gitops_promotion.core.deployments import same_tag
from gitops_promotion.core.forge import Draft, PullRequest
from gitops_promotion.core.gates import Gate
from gitops_promotion.core.gates.approvals import Approvals
from gitops_promotion.core.gates.unmanaged_images import Images
from gitops_promotion.core.kept_rejections import Kept, Rejection
from gitops_promotion.core.kinds import PROMOTION
from gitops_promotion.core.model import Request
from gitops_promotion.workflow import opinions
from gitops_promotion.workflow.arming import question_on
from gitops_promotion.workflow.branch import Branch
from gitops_promotion.workflow.lookups import Lookups
from gitops_promotion.workflow.run import Run


def approvals_of(configured: Sequence[Gate]) -> Approvals | None:
    """Return the gate of approvals among the gates of an environment."""
    of_people = (gate.approvals if isinstance(gate, Images) else gate for gate in configured)
    return next((gate for gate in of_people if isinstance(gate, Approvals)), None)


def find_rejection(run: Run, request: Request, pull: PullRequest | None, branch: Branch | None) -> Decline | None:
    """Return the rejection of an open promotion of this very tag, None without one; then it stays open as it is.

    Costs the requests for opinions where the environment has approvals. Raises ProviderError, GitError.
    """
    if pull is None or branch is None or pull.head_sha != branch.sha or not _is_on(branch, request):
        return None
    return _rejection_on(run, run.lookups(), request, pull)


def _rejection_on(run: Run, lookups: Lookups, request: Request, pull: PullRequest) -> Decline | None:
    """Return the rejection that the opinions on a pull request are of the promotion that it is for, None without one.

    Costs the requests for opinions where the environment has approvals. Raises ProviderError, GitError.
    """
    gate = approvals_of(run.tip.config.gates(request.environment))
    if gate is None:
        return None
    question = question_on(run, request, pull)
    tally = gate.tally(question, opinions.gather(run.tip, lookups, question, gate))
    if tally.decision != "refuse":
        return None
    rejection = next(opinion for opinion in tally.opinions if opinion.author in tally.rejected_by and opinion.counts)
    return Decline(pull_request=pull, by=rejection.author, at=rejection.at, rejected=True)


def find_decline(
    run: Run, lookups: Lookups, request: Request, pulls: Sequence[PullRequest], branch: Branch | None = None
) -> Decline | None:
    """Return the decline or the rejection that a person gave to exactly this promotion, None without one.

    `pulls` are those of its branch, newest first. Without the `branch`, the rejection of an open promotion is not
    looked for. Costs the requests of `find_rejection`, and one if the newest pull request for it is closed. Raises
    ProviderError, GitError.
    """
    if rejection := _find_kept_rejection(run, request, pulls, branch):
        return rejection
    closed = declines.closed_promotion(request, pulls, base=run.tip.base)
    decline = _decline_of_closed(run, lookups, request, closed) if closed else None
    return decline or find_rejection(run, request, due.open_for(pulls, run.tip.base), branch)


def _decline_of_closed(run: Run, lookups: Lookups, request: Request, pull: PullRequest) -> Decline | None:
    """Return the decline of a promotion whose pull request was closed, None without one.

    A closing that is no decline, such as a bot's, leaves a rejection in force. Costs the request for its events, and
    those for opinions where the environment has approvals. Raises ProviderError, GitError.
    """
    decline = declines.decline_of(pull, lookups.discussion(pull.number))
    return decline or _rejection_on(run, lookups, request, pull)


def _find_kept_rejection(
    run: Run, request: Request, pulls: Sequence[PullRequest], branch: Branch | None
) -> Decline | None:
    """Return the rejection of exactly this promotion that a pull request keeps, None without one; costs no request.

    While a pull request proposes it, the opinions there decide. Without approvals in its environment nothing counts.
    """
    if approvals_of(run.tip.config.gates(request.environment)) is None:
        return None
    rejection = kept_rejections.find_kept(request, pulls, base=run.tip.base)
    current = due.open_for(pulls, run.tip.base) if rejection else None
    if current is None:
        return rejection
    if branch is not None:
        is_open = _is_on(branch, request)
    else:
        is_open = due.proposes(current, environment=request.environment, tag=request.tag)
    return None if is_open else rejection


def _is_on(branch: Branch, request: Request) -> bool:
    """Return True if a branch proposes exactly this promotion."""
    proposal = branch.proposal
    return same_tag(proposal.tag, request.tag) and request.environment in proposal.environments


def find_replaced(run: Run, request: Request, pull: PullRequest | None, branch: Branch | None) -> list[Rejection]:
    """Return the rejections of the open promotions that a request replaces on their branch.

    They were given on a head that the pull request loses. Costs the requests for opinions where their environments
    have approvals. Raises ProviderError, GitError.
    """
    tag = branch.proposal.tag if branch else None
    if pull is None or branch is None or tag is None or not request.kind.uses_settings:
        return []
    rejections: list[Rejection] = []
    for environment in branch.proposal.environments:
        if environment == request.environment and same_tag(tag, request.tag):
            continue
        proposed = Request(kind=PROMOTION, application=request.application, environment=environment, tag=tag)
        if rejection := find_rejection(run, proposed, pull, branch):
            rejections.append(Rejection(environment=environment, tag=tag, by=rejection.by, at=rejection.at))
    return rejections


def draft_with(pull: PullRequest, branch: Branch, kept: Kept) -> Draft:
    """Return an open pull request as it is, with kept rejections in its metadata.

    It is gated, since an environment whose promotions people reject has a gate.
    """
    return Draft(
        head=pull.head,
        head_sha=branch.sha,
        base=pull.base,
        title=pull.title,
        body=kept_rejections.noted(pull.body, kept.rejections),
        gated=True,
        base_sha=branch.base_sha,
        number=pull.number,
    )


def replacement_sentences(
    request: Request, pull: PullRequest | None, branch: Branch | None, rejections: Sequence[Rejection]
) -> list[str]:
    """Return what a request says of the open promotion that it replaces."""
    replaced = displaced(request, branch.proposal) if pull and branch else ""
    sentences = [f"it takes the place of {replaced}, which was open"] if replaced else []
    return [*sentences, *(f"{rejection}, and it is not proposed again" for rejection in rejections)]
