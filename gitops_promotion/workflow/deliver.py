"""From a request to its pull request: the one order of effects that all verbs share.

Look up the pull request; disarm it before its branch changes; push with lease; create or update; arm last, bound to
the pushed head. A run killed anywhere in between leaves nothing armed by accident, and the next run finishes the work
(docs/architecture.md, Order of effects).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from gitops_promotion.core import branch_contents, diff, due, holds_file, untrusted
from gitops_promotion.core import plan as planning
from gitops_promotion.core.commits import RefUpdate
from gitops_promotion.core.forge import AutoMerge, Draft, HeadState, PullRequest, StatusState
from gitops_promotion.core.gates import Reason, Verdict, own_status
from gitops_promotion.core.holds import FILE, lifted_by_promotion
from gitops_promotion.core.kinds import HOLD, PROMOTION, RELEASE, ROLLBACK
from gitops_promotion.core.model import Outcome, Plan, Request, Result
from gitops_promotion.core.origin import Origin
from gitops_promotion.core.pull_request_text import without_changes
from gitops_promotion.errors import (
    ForeignCommitsError,
    RefusedPushError,
    UsageError,
)
from gitops_promotion.workflow.arming import arm, disarm, verdict_on
from gitops_promotion.workflow.branch import Branch, branch_changes, read_branch
from gitops_promotion.workflow.committing import make_commit, require_signing
from gitops_promotion.workflow.describing import ask_people, describe
from gitops_promotion.workflow.races import repeat_after_races
from gitops_promotion.workflow.reviewers import ask_groups
from gitops_promotion.workflow.run import Run
from gitops_promotion.workflow.tip import Site, Tip

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
        made = planning.set_tag(request, tip.config, files, base=tip.base, base_sha=base_sha, also=also)
        return replace(made, warnings=(*warnings, *made.warnings)) if warnings else made

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


def deliver(run: Run, decide: Callable[[], Intent | Outcome]) -> Outcome:
    """Return the outcome of the intent, decided again whenever another writer has changed the remote.

    Raises GitError, ProviderError, ManifestError, UsageError, ForeignCommitsError.
    """

    def decide_and_propose(_attempt: int) -> Outcome:
        intent = decide()
        return intent if isinstance(intent, Outcome) else _propose(run, intent)

    return repeat_after_races(run, decide_and_propose)


def _propose(run: Run, intent: Intent) -> Outcome:
    tip = run.tip
    plan = intent.plan(tip.sha)
    request = plan.request
    if request.kind is PROMOTION and (
        others := tip.marked.sharing_branch(Site(request.application, request.environment))
    ):
        raise UsageError(
            f"{request.application} and {others[0]} would share a branch: rename one of them, or give branchTemplate "
            "in the configuration another separator, such as promote/{group}/{app}"
        )
    if not plan.edits:
        return _already_there(run, plan)
    require_signing(run)
    if run.dry_run:
        plan = replace(plan, diff=diff.unified(intent.files, plan.edits))
        return replace(Outcome.of_plan(plan, "planned", "nothing was written"), plan=plan)
    pulls = _pull_requests(run, intent, plan.branch)
    current = due.open_for(pulls, plan.base)
    branch = read_branch(run, plan.branch, request.application, request.feature)
    if branch is not None:
        _stop_at_work_of_others(run, plan, branch, current)
    ruling = intent.veto(pulls, branch)
    if isinstance(ruling, Outcome):
        return ruling
    origin = _origin(plan, branch, ruling or Origin())

    # What is proposed again gets a new head: the opinions on the old one do not count. An override is of one head.
    needs_new_head = bool(origin.override) or (ruling is not None and bool(ruling.again_by))
    kept = branch is not None and not needs_new_head and _is_worth_keeping(run, plan, branch, current)
    if branch is not None and kept:
        # The body names the base that the branch really has, or each run would edit it.
        plan = intent.plan(branch.base_sha)
        head_sha = branch.sha
    else:
        plan = planning.with_origin(plan, origin) if request.kind in (PROMOTION, ROLLBACK) else plan
        head_sha = _push(run, plan, branch, pulls)
    draft = _draft(run, plan, head_sha)
    if current is None or not kept or not _shows(current, draft):
        result: Result = "opened" if current is None else "updated"
        pull_request = run.forge.open_pull_request(replace(draft, body=describe(run, plan).body))
    else:
        result, pull_request = "unchanged", current
    if origin.override:
        verdict = verdict_on(run, plan.request, pull_request)
        status = own_status(verdict, shorten=run.facts.status_text)
        run.forge.set_status(head_sha, status)
    warnings: tuple[str, ...] = ()
    if result != "unchanged":
        warnings += ask_groups(run, pull_request, [request.environment]) if request.kind is PROMOTION else ()
        warnings += ask_people(run, plan, pull_request, is_new=result == "opened")
    if kept:
        _take_back_success(run, plan, pull_request)
    auto_merge = arm(run, plan, pull_request)
    if auto_merge.state == "merged":
        pull_request = run.forge.pull_request(pull_request.number)
    outcome = _report(plan, result, head_sha, pull_request, auto_merge)
    return replace(outcome, warnings=(*outcome.warnings, *warnings))


def _draft(run: Run, plan: Plan, head_sha: str) -> Draft:
    return Draft(
        head=plan.branch,
        head_sha=head_sha,
        base=plan.base,
        title=untrusted.cut(plan.title, run.facts.title_limit),
        body=plan.body,
        gated=plan.gated,
        base_sha=plan.base_sha,
    )


def _origin(plan: Plan, branch: Branch | None, origin: Origin) -> Origin:
    """Return the people behind the plan, with those of the branch if it proposes the same."""
    request = plan.request
    proposal = branch.proposal if branch else None
    if proposal is None or proposal.tag != request.tag or request.environment not in proposal.environments:
        return origin
    return origin.joined(proposal.origin)


def _push(run: Run, plan: Plan, branch: Branch | None, pulls: Sequence[PullRequest]) -> str:
    """Disarm the branch's pull requests, push the plan's commit, and return it. Raises GitError."""
    repository, base = run.tip.repository, run.tip.sha
    # Made before anything changes: if it cannot be signed, everything stays as it is.
    commit = make_commit(run, base, plan.edits, plan.message)
    # One that counts as closed, because it has no branch, would be open again with it (Azure DevOps).
    armed = [pull for pull in pulls if pull.auto_merge]
    for pull in armed:
        disarm(run, pull)
    expected = branch.sha if branch else None

    def push(sha: str) -> str:
        # The base belongs to the lease: a promotion that somebody has merged meanwhile must not be proposed again.
        update = RefUpdate(ref=f"refs/heads/{plan.branch}", new=sha, expected=expected)
        repository.push([update], unchanged={f"refs/heads/{run.tip.base}": base})
        return sha

    try:
        try:
            return push(commit)
        except RefusedPushError as error:
            if error.kind != "force" or branch is None:
                raise
            run.note(f"{run.tip.repository.url} allows no forced push: adding a commit on top of {plan.branch}")
            return push(make_commit(run, base, plan.edits, plan.message, on_top_of=branch.sha))
    except RefusedPushError as error:
        if not armed:
            raise
        numbers = " and ".join(f"#{pull.number}" for pull in armed)
        raise RefusedPushError(f"{error}; auto-merge of pull request {numbers} is off now", kind=error.kind) from error


def _pull_requests(run: Run, intent: Intent, branch: str) -> Sequence[PullRequest]:
    pulls = intent.pulls.get(branch)
    return run.forge.pull_requests(head=branch) if pulls is None else pulls


def _already_there(run: Run, plan: Plan) -> Outcome:
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
        disarm(run, current)
    message += (
        f"; pull request #{current.number} for {branch.proposal.tag} is still open, with auto-merge off: close it if "
        "it is obsolete"
    )
    return replace(Outcome.of_plan(plan, "unchanged", message), pull_request=replace(current, auto_merge=False))


def _stop_at_work_of_others(run: Run, plan: Plan, branch: Branch, current: PullRequest | None) -> None:
    """Raise if the branch holds anything but this application's promotion; such work is never overwritten."""
    proposal = branch.proposal
    if proposal.other_owner:
        ways = ", or set branchTemplate in the configuration" if plan.request.kind is PROMOTION else ""
        raise UsageError(
            f"the branch {plan.branch} holds work of {proposal.other_owner}, which shares it with "
            f"{plan.request.application}: rename one of them{ways}"
        )
    if proposal.foreign:
        if current is not None and current.auto_merge:
            disarm(run, current)
        names = ", ".join(
            f"{commit.sha[:7]} {commit.message.partition(chr(10))[0][:60]!r} by "
            f"{untrusted.line(commit.author_email, untrusted.VALUE_LIMIT)}"
            for commit in proposal.foreign[:3]
        )
        count = len(proposal.foreign)
        raise ForeignCommitsError(
            f"{plan.branch} has {count} commit{'s' if count > 1 else ''} by someone else ({names}): left untouched, "
            "auto-merge off; merge or close the pull request, or delete the branch, then run again"
        )


