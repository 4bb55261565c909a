"""`status`: a required check that holds a pull request until the environment before is healthy."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from gitops_promotion.commands.judge import Gate, judge
from gitops_promotion.commands.session import Session
from gitops_promotion.core import markers, plan
from gitops_promotion.core.model import (
    OWN_CONTEXT,
    Change,
    CommitStatus,
    Outcome,
    Result,
    StatusState,
    Verdict,
    is_manifest,
    is_name,
)
from gitops_promotion.errors import GitError, ManifestError, TransientError, UsageError

SLOWEST = 60.0
"""Seconds between looks at most, however long it has waited."""

_SLOWER = 1.3
_DESCRIPTION = 140


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is checked: a branch and the commit it had when the check began."""

    branch: str
    sha: str
    number: int | None = None


def status(
    session: Session,
    *,
    pr: int | None = None,
    timeout: float | None = None,
    interval: float = 5.0,
    progress: Callable[[tuple[str, ...], float], None],
) -> list[Outcome]:
    """Return one outcome: passed, refused, timed-out or skipped (DESIGN 7, status).

    Looks every `interval` seconds at first, less often later, for at most `timeout` seconds (default: the
    configuration's). Raises UsageError, ConfigError, ManifestError, GitError, ProviderError.
    """
    subject = _subject(session, pr)
    if (moved := _superseded(session, subject)) is not None:
        return [moved]
    gates, remarks = _classify(session, subject)
    if not gates:
        return [_passed(session, subject, remarks)]
    interval = max(1.0, interval)
    limit = session.config.status_timeout if timeout is None else timeout
    started = session.monotonic()
    verdicts: list[Verdict] = []
    while True:
        left = max(0.0, started + limit - session.monotonic())
        try:
            if verdicts:
                session.refresh()
            if (moved := _superseded(session, subject)) is not None:
                return [moved]
            verdicts = [judge(session, asked, expired=left <= 0) for asked in gates]
        except (GitError, TransientError) as error:
            # A remote that is away for a moment must not end a wait of half an hour.
            if not verdicts or left <= 0:
                raise
            session.note(f"warning: {error}; looking again")
        reasons = tuple(reason for verdict in verdicts for reason in verdict.reasons)
        decisions = {verdict.decision for verdict in verdicts}
        if decisions == {"pass"}:
            return [_passed(session, subject, reasons, gates[0])]
        if "refuse" in decisions:
            return [_publish(session, subject, _outcome(subject, gates[0], "refused", reasons))]
        if left <= 0 or session.dry_run:
            return [_publish(session, subject, _timed_out(subject, gates[0], reasons, limit))]
        progress(reasons, left)
        session.sleep(min(interval, left))
        interval = min(interval * _SLOWER, max(interval, SLOWEST))


def _subject(session: Session, pr: int | None) -> Subject:
    """Return what to check: --pr, else the runner's event, else the branch that is checked out."""
    context, repository = session.context, session.repository
    if pr is not None:
        pull = session.provider.pull_request(pr)
        return Subject(branch=pull.head, sha=pull.head_sha, number=pull.number)
    branch = context.head_branch or repository.head_branch
    sha = context.head_sha if context.head_branch else repository.head
    if not branch or branch == session.base:
        where = f"{branch} is checked out, the default branch" if branch else "the checkout is detached"
        raise UsageError(f"no pull request to check: {where}; check out its branch or give --pr NUMBER")
    at_remote = session.refs.branch(branch)
    if at_remote is None and not context.head_branch:
        raise UsageError(f"the remote has no branch {branch}: push it, or give --pr NUMBER")
    found = sha or at_remote
    if found is None:
        raise UsageError(f"the runner names the branch {branch} but the remote has none of that name: give --pr NUMBER")
    return Subject(branch=branch, sha=found, number=context.pull_request)


def _superseded(session: Session, subject: Subject) -> Outcome | None:
    now = session.refs.branch(subject.branch)
    if now == subject.sha or session.context.foreign:
        return None
    if now is None:
        message = f"the branch {subject.branch} is gone: its pull request was merged or closed"
        return _outcome(subject, None, "skipped", (message,))
    message = f"{subject.sha[:7]} is superseded by {now[:7]}: the check of that commit counts; `git pull` here"
    return _outcome(subject, None, "refused", (message,))


