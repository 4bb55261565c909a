"""`status`: a required check that holds a pull request until the environment before is healthy.

It either waits and is the check itself, or looks once at all that is open and publishes what it found as one.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from gitops_promotion.core import due, markers, plan
from gitops_promotion.core.commits import FileChange
from gitops_promotion.core.forge import OWN_CONTEXT, CommitStatus, PullRequest, StatusState
from gitops_promotion.core.markers.scan import is_manifest, mentions
from gitops_promotion.core.model import Decision, Outcome, Result, Verdict
from gitops_promotion.core.names import is_name
from gitops_promotion.core.pull_request_text import read_metadata
from gitops_promotion.errors import GitError, ManifestError, PromotionError, TransientError, UsageError
from gitops_promotion.workflow.deliver import disarm
from gitops_promotion.workflow.judge import Gate, judge
from gitops_promotion.workflow.session import Session

SLOWEST = 60.0
"""Seconds between looks at most, however long it has waited."""

_SLOWER = 1.3
# GitHub's merge groups; the branch that they go into comes next in the name.
MERGE_QUEUE = "gh-readonly-queue/"
_DESCRIPTION = 140
_STATES: Mapping[Decision, StatusState] = {"pass": "success", "refuse": "failure", "wait": "pending"}
# The ids that reasons name their evidence by, the last one perhaps cut off.
_IDS = re.compile(r"\b[0-9a-f]{7}\b|\b[0-9a-f]{1,7}…")


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is checked: a branch, `foreign` if it is another repository's, and the commit it had at the beginning."""

    branch: str
    sha: str
    number: int | None = None
    pull_request: PullRequest | None = None
    foreign: bool = False


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
    pull = subject.pull_request
    if pull is not None and pull.state != "open":
        return [replace(_outcome(subject, None, "skipped", (f"#{pull.number} is {pull.state}",)), pull_request=pull)]
    if (moved := _superseded(session, subject)) is not None:
        return [moved]
    gates, remarks = _classify(session, subject)
    if not gates:
        return [_passed(session, subject, remarks)]
    interval = max(1.0, interval)
    limit = session.config.status_timeout if timeout is None else timeout
    started = session.monotonic()
    verdict: Verdict | None = None
    while True:
        left = max(0.0, started + limit - session.monotonic())
        try:
            if verdict:
                session.refresh()
            if (moved := _superseded(session, subject)) is not None:
                return [moved]
            verdict = _together([judge(session, asked, expired=left <= 0) for asked in gates])
        except (GitError, TransientError) as error:
            # A remote that is away for a moment must not end a wait of half an hour.
            if not verdict or left <= 0:
                raise
            session.note(f"warning: {error}; looking again")
        if verdict.decision == "pass":
            if session.publishes and not session.dry_run:
                pulls = session.provider.pull_requests(head=subject.branch)
                _hold_for_a_person(session, due.current(pulls, session.base), gates, anew=False)
            return [_passed(session, subject, verdict.reasons, gates[0])]
        if verdict.decision == "refuse":
            return [_publish(session, subject, _outcome(subject, gates[0], "refused", verdict.reasons))]
        if left <= 0 or session.dry_run:
            return [_publish(session, subject, _timed_out(subject, gates[0], verdict.reasons, limit))]
        progress(verdict.reasons, left)
        session.sleep(min(interval, left))
        interval = min(interval * _SLOWER, max(interval, SLOWEST))


def _hold_for_a_person(session: Session, pull: PullRequest | None, gates: Sequence[Gate], *, anew: bool) -> None:
    """Disarm what the configuration, as it is now, wants a person to merge before a check does; or raise."""
    if pull is None or all(session.config.environment(asked.environment).auto for asked in gates):
        return
    # A list need not tell that one is armed: Azure DevOps' does not.
    pull = session.provider.pull_request(pull.number) if anew and not pull.auto_merge else pull
    if pull.state == "open" and pull.auto_merge:
        disarm(session, pull)


def _together(verdicts: Sequence[Verdict]) -> Verdict:
    """Return what several gates come to; what holds the pull request back is said first."""
    order: tuple[Decision, ...] = ("refuse", "wait", "pass")
    ranked = sorted(verdicts, key=lambda verdict: order.index(verdict.decision))
    return Verdict(decision=ranked[0].decision, reasons=tuple(r for verdict in ranked for r in verdict.reasons))


