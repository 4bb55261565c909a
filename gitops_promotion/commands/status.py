"""`status`: a required check that holds a pull request until the environments before are healthy."""

from collections.abc import Callable
from dataclasses import replace

from gitops_promotion.core import due, durations, gates
from gitops_promotion.core.forge import OWN_CONTEXT
from gitops_promotion.core.gates import Question, Verdict
from gitops_promotion.core.model import Outcome, Result
from gitops_promotion.errors import GitError, TransientError
from gitops_promotion.workflow.arming import disarm_judged
from gitops_promotion.workflow.examine import Examination, Subject, examine, find_subject
from gitops_promotion.workflow.judge import judge
from gitops_promotion.workflow.look import look, with_override
from gitops_promotion.workflow.publishing import (
    disarm_refused,
    ended,
    may_be_armed,
    outcome_of,
    publish_where_needed,
    superseded,
)
from gitops_promotion.workflow.races import repeat_after_races
from gitops_promotion.workflow.run import Run

LONGEST_INTERVAL = 60.0
"""The longest pause between two looks, in seconds."""

# How many times longer each pause is than the one before.
_GROWTH = 1.3


def status(
    run: Run,
    *,
    pr: int | None = None,
    timeout: float | None = None,
    interval: float = 5.0,
    progress: Callable[[tuple[str, ...], float], None],
) -> list[Outcome]:
    """Return one outcome: passed, refused, timed-out or skipped.

    Looks every `interval` seconds at first, less often later, for at most `timeout` seconds (default: the
    configuration's). Raises UsageError, ConfigError, ManifestError, GitError, ProviderError.
    """
    subject = find_subject(run, pr)
    if (outcome := ended(subject, subject.pull_request)) is not None:
        return [outcome]
    if run.tip.has_config and run.tip.config.must_publish:
        return [_publish_once(run, subject)]
    examination = repeat_after_races(run, lambda _: superseded(run, subject) or _examine(run, subject))
    if isinstance(examination, Outcome):
        return [examination]
    if examination.refusals:
        warnings = (*examination.warnings, *repeat_after_races(run, lambda _: disarm_refused(run, subject)))
        texts = tuple(map(str, examination.refusals))
        question = next(iter(examination.questions), None)
        outcome = outcome_of(subject, question, "refused", texts, warnings=warnings)
        return [publish_where_needed(run, subject, outcome)]
    if not examination.questions:
        texts = tuple(map(str, examination.remarks))
        return [
            _publish_passed(run, subject, outcome_of(subject, None, "passed", texts, warnings=examination.warnings))
        ]
    return [_wait(run, subject, examination, timeout, max(1.0, interval), progress)]


def _examine(run: Run, subject: Subject) -> Examination:
    return with_override(run, examine(run, subject), subject, run.lookups())


def _wait(
    run: Run,
    subject: Subject,
    examination: Examination,
    timeout: float | None,
    interval: float,
    progress: Callable[[tuple[str, ...], float], None],
) -> Outcome:
    """Return the outcome once the gates have decided or the time is over."""
    question = examination.questions[0]
    limit = run.tip.config.status_timeout if timeout is None else timeout
    start = run.clock.monotonic()
    verdict: Verdict | None = None
    while True:
        remaining = max(0.0, start + limit - run.clock.monotonic())
        try:
            if verdict:
                run.tip.refresh()
            if (outcome := superseded(run, subject)) is not None:
                return outcome
            verdict = _judge(run, examination.questions, expired=remaining <= 0)
        except (GitError, TransientError) as error:
            # A remote that is away for a moment must not end a wait of half an hour.
            if not verdict or remaining <= 0:
                raise
            run.note(f"warning: {error}; looking again")
        warnings = (*examination.warnings, *verdict.warnings)
        if (passed := verdict).decision == "pass":
            if run.publishes and not run.dry_run:
                repeat_after_races(run, lambda _: _hold_for_a_person(run, subject, examination.questions, passed))
            return _publish_passed(
                run, subject, outcome_of(subject, question, "passed", verdict.texts, warnings=warnings)
            )
        if verdict.decision == "refuse":
            outcome = outcome_of(subject, question, "refused", verdict.texts, warnings=warnings)
            return publish_where_needed(run, subject, outcome)
        if remaining <= 0 or run.dry_run:
            outcome = outcome_of(subject, question, "timed-out", verdict.texts, warnings=warnings)
            return publish_where_needed(run, subject, replace(outcome, message=_out_of_time(verdict, limit)))
        progress(verdict.texts, remaining)
        run.clock.sleep(min(interval, remaining))
        interval = min(interval * _GROWTH, max(interval, LONGEST_INTERVAL))


def _publish_once(run: Run, subject: Subject) -> Outcome:
    """Return the outcome of one look whose verdict is published: people and the clock change it after this run.

    It is a success only if the head passes, or if the forge requires the published status: where this run itself is the
    required check, a mere look must not open the gate.
    """
    lookups = run.lookups(heads=(subject.sha,))
    result_of_look = look(run, subject, lookups)
    outcome, verdict = result_of_look.outcome, result_of_look.verdict
    if verdict is None or verdict.decision == "pass":
        return outcome
    if outcome.error is None and _is_required(run, subject):
        return outcome
    problem = f" (it could not be published: {outcome.error})" if outcome.error else ""
    result: Result = "refused" if verdict.decision == "refuse" else "timed-out"
    message = (
        f"{verdict.texts[0]}{problem}; people or the clock change this verdict later: require the status {OWN_CONTEXT} "
        "and run `gitops-promotion status --publish` (published.yml) instead of requiring this job"
    )
    return replace(outcome, result=result, message=message, reasons=verdict.texts, error=None)


def _is_required(run: Run, subject: Subject) -> bool:
    """Return True if the forge merges the pull request only after a success of the published status."""
    pull = subject.pull_request
    if pull is None:
        number = subject.number
        pull = run.forge.pull_request(number) if number else None
    if pull is None:
        pull = due.open_for(run.forge.pull_requests(head=subject.branch), run.tip.base)
    return pull is not None and run.forge.requires_status(pull, OWN_CONTEXT)


def _out_of_time(verdict: Verdict, limit: float) -> str:
    first = next(iter(verdict.reasons), None)
    if first is None or first.gate.startswith("status gate"):
        return f"not healthy after {durations.shown(limit)}; re-run the check to keep waiting"
    return f"still waiting after {durations.shown(limit)} ({first}); re-run the check to keep waiting"


def _hold_for_a_person(run: Run, subject: Subject, questions: tuple[Question, ...], verdict: Verdict) -> None:
    if not may_be_armed(run, run.lookups(), questions, verdict):
        pull = due.open_for(run.forge.pull_requests(head=subject.branch), run.tip.base)
        # The check of a newer head decides about that one.
        if pull is not None and pull.auto_merge and pull.head_sha == subject.sha:
            disarm_judged(run, pull, subject.sha)


def _judge(run: Run, questions: tuple[Question, ...], *, expired: bool) -> Verdict:
    lookups = run.lookups()
    return gates.strictest([judge(run.tip, lookups, question, expired=expired) for question in questions])


def _publish_passed(run: Run, subject: Subject, outcome: Outcome) -> Outcome:
    outcome = publish_where_needed(run, subject, outcome)
    if not run.publishes or run.dry_run:
        return outcome
    pull = next(iter(run.forge.pull_requests(head=subject.branch)), None)
    return replace(outcome, pull_request=pull) if pull and pull.head_sha == subject.sha else outcome
