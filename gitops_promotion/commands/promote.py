"""`promote`: a tag that arrived in an environment by a promotion is proposed for the environments behind it."""

from collections.abc import Sequence
from dataclasses import replace

from gitops_promotion.commands.override import promote_past
from gitops_promotion.commands.rollback import rollback
from gitops_promotion.core import strays
from gitops_promotion.core.changed_tags import changed_tags
from gitops_promotion.core.forge import PullRequest
from gitops_promotion.core.markers import is_manifest
from gitops_promotion.core.model import Outcome
from gitops_promotion.core.names import Application, Site, check_application, check_name
from gitops_promotion.core.pull_request_text import read_metadata
from gitops_promotion.core.strays import Stray
from gitops_promotion.core.tags import Tag
from gitops_promotion.errors import ManifestError, PromotionError, UsageError
from gitops_promotion.workflow.build import KustomizeFinder
from gitops_promotion.workflow.due import take_steps
from gitops_promotion.workflow.heal import heal
from gitops_promotion.workflow.left_behind import left_behind
from gitops_promotion.workflow.never_healthy import Late, find_late
from gitops_promotion.workflow.past import Scope, unknown_name
from gitops_promotion.workflow.rearm import rearm
from gitops_promotion.workflow.run import Run
from gitops_promotion.workflow.steps import (
    Comparison,
    Step,
    compare,
    layout_warnings,
    left_out,
    tag_of_sources,
)
from gitops_promotion.workflow.tip import Tip

# The most entries that one outcome lists.
_LISTED = 10


def promote(
    run: Run,
    *,
    find_kustomize: KustomizeFinder,
    all_applications: bool = False,
    group: str = "",
    app: str = "",
    environment: str = "",
    tag: str = "",
    override_gates: bool = False,
    override_hold: bool = False,
    reason: str = "",
) -> list[Outcome]:
    """Return one outcome for each promotion that is due.

    Without a usable range in the runner's event, or with `all_applications`, all applications are compared; `app` with
    `environment` (the target) forces one. One failure does not stop the others. Raises UsageError, also for
    `all_applications` beside a name, ConfigError, GitError and ProviderError for what concerns them all.
    """
    if all_applications and (group or app or environment or override_gates or override_hold):
        raise UsageError("--all compares everything: leave it out to promote one application with --app and --env")
    if override_gates or override_hold or tag or reason:
        return _overridden(run, group, app, environment, tag, gates=override_gates, hold=override_hold, reason=reason)
    if group or app or environment:
        return take_steps(run, [_forced_step(run.tip, group, app, environment)], one_each=False)
    pushed = None if all_applications else _pushed_steps(run)
    if pushed is None:
        return _promote_all(run, find_kustomize)
    steps, outcomes = pushed
    return [*outcomes, *take_steps(run, steps, one_each=False)] or [
        Outcome(result="skipped", message="no marked tag changed in this push: there is nothing to promote")
    ]


def _overridden(
    run: Run, group: str, app: str, environment: str, tag: str, *, gates: bool, hold: bool, reason: str
) -> list[Outcome]:
    """Return the outcome of a promotion past gates or holds. Raises UsageError for options that do not fit together."""
    if not (gates or hold):
        option = "--tag" if tag else "--reason"
        raise UsageError(f"{option} is for --override-gates: without it the tag of the sources is promoted")
    if tag and not gates:
        raise UsageError("--tag is for --override-gates: --override-hold promotes the tag of the sources")
    if not (app and environment and (tag or not gates)):
        needs = "--app, --env, --tag and --reason" if gates else "--app, --env and --reason"
        raise UsageError(f"--override-{'gates' if gates else 'hold'} needs {needs}")
    check_name("application", app)
    application = _named_application(run.tip, group, app)
    run.tip.config.environment(environment)
    run.tip.config.way_into(application, environment)
    proposed_tag = Tag.parse(tag) if tag else tag_of_sources(run.tip, application, environment)
    return promote_past(run, application, environment, proposed_tag, reason=reason, gates=gates, hold=hold)


def _promote_all(run: Run, find_kustomize: KustomizeFinder) -> list[Outcome]:
    """Compare all applications at the tip, and rebuild what no longer fits it."""
    tip = run.tip
    # At first: a rollback closes the open promotion into its environment, which no step must speak of afterwards.
    rollbacks = [] if run.dry_run else _auto_rollbacks(run)
    if rollbacks:
        tip.refresh()
    comparison = compare(tip)
    if text := tip.marked.nothing_found():
        raise ManifestError.at(tip.config_file, 0, text)
    # Read now: the promotions may move the tip.
    warnings = tuple(layout_warnings(tip))
    broken = tip.marked.broken()
    rolled_back = {Site(Application(o.group, o.app), o.environment) for o in rollbacks if o.pull_request}
    steps = [step for step in comparison.steps if step.target not in rolled_back]
    outcomes = [*rollbacks, *take_steps(run, steps, one_each=tip.config.prflow == "per-app")]
    reported = {fault.path for outcome in outcomes for fault in outcome.faults}
    outcomes += [Outcome.failed(error) for error in broken if not {f.path for f in error.faults} & reported]
    pulls = [] if run.dry_run else run.forge.open_promotions()
    outcomes += heal(run, pulls, find_kustomize) if pulls else []
    # What its target has already is no step of the comparison, but a promotion of another tag may be open there.
    settled = take_steps(run, left_behind(run, pulls, outcomes), one_each=False)
    outcomes += settled
    numbers = {outcome.pull_request.number for outcome in settled if outcome.pull_request}
    outcomes += list(rearm(run, [pull for pull in pulls if pull.number not in numbers], outcomes))
    if not outcomes:
        return [replace(_nothing_to_promote(tip, comparison, pulls), warnings=warnings)]
    if warnings:
        outcomes.append(Outcome(result="skipped", message="parts of the layout are not promoted", warnings=warnings))
    return outcomes


