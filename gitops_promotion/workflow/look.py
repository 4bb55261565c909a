"""One look at one head: what it changes, the verdict of the gates, and the commit status that publishes it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from gitops_promotion.core import gates
from gitops_promotion.core.forge import CommitStatus, PullRequest
from gitops_promotion.core.gates import Question, Reason, Verdict
from gitops_promotion.core.model import Outcome, Result
from gitops_promotion.errors import AuthError, ManifestError, PromotionError
from gitops_promotion.workflow import commenting
from gitops_promotion.workflow.arming import disarm_judged
from gitops_promotion.workflow.examine import Examination, Subject, examine
from gitops_promotion.workflow.judge import judge
from gitops_promotion.workflow.lookups import Lookups
from gitops_promotion.workflow.overriding import find_claim
from gitops_promotion.workflow.publishing import (
    disarm_refused,
    ended,
    may_be_armed,
    outcome_of,
    run_status,
    superseded,
)
from gitops_promotion.workflow.races import repeat_after_races
from gitops_promotion.workflow.reviewers import ask_groups
from gitops_promotion.workflow.run import Run

# The ids by which reasons name their evidence, the last one perhaps cut off.
_IDS = re.compile(r"\b[0-9a-f]{7}\b|\b[0-9a-f]{1,7}…")


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """The outcome of one look, and the verdict; None where the head was not judged.

    With an error in the outcome the verdict could not be published.
    """

    outcome: Outcome
    verdict: Verdict | None = None


def look(run: Run, subject: Subject, lookups: Lookups) -> Look:
    """Judge one head and publish the verdict as a commit status; after a race again. An error is a failed outcome."""

    def once(attempt: int) -> Look:
        pull = subject.pull_request
        if attempt and pull is not None and (outcome := ended(subject, run.forge.pull_request(pull.number))):
            return Look(outcome=outcome)
        if (outcome := superseded(run, subject)) is not None:
            return Look(outcome=replace(outcome, result="skipped", pull_request=pull))
        return _judge_and_publish(run, subject, lookups)

    try:
        return repeat_after_races(run, once)
    except PromotionError as error:
        return Look(outcome=_failed(subject, error))


def _judge_and_publish(run: Run, subject: Subject, lookups: Lookups) -> Look:
    try:
        examination = with_override(run, examine(run, subject), subject, lookups)
        verdicts = _verdicts(run, examination, lookups)
    except ManifestError as error:
        # The head itself is at fault, and without a verdict on it nobody would see why it does not merge.
        refusal = Verdict(decision="refuse", reasons=(Reason(evidence=str(error)),))
        _publish_if_new(run, subject, run_status(run, refusal), lookups)
        return Look(outcome=_failed(subject, error))
    verdict = _combined(examination, verdicts)
    try:
        return Look(outcome=_publish(run, subject, examination, verdicts, lookups), verdict=verdict)
    except AuthError as error:
        return Look(outcome=_failed(subject, error), verdict=verdict)


def with_override(run: Run, examination: Examination, subject: Subject, lookups: Lookups) -> Examination:
    """Return an examination whose questions have the override that counts for the head; a warning if it does not."""
    claim = find_claim(run.tip, lookups, subject.sha) if examination.questions else None
    if claim is None:
        return examination
    if claim.problem:
        return replace(examination, warnings=(*examination.warnings, claim.warning))
    return replace(examination, questions=tuple(replace(q, override=claim.override) for q in examination.questions))


def _publish(
    run: Run,
    subject: Subject,
    examination: Examination,
    verdicts: Sequence[tuple[Question | None, Verdict]],
    lookups: Lookups,
) -> Outcome:
    verdict = _combined(examination, verdicts)
    warnings = (*examination.warnings, *verdict.warnings)
    if examination.refusals:
        warnings += disarm_refused(run, subject)
    status = run_status(run, verdict)
    if not (run.dry_run or examination.refusals) and not may_be_armed(run, lookups, examination.questions, verdict):
        pull = subject.pull_request
        # The list of Azure DevOps does not say which are armed.
        if pull is not None and (pull.auto_merge or not _is_published(lookups, subject.sha, status)):
            disarm_judged(run, pull, subject.sha)
    warnings += _ask_groups(run, subject.pull_request, examination, verdict, lookups)
    result = _publish_if_new(run, subject, status, lookups)
    warnings += commenting.write(run, subject, lookups, verdicts)
    question = examination.questions[0] if examination.questions else None
    verb = {"unchanged": "still", "planned": "would publish"}.get(result, "published")
    outcome = replace(
        outcome_of(subject, question, result, verdict.texts, warnings=warnings),
        message=f"{verb} {status.state}: {verdict.texts[0]}",
        pull_request=subject.pull_request,
        tally=verdict.tally,
        verdicts=tuple(verdicts),
    )
    return _merge_if_local(run, outcome) if status.state == "success" and not run.dry_run else outcome


def _ask_groups(
    run: Run, pull: PullRequest | None, examination: Examination, verdict: Verdict, lookups: Lookups
) -> tuple[str, ...]:
    """Ask the groups whose approval it waits for, where that was not done when it was opened; returns warnings."""
    if pull is None or verdict.decision != "wait":
        return ()

    def current_reviewers() -> frozenset[str]:
        discussion = lookups.discussion(pull.number)
        return discussion.asked if discussion else frozenset()

    environments = [question.environment for question in examination.questions]
    return ask_groups(run, pull, environments, current_reviewers=current_reviewers)


def _verdicts(run: Run, examination: Examination, lookups: Lookups) -> tuple[tuple[Question | None, Verdict], ...]:
    """Return the verdict on each question; a refusal of the head as a whole has none."""
    if examination.refusals:
        return ((None, Verdict(decision="refuse", reasons=examination.refusals)),)
    return tuple((question, judge(run.tip, lookups, question)) for question in examination.questions)


def _combined(examination: Examination, verdicts: Sequence[tuple[Question | None, Verdict]]) -> Verdict:
    if not verdicts:
        return Verdict(decision="pass", reasons=examination.remarks)
    return gates.strictest([verdict for _, verdict in verdicts])


def _is_published(lookups: Lookups, sha: str, verdict: CommitStatus) -> bool:
    """Return True if a head's newest verdict is this one, whichever commits it names as evidence.

    Those change with every commit of the default branch, and a head takes 1,000 statuses of one context.
    """
    newest = lookups.own_status(sha)
    if newest is None or newest.state != verdict.state:
        return False
    return _IDS.sub("", newest.description) == _IDS.sub("", verdict.description)


def _publish_if_new(run: Run, subject: Subject, status: CommitStatus, lookups: Lookups) -> Result:
    if _is_published(lookups, subject.sha, status):
        return "unchanged"
    if run.dry_run:
        return "planned"
    run.forge.set_status(subject.sha, status)
    lookups.remember(subject.sha, status)
    return "updated"


def _merge_if_local(run: Run, outcome: Outcome) -> Outcome:
    """Return the outcome after a success: `local` merges then, also where an earlier run was killed before it did."""
    if not run.publishes or outcome.pull_request is None:
        return outcome
    pull = run.forge.pull_request(outcome.pull_request.number)
    if pull.state == "open" and pull.auto_merge:
        run.forge.set_auto_merge(pull, enabled=True)
        pull = run.forge.pull_request(pull.number)
    if pull.state != "merged":
        return outcome
    # The next pull request is judged by the default branch as it is now.
    run.tip.refresh()
    return replace(outcome, result="merged", pull_request=pull)


def _failed(subject: Subject, error: PromotionError) -> Outcome:
    outcome = outcome_of(subject, None, "failed", (str(error),))
    return replace(outcome, error=error, pull_request=subject.pull_request)