def _subject(session: Session, pr: int | None) -> Subject:
    """Return what to check: --pr, else the runner's event, else the branch that is checked out."""
    context, repository = session.context, session.repository
    if pr is None and not context.head_branch:
        pr = context.pull_request
    if pr is not None:
        pull = session.provider.pull_request(pr)
        return Subject(branch=pull.head, sha=pull.head_sha, number=pull.number, pull_request=pull)
    branch = context.head_branch or repository.head_branch
    sha = context.head_sha if context.head_branch else repository.head
    if not branch or (branch == session.base and not context.foreign):
        where = f"{branch} is checked out, the default branch" if branch else "the checkout is detached"
        raise UsageError(f"no pull request to check: {where}; check out its branch or give --pr NUMBER")
    at_remote = session.refs.branch(branch)
    if at_remote is None and not context.head_branch:
        raise UsageError(f"the remote has no branch {branch}: push it, or give --pr NUMBER")
    found = sha or at_remote
    if found is None:
        raise UsageError(f"the runner names the branch {branch} but the remote has none of that name: give --pr NUMBER")
    return Subject(branch=branch, sha=found, number=context.pull_request, foreign=context.foreign)


def _superseded(session: Session, subject: Subject) -> Outcome | None:
    now = session.refs.branch(subject.branch)
    if now == subject.sha or subject.foreign:
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
        session.fetch_branches([subject.branch])
    if not repository.fetch_commit(subject.sha):
        raise GitError(f"the commit {subject.sha[:7]} of {subject.branch} is not to be had: run again on the new head")
    # A merge group too answers for all that is not yet on the default branch, be it of the group it is built on: the
    # verdict is the commit's, and anybody may open a pull request with it.
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
            _check_markers_stay(session, mine, manifests, group, app, environment.name)
            found = _gate(session, subject, group, app, environment.name)
            if isinstance(found, Gate):
                gates.append(found)
            else:
                remarks.append(found)
    return gates, tuple(remarks) or ("the changed markers belong to no environment: nothing to wait for",)


def _check_markers_stay(
    session: Session,
    changes: Sequence[FileChange],
    everything: Sequence[FileChange],
    group: str,
    app: str,
    environment: str,
) -> None:
    for change in changes:
        if change.old is None:
            continue
        blobs = session.blobs(())
        if change.new is None:
            others = [blobs[other.new] for other in everything if other.new]
            lost = plan.reappears(blobs[change.old], others, change.path, group, app)
        else:
            lost = plan.loses_sight(blobs[change.old], blobs[change.new], change.path, group, app)
        if lost:
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
        return f"{what}: its marker is removed, a manual change: its tag is not gated any more"
    previous = session.config.previous_environment(environment)
    while previous is not None:
        session.read_applications([(group, app, previous.name)])
        if any(mentions(text, group, app) for text in session.files(group, previous.name).values()):
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
        session.provider.set_status(subject.sha, _verdict(states[outcome.result], outcome.message, session))
    return outcome


def _verdict(state: StatusState, reason: str, session: Session) -> CommitStatus:
    # GitHub takes 140 characters, and none of four bytes in UTF-8.
    text = "".join(c if c.isprintable() and c <= "\uffff" else " " for c in reason)
    description = text if len(text) <= _DESCRIPTION else text[: _DESCRIPTION - 1] + "…"
    return CommitStatus(context=OWN_CONTEXT, state=state, description=description, url=session.context.run_url)


def publish(session: Session, *, pr: int | None = None) -> list[Outcome]:
    """Return one outcome for each open promotion whose verdict was looked at, once, and published (issue 3).

    Each is judged as by the waiting check, and its head gets the commit status OWN_CONTEXT; so does the pull request
    or merge group of the event, whatever its branch, and with `pr` that one alone. Results: updated, unchanged,
    merged (`local`), skipped, planned or failed, which stops no other. Requests: 1, 1 for each gate (of all promotions
    at least 1), and 1 for each verdict that changed. Raises UsageError, ConfigError, GitError, ProviderError for what
    concerns them all.
    """
    if session.context.status_context.casefold() == OWN_CONTEXT:
        message = f"the event is our own status {OWN_CONTEXT!r}: nothing to look at; let the workflow ignore it"
        return [Outcome(result="skipped", message=message)]
    subjects = [_subject(session, pr)] if pr is not None else _subjects(session)
    if not subjects:
        return [Outcome(result="unchanged", message="no promotion is open: there is no verdict to publish")]
    # In one go; a branch that has gone meanwhile concerns its own promotion alone.
    with suppress(GitError):
        session.fetch_branches(subject.branch for subject in subjects if not subject.foreign)
    _read_ahead(session, [subject.pull_request for subject in subjects if subject.pull_request])
    statuses = _Statuses(session=session, heads=tuple(subject.sha for subject in subjects))
    return [_look_once(session, subject, statuses) for subject in subjects]


