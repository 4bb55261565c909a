"""`status --publish`: looks once at all open promotions and publishes the verdicts as commit statuses."""

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from gitops_promotion.core import gates
from gitops_promotion.core.forge import OWN_CONTEXT, CommitStatus, PullRequest
from gitops_promotion.core.gates import Reason, Verdict
from gitops_promotion.core.model import Outcome, Result
from gitops_promotion.core.names import Application, is_name
from gitops_promotion.core.pull_request_text import read_metadata
from gitops_promotion.errors import GitError, ManifestError, PromotionError, UsageError
from gitops_promotion.workflow.examine import Examination, Subject, examine, find_subject
from gitops_promotion.workflow.judge import judge
from gitops_promotion.workflow.lookups import Lookups
from gitops_promotion.workflow.publishing import (
    disarm_refused,
    ended,
    hold_for_a_person,
    outcome_of,
    run_status,
    superseded,
)
from gitops_promotion.workflow.races import repeat_after_races
from gitops_promotion.workflow.run import Run
from gitops_promotion.workflow.tip import Site

# The ids by which reasons name their evidence, the last one perhaps cut off.
_IDS = re.compile(r"\b[0-9a-f]{7}\b|\b[0-9a-f]{1,7}…")


def publish(run: Run, *, pr: int | None = None) -> list[Outcome]:
    """Return one outcome for each open promotion whose verdict was looked at, once, and published.

    Each is judged as by the waiting check, and its head gets the commit status OWN_CONTEXT; so does the pull request
    or merge group of the event, whatever its branch; with `pr` that one alone. Results: updated, unchanged, merged
    (`local`), skipped, planned or failed, which stops no other. Requests: 1, 1 for each gate (of all promotions at
    least 1), and 1 for each verdict that changed. Raises UsageError, ConfigError, GitError, ProviderError for what
    concerns them all.
    """
    if run.context.status_context.casefold() == OWN_CONTEXT:
        message = f"the event is the own status {OWN_CONTEXT!r}: nothing to look at; let the workflow ignore it"
        return [Outcome(result="skipped", message=message)]
    subjects = [find_subject(run, pr)] if pr is not None else _subjects(run)
    if not subjects:
        return [Outcome(result="unchanged", message="no promotion is open: there is no verdict to publish")]
    # In one go; a branch that has gone meanwhile concerns its own promotion alone.
    with suppress(GitError):
        run.tip.fetch_branches(subject.branch for subject in subjects if not subject.foreign)
    _read_ahead(run, [subject.pull_request for subject in subjects if subject.pull_request])
    lookups = run.lookups(heads=tuple(subject.sha for subject in subjects))
    return [_look_once(run, subject, lookups) for subject in subjects]


def _subjects(run: Run) -> list[Subject]:
    """Return the head of the event, then those of all open promotions and of all merge groups in the queue."""
    context = run.context
    pulls = run.forge.open_promotions()
    subjects = [Subject(branch=p.head, sha=p.head_sha, number=p.number, pull_request=p) for p in pulls]
    # Its status is required of every pull request, so a person's own must get one too.
    if context.event in ("pull_request", "merge_group") and context.pull_request not in {p.number for p in pulls}:
        subjects.insert(0, find_subject(run, None))
    # A group may wait for Flux like any other, and the event that ends the wait does not name it.
    if not run.facts.queue_prefix:
        return subjects
    prefix = f"refs/heads/{run.facts.queue_prefix}{run.tip.base}/"
    branches = {subject.branch for subject in subjects}
    groups = {ref.removeprefix("refs/heads/"): sha for ref, sha in run.tip.refs.shas.items() if ref.startswith(prefix)}
    return subjects + [Subject(branch=name, sha=sha) for name, sha in groups.items() if name not in branches]


def _read_ahead(run: Run, pulls: Sequence[PullRequest]) -> None:
    """Read in one go the files that the gates will most likely need: the bodies are hints and decide nothing."""
    config = run.tip.config
    hints = [hint for pull in pulls if (hint := read_metadata(pull.body))]
    sites: list[Site] = []
    for hint in hints:
        if is_name(hint.group) and is_name(hint.app):
            application = Application(hint.group, hint.app)
            with suppress(UsageError):
                names = (*config.way(application).before(hint.env), hint.env)
                sites += [Site(application, name) for name in names]
    with suppress(UsageError):
        run.tip.read(sites)


