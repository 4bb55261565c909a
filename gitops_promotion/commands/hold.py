"""`hold` and `release`: the pull request that changes the file of holds."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from gitops_promotion.core import due, holds_file
from gitops_promotion.core import plan as planning
from gitops_promotion.core.forge import PullRequest
from gitops_promotion.core.holds import ANY, FILE, Hold, lifted
from gitops_promotion.core.kinds import HOLD, RELEASE
from gitops_promotion.core.model import Kind, Outcome, Plan, Request
from gitops_promotion.core.names import Application, check_name
from gitops_promotion.core.tags import NO_TAG, Tag
from gitops_promotion.core.untrusted import code_span
from gitops_promotion.errors import UsageError
from gitops_promotion.workflow.arming import disarm_known
from gitops_promotion.workflow.branch import read_branch
from gitops_promotion.workflow.deliver import deliver
from gitops_promotion.workflow.intent import Intent
from gitops_promotion.workflow.run import Run
from gitops_promotion.workflow.tip import Tip


@dataclass(frozen=True, slots=True, kw_only=True)
class _Change:
    """What a pull request changes in the file of holds."""

    added: tuple[Hold, ...] = ()
    removed: tuple[Hold, ...] = ()

    def holds(self, before: Sequence[Hold]) -> tuple[Hold, ...]:
        """Return the holds after the change."""
        return (*(hold for hold in before if hold not in self.removed), *self.added)

    def with_hold(self, hold: Hold) -> "_Change":
        """Return the change that adds this hold too."""
        return replace(self, added=(*self.added, hold))

    def without(self, hold: Hold) -> "_Change":
        """Return the change that removes this hold too."""
        if hold in self.added:
            return replace(self, added=tuple(added for added in self.added if added != hold))
        return replace(self, removed=(*self.removed, hold))


def hold(
    run: Run, *, group: str, app: str, environment: str = ANY, tag: str = "", reason: str = "", until: datetime | None
) -> list[Outcome]:
    """Return the outcome of proposing a hold; without `tag` it is on all tags.

    Raises UsageError, ConfigError, ForeignCommitsError, GitError, ProviderError.
    """
    request = _request(run.tip, HOLD, group, app, environment)
    _require_known(run.tip, request)
    if until is not None and until <= run.clock.now():
        raise UsageError(
            f"--until is over already: it ended at {until.isoformat(timespec='minutes')}: give a later time"
        )
    new = Hold(
        group=group,
        app=app,
        environment=environment,
        tags=(Tag.parse(tag),) if tag else (),
        reason=reason,
        by=run.person or run.tip.repository.author,
        since=run.clock.now().replace(microsecond=0),
        until=until,
    )

    def change(tip: Tip, pending: _Change) -> _Change | str:
        same = next(
            (h for h in pending.holds(tip.holds.holds) if _names(h) == _names(new) and h.tags == new.tags), None
        )
        if same is None:
            return pending.with_hold(new)
        if (same.reason, same.until) != (new.reason, new.until):
            return pending.without(same).with_hold(new)
        return pending if same in pending.added else f"{same} already"

    return [deliver(run, lambda: _decide(run, request, change))]


def release(run: Run, *, group: str, app: str, environment: str = ANY, tag: str = "") -> list[Outcome]:
    """Return the outcome of proposing to lift the holds of exactly these names; with `tag` only the hold on that tag.

    Raises UsageError, ConfigError, ForeignCommitsError, GitError, ProviderError.
    """
    request = _request(run.tip, RELEASE, group, app, environment)
    parsed = Tag.parse(tag) if tag else None

    def change(tip: Tip, pending: _Change) -> _Change | str:
        names = (group, app, environment)
        entries = list(lifted(pending.holds(tip.holds.holds), names, parsed))
        if not entries:
            is_pending = any(_names(hold) == names for hold in pending.removed)
            if not is_pending:
                _require_known(tip, request)
            return pending if is_pending else _nothing_to_lift(tip, request, parsed)
        for entry, remaining in entries:
            pending = pending.without(entry)
            pending = pending.with_hold(remaining) if remaining else pending
        return pending

    return [deliver(run, lambda: _decide(run, request, change))]


def _names(entry: Hold) -> tuple[str, str, str]:
    return entry.group, entry.app, entry.environment


def _nothing_to_lift(tip: Tip, request: Request, tag: Tag | None) -> str:
    """Return the message that there is no such hold, with the commands that lift holds on the same promotions."""
    names = (request.application.group, request.application.name, request.environment)
    reaching = [
        entry
        for entry in tip.holds.holds
        if all(held_name in (name, ANY) or name == ANY for held_name, name in zip(_names(entry), names, strict=True))
    ]
    summary = (
        f"no hold of {request.application}{f' {tag.name}' if tag else ''} in {request.environment} is there to lift"
    )
    return "; ".join([summary, *(f"{entry}: {entry.release}" for entry in reaching[:5])])


def _request(tip: Tip, kind: Kind, group: str, app: str, environment: str) -> Request:
    for noun, name in (("group", group), ("application", app)):
        if name != ANY:
            check_name(noun, name)
    if environment != ANY:
        tip.config.environment(environment)
    return Request(kind=kind, application=Application(group, app), environment=environment)


def _require_known(tip: Tip, request: Request) -> None:
    """Raise UsageError for an application without a marker: no hold on it would stop anything."""
    if request.application == Application(ANY, ANY):
        return
    if not any(
        request.application.group in (ANY, marked.group) and request.application.name in (ANY, marked.name)
        for marked in tip.applications()
    ):
        raise UsageError(f"{request.application} has no marker in any environment: correct --group or --app")


def _decide(run: Run, request: Request, change: Callable[[Tip, _Change], _Change | str]) -> Intent | Outcome:
    tip = run.tip
    if tip.holds.problems:
        raise UsageError(f"{FILE} cannot be read, edit it by hand: {tip.holds.problems[0].fault}")
    branch = request.kind.branch(request, tip.config)
    pulls = [] if run.dry_run else run.forge.pull_requests(head=branch)
    current = due.open_for(pulls, tip.base)
    pending = _pending(run, request, branch) if current else _Change()
    changed = change(tip, pending)
    if isinstance(changed, str):
        return Outcome.of(request, "unchanged", changed)
    source = tip.holds_source
    content = holds_file.edited(source, removed=changed.removed, added=changed.added)
    if content == source:
        return _withdraw(run, request, current)

    def plan(base_sha: str) -> Plan:
        edits = {FILE: content}
        return planning.of_edits(
            request,
            tip.config,
            edits,
            base=tip.base,
            base_sha=base_sha,
            notes=_notes(changed),
            auto_merge=_is_armed(tip, request, changed),
        )

    return Intent(plan=plan, files={FILE: source} if source else {}, pulls={branch: pulls})


def _notes(change: _Change) -> list[str]:
    lifting = [f"- lifts: {code_span(str(entry))}" for entry in change.removed if entry not in change.added]
    return [*lifting, *(f"- adds: {code_span(str(entry))}" for entry in change.added)]


def _is_armed(tip: Tip, request: Request, change: _Change) -> bool:
    """Return True if every environment of the request has `auto` and, where a hold is lifted, needs no approvals."""
    names = tip.config.pipeline.names if request.environment == ANY else (request.environment,)
    environments = [tip.config.environment(name) for name in names]
    if not all(environment.auto for environment in environments):
        return False
    return not change.removed or not any(environment.setting("approvals") for environment in environments)


def _pending(run: Run, request: Request, branch_name: str) -> _Change:
    """Return what the open pull request of a branch changes."""
    branch = read_branch(run, branch_name, request.application)
    if branch is None:
        return _Change()
    names = run.tip.config.pipeline.names
    before, after = (
        holds_file.parse(run.tip.repository.read(sha, [FILE]).get(FILE, b""), names).holds
        for sha in (branch.base_sha, branch.sha)
    )
    return _Change(
        added=tuple(entry for entry in after if entry not in before),
        removed=tuple(entry for entry in before if entry not in after),
    )


def _withdraw(run: Run, request: Request, current: PullRequest | None) -> Outcome:
    """Close the open pull request, since its changes were taken back, and return the outcome."""
    if current is None:
        return Outcome.of(request, "unchanged", f"{FILE} has this already")
    disarm_known(run, current)
    closed = run.forge.close_pull_request(current)
    message = f"nothing is left to change: pull request #{current.number} was closed"
    return replace(
        Outcome.of(replace(request, tag=NO_TAG), "updated", message), branch=current.head, pull_request=closed
    )
