"""From a request to its pull request: the one order of effects that all verbs share.

Look up the pull request; disarm it before its branch changes; push with lease; create or update; arm last, bound to
the pushed head. A run killed anywhere in between leaves nothing armed by accident, and the next run finishes the work
(docs/architecture.md, Order of effects).
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from gitops_promotion.core import diff, due, untrusted
from gitops_promotion.core import plan as planning
from gitops_promotion.core.forge import Draft, PullRequest
from gitops_promotion.core.gates import own_status
from gitops_promotion.core.kept_rejections import to_keep, with_rejections
from gitops_promotion.core.model import Outcome, Plan, Request, Result
from gitops_promotion.core.names import Site
from gitops_promotion.core.origin import Origin
from gitops_promotion.core.pull_request_text import shows
from gitops_promotion.errors import LeaseLostError, PromotionError, UsageError
from gitops_promotion.workflow.after_lost_race import propose_winner_again
from gitops_promotion.workflow.already_there import already_there
from gitops_promotion.workflow.arming import arm, verdict_on
from gitops_promotion.workflow.branch import Branch, read_branch
from gitops_promotion.workflow.committing import require_signing
from gitops_promotion.workflow.describing import describe
from gitops_promotion.workflow.disarm_then_push import disarm_then_push
from gitops_promotion.workflow.foreign_work import require_no_foreign_work
from gitops_promotion.workflow.intent import Intent
from gitops_promotion.workflow.publishing import take_back_success
from gitops_promotion.workflow.races import repeat_after_races
from gitops_promotion.workflow.rejections import draft_with, find_replaced, replacement_sentences
from gitops_promotion.workflow.reviewers import ask_people
from gitops_promotion.workflow.run import Run
from gitops_promotion.workflow.worth_keeping import is_worth_keeping


def deliver(run: Run, decide: Callable[[], Intent | Outcome]) -> Outcome:
    """Return the outcome of the intent, decided again whenever another writer has changed the remote.

    Raises GitError, ProviderError, ManifestError, UsageError, ForeignCommitsError. They, and the warnings, name the
    pull requests that were disarmed and are not armed again.
    """
    disarmed: list[int] = []
    try:
        return _deliver(run, decide, disarmed)
    except PromotionError as error:
        if disarmed:
            error.add(_is_off(disarmed))
        raise


def _deliver(run: Run, decide: Callable[[], Intent | Outcome], disarmed: list[int]) -> Outcome:
    lost_requests: list[Request] = []

    def decide_and_propose(_attempt: int) -> Outcome:
        intent = decide()
        if isinstance(intent, Outcome):
            return intent
        try:
            return _propose(run, intent, disarmed)
        except LeaseLostError:
            lost_requests.append(intent.plan(run.tip.sha).request)
            raise

    outcome = repeat_after_races(run, decide_and_propose)
    # A tag that is there already has disarmed what is open for another one: that stays so.
    keeps_disarmed = outcome.result == "unchanged" and outcome.pull_request is not None
    if lost_requests and not outcome.sha and not keeps_disarmed:
        propose_winner_again(run, lost_requests[-1], lambda intent: _propose(run, intent, disarmed))
    numbers = () if keeps_disarmed else dict.fromkeys(disarmed)
    pulls = [run.forge.pull_request(number) for number in numbers]
    off = [pull.number for pull in pulls if pull.state == "open" and not pull.auto_merge]
    return replace(outcome, warnings=(*outcome.warnings, _is_off(off))) if off else outcome


def _is_off(numbers: Sequence[int]) -> str:
    names = " and ".join(f"#{number}" for number in dict.fromkeys(numbers))
    return f"auto-merge of pull request {names} is off now"


def _propose(run: Run, intent: Intent, disarmed: list[int]) -> Outcome:
    """Carry out an intent, in the order of effects, and return the outcome. Raises LeaseLostError for a lost race."""
    tip = run.tip
    plan = intent.plan(tip.sha)
    request = plan.request
    _require_branch_of_its_own(run, request)
    if not plan.edits:
        return already_there(run, plan)
    require_signing(run)
    if run.dry_run:
        plan = replace(plan, diff=diff.unified(intent.files, plan.edits))
        return replace(Outcome.of_plan(plan, "planned", "nothing was written"), plan=plan)
    pulls = _pull_requests(run, intent, plan.branch)
    current = due.open_for(pulls, plan.base)
    branch = read_branch(run, plan.branch, request.application, request.feature)
    if branch is not None:
        require_no_foreign_work(run, plan, branch, current)
    ruling = intent.veto(pulls, branch)
    if isinstance(ruling, Outcome):
        return ruling
    new_origin = ruling or Origin()
    origin = _origin(plan, branch, new_origin)
    replaced = find_replaced(run, request, current, branch)
    kept = to_keep(request, current, pulls, replaced, base=tip.base)

    # What is proposed again gets a new head: the opinions on the old one do not count. An override is of one head.
    needs_new_head = bool(origin.override or new_origin.again_by)
    keeps_head = branch is not None and not needs_new_head and is_worth_keeping(run, plan, branch, current)
    if branch is not None and keeps_head:
        # The body names the base that the branch really has, or each run would edit it.
        plan = intent.plan(branch.base_sha)
        head_sha = branch.sha
    else:
        plan = planning.with_origin(plan, origin) if request.kind.changes_tag else plan
        note = draft_with(current, branch, kept) if replaced and current and branch else None
        head_sha = disarm_then_push(run, plan, branch, pulls, disarmed, note=note)
    plan = replace(plan, body=with_rejections(plan.body, kept.rejections))
    draft = _draft(run, plan, head_sha, current)
    if current is None or not keeps_head or not shows(current, draft):
        result: Result = "opened" if current is None else "updated"
        pull_request = run.forge.open_pull_request(replace(draft, body=describe(run, plan).body))
    else:
        result, pull_request = "unchanged", current
    if origin.override:
        verdict = verdict_on(run, plan.request, pull_request)
        status = own_status(verdict, shorten=run.facts.status_text)
        run.forge.set_status(head_sha, status)
    warnings = () if result == "unchanged" else ask_people(run, plan, pull_request, is_new=result == "opened")
    if keeps_head:
        take_back_success(run, plan, pull_request)
    auto_merge = arm(run, plan, pull_request)
    disarmed.clear()
    if auto_merge.state == "merged":
        pull_request = run.forge.pull_request(pull_request.number)
    outcome = Outcome.of_pull_request(plan, result, head_sha, pull_request, auto_merge)
    message = "; ".join((outcome.message, *replacement_sentences(request, current, branch, replaced)))
    return replace(outcome, message=message, warnings=(*outcome.warnings, *warnings, *kept.warnings))


def _require_branch_of_its_own(run: Run, request: Request) -> None:
    """Raise UsageError if another application would have the same branch."""
    if request.kind.uses_settings and (
        sharers := run.tip.marked.sharing_branch(Site(request.application, request.environment))
    ):
        raise UsageError(
            f"{request.application} and {sharers[0]} would share a branch: rename one of them, or give branchTemplate "
            "in the configuration another separator, such as promote/{group}/{app}"
        )


def _draft(run: Run, plan: Plan, head_sha: str, current: PullRequest | None) -> Draft:
    """Return the pull request that a plan wants, without the changes that `describe` adds to its body."""
    return Draft(
        head=plan.branch,
        head_sha=head_sha,
        base=plan.base,
        title=untrusted.cut(plan.title, run.facts.title_limit),
        body=plan.body,
        gated=plan.gated,
        base_sha=plan.base_sha,
        number=current.number if current else 0,
    )


def _origin(plan: Plan, branch: Branch | None, origin: Origin) -> Origin:
    """Return the people behind the plan, with those of the branch if it proposes the same."""
    request = plan.request
    proposal = branch.proposal if branch else None
    if proposal is None or proposal.tag != request.tag or request.environment not in proposal.environments:
        return origin
    return origin.joined(proposal.origin)


def _pull_requests(run: Run, intent: Intent, branch: str) -> Sequence[PullRequest]:
    pulls = intent.pulls.get(branch)
    return run.forge.pull_requests(head=branch) if pulls is None else pulls
