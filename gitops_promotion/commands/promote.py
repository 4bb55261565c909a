"""`promote`: a tag that arrived in an environment by a promotion is proposed for the environments behind it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from gitops_promotion.commands.override import promote_past
from gitops_promotion.commands.rollback import rollback
from gitops_promotion.core import deployments, due, durations, markers, strays
from gitops_promotion.core.changed_tags import changed_tags
from gitops_promotion.core.forge import PullRequest
from gitops_promotion.core.kinds import PROMOTION
from gitops_promotion.core.markers import is_manifest
from gitops_promotion.core.model import Outcome, Request
from gitops_promotion.core.names import Application, check_application, check_name
from gitops_promotion.core.origin import Origin
from gitops_promotion.core.pull_request_text import read_metadata
from gitops_promotion.core.strays import Stray
from gitops_promotion.core.tags import Tag
from gitops_promotion.errors import AuthError, ManifestError, PromotionError, UsageError
from gitops_promotion.workflow import origin
from gitops_promotion.workflow.branch import Branch
from gitops_promotion.workflow.build import KustomizeFinder
from gitops_promotion.workflow.deliver import Intent, deliver, setting_tag
from gitops_promotion.workflow.heal import heal
from gitops_promotion.workflow.held import stopped
from gitops_promotion.workflow.late import find_late
from gitops_promotion.workflow.past import Scope, require_known, unknown_name
from gitops_promotion.workflow.rearm import rearm
from gitops_promotion.workflow.rejections import find_rejection
from gitops_promotion.workflow.run import Run
from gitops_promotion.workflow.steps import (
    Comparison,
    Step,
    awaited_sources,
    compare,
    layout_warnings,
    left_out,
    marker_to_add,
    no_marker,
    tag_of_sources,
)
from gitops_promotion.workflow.tip import Site, Tip

# Entries of a list in one text.
_LISTED = 10
# Seconds between look-ups while the forge does not show a merge that the tree already holds.
_LATE = (1.0, 2.0, 4.0, 8.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Batch:
    """The steps of one run: what one of them reads, it reads for all."""

    steps: Sequence[Step]

    def sites(self, tip: Tip) -> list[Site]:
        return [site for step in self.steps for site in (*step.sources(tip), step.target)]


def promote(
    run: Run,
    *,
    find_kustomize: KustomizeFinder,
    everything: bool = False,
    group: str = "",
    app: str = "",
    environment: str = "",
    tag: str = "",
    override_gates: bool = False,
    override_hold: bool = False,
    reason: str = "",
) -> list[Outcome]:
    """Return one outcome for each promotion that is due.

    Without a usable range in the runner's event, or with `everything`, all applications are compared; `app` with
    `environment` (the target) forces one. One failure does not stop the others. Raises UsageError, also for
    `everything` beside a name, ConfigError, GitError and ProviderError for what concerns them all.
    """
    if everything and (group or app or environment or override_gates or override_hold):
        raise UsageError("--all compares everything: leave it out to promote one application with --app and --env")
    if override_gates or override_hold or tag or reason:
        return _overridden(run, group, app, environment, tag, gates=override_gates, hold=override_hold, reason=reason)
    if group or app or environment:
        return _run_steps(run, [_forced_step(run.tip, group, app, environment)], one_each=False)
    pushed = None if everything else _pushed_steps(run)
    if pushed is None:
        return _promote_all(run, find_kustomize)
    steps, outcomes = pushed
    return [*outcomes, *_run_steps(run, steps, one_each=False)] or [
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
    way = run.tip.config.way(application)
    run.tip.config.environment(environment)
    if environment not in way.names:
        raise UsageError(f"{application} does not go into {environment}: its environments are {way}")
    chosen = Tag.parse(tag) if tag else tag_of_sources(run.tip, application, environment)
    return promote_past(run, application, environment, chosen, reason=reason, gates=gates, hold=hold)


def outlook(run: Run, application: Application, environment: str) -> Outcome:
    """Return what `promote` would do about one application and environment; the run must be a dry one."""
    step = Step(application=application, environment=environment)
    return _run_steps(run, [step], one_each=False)[0]


def _promote_all(run: Run, find_kustomize: KustomizeFinder) -> list[Outcome]:
    """Compare all applications at the tip, and rebuild what no longer fits it."""
    tip = run.tip
    comparison = compare(tip)
    if text := tip.marked.nothing_found():
        raise ManifestError.at(tip.config_file, 0, text)
    # Read now: the promotions may move the tip.
    warnings = tuple(layout_warnings(tip))
    broken = tip.marked.broken()
    outcomes = _run_steps(run, comparison.steps, one_each=tip.config.prflow == "per-app")
    reported = {fault.path for outcome in outcomes for fault in outcome.faults}
    outcomes += [Outcome.failed(error) for error in broken if not {f.path for f in error.faults} & reported]
    pulls = [] if run.dry_run else run.forge.open_promotions()
    outcomes += heal(run, pulls, find_kustomize) if pulls else []
    outcomes += [] if run.dry_run else _auto_rollbacks(run)
    outcomes += list(rearm(run, pulls, outcomes))
    if not outcomes:
        return [replace(_nothing(tip, comparison, pulls), warnings=warnings)]
    if warnings:
        outcomes.append(Outcome(result="skipped", message="parts of the layout are not promoted", warnings=warnings))
    return outcomes


def _auto_rollbacks(run: Run) -> list[Outcome]:
    """Return the outcomes of rolling back what was never healthy, in environments with `autoRollback`."""
    outcomes: list[Outcome] = []
    for late in find_late(run):
        application, environment = late.site.application, late.site.environment
        if late.decision.kind == "ask":
            step = Step(application=application, environment=environment)
            outcomes.append(replace(step.skipped("no automatic rollback", late.tag), warnings=(late.decision.text,)))
            continue
        try:
            outcomes += rollback(run, group=application.group, app=application.name, environment=environment)
        except PromotionError as error:
            outcomes.append(Outcome.failed_for(application, environment, error))
    return outcomes


def _nothing(tip: Tip, comparison: Comparison, pulls: Sequence[PullRequest]) -> Outcome:
    """Return the outcome of a comparison without any result: was there anything to compare, and what is open."""
    if not tip.applications():
        return Outcome(result="skipped", message=str(strays.NO_MARKER))
    if not comparison.compared:
        text = "no application has markers in two environments that follow each other: nothing was compared"
        return Outcome(result="skipped", message=text)
    message = f"nothing to promote: in {tip.config.pipeline} no application differs from the one before"
    hints = [(pull, hint) for pull in pulls if (hint := read_metadata(pull.body))]
    reasons = [
        f"pull request #{pull.number} for {hint.group}/{hint.app} {hint.tag} in {hint.env} is open: it comes first"
        for pull, hint in hints[:_LISTED]
    ]
    more = [f"and {len(hints) - _LISTED} more"] if len(hints) > _LISTED else []
    return Outcome(result="unchanged", message=message, reasons=(*reasons, *more))


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
    way = tip.config.way(application)
    if environment not in way.names:
        raise UsageError(f"{application} does not go into {environment}: its environments are {way}")
    if not way.sources(environment):
        raise UsageError(f"{environment} is the first environment: `gitops-promotion new` sets its tags")
    return Step(application=application, environment=environment, forced=True)


def _pushed_steps(run: Run) -> tuple[list[Step], list[Outcome]] | None:
    """Return the steps of the event's range, and outcomes for what ends here; None without a usable range."""
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


