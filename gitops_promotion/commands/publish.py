"""`status --publish`: looks once at all open promotions and publishes the verdicts as commit statuses."""

from collections.abc import Sequence
from contextlib import suppress

from gitops_promotion.core.forge import OWN_CONTEXT, PullRequest
from gitops_promotion.core.model import Outcome
from gitops_promotion.core.names import Site
from gitops_promotion.core.pull_request_text import read_metadata
from gitops_promotion.errors import GitError, ProviderError, UsageError
from gitops_promotion.providers import Playable
from gitops_promotion.workflow.examine import Subject, find_subject
from gitops_promotion.workflow.look import look
from gitops_promotion.workflow.merge_queue import queue_branches
from gitops_promotion.workflow.run import Run


def publish(run: Run, *, pr: int | None = None) -> list[Outcome]:
    """Judge each open promotion once, publish its verdict, and return one outcome for each.

    With approvals, soaks, windows or freezes it judges every open pull request, and always the pull request or merge
    group of the event; with `pr` only that pull request. The verdict is that of the waiting check, and the head gets
    the commit status OWN_CONTEXT. Results: updated, unchanged, merged (`local`), skipped, planned or failed; a failure
    does not stop the others. Requests: 1 for the list, at least 1 for each kind of gate, and 1 for each verdict that
    changed.
    Raises UsageError, ConfigError, GitError, ProviderError for what concerns them all.
    """
    if run.context.status_context.casefold() == OWN_CONTEXT:
        message = f"the event is this tool's own status {OWN_CONTEXT!r}: nothing to look at; let the workflow ignore it"
        return [Outcome(result="skipped", message=message)]
    pulls = _pulls_to_judge(run) if pr is None else []
    subjects = _subjects(run, pulls) if pr is None else [find_subject(run, pr)]
    # A promotion whose record cannot be read gets no verdict, which is no success.
    failed = [Outcome.failed(ProviderError(text)) for text in _left_out(run)]
    if not subjects and not failed:
        return [Outcome(result="unchanged", message="no promotion is open: there is no verdict to publish")]
    # One fetch brings all branches; one that was deleted meanwhile matters only for its own promotion.
    with suppress(GitError):
        run.tip.fetch_branches(subject.branch for subject in subjects if not subject.foreign)
    _read_ahead(run, [subject.pull_request for subject in subjects if subject.pull_request])
    lookups = run.lookups(
        heads=tuple(subject.sha for subject in subjects),
        numbers=tuple(subject.number for subject in subjects if subject.number is not None),
    )
    if pr is None:
        # A hold whose verdict this run publishes may merge at once: then the forge shows it as open no more, and the
        # tip was read before.
        lookups.note_open(pulls)
    return [*(look(run, subject, lookups).outcome for subject in subjects), *failed]


def _left_out(run: Run) -> tuple[str, ...]:
    """Return the errors of the records of pull requests on plain git that cannot be read."""
    return run.forge.left_out if isinstance(run.forge, Playable) else ()


def _subjects(run: Run, pulls: Sequence[PullRequest]) -> list[Subject]:
    """Return the head of the event, then those of the pull requests and of all merge groups in the queue."""
    context = run.context
    subjects = [Subject(branch=p.head, sha=p.head_sha, number=p.number, pull_request=p) for p in pulls]
    # The status is required of every pull request, so those that people opened must get one too.
    if context.event in ("pull_request", "merge_group") and context.pull_request not in {p.number for p in pulls}:
        subjects.insert(0, find_subject(run, None))
    # A group may wait for Flux like any other, and the event that ends the wait does not name it.
    branches = {subject.branch for subject in subjects}
    groups = queue_branches(run).items()
    return subjects + [Subject(branch=name, sha=sha) for name, sha in groups if name not in branches]


def _pulls_to_judge(run: Run) -> list[PullRequest]:
    """Return the open pull requests to judge.

    Where people or the clock decide, those that people opened are among them: neither an approval nor the start of a
    window is an event that names them.
    """
    if not run.tip.has_config or not run.tip.config.must_publish:
        return run.forge.open_promotions()
    return [pull for pull in run.forge.open_pull_requests() if pull.base == run.tip.base]


def _read_ahead(run: Run, pulls: Sequence[PullRequest]) -> None:
    """Read the files that the gates will most likely need, all at once. Bodies are only hints and decide nothing."""
    config = run.tip.config
    hints = [hint for pull in pulls if (hint := read_metadata(pull.body))]
    sites: list[Site] = []
    for hint in hints:
        if (application := hint.application) is not None:
            with suppress(UsageError):
                names = (*config.way(application).before(hint.env), hint.env)
                sites += [Site(application, name) for name in names]
    with suppress(UsageError):
        run.tip.read(sites)
