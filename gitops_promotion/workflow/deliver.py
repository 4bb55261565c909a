"""From a request to its pull request: the one path that `new` and `promote` share.

Order of effects (DESIGN 7): look up the pull request; disarm it before its branch changes; push with lease; create or
update; arm last, bound to the pushed head. A run killed anywhere in between leaves nothing armed that was not meant,
and the next run finishes the work.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from gitops_promotion.core import diff, due
from gitops_promotion.core import plan as planning
from gitops_promotion.core.commits import RefUpdate
from gitops_promotion.core.forge import (
    OWN_CONTEXT,
    AutoMerge,
    CommitStatus,
    Draft,
    HeadState,
    PullRequest,
    StatusState,
)
from gitops_promotion.core.model import Outcome, Plan, Request, Result, Verdict
from gitops_promotion.core.plan import Proposal
from gitops_promotion.errors import ForeignCommitsError, GitError, LeaseLostError, PromotionError, UsageError
from gitops_promotion.workflow.judge import Gate, judge
from gitops_promotion.workflow.session import Session

ATTEMPTS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """A promotion branch as the remote has it: what it proposes, and the contents of the paths it changes."""

    sha: str
    base_sha: str
    proposal: Proposal
    head: Mapping[str, bytes]


Veto = Callable[[Sequence[PullRequest], Branch | None], Outcome | None]
"""What a verb has to say against its own plan, seeing the pull requests of the branch and the branch."""


def _no_veto(_pulls: Sequence[PullRequest], _branch: Branch | None) -> Outcome | None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """What a verb wants, and its own say on what is there already.

    `plan` makes the plan anew for a base (its commit's id): the tip, or where a branch worth keeping begins. `files`
    are the contents that it edits. A veto returns the outcome that ends it. `pulls` holds the pull requests of branches
    that deciding has asked for already, by branch.
    """

    plan: Callable[[str], Plan]
    files: Mapping[str, bytes]
    veto: Veto = _no_veto
    pulls: Mapping[str, Sequence[PullRequest]] = field(default_factory=dict)


def setting_tag(
    session: Session,
    request: Request,
    files: Mapping[str, bytes],
    veto: Veto = _no_veto,
    pulls: Mapping[str, Sequence[PullRequest]] | None = None,
) -> Intent:
    """Return the intent to set the request's tag in `files`, the marked files of its environment at the tip."""

    def plan(base_sha: str) -> Plan:
        return planning.make(request, session.config, files, base=session.base, base_sha=base_sha)

    return Intent(plan=plan, files=files, veto=veto, pulls=pulls or {})


def deliver(session: Session, decide: Callable[[], Intent | Outcome]) -> Outcome:
    """Return what became of the intent; decided anew whenever the remote moved in between, a bounded number of times.

    Raises GitError, ProviderError, ManifestError, UsageError, ForeignCommitsError.
    """
    last = ""
    for _ in range(ATTEMPTS):
        intent = decide()
        if isinstance(intent, Outcome):
            return intent
        try:
            return _propose(session, intent)
        except LeaseLostError as error:
            session.note(f"{error}; looking again")
            last = str(error)
            session.refresh()
    raise GitError(f"the remote was not what it had been {ATTEMPTS} times in a row: {last}")


def _propose(session: Session, intent: Intent) -> Outcome:
    plan = intent.plan(session.tip)
    request = plan.request
    if request.kind == "promote" and (rivals := session.rivals((request.group, request.app, request.environment))):
        raise UsageError(
            f"{request.group}/{request.app} and {rivals[0]} would share a branch: rename one of them, or give "
            "branchTemplate in the configuration another separator, such as promote/{group}/{app}"
        )
    if not plan.edits:
        return _already_there(session, plan)
    if session.dry_run:
        plan = replace(plan, diff=diff.unified(intent.files, plan.edits))
        return replace(outcome_of(plan, "planned", "nothing was written"), plan=plan)
    pulls = _pull_requests(session, intent, plan.branch)
    current = due.current(pulls, plan.base)
    branch = read_branch(session, plan.branch, request.group, request.app, request.feature)
    if branch is not None:
        _stop_at_others_work(session, plan, branch, current)
    if (vetoed := intent.veto(pulls, branch)) is not None:
        return vetoed

    kept = branch is not None and _worth_keeping(session, plan, branch, current)
    if branch is not None and kept:
        # The body names the base the branch really has, or each run would edit it.
        plan = intent.plan(branch.base_sha)
        head_sha = branch.sha
    else:
        for pull in pulls:
            # One that counts as closed, as it has no branch, would be open again with it (Azure DevOps).
            if pull.auto_merge:
                disarm(session, pull)
        head_sha = session.repository.commit(session.tip, plan.edits, plan.message)
        ref = f"refs/heads/{plan.branch}"
        session.repository.push([RefUpdate(ref=ref, new=head_sha, expected=branch.sha if branch else None)])
    draft = Draft(
        head=plan.branch, head_sha=head_sha, base=plan.base, title=plan.title, body=plan.body, gated=plan.gated
    )
    if current is None or not kept or not _shows(current, draft):
        result: Result = "opened" if current is None else "updated"
        pull_request = session.provider.open_pull_request(draft)
    else:
        result, pull_request = "unchanged", current
    if kept:
        _look_at_the_check_again(session, plan, pull_request)
    armed = _arm(session, plan, pull_request)
    if armed.state == "merged":
        pull_request = session.provider.pull_request(pull_request.number)
    return _report(plan, result, head_sha, pull_request, armed)


def _pull_requests(session: Session, intent: Intent, branch: str) -> Sequence[PullRequest]:
    known = intent.pulls.get(branch)
    return session.provider.pull_requests(head=branch) if known is None else known


def _already_there(session: Session, plan: Plan) -> Outcome:
    """Report that there is nothing to do; what is open for another tag must not undo that by itself."""
    request = plan.request
    message = f"{request.environment} already has {request.tag.name}"
    branch = None if session.dry_run else read_branch(session, plan.branch, request.group, request.app, request.feature)
    if branch is None or plan.request.environment not in branch.proposal.environments:
        return outcome_of(plan, "unchanged", message)
    pulls = session.provider.pull_requests(head=plan.branch)
    current = due.current(pulls, plan.base)
    if current is None:
        return outcome_of(plan, "unchanged", message)
    if current.auto_merge:
        disarm(session, current)
    message += (
        f"; pull request #{current.number} for {branch.proposal.tag} is open and does not merge by itself: close it"
    )
    return replace(outcome_of(plan, "unchanged", message), pull_request=replace(current, auto_merge=False))


def read_branch(session: Session, name: str, group: str, app: str, feature: str = "") -> Branch | None:
    """Return what the remote's branch of that name holds beyond the default branch, None if there is none."""
    sha = session.branch(name)
    if sha is None:
        return None
    entries = session.repository.commits(session.tip, sha)
    blobs = session.blobs(oid for entry in entries for change in entry.changes for oid in (change.old, change.new))
    head = session.repository.read(sha, {change.path for entry in entries for change in entry.changes})
    merges = {
        entry.sha
        for entry in entries
        if planning.may_be_the_forges(entry) and session.repository.is_plain_merge(entry.sha, *entry.parents)
    }
    proposal = planning.read_proposal(
        entries, blobs, head, merges, config=session.config, group=group, app=app, feature=feature
    )
    parents = entries[-1].parents if entries else ()
    return Branch(sha=sha, base_sha=parents[0] if parents else sha, proposal=proposal, head=head)


def _stop_at_others_work(session: Session, plan: Plan, branch: Branch, current: PullRequest | None) -> None:
    """Raise if the branch holds anything that is not this application's promotion; such work is never overwritten."""
    if branch.proposal.rival:
        raise UsageError(
            f"the branch {plan.branch} holds work of {branch.proposal.rival}, which shares it with "
            f"{plan.request.group}/{plan.request.app}: rename one of them{_or_a_template(plan)}"
        )
    if branch.proposal.foreign:
        if current is not None and current.auto_merge:
            disarm(session, current)
        names = ", ".join(
            f"{entry.sha[:7]} {entry.message.partition(chr(10))[0][:60]!r} by {entry.author_email}"
            for entry in branch.proposal.foreign[:3]
        )
        raise ForeignCommitsError(
            f"{plan.branch} has {len(branch.proposal.foreign)} commit(s) that are not ours ({names}): left alone and "
            "not merged by itself; merge or close its pull request by hand, or delete the branch, then run again"
        )


def _or_a_template(plan: Plan) -> str:
    return ", or set branchTemplate in the configuration" if plan.request.kind == "promote" else ""


def _worth_keeping(session: Session, plan: Plan, branch: Branch, current: PullRequest | None) -> bool:
    """Reviews and checks given on a branch keep their worth while it still says what is wanted and can be merged."""
    if not planning.same_edits(plan, branch.proposal, branch.head):
        return False
    at_tip = branch.base_sha == session.tip
    if not at_tip and session.repository.conflicts(session.tip, branch.sha):
        return False
    if at_tip and not plan.gated:
        return True
    if current is None:
        state = HeadState(failed=_published(session, branch.sha) == "failure")
    else:
        state = session.provider.head_state(current)
    if state.outdated and not at_tip:
        return False
    return not (plan.gated and state.failed and _would_pass_now(session, plan, state))


def _would_pass_now(session: Session, plan: Plan, state: HeadState) -> bool:
    """Return True if a check that failed on this head would pass on a new one, which alone runs it again.

    A check that is not known to be ours fails again for all we know, unless it began before the environment was seen
    healthy: so it gets one new head for each new word of Flux, not one an hour.
    """
    verdict = _verdict(session, plan.request)
    if verdict.decision != "pass" or state.failed_since is None:
        return verdict.decision == "pass"
    return verdict.at is not None and verdict.at > state.failed_since


def _published(session: Session, sha: str) -> StatusState | None:
    """Return what our check said of a head, if it was published."""
    said = session.provider.statuses([sha]).get(sha, [])
    return next((status.state for status in said if status.is_own), None)


def _look_at_the_check_again(session: Session, plan: Plan, pull_request: PullRequest) -> None:
    """Take back a verdict that was right when it was given and is not now, before arming makes it count."""
    if not (plan.gated and plan.auto_merge) or pull_request.auto_merge:
        return
    if _published(session, pull_request.head_sha) != "success":
        return
    verdict = _verdict(session, plan.request)
    if verdict.decision != "pass":
        status = CommitStatus(
            context=OWN_CONTEXT, state="pending", description=f"no longer: {verdict.reasons[0]}"[:140]
        )
        session.provider.set_status(pull_request.head_sha, status)


def _verdict(session: Session, request: Request) -> Verdict:
    """Evaluate the gate of a promotion once."""
    previous = session.config.previous_environment(request.environment)
    if previous is None:
        return Verdict(decision="pass")
    asked = Gate(
        group=request.group,
        app=request.app,
        tag=request.tag,
        environment=request.environment,
        previous=previous.name,
    )
    return judge(session, asked, expired=False)


def disarm(session: Session, pull_request: PullRequest) -> None:
    """Switch auto-merge off. Raises LeaseLostError if the pull request is gone, so that all is decided anew."""
    answer = session.provider.set_auto_merge(pull_request, enabled=False)
    if answer.state != "off":
        raise LeaseLostError(f"pull request #{pull_request.number} was {answer.state} in between ({answer.reason})")


def _shows(current: PullRequest, draft: Draft) -> bool:
    def lines(text: str) -> list[str]:
        # Forges trim bodies and change their line ends.
        return [line.rstrip() for line in text.strip().splitlines()]

    return (current.head_sha, current.base, current.title, lines(current.body)) == (
        draft.head_sha,
        draft.base,
        draft.title,
        lines(draft.body),
    )


def _arm(session: Session, plan: Plan, pull_request: PullRequest) -> AutoMerge:
    if pull_request.auto_merge and not plan.auto_merge:
        disarm(session, pull_request)
    if not plan.auto_merge:
        return AutoMerge(state="off")
    if pull_request.auto_merge:
        return AutoMerge(state="armed")
    answer = session.provider.set_auto_merge(pull_request, enabled=True)
    if answer.state == "clean":
        answer = _merge_what_is_clean(session, plan, pull_request)
    if answer.state == "moved":
        raise LeaseLostError(answer.reason)
    return answer


def _merge_what_is_clean(session: Session, plan: Plan, pull_request: PullRequest) -> AutoMerge:
    """Merge what the forge would let anybody merge, but never past our own gate: that it cannot wait for by itself."""
    if plan.gated:
        verdict = _verdict(session, plan.request)
        if verdict.decision != "pass":
            why = "; ".join(verdict.reasons)
            return AutoMerge(
                state="refused",
                reason=f"{why}; and no rule of {plan.base} holds it until then: make the check of `gitops-promotion "
                "status` a required one, or run this again when it would pass",
            )
    return session.provider.merge(pull_request)


def _report(plan: Plan, result: Result, head_sha: str, pull_request: PullRequest, armed: AutoMerge) -> Outcome:
    messages = {
        "merged": "merged" + (f", {armed.reason}" if armed.reason else ""),
        "armed": "merges by itself when its checks pass",
        "off": f"waits for a person to merge it ({plan.request.environment} has auto: false)",
        "refused": f"open, but not armed: {armed.reason}",
    }
    final: Result = armed.state if armed.state in ("merged", "refused") else result
    message = f"pull request #{pull_request.number} {messages[armed.state]}"
    shown = replace(pull_request, auto_merge=armed.state == "armed")
    return replace(outcome_of(plan, final, message), sha=head_sha, pull_request=shown)


def outcome_of(plan: Plan, result: Result, message: str) -> Outcome:
    """Return an outcome that carries the plan's names and warnings."""
    return Outcome.of_plan(plan, result, message)


def failed(error: PromotionError, *, group: str = "", app: str = "", environment: str = "") -> Outcome:
    """Return the outcome of one promotion that failed while others go on."""
    return Outcome.failed(error, group=group, app=app, environment=environment)