def _auto_rollbacks(run: Run) -> list[Outcome]:
    """Return the outcomes of rolling back what was never healthy, in environments with `autoRollback`.

    If that cannot be found out, the failure is an outcome too: the promotions of the run go on.
    """
    outcomes: list[Outcome] = []
    try:
        for late in find_late(run):
            outcomes += _auto_rollback(run, late)
    except PromotionError as error:
        outcomes.append(Outcome.failed(error))
    return outcomes


def _auto_rollback(run: Run, late: Late) -> list[Outcome]:
    """Return the outcomes of rolling back one tag, or of asking a person."""
    application, environment = late.site.application, late.site.environment
    if late.decision.kind == "ask":
        step = Step(application=application, environment=environment)
        return [replace(step.skipped("no automatic rollback", late.tag), warnings=(late.decision.text,))]
    try:
        return rollback(run, group=application.group, app=application.name, environment=environment, leaving=late.tag)
    except PromotionError as error:
        return [Outcome.failed_for(application, environment, error)]


def _nothing_to_promote(tip: Tip, comparison: Comparison, pulls: Sequence[PullRequest]) -> Outcome:
    """Return the outcome of a comparison that found nothing to do: whether anything was compared, and what is open."""
    if not tip.applications():
        return Outcome(result="skipped", message=str(strays.NO_MARKER))
    if not comparison.compared:
        text = "no application has markers in two environments that follow each other: nothing was compared"
        return Outcome(result="skipped", message=text)
    message = f"nothing to promote: in {tip.config.pipeline} no application differs from the one before"
    hints = [(pull, hint) for pull in pulls if (hint := read_metadata(pull.body))]
    reasons = [
        f"pull request #{pull.number} for {hint.group}/{hint.app} {hint.tag} in {hint.env} is open: "
        "merge it or close it first"
        for pull, hint in hints[:_LISTED]
    ]
    if len(hints) > _LISTED:
        reasons.append(f"and {len(hints) - _LISTED} more")
    return Outcome(result="unchanged", message=message, reasons=tuple(reasons))


def _named_application(tip: Tip, group: str, app: str) -> Application:
    """Return the application of a forced promotion; without a group the only one of its name. Raises UsageError."""
    if not group:
        groups = sorted({a.group for a in tip.applications() if a.name == app})
        if not groups:
            raise unknown_name(tip, Scope(app=app))
        if len(groups) > 1:
            raise UsageError(f"the application {app} has markers in the groups {', '.join(groups)}: give --group")
        group = groups[0]
    return check_application(group, app)


def _forced_step(tip: Tip, group: str, app: str, environment: str) -> Step:
    if not app or not environment:
        raise UsageError("to force one promotion give --app and --env, the environment to promote into")
    check_name("application", app)
    if not tip.config.pipeline.sources(environment):
        raise UsageError(f"{environment} is the first environment: `gitops-promotion new` sets its tags")
    application = _named_application(tip, group, app)
    if not tip.config.way_into(application, environment).sources(environment):
        raise UsageError(f"{environment} is the first environment: `gitops-promotion new` sets its tags")
    return Step(application=application, environment=environment, forced=True)


def _pushed_steps(run: Run) -> tuple[list[Step], list[Outcome]] | None:
    """Return the steps of the event's range, and outcomes of changes without a step; None without a usable range."""
    tip, before, after = run.tip, run.context.before, run.context.after
    if not before or not after:
        return None
    if not (tip.repository.fetch_commit(before) and tip.repository.fetch_commit(after)):
        run.note(f"cannot fetch the event's range {before[:7]}..{after[:7]}; comparing all applications instead")
        return None
    changes = [change for change in tip.repository.diff_trees(before, after) if is_manifest(change.path)]
    blobs = tip.blobs(oid for change in changes for oid in (change.old_file, change.new_file))
    changed = changed_tags(changes, blobs, tip.config.layout)
    steps: dict[Step, None] = {}
    outcomes = [Outcome.failed(error) for error in changed.broken]
    names = tip.config.pipeline.names
    for change in sorted(changed.changes, key=lambda change: (change.application, names.index(change.environment))):
        way = tip.config.way(change.application)
        end = Step(application=change.application, environment=change.environment)
        if change.environment not in way.names:
            outcomes.append(end.skipped("nothing to promote", warnings=[left_out(end.target)]))
            continue
        targets = way.targets(change.environment)
        steps |= dict.fromkeys(Step(application=change.application, environment=target) for target in targets)
        if not targets:
            outcomes.append(end.skipped(f"{change.environment} is the last environment: nothing follows"))
    if changed.unclaimed:
        outcomes.append(_unclaimed(tip, changed.unclaimed, alone=not changed.changes))
    return list(steps), outcomes


def _unclaimed(tip: Tip, unclaimed: Sequence[Stray], *, alone: bool) -> Outcome:
    """Return the outcome of changed markers in no environment. Raises ManifestError if no environment has any."""
    if alone and (text := tip.marked.nothing_found()):
        raise ManifestError.at(tip.config_file, 0, text)
    warnings = [strays.unclaimed(tip.config.layout, stray) for stray in unclaimed[:_LISTED]]
    if len(unclaimed) > _LISTED:
        warnings.append(f"{len(unclaimed) - _LISTED} more changed markers belong to no environment")
    message = "changed markers belong to no environment: they are not promoted"
    return Outcome(result="skipped", message=message, warnings=tuple(warnings))
