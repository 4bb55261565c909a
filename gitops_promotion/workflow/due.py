"""From a step to its promotion: which tag is due, and who is behind it."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial

from gitops_promotion.core import deployments, due, durations, markers
from gitops_promotion.core.forge import PullRequest
from gitops_promotion.core.kinds import PROMOTION
from gitops_promotion.core.model import Outcome, Request
from gitops_promotion.core.names import Application, Site
from gitops_promotion.core.origin import Origin
from gitops_promotion.core.tags import Tag
from gitops_promotion.errors import AuthError, ManifestError, PromotionError
from gitops_promotion.workflow import origin
from gitops_promotion.workflow.branch import Branch
from gitops_promotion.workflow.deliver import deliver
from gitops_promotion.workflow.held import stopped
from gitops_promotion.workflow.intent import Intent, setting_tag
from gitops_promotion.workflow.past import require_known
from gitops_promotion.workflow.rejections import find_decline
from gitops_promotion.workflow.run import Run
from gitops_promotion.workflow.steps import Step, awaited_sources, marker_to_add, no_marker
from gitops_promotion.workflow.tip import Tip

# Seconds between look-ups while the forge does not show a merge that the tree already holds.
_LATE = (1.0, 2.0, 4.0, 8.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Batch:
    """The steps of one run: the files and the history of all of them are read together."""

    steps: Sequence[Step]

    def sites(self, tip: Tip) -> list[Site]:
        return [site for step in self.steps for site in (*step.sources(tip), step.target)]


def take_steps(run: Run, steps: Sequence[Step], *, one_each: bool) -> list[Outcome]:
    """Return the outcomes of the steps.

    With `one_each` the later ones of an application wait for its first that is due.
    """
    outcomes: list[Outcome] = []
    run.tip.fetch_branches((run.tip.config.branch(s.application, s.environment) for s in steps), leased=True)
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


def outlook(run: Run, application: Application, environment: str) -> Outcome:
    """Return what `promote` would do about one application and environment; the run must be a dry one."""
    step = Step(application=application, environment=environment)
    return take_steps(run, [step], one_each=False)[0]


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
        if step.forced or not edits or not (reason := _reason_not_due(run, step, batch, candidate, pulls)):
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
        deployments_in_sources = (deployments.deployment(timelines[site], candidate.tag) for site in sites)
        return min((len(deployed.points) for deployed in deployments_in_sources if deployed), default=0)

    requirements = tip.config.way(step.application).requirements(step.environment)
    return due.candidates(requirements, tags, age)


def _reason_not_due(
    run: Run, step: Step, batch: _Batch, candidate: due.Candidate, pulls_by_branch: dict[str, Sequence[PullRequest]]
) -> str:
    """Return why the promotion is not due, "" if it is; `pulls_by_branch` keeps the pull requests asked for."""
    tip, tag = run.tip, candidate.tag
    sources = step.sources(tip)
    sites_with_tag = [Site(step.application, name) for name in candidate.sources]
    timelines = tip.timelines(dict.fromkeys(sites_with_tag, tag), [step.target, *sources], batch.sites(tip))
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
    """Return the outcome that leaves an open promotion or a decline as it is, else who is behind this promotion."""
    earlier = run.tip.config.way(step.application).before(step.environment)
    current = due.open_for(pulls, run.tip.base)
    if current and branch and (busy := [name for name in earlier if name in branch.proposal.environments]):
        message = due.branch_in_use(current, busy[0], is_obsolete=_is_obsolete(run.tip, step, busy[0], branch))
        return replace(step.skipped(message, request.tag), pull_request=current)
    if current is not None and branch and branch.proposal.origin.override and not step.forced:
        message = (
            f"pull request #{current.number} is an override by {branch.proposal.origin.override.person}: "
            "merge it or close it first"
        )
        return replace(step.skipped(message, request.tag), pull_request=current)
    decline = find_decline(run, run.lookups(), request, pulls, branch)
    if decline is None or step.forced:
        people = _origin(run, step, request.tag, batch, pulls)
        return origin.again(run, people) if decline else people
    message = f"{decline}; to propose it again: {step.command}"
    return replace(step.outcome("declined", message, request.tag), pull_request=decline.pull_request)


def _is_obsolete(tip: Tip, step: Step, environment: str, branch: Branch) -> bool:
    """Return True if a branch proposes another tag than an environment and all its sources have."""
    earlier = Step(application=step.application, environment=environment)
    with suppress(ManifestError):
        if earlier.is_settled(tip):
            return not deployments.same_tag(branch.proposal.tag, tip.tag(earlier.target))
    return False


def _origin(run: Run, step: Step, tag: Tag, batch: _Batch, pulls: Sequence[PullRequest]) -> Origin:
    """Return who started the tag on its way, and who dispatched this run; empty where no approval asks for them."""
    tip = run.tip
    if not tip.config.has_approvals:
        return Origin()
    sites = [site for site in step.sources(tip) if tip.tag(site) == tag]
    timelines = tip.timelines(dict.fromkeys(sites, tag), [], batch.sites(tip))
    deployed = {site.environment: deployments.deployment(timelines[site], tag) for site in sites}
    arrivals = [
        (name, deployment.arrival) for name, deployment in deployed.items() if deployment and deployment.arrival
    ]
    people = origin.of_arrivals(run, step.application, arrivals, pulls)
    by_a_person = run.context.dispatched or not run.context.runner
    return people.with_starter(run.person) if by_a_person else people