def _is_worth_keeping(run: Run, plan: Plan, branch: Branch, current: PullRequest | None) -> bool:
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
        head_state = HeadState(failed=_published_state(run, branch.sha) == "failure")
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


def _published_state(run: Run, sha: str) -> StatusState | None:
    """Return the state of this tool's own status on a head, None if there is none."""
    statuses = run.forge.statuses([sha]).get(sha, [])
    return next((status.state for status in statuses if status.is_own), None)


def _take_back_success(run: Run, plan: Plan, pull_request: PullRequest) -> None:
    """Replace a published success that is no longer right, before arming makes it count."""
    if not (plan.gated and plan.auto_merge) or (pull_request.auto_merge and not run.forge.publishes):
        return
    if _published_state(run, pull_request.head_sha) != "success":
        return
    verdict = verdict_on(run, plan.request, pull_request)
    if verdict.decision != "pass":
        pending = Verdict(decision="wait", reasons=(Reason(evidence=f"no longer: {verdict.texts[0]}"),))
        run.forge.set_status(pull_request.head_sha, own_status(pending, shorten=run.facts.status_text))


def _shows(current: PullRequest, draft: Draft) -> bool:
    def lines(text: str) -> list[str]:
        # Forges trim bodies and change their line ends.
        return [line.rstrip() for line in without_changes(text).strip().splitlines()]

    return (current.head_sha, current.base, current.title, lines(current.body)) == (
        draft.head_sha,
        draft.base,
        draft.title,
        lines(draft.body),
    )


def _report(plan: Plan, result: Result, head_sha: str, pull_request: PullRequest, auto_merge: AutoMerge) -> Outcome:
    by_hand = "waits for a person to merge it"
    if plan.request.kind is HOLD:
        by_hand = f"counts now, and {by_hand}"
    elif plan.request.kind is not RELEASE:
        by_hand += f" ({plan.request.environment} has auto: false)"
    messages = {
        "merged": "merged" + (f", {auto_merge.reason}" if auto_merge.reason else ""),
        "armed": "merges by itself when its checks pass",
        "off": f"is open, with auto-merge off: {auto_merge.reason}" if auto_merge.reason else by_hand,
        "refused": f"open, but not armed: {auto_merge.reason}",
    }
    is_disarmed = pull_request.auto_merge and auto_merge.state == "off" and result == "unchanged"
    final: Result = auto_merge.state if auto_merge.state in ("merged", "refused") else result
    final = "updated" if is_disarmed else final
    message = f"pull request #{pull_request.number} {messages[auto_merge.state]}"
    shown = replace(pull_request, auto_merge=auto_merge.state == "armed")
    return replace(Outcome.of_plan(plan, final, message), sha=head_sha, pull_request=shown)
