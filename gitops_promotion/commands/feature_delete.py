"""`feature-delete` and `feature-stale`: take copies out again, the one named or those that nobody touches."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

from gitops_promotion.core import due
from gitops_promotion.core import plan as planning
from gitops_promotion.core.feature.layout import Edits, Held
from gitops_promotion.core.feature.names import clean
from gitops_promotion.core.model import Outcome, Plan, Request, Result
from gitops_promotion.core.pull_request_text import code_span, commit_message
from gitops_promotion.errors import GitError, PromotionError
from gitops_promotion.workflow.build import Finding, Workbench, application, refuse_ambiguous
from gitops_promotion.workflow.deliver import Intent, deliver, disarm, failed
from gitops_promotion.workflow.session import Session

DEFAULT_MAX_AGE = 7 * 86400.0
"""Seconds: the predecessor's seven days."""

STALE_BRANCH = "remove/stale-feature"
"""The predecessor's branch for what nobody touches."""


def feature_delete(session: Session, *, group: str, app: str, name: str, find: Finding) -> list[Outcome]:
    """Return the outcome of proposing to remove one feature's copy from the first environment.

    It uses the feature's own branch: the last of `feature` and `feature-delete` wins. A copy that was proposed and
    not merged has its pull request closed. Raises what `feature` raises.
    """
    called = clean(name)

    def decide() -> Intent | Outcome:
        configured = application(session, group, app)
        refuse_ambiguous(session, group, app, called)
        first = session.config.first.name
        request = Request(kind="remove", group=group, app=app, environment=first, feature=called)
        if configured.feature_overwrite:
            return _outcome(request, "unchanged", f"{group}/{app} has featureOverwrite: true, `new` sets its next tag")
        bench = Workbench.of(session, group, find)
        held = [each for each in bench.layout.copies([app]) if each.feature == called]
        if not held:
            return _withdraw(session, request)
        edits = bench.layout.without([each.folder for each in held])
        bench.check_removal(edits, [called])
        branch = session.config.feature_branch(group, app, called)
        return Intent(plan=partial(_plan, session, request, branch, edits, ()), files=bench.layout.files)

    return [deliver(session, decide)]


def _withdraw(session: Session, request: Request) -> Outcome:
    """Close what is still open for a copy that is not there."""
    message = f"{request.environment} has no copy of {request.group}/{request.app} for feature {request.feature}"
    branch = session.config.feature_branch(request.group, request.app, request.feature)
    if session.dry_run:
        return _outcome(request, "unchanged", message)
    pulls = session.provider.pull_requests(head=branch)
    current = due.current(pulls, session.base)
    if current is None:
        return _outcome(request, "unchanged", message)
    if current.auto_merge:
        disarm(session, current)
    closed = session.provider.close_pull_request(current)
    outcome = _outcome(request, "updated", f"{message}; pull request #{current.number} for it was closed")
    return replace(outcome, branch=branch, pull_request=closed)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Aged:
    group: str
    held: Held
    age: timedelta

    def __str__(self) -> str:
        return f"{self.group}/{self.held.app} feature {self.held.feature}: changed {_shown(self.age)} ago"


def _shown(age: timedelta) -> str:
    hours = age.seconds // 3600
    return f"{age.days}d{hours}h" if hours and age.days else f"{age.days}d" if age.days else f"{hours}h"


def feature_stale(session: Session, *, max_age: float, now: datetime, find: Finding) -> list[Outcome]:
    """Return the outcome of proposing to remove every copy that was not changed for `max_age` seconds.

    One pull request removes them all; a copy whose age cannot be told, or that cannot be removed, is a failed outcome
    of its own. Raises ConfigError, KustomizeError, UsageError, ForeignCommitsError, GitError, ProviderError.
    """
    failures: list[Outcome] = []
    ages: list[str] = []

    def decide() -> Intent | Outcome:
        failures.clear()
        ages.clear()
        first = session.config.first.name
        tree = session.repository.lay_out(session.tip)
        edits: Edits = {}
        files: dict[str, bytes] = {}
        removed: list[_Aged] = []
        for groups in _sharing_a_folder(session, first):
            bench = Workbench.of(session, groups[0], find, tree)
            found = (each for group in groups for each in _aged(session, bench, group, now, failures))
            aged = list({each.held.folder: each for each in found}.values())
            stale = [each for each in aged if each.age >= timedelta(seconds=max_age)]
            ages.extend(f"{each}, {'stale' if each in stale else 'kept'}" for each in aged)
            if not stale:
                continue
            provable, gone = _provable(bench, stale, failures, first)
            edits |= gone
            files |= bench.layout.files
            removed += provable
        request = Request(kind="remove", group="", app="", environment=first)
        if not removed:
            return _outcome(
                request, "unchanged", f"no feature in {first} was left alone for {_shown(timedelta(seconds=max_age))}"
            )
        return Intent(plan=partial(_plan, session, request, STALE_BRANCH, edits, removed), files=files)

    outcome = deliver(session, decide)
    return [replace(outcome, reasons=(*outcome.reasons, *ages)), *failures]


def _sharing_a_folder(session: Session, environment: str) -> list[list[str]]:
    """Return the groups by folder: a pathTemplate without {group} gives all the same, whose file is edited once."""
    found: dict[str, list[str]] = {}
    for group in session.config.groups:
        found.setdefault(session.config.path(group, environment), []).append(group)
    return list(found.values())


def _provable(
    bench: Workbench, stale: Sequence[_Aged], failures: list[Outcome], environment: str
) -> tuple[list[_Aged], Edits]:
    """Return those of these copies that can be removed, all at once or one by one, and the edits that do it."""

    def without(some: Sequence[_Aged]) -> Edits:
        gone = bench.layout.without([each.held.folder for each in some])
        bench.check_removal(gone, [each.held.feature for each in some])
        return gone

    try:
        return list(stale), without(stale)
    except PromotionError as error:
        if len(stale) == 1:
            failures.append(failed(error, group=stale[0].group, app=stale[0].held.app, environment=environment))
            return [], {}
    removed: list[_Aged] = []
    edits: Edits = {}
    for each in stale:
        try:
            edits = without([*removed, each])
        except PromotionError as error:
            failures.append(failed(error, group=each.group, app=each.held.app, environment=environment))
        else:
            removed.append(each)
    return removed, edits


def _aged(session: Session, bench: Workbench, group: str, now: datetime, failures: list[Outcome]) -> Iterator[_Aged]:
    for held in bench.layout.copies(session.config.groups[group]):
        try:
            changed = session.repository.last_change(session.tip, f"{bench.layout.folder}/{held.folder}")
        except GitError as error:
            # One that cannot be told does not keep the others (B38).
            failures.append(failed(error, group=group, app=held.app, environment=session.config.first.name))
            continue
        if changed is not None:
            yield _Aged(group=group, held=held, age=max(now - changed, timedelta()))


def _plan(
    session: Session, request: Request, branch: str, edits: Edits, removed: Sequence[_Aged], base_sha: str
) -> Plan:
    return planning.of_edits(
        request,
        session.config,
        edits,
        base=session.base,
        base_sha=base_sha,
        branch=branch,
        message=commit_message(request, seal=planning.seal(edits)),
        notes=[f"- {code_span(str(each))}" for each in removed],
    )


def _outcome(request: Request, result: Result, message: str) -> Outcome:
    return Outcome(
        result=result,
        message=message,
        group=request.group,
        app=request.app,
        environment=request.environment,
    )