def _subjects(session: Session) -> list[Subject]:
    """Return what the event is about, then every open promotion and every merge group in the queue."""
    context = session.context
    pulls = session.provider.open_promotions()
    found = [Subject(branch=p.head, sha=p.head_sha, number=p.number, pull_request=p) for p in pulls]
    # Its status is required of every pull request, so a person's own must get one too.
    if context.event in ("pull_request", "merge_group") and context.pull_request not in {p.number for p in pulls}:
        found.insert(0, _subject(session, None))
    # A group may wait for Flux like any other, and the event that ends the wait does not name it.
    queue = f"refs/heads/{MERGE_QUEUE}{session.base}/"
    known = {subject.branch for subject in found}
    groups = {ref.removeprefix("refs/heads/"): sha for ref, sha in session.refs.shas.items() if ref.startswith(queue)}
    return found + [Subject(branch=name, sha=sha) for name, sha in groups.items() if name not in known]


def _read_ahead(session: Session, pulls: Sequence[PullRequest]) -> None:
    """Read in one go what the gates will most likely need: the bodies are hints here too, and decide nothing."""
    order = [environment.name for environment in session.config.environments]
    hints = [hint for pull in pulls if (hint := read_metadata(pull.body))]
    named = [hint for hint in hints if hint.env in order[1:] and is_name(hint.group) and is_name(hint.app)]
    with suppress(UsageError):
        session.read_applications((hint.group, hint.app, order[order.index(hint.env) - 1]) for hint in named)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Statuses:
    """The statuses of commits, each asked for once; the first request brings those of the heads along."""

    session: Session
    heads: tuple[str, ...]
    known: dict[str, Sequence[CommitStatus]] = field(default_factory=dict)

    def __call__(self, shas: Sequence[str]) -> Mapping[str, Sequence[CommitStatus]]:
        missing = [sha for sha in dict.fromkeys((*shas, *self.heads)) if sha not in self.known]
        if missing:
            found = self.session.provider.statuses(missing)
            self.known.update((sha, found.get(sha, ())) for sha in missing)
        return self.known

    def says(self, sha: str, verdict: CommitStatus) -> bool:
        """Return True if a head's newest verdict is this one, whichever commits it names as evidence.

        Those change with every commit of the default branch, and a head takes 1,000 statuses of one context.
        """
        said = (status for status in self((sha,))[sha] if status.is_own)
        newest = next(said, None)
        if newest is None or newest.state != verdict.state:
            return False
        return _IDS.sub("", newest.description) == _IDS.sub("", verdict.description)


def _look_once(session: Session, subject: Subject, statuses: _Statuses) -> Outcome:
    """Return what became of one head's verdict."""
    if (moved := _superseded(session, subject)) is not None:
        return replace(moved, result="skipped", pull_request=subject.pull_request)
    try:
        try:
            gates, reasons = _classify(session, subject)
            verdict = Verdict(decision="pass", reasons=reasons)
            if gates:
                verdict = _together([judge(session, asked, expired=False, ask=statuses) for asked in gates])
        except ManifestError as error:
            # The head itself is at fault, and without a verdict on it nobody would see why it does not merge.
            _publish_new(session, subject, _verdict("failure", str(error), session), statuses)
            return _failed(subject, error)
        status = _verdict(_STATES[verdict.decision], verdict.reasons[0], session)
        if status.state == "success" and not session.dry_run:
            _hold_for_a_person(session, subject.pull_request, gates, anew=not statuses.says(subject.sha, status))
        result = _publish_new(session, subject, status, statuses)
        outcome = _outcome(subject, gates[0] if gates else None, result, verdict.reasons)
        said = {"unchanged": "still", "planned": "would publish"}.get(result, "published")
        outcome = replace(
            outcome, message=f"{said} {status.state}: {verdict.reasons[0]}", pull_request=subject.pull_request
        )
        return _merged(session, outcome) if (result, status.state) == ("updated", "success") else outcome
    except PromotionError as error:
        return _failed(subject, error)


def _publish_new(session: Session, subject: Subject, status: CommitStatus, statuses: _Statuses) -> Result:
    if statuses.says(subject.sha, status):
        return "unchanged"
    if session.dry_run:
        return "planned"
    session.provider.set_status(subject.sha, status)
    statuses.known[subject.sha] = (status,)
    return "updated"


def _merged(session: Session, outcome: Outcome) -> Outcome:
    """Return the outcome as it is after a success, which is what `local` merges by."""
    if not session.publishes or outcome.pull_request is None:
        return outcome
    pull = session.provider.pull_request(outcome.pull_request.number)
    if pull.state != "merged":
        return outcome
    # The next one is judged by what the default branch is now.
    session.refresh()
    return replace(outcome, result="merged", pull_request=pull)


def _failed(subject: Subject, error: PromotionError) -> Outcome:
    outcome = _outcome(subject, None, "failed", (str(error),))
    return replace(outcome, error=error, pull_request=subject.pull_request)
