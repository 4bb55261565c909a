"""The end of a promotion that is on hold: it is skipped, and its open pull request is disarmed."""

from dataclasses import replace

from gitops_promotion.core import due
from gitops_promotion.core.gates.holds import Holds
from gitops_promotion.core.holds import Hold, covering
from gitops_promotion.core.model import Outcome, Request
from gitops_promotion.errors import AuthError
from gitops_promotion.workflow.arming import disarm_judged
from gitops_promotion.workflow.branch import read_branch
from gitops_promotion.workflow.holding import gather, require_readable
from gitops_promotion.workflow.overriding import counting_override
from gitops_promotion.workflow.run import Run


def stopped(run: Run, request: Request) -> Outcome | None:
    """Return the outcome of a promotion that is on hold, None for any other. An open pull request for it is disarmed.

    Raises ManifestError if the file of holds cannot be read, GitError, ProviderError, LeaseLostError.
    """
    holds = _covering(run, request)
    if not holds:
        return None
    texts = tuple(f"{hold}; to lift it: {hold.release}" for hold in holds)
    outcome = replace(Outcome.of(request, "skipped", texts[0]), reasons=texts)
    branch_name = request.kind.branch(request, run.tip.config)
    if run.dry_run or run.tip.refs.branch(branch_name) is None:
        return outcome
    branch = read_branch(run, branch_name, request.application)
    pull = due.open_for(run.forge.pull_requests(head=branch_name), run.tip.base)
    if pull is None or branch is None:
        return outcome
    proposal = branch.proposal
    if proposal.environments != (request.environment,) or proposal.tag is None:
        return outcome
    if not _covering(run, replace(request, tag=proposal.tag)):
        return outcome
    if proposal.origin.override:
        override = counting_override(run.tip, run.lookups(), branch.sha)
        if override is not None and override.hold:
            return outcome
    if pull.auto_merge:
        disarm_judged(run, pull, branch.sha)
    return replace(outcome, branch=pull.head, sha=pull.head_sha, pull_request=replace(pull, auto_merge=False))


def _covering(run: Run, request: Request) -> tuple[Hold, ...]:
    tip, environment = run.tip, request.environment
    if not any(isinstance(gate, Holds) for gate in tip.config.gates(environment)):
        return ()
    require_readable(tip, environment)
    opened: tuple[Hold, ...] = ()
    if tip.holds.has_open:
        try:
            opened = gather(tip, run.lookups())
        except AuthError as error:
            if not run.dry_run:
                raise
            run.note(f"warning: the forge was not asked for holds in open pull requests: {error}")
    holds = (*tip.holds.holds, *opened)
    return covering(holds, request.application, environment, request.tag, run.clock.now())