def _run_steps(run: Run, steps: Sequence[Step], *, one_each: bool) -> list[Outcome]:
    """Carry out the steps; with `one_each` the later ones of an application wait for its first that is due."""
    outcomes: list[Outcome] = []
    run.tip.fetch_branches(run.tip.config.branch(step.application, step.environment) for step in steps)
    settled: set[Application] = set()
    batch = _Batch(steps=steps)
    for step in steps:
        if one_each and step.application in settled:
            continue
        try:
            outcome = deliver(run, partial(_decide, run, step, batch))
        except PromotionError as error:
            outcome = Outcome.failed_for(step.application, step.environment, error)
        # A step whose manifests are wrong has not touched the branch; any other failure may have.
        may_have_touched = outcome.result == "failed" and not isinstance(outcome.error, ManifestError)
        if may_have_touched or outcome.result not in ("skipped", "declined", "failed"):
            settled.add(step.application)
        outcomes.append(outcome)
    return outcomes


def _decide(run: Run, step: Step, batch: _Batch) -> Intent | Outcome:
    """Compare the environments at the tip; the files of all steps are read together, once a tip."""
    tip = run.tip
    tip.read(batch.sites(tip))
    sources = step.sources(tip)
    absent = awaited_sources(tip, step)
    if len(absent) == len(sources) == 1 and not step.forced:
        return step.skipped(f"{sources[0].environment} has no tag marker for {step.application} (any more)")
    target_files = tip.files(step.target)
    tags = {site.environment: tip.tag(site) for site in sources}
    candidates = _candidates(tip, step, batch, tags)
    if gaps := [*absent, *([] if target_files else [step.target])]:
        if step.forced:
            require_known(tip, step.application)
        tag = candidates[0].tag if candidates else None
        warnings = [marker_to_add(tip, site) for site in gaps]
        return step.skipped("; ".join(map(no_marker, gaps)), tag, warnings=warnings)
    if not candidates:
        return step.skipped(due.awaited(tags))
    pulls: dict[str, Sequence[PullRequest]] = {}
    name = tip.config.layout.marker_name(step.application, step.environment)
    reasons: list[str] = []
    for candidate in candidates:
        edits = markers.set_tag(target_files, group=name.group, app=name.app, tag=candidate.tag).edits
        # A tag set by hand in one source holds back that source alone.
        if step.forced or not edits or not (reason := _not_due(run, step, batch, candidate, pulls)):
            request = Request(
                kind=PROMOTION, application=step.application, tag=candidate.tag, environment=step.environment
            )
            if edits and (outcome := stopped(run, request)) is not None:
                return step.held(outcome)
            return setting_tag(tip, request, target_files, partial(_veto, run, step, request, batch), pulls)
        reasons.append(reason)
    return step.skipped(reasons[0], candidates[0].tag)