def _classify(session: Session, subject: Subject) -> tuple[list[Gate], tuple[str, ...]]:
    """Return the gates of the environments whose marked tags the head changes, read from the diff alone."""
    repository = session.repository
    if session.refs.branch(subject.branch) == subject.sha:
        repository.fetch(f"refs/heads/{subject.branch}")
    if not repository.fetch_commit(subject.sha):
        raise GitError(f"the commit {subject.sha[:7]} of {subject.branch} is not to be had: run again on the new head")
    _, changes = repository.diff_from_merge_base(session.tip, subject.sha)
    manifests = [change for change in changes if is_manifest(change.path)]
    changed = plan.changed_tags(manifests, session.blobs(oid for c in manifests for oid in (c.old, c.new)))
    if changed.broken:
        raise changed.broken[0]
    if not changed.paths:
        return [], ("no marked tag is changed: a manual change, nothing to wait for",)
    environment_of, first = session.config.environment_of, session.config.first.name
    gates: list[Gate] = []
    remarks: list[str] = []
    for (group, app), paths in sorted(changed.paths.items()):
        if not (is_name(group) and is_name(app)):
            continue
        touched = {environment_of(path, group) for path in paths}
        for environment in session.config.environments:
            if environment.name not in touched:
                continue
            if environment.name == first:
                remarks.append(f"{group}/{app} in {first}: the first environment, nothing to wait for")
                continue
            mine = [c for c in manifests if c.path in paths and environment_of(c.path, group) == environment.name]
            _check_markers_stay(session, mine, group, app, environment.name)
            found = _gate(session, subject, group, app, environment.name)
            if isinstance(found, Gate):
                gates.append(found)
            else:
                remarks.append(found)
    return gates, tuple(remarks) or ("the changed markers belong to no environment: nothing to wait for",)


def _check_markers_stay(session: Session, changes: Sequence[Change], group: str, app: str, environment: str) -> None:
    for change in changes:
        if change.old is None or change.new is None:
            continue
        blobs = session.blobs((change.old, change.new))
        if plan.loses_sight(blobs[change.old], blobs[change.new], change.path, group, app):
            raise ManifestError(
                f"{change.path}: a marker of {group}/{app} is removed and its tag changed with it, past the gate of "
                f"{environment}: remove the marker in one pull request and change the tag in another"
            )


def _gate(session: Session, subject: Subject, group: str, app: str, environment: str) -> Gate | str:
    """Return the gate of one application's change in one environment, or why it needs none."""
    what = f"{group}/{app} in {environment}"
    folder = session.config.path(group, environment)
    here = session.repository.grep(subject.sha, [f"{group}:{app}"], [folder])
    tag = markers.read_tag(session.repository.read(subject.sha, here), group, app)
    if tag is None:
        return f"{what}: its marker is removed, a manual change"
    previous = session.config.previous_environment(environment)
    while previous is not None:
        session.read_applications([(group, app, previous.name)])
        if any(markers.mentions(text, group, app) for text in session.files(group, previous.name).values()):
            return Gate(group=group, app=app, tag=tag, environment=environment, previous=previous.name)
        previous = session.config.previous_environment(previous.name)
    return f"{what}: no earlier environment has it, nothing to wait for"


def _passed(session: Session, subject: Subject, reasons: tuple[str, ...], asked: Gate | None = None) -> Outcome:
    outcome = _publish(session, subject, _outcome(subject, asked, "passed", reasons))
    if not session.publishes or session.dry_run:
        return outcome
    pull = next(iter(session.provider.pull_requests(head=subject.branch)), None)
    return replace(outcome, pull_request=pull) if pull and pull.head_sha == subject.sha else outcome


def _timed_out(subject: Subject, asked: Gate, reasons: tuple[str, ...], limit: float) -> Outcome:
    outcome = _outcome(subject, asked, "timed-out", reasons)
    return replace(outcome, message=f"not healthy within {limit:g} s: run the check again to look on")


def _outcome(subject: Subject, asked: Gate | None, result: Result, reasons: tuple[str, ...]) -> Outcome:
    return Outcome(
        result=result,
        message=reasons[0] if reasons else "",
        reasons=reasons,
        branch=subject.branch,
        sha=subject.sha,
        group=asked.group if asked else "",
        app=asked.app if asked else "",
        environment=asked.environment if asked else "",
        tag=str(asked.tag) if asked else "",
    )


def _publish(session: Session, subject: Subject, outcome: Outcome) -> Outcome:
    """Publish the verdict where only a published one lets a pull request merge; returns the outcome."""
    states: dict[Result, StatusState] = {"passed": "success", "refused": "failure", "timed-out": "pending"}
    if session.publishes and not session.dry_run:
        description = outcome.message[:_DESCRIPTION]
        status = CommitStatus(context=OWN_CONTEXT, state=states[outcome.result], description=description)
        session.provider.set_status(subject.sha, status)
    return outcome
