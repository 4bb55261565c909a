"""What a verb is about to propose, before the forge and the branch are asked what they have of it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from gitops_promotion.core import due, holds_file
from gitops_promotion.core import plan as planning
from gitops_promotion.core.commits import read_time
from gitops_promotion.core.declines import closed_promotion
from gitops_promotion.core.forge import PullRequest
from gitops_promotion.core.holds import FILE, lifted_by_promotion
from gitops_promotion.core.kinds import PROMOTION
from gitops_promotion.core.model import Outcome, Plan, Request
from gitops_promotion.core.names import Application, Site
from gitops_promotion.core.origin import Origin
from gitops_promotion.workflow.branch import Branch
from gitops_promotion.workflow.held import stopped
from gitops_promotion.workflow.run import Run
from gitops_promotion.workflow.tip import Tip

Veto = Callable[[Sequence[PullRequest], Branch | None], Outcome | Origin | None]
"""A verb's ruling on its own plan, given the pull requests of the branch and the branch.

The outcome that ends the run, or the people to record with the promotion; None for neither.
"""


def no_veto(_pulls: Sequence[PullRequest], _branch: Branch | None) -> Outcome | None:
    """Object to nothing."""
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """What a verb is about to propose.

    `plan` makes the plan for a base (its commit's id): the tip, or the base of a branch that is worth keeping. `files`
    are the contents that it edits. A veto returns the outcome that ends the run. `pulls` has the pull requests of
    branches that were already asked for, by branch.
    """

    plan: Callable[[str], Plan]
    files: Mapping[str, bytes]
    veto: Veto = no_veto
    pulls: Mapping[str, Sequence[PullRequest]] = field(default_factory=dict)


def setting_tag(
    tip: Tip,
    request: Request,
    files: Mapping[str, bytes],
    veto: Veto = no_veto,
    pulls: Mapping[str, Sequence[PullRequest]] | None = None,
    *,
    warnings: tuple[str, ...] = (),
) -> Intent:
    """Return the intent to set the request's tag in `files`, the marked files of its environment at the tip.

    `warnings` are for the outcome, beside those of the plan.
    """
    also = _without_holds(tip, request)

    def plan(base_sha: str) -> Plan:
        new_plan = planning.set_tag(request, tip.config, files, base=tip.base, base_sha=base_sha, also=also)
        return replace(new_plan, warnings=(*warnings, *new_plan.warnings)) if warnings else new_plan

    return Intent(plan=plan, files={**files, **dict.fromkeys(also, tip.holds_source)}, veto=veto, pulls=pulls or {})


def _without_holds(tip: Tip, request: Request) -> Mapping[str, bytes]:
    """Return the file of holds without those that the promotion lifts, nothing where it lifts none."""
    override = request.origin.override
    lifted = lifted_by_promotion(
        tip.holds.holds,
        request.application,
        request.environment,
        request.tag,
        overridden=bool(override and override.hold),
    )
    return {FILE: holds_file.edited(tip.holds_source, removed=lifted)} if lifted else {}


def proposed_promotion(application: Application, branch: Branch) -> Request | None:
    """Return the promotion into one environment that a branch proposes, None if it proposes anything else."""
    proposal = branch.proposal
    if len(proposal.environments) != 1 or proposal.tag is None or proposal.other_owner:
        return None
    return Request(
        kind=PROMOTION,
        application=application,
        tag=proposal.tag,
        environment=proposal.environments[0],
        built_at=read_time(proposal.built_at),
        started_at=read_time(proposal.started_at),
    )


def promotion_again(run: Run, request: Request) -> Intent | Outcome:
    """Return the intent to propose a promotion again, as long as its branch proposes that tag.

    Where it is on hold, return the outcome of that. What somebody has closed meanwhile stays closed, and a branch
    without an open pull request, which forges keep after a merge, stays as it is. Raises ManifestError, GitError,
    ProviderError, LeaseLostError.
    """
    if (outcome := stopped(run, request)) is not None:
        return outcome

    branch_name = request.kind.branch(request, run.tip.config)

    def veto(pulls: Sequence[PullRequest], branch: Branch | None) -> Outcome | None:
        proposal = branch.proposal if branch else None
        if proposal is None or (proposal.tag, proposal.environments) != (request.tag, (request.environment,)):
            message = f"another run has changed the promotion of {request.tag.name} meanwhile"
            return Outcome.of(request, "skipped", message)
        if closed := closed_promotion(request, pulls, base=run.tip.base):
            return Outcome.of(request, "skipped", f"pull request #{closed.number} for it was closed meanwhile")
        if due.open_for(pulls, run.tip.base) is None:
            return Outcome.of(request, "skipped", f"no pull request from {branch_name} is open any more")
        return None

    return setting_tag(run.tip, request, run.tip.files(Site(request.application, request.environment)), veto)