def _candidates(tip: Tip, step: Step, batch: _Batch, tags: Mapping[str, Tag | None]) -> list[due.Candidate]:
    """Return the tags that may be promoted, the one that arrived last first."""

    def age(candidate: due.Candidate) -> int:
        sites = [Site(step.application, name) for name in candidate.sources]
        timelines = tip.timelines(dict.fromkeys(sites, candidate.tag), [], batch.sites(tip))
        lengths = (deployments.deployment(timelines[site], candidate.tag) for site in sites)
        return min((len(deployed.points) for deployed in lengths if deployed), default=0)

    requirements = tip.config.way(step.application).requirements(step.environment)
    return due.candidates(requirements, tags, age)


def _not_due(
    run: Run, step: Step, batch: _Batch, candidate: due.Candidate, pulls_by_branch: dict[str, Sequence[PullRequest]]
) -> str:
    """Return why the promotion is not due, "" if it is; `pulls_by_branch` keeps the pull requests asked for."""
    tip, tag = run.tip, candidate.tag
    sources = step.sources(tip)
    having = [Site(step.application, name) for name in candidate.sources]
    timelines = tip.timelines(dict.fromkeys(having, tag), [step.target, *sources], batch.sites(tip))
    pauses = list(_LATE)
    pull_requests: dict[str, Sequence[PullRequest]] = {}
    while True:
        decision = due.due(
            due.Facts(
                application=step.application,
                tag=tag,
                target_name=step.environment,
                target=timelines[step.target],
                sources={site.environment: timelines[site] for site in sources},
                requirements=tip.config.way(step.application).requirements(step.environment),
                retry=step.command,
                pull_requests=pull_requests,
            )
        )
        if not decision.ask or (decision.again and not pauses):
            return decision.reason
        branch = tip.config.branch(step.application, decision.ask)
        if decision.again:
            pause = pauses.pop(0)
            run.note(f"the forge does not show the merge of {branch} yet; asking again in {durations.shown(pause)}")
            run.clock.sleep(pause)
        try:
            if decision.again or branch not in pulls_by_branch:
                pulls_by_branch[branch] = run.forge.pull_requests(head=branch)
        except AuthError as error:
            if not run.dry_run:
                raise
            run.note(f"warning: the forge was not asked how {tag.name} came to {decision.ask}: {error}")
            return ""
        pull_requests[decision.ask] = pulls_by_branch[branch]


def _veto(
    run: Run, step: Step, request: Request, batch: _Batch, pulls: Sequence[PullRequest], branch: Branch | None
) -> Outcome | Origin:
    """Leave an open promotion into an earlier environment, and a decline, as they are; else name who is behind it."""
    earlier = run.tip.config.way(step.application).before(step.environment)
    current = due.open_for(pulls, run.tip.base)
    proposed = branch.proposal.environments if branch else ()
    if current is not None and (busy := [name for name in earlier if name in proposed]):
        message = f"pull request #{current.number} into {busy[0]} has the branch {current.head}: it comes first"
        return replace(step.skipped(message, request.tag), pull_request=current)
    if current is not None and branch and branch.proposal.origin.override and not step.forced:
        message = (
            f"pull request #{current.number} is an override by {branch.proposal.origin.override.person}: it comes first"
        )
        return replace(step.skipped(message, request.tag), pull_request=current)
    decline = origin.find_decline(run, request, pulls) or find_rejection(run, request, current, branch)
    if decline is None or step.forced:
        people = _origin(run, step, request.tag, batch, pulls)
        return origin.again(run, people) if decline else people
    message = f"{decline}; to propose it again: {step.command}"
    return replace(step.outcome("declined", message, request.tag), pull_request=decline.pull_request)


def _origin(run: Run, step: Step, tag: Tag, batch: _Batch, pulls: Sequence[PullRequest]) -> Origin:
    """Return who started the tag on its way, and who dispatched this run; empty where no approval asks for them."""
    tip = run.tip
    if not tip.config.has_approvals:
        return Origin()
    sites = [site for site in step.sources(tip) if tip.tag(site) == tag]
    timelines = tip.timelines(dict.fromkeys(sites, tag), [], batch.sites(tip))
    deployed = {site.environment: deployments.deployment(timelines[site], tag) for site in sites}
    arrivals = [(name, found.arrival) for name, found in deployed.items() if found and found.arrival]
    people = origin.of_arrivals(run, step.application, arrivals, pulls)
    by_a_person = run.context.dispatched or not run.context.runner
    return people.with_starter(run.person) if by_a_person else people