def _is_published(lookups: Lookups, sha: str, verdict: CommitStatus) -> bool:
    """Return True if a head's newest verdict is this one, whichever commits it names as evidence.

    Those change with every commit of the default branch, and a head takes 1,000 statuses of one context.
    """
    newest = lookups.own_status(sha)
    if newest is None or newest.state != verdict.state:
        return False
    return _IDS.sub("", newest.description) == _IDS.sub("", verdict.description)


def _look_once(run: Run, subject: Subject, lookups: Lookups) -> Outcome:
    """Return the outcome of judging one head and publishing its verdict; a race is no failure."""

    def look(attempt: int) -> Outcome:
        pull = subject.pull_request
        if attempt and pull is not None and (outcome := ended(subject, run.forge.pull_request(pull.number))):
            return outcome
        if (outcome := superseded(run, subject)) is not None:
            return replace(outcome, result="skipped", pull_request=pull)
        return _publish_verdict(run, subject, lookups)

    try:
        return repeat_after_races(run, look)
    except PromotionError as error:
        return _failed(subject, error)


def _publish_verdict(run: Run, subject: Subject, lookups: Lookups) -> Outcome:
    try:
        examination = examine(run, subject)
        verdict = _verdict(run, examination, lookups)
    except ManifestError as error:
        # The head itself is at fault, and without a verdict on it nobody would see why it does not merge.
        refusal = Verdict(decision="refuse", reasons=(Reason(evidence=str(error)),))
        _publish_if_new(run, subject, run_status(run, refusal), lookups)
        return _failed(subject, error)
    warnings = (*examination.warnings, *verdict.warnings)
    if examination.refusals:
        warnings += disarm_refused(run, subject)
    status = run_status(run, verdict)
    if status.state == "success" and not run.dry_run:
        is_new = not _is_published(lookups, subject.sha, status)
        hold_for_a_person(run, subject.pull_request, examination.questions, look_again=is_new)
    result = _publish_if_new(run, subject, status, lookups)
    question = examination.questions[0] if examination.questions else None
    verb = {"unchanged": "still", "planned": "would publish"}.get(result, "published")
    outcome = replace(
        outcome_of(subject, question, result, verdict.texts, warnings=warnings),
        message=f"{verb} {status.state}: {verdict.texts[0]}",
        pull_request=subject.pull_request,
    )
    return _merged(run, outcome) if status.state == "success" and not run.dry_run else outcome


def _verdict(run: Run, examination: Examination, lookups: Lookups) -> Verdict:
    if examination.refusals:
        return Verdict(decision="refuse", reasons=examination.refusals)
    if not examination.questions:
        return Verdict(decision="pass", reasons=examination.remarks)
    return gates.strictest([judge(run.tip, lookups, q) for q in examination.questions])


def _publish_if_new(run: Run, subject: Subject, status: CommitStatus, lookups: Lookups) -> Result:
    if _is_published(lookups, subject.sha, status):
        return "unchanged"
    if run.dry_run:
        return "planned"
    run.forge.set_status(subject.sha, status)
    lookups.remember(subject.sha, status)
    return "updated"


def _merged(run: Run, outcome: Outcome) -> Outcome:
    """Return the outcome after a success: `local` merges by it, also where an earlier run was killed before it did."""
    if not run.publishes or outcome.pull_request is None:
        return outcome
    pull = run.forge.pull_request(outcome.pull_request.number)
    if pull.state == "open" and pull.auto_merge:
        run.forge.set_auto_merge(pull, enabled=True)
        pull = run.forge.pull_request(pull.number)
    if pull.state != "merged":
        return outcome
    # The next one is judged by the default branch as it is now.
    run.tip.refresh()
    return replace(outcome, result="merged", pull_request=pull)


def _failed(subject: Subject, error: PromotionError) -> Outcome:
    outcome = outcome_of(subject, None, "failed", (str(error),))
    return replace(outcome, error=error, pull_request=subject.pull_request)
