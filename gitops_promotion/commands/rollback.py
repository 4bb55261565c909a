"""`rollback`: an environment gets back the last tag that was green there, and the tag that it leaves is put on hold."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from gitops_promotion.commands.override import new_override
from gitops_promotion.core import holds_file, markers
from gitops_promotion.core import plan as planning
from gitops_promotion.core.deployments import TagAt, same_tag
from gitops_promotion.core.forge import PullRequest
from gitops_promotion.core.holds import FILE, ROLLED_BACK, Hold, covering
from gitops_promotion.core.kinds import ROLLBACK, rollback_branch
from gitops_promotion.core.model import Outcome, Plan, Request
from gitops_promotion.core.names import Application, Site, check_application
from gitops_promotion.core.origin import Origin
from gitops_promotion.core.overrides import Override
from gitops_promotion.core.provenance import read_provenance
from gitops_promotion.core.rollback import (
    EarlierTag,
    Return,
    already_rolled_back,
    choose,
    earlier_tags,
    is_rollback,
    last_return,
)
from gitops_promotion.core.tags import NO_TAG, Tag
from gitops_promotion.errors import ManifestError, UsageError
from gitops_promotion.workflow.arming import question_on
from gitops_promotion.workflow.branch import Branch, read_branch
from gitops_promotion.workflow.deliver import deliver
from gitops_promotion.workflow.green_before import was_green
from gitops_promotion.workflow.holding import require_readable
from gitops_promotion.workflow.intent import Intent
from gitops_promotion.workflow.judge import judge_rows
from gitops_promotion.workflow.lookups import Lookups
from gitops_promotion.workflow.origin import starter
from gitops_promotion.workflow.past import require_known
from gitops_promotion.workflow.run import Run
from gitops_promotion.workflow.steps import marker_to_add, no_marker
from gitops_promotion.workflow.superseding import close_promotion
from gitops_promotion.workflow.tip import Tip

_TIMES = ("windows", "freezes")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Order:
    """What a person or `autoRollback` asks for; `to` is the tag to go back to, None for the last one that was green.

    `leaving` is the tag that `autoRollback` found never healthy, None where a person asks.
    """

    application: Application
    environment: str
    to: Tag | None
    leaving: Tag | None
    reason: str
    hold: bool

    @property
    def site(self) -> Site:
        return Site(self.application, self.environment)


def rollback(
    run: Run,
    *,
    group: str,
    app: str,
    environment: str,
    to: str = "",
    reason: str = "",
    hold: bool = True,
    leaving: Tag | None = None,
) -> list[Outcome]:
    """Return the outcome of proposing the last tag that was green in an environment, or the tag `to`.

    Without `to` an environment whose tag came by a rollback stays as it is: the command may run twice. With `leaving`
    only that tag is rolled back, however it came.

    Raises UsageError, ConfigError, ManifestError, ForeignCommitsError, GitError, ProviderError.
    """
    order = _Order(
        application=check_application(group, app),
        environment=environment,
        # A pipeline passes a blank for a parameter that was left out.
        to=Tag.parse(to.strip()) if to.strip() else None,
        leaving=leaving,
        reason=reason.strip(),
        hold=hold,
    )
    run.tip.config.environment(environment)
    outcome = deliver(run, lambda: _decide(run, order))
    if outcome.result not in ("opened", "updated", "unchanged", "merged") or outcome.pull_request is None:
        return [outcome]
    notes = (*_supersede_promotion(run, order), *_still_there(run.tip, order, outcome.previous_tag))
    return [replace(outcome, reasons=(*outcome.reasons, *notes))]


def _decide(run: Run, order: _Order) -> Intent | Outcome:
    tip, site = run.tip, order.site
    files = tip.files(site)
    if not files:
        require_known(tip, order.application)
        raise ManifestError.at(tip.config_file, 0, f"{no_marker(site)}: {marker_to_add(tip, site)}")
    require_readable(tip, order.environment)
    lookups = run.lookups()
    current = tip.tag(site)
    request = Request(kind=ROLLBACK, application=order.application, environment=order.environment, reason=order.reason)
    if order.to is not None and same_tag(order.to, current):
        return Outcome.of(replace(request, tag=order.to), "unchanged", f"{order.environment} has {order.to.name} now")
    if order.to is None and (message := _reason_to_stay(run, lookups, order, current)):
        return Outcome.of(replace(request, tag=current or NO_TAG), "unchanged", message)
    earlier, is_green = _target(tip, lookups, order, tip.whole_timeline(site))
    request = replace(request, tag=earlier.tag)
    override = _override(run, lookups, request, order, is_green=is_green)
    branch = None if run.dry_run else read_branch(run, ROLLBACK.branch(request, tip.config), order.application)
    hold = _hold(run, order, current, earlier, branch) if order.hold and current is not None else None

    def plan(base_sha: str) -> Plan:
        return _plan(run, request, files, hold, base_sha)

    def veto(_pulls: Sequence[PullRequest], _branch: Branch | None) -> Origin:
        return Origin(triggered_by=starter(run).triggered_by, override=override)

    return Intent(plan=plan, files=files, veto=veto)


def _reason_to_stay(run: Run, lookups: Lookups, order: _Order, current: Tag | None) -> str:
    """Return why an environment keeps its tag although nobody named one to go back to, "" if it does not keep it.

    After a rollback the same command would go back one tag more each time.
    """
    if order.leaving is not None:
        if same_tag(order.leaving, current):
            return ""
        name = current.name if current else "no tag"
        return f"{order.environment} has {name} now, and {order.leaving.name} was to be rolled back"
    last = last_return(run.tip.whole_timeline(order.site))
    if last is None:
        return ""
    provenance = read_provenance(last.commit, run.tip.heads([last.commit]).get(last.commit.sha))
    is_own = is_rollback(order.application, order.environment, provenance)
    number = provenance.number if is_own else None
    if number is None and (number := _merged_rollback(run, order, last)) is None and not is_own:
        return ""
    try:
        further = _target(run.tip, lookups, order, last.before)[0]
    except UsageError:
        further = None
    return already_rolled_back(last, number, further)


def _merged_rollback(run: Run, order: _Order, last: Return) -> int | None:
    """Return the number of the rollback that was merged as the commit of a return, None without one.

    A squash or a rebase may keep neither trailers nor number in the message.
    """
    branch = rollback_branch(order.application, order.environment, run.tip.config)
    pulls = run.forge.pull_requests(head=branch)
    return next((pull.number for pull in pulls if pull.state == "merged" and pull.merge_sha == last.commit.sha), None)


def _target(tip: Tip, lookups: Lookups, order: _Order, points: Sequence[TagAt]) -> tuple[EarlierTag, bool]:
    """Return the tag of a timeline to go back to, and whether it was green. Raises UsageError if there is none."""

    def is_green(earlier: EarlierTag) -> bool:
        return was_green(tip, lookups, order.site, earlier.tag, earlier.deployment)

    def is_held(earlier: EarlierTag) -> bool:
        return bool(covering(tip.holds.holds, order.application, order.environment, earlier.tag, lookups.now))

    candidates = earlier_tags(points)
    return choose(order.application, order.environment, candidates, to=order.to, is_held=is_held, is_green=is_green)


def _override(run: Run, lookups: Lookups, request: Request, order: _Order, *, is_green: bool) -> Override | None:
    """Return the override by which the rollback passes a window or a freeze, or goes to a tag that was never green.

    None where nothing must be passed, or without a reason. Raises UsageError.
    """
    question = question_on(run, request)
    is_shut = judge_rows(run.tip, lookups, question, _TIMES).decision != "pass"
    if is_green and not (is_shut and order.reason):
        return None
    if not order.reason:
        raise UsageError(f"{request.tag.name} was never green in {order.environment}: give --reason to go back to it")
    if is_green:
        try:
            return replace(new_override(run, order.environment, order.reason, gates=False, hold=False), times=True)
        except UsageError as error:
            # The reason is recorded all the same, and the rollback waits for the window.
            run.note(f"warning: the reason passes no window and no freeze: {error}")
            return None
    return new_override(run, order.environment, order.reason, gates=True, hold=False)


def _hold(run: Run, order: _Order, current: Tag, earlier: EarlierTag, branch: Branch | None) -> Hold:
    """Return the hold on the tag that the environment leaves.

    It is that of the open rollback, if the two differ only in time and person.
    """
    hold = Hold(
        group=order.application.group,
        app=order.application.name,
        environment=order.environment,
        tags=(current,),
        reason=ROLLED_BACK + earlier.tag.name + (f": {order.reason}" if order.reason else ""),
        by=run.person or run.tip.repository.author,
        since=run.clock.now().replace(microsecond=0),
    )
    source = branch.head.get(FILE, b"") if branch else b""
    holds = holds_file.parse(source, ()).holds
    return next((old for old in holds if replace(old, since=hold.since, by=hold.by) == hold), hold)


def _plan(run: Run, request: Request, files: Mapping[str, bytes], hold: Hold | None, base_sha: str) -> Plan:
    tip, config = run.tip, run.tip.config
    name = config.layout.marker_name(request.application, request.environment)
    location = f"{config.layout.where(request.application, request.environment)} on {tip.base}"
    edited = markers.set_tag(files, group=name.group, app=name.app, tag=request.tag, location=location)
    edits: dict[str, bytes | None] = dict(edited.edits)
    if hold is not None:
        present = [
            old
            for old in tip.holds.holds
            if replace(old, since=None, by="", reason="", until=None)
            == replace(hold, since=None, by="", reason="", until=None)
        ]
        if not present:
            edits[FILE] = holds_file.edited(tip.holds_source, added=[hold])
    return planning.of_edits(
        request,
        config,
        edits,
        base=tip.base,
        base_sha=base_sha,
        previous_tag=edited.previous,
        notes=[f"- puts on hold: {hold.subject}"] if hold else [],
        warnings=edited.warnings,
    )


def _supersede_promotion(run: Run, order: _Order) -> list[str]:
    """Close the open promotion into the environment, and return what was closed."""
    pull = close_promotion(run, order.application, order.environment)
    return [f"pull request #{pull.number} into {order.environment} is superseded"] if pull else []


def _still_there(tip: Tip, order: _Order, previous_tag: str) -> list[str]:
    """Return a note on the environments behind that still have the tag that was rolled back, if there are any."""
    if not previous_tag:
        return []
    bad_tag = Tag.parse(previous_tag)
    behind = tip.config.way(order.application).behind(order.environment)
    names = [name for name in behind if same_tag(tip.tag(Site(order.application, name)), bad_tag)]
    return [f"{' and '.join(names)} still {'has' if len(names) == 1 else 'have'} {bad_tag.name}"] if names else []
