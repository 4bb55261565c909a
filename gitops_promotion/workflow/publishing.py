"""The published verdict: this tool's own commit status on a head, and what must be true before it is a success."""

from collections.abc import Sequence
from dataclasses import replace

from gitops_promotion.core.forge import CommitStatus, PullRequest, StatusState
from gitops_promotion.core.gates import Question, Reason, Verdict, own_status
from gitops_promotion.core.model import Outcome, Plan, Result
from gitops_promotion.errors import LeaseLostError, ProviderError
from gitops_promotion.workflow.arming import disarm_known, verdict_on
from gitops_promotion.workflow.examine import Subject
from gitops_promotion.workflow.judge import judge_arming
from gitops_promotion.workflow.lookups import Lookups
from gitops_promotion.workflow.run import Run


def outcome_of(
    subject: Subject,
    question: Question | None,
    result: Result,
    texts: Sequence[str],
    *,
    warnings: tuple[str, ...] = (),
) -> Outcome:
    """Return the outcome of a check; the first text is its message."""
    return replace(
        Outcome.of(question, result, texts[0] if texts else ""),
        reasons=tuple(texts),
        branch=subject.branch,
        sha=subject.sha,
        warnings=warnings,
    )


def ended(subject: Subject, pull: PullRequest | None) -> Outcome | None:
    """Return the outcome of a pull request that is not open any more, None if it is open or there is none."""
    if pull is None or pull.state == "open":
        return None
    return replace(outcome_of(subject, None, "skipped", (f"#{pull.number} is {pull.state}",)), pull_request=pull)


def superseded(run: Run, subject: Subject) -> Outcome | None:
    """Return the outcome of a head that is not its branch's any more, None if it still is."""
    sha = run.tip.refs.branch(subject.branch)
    if sha == subject.sha or subject.foreign:
        return None
    if sha is None:
        message = f"the branch {subject.branch} is gone: its pull request was merged or closed"
        return outcome_of(subject, None, "skipped", (message,))
    message = f"{subject.sha[:7]} is superseded by {sha[:7]}: the check of that commit counts; `git pull` here"
    return outcome_of(subject, None, "refused", (message,))


def publish_where_needed(run: Run, subject: Subject, outcome: Outcome) -> Outcome:
    """Publish the outcome of a check where only a published verdict lets a pull request merge; returns the outcome."""
    if run.publishes and not run.dry_run:
        decision: dict[Result, Verdict] = {
            "passed": Verdict(decision="pass"),
            "refused": Verdict(decision="refuse"),
            "timed-out": Verdict(decision="wait"),
        }
        verdict = replace(decision[outcome.result], reasons=(Reason(evidence=outcome.message),))
        run.forge.set_status(subject.sha, run_status(run, verdict))
    return outcome


def run_status(run: Run, verdict: Verdict) -> CommitStatus:
    """Return the commit status that publishes a verdict of this run."""
    return own_status(verdict, url=run.context.run_url, shorten=run.facts.status_text)


def disarm_refused(run: Run, subject: Subject) -> tuple[str, ...]:
    """Disable auto-merge of the pull requests of a branch that must not merge; returns warnings where that fails.

    The refusal alone stops the merge, and a check often has a token that may not write.
    """
    warnings: list[str] = []
    pulls = () if run.dry_run else run.forge.pull_requests(head=subject.branch)
    for pull in pulls:
        try:
            if pull.state == "open":
                disarm_known(run, pull)
        except LeaseLostError:
            raise
        except ProviderError as error:
            warnings.append(f"auto-merge of pull request #{pull.number} could not be disabled: {error}")
    return tuple(warnings)


def may_be_armed(run: Run, lookups: Lookups, questions: Sequence[Question], verdict: Verdict) -> bool:
    """Return False where a person must merge what passes, or where a gate that stops arming holds it."""
    if verdict.decision == "pass":
        return all(run.tip.config.environment(question.environment).auto for question in questions)
    return all(judge_arming(run.tip, lookups, question).decision == "pass" for question in questions)


def published_state(run: Run, sha: str) -> StatusState | None:
    """Return the state of this tool's own status on a head, None if there is none."""
    statuses = run.forge.statuses([sha]).get(sha, [])
    return next((status.state for status in statuses if status.is_own), None)


def take_back_success(run: Run, plan: Plan, pull_request: PullRequest) -> None:
    """Replace a published success that is no longer right, before arming makes it count."""
    if not (plan.gated and plan.auto_merge) or (pull_request.auto_merge and not run.forge.publishes):
        return
    if published_state(run, pull_request.head_sha) != "success":
        return
    verdict = verdict_on(run, plan.request, pull_request)
    if verdict.decision != "pass":
        pending = Verdict(decision="wait", reasons=(Reason(evidence=f"no longer: {verdict.texts[0]}"),))
        run.forge.set_status(pull_request.head_sha, own_status(pending, shorten=run.facts.status_text))
