"""`promote`: a tag that arrived in an environment by a promotion is proposed for the environments behind it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from gitops_promotion.core import deployments, due, markers
from gitops_promotion.core.changes import changed_tags
from gitops_promotion.core.commits import read_time
from gitops_promotion.core.forge import PullRequest
from gitops_promotion.core.kinds import PROMOTION
from gitops_promotion.core.markers import is_manifest
from gitops_promotion.core.model import Outcome, Request, Result
from gitops_promotion.core.names import Application, check_application, check_name, is_name
from gitops_promotion.core.pull_request_text import read_metadata
from gitops_promotion.core.tags import NO_TAG, Tag
from gitops_promotion.errors import AuthError, ManifestError, PromotionError, UsageError
from gitops_promotion.workflow.branch import Branch, read_branch
from gitops_promotion.workflow.build import KustomizeFinder
from gitops_promotion.workflow.deliver import Intent, deliver, setting_tag
from gitops_promotion.workflow.heal import heal
from gitops_promotion.workflow.run import Run
from gitops_promotion.workflow.tip import Site, Tip

# Seconds between look-ups while the forge does not show a merge that the tree already holds.
_LATE = (1.0, 2.0, 4.0, 8.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One application's possible promotion into `environment`; `forced`: a person asked for it."""

    application: Application
    environment: str
    forced: bool = False
    tag: Tag = NO_TAG

    @property
    def group(self) -> str:
        """The application's group."""
        return self.application.group

    @property
    def app(self) -> str:
        """The application's name."""
        return self.application.name

    @property
    def target(self) -> Site:
        """The site that the tag would go to."""
        return Site(self.application, self.environment)

    @property
    def command(self) -> str:
        """The command that forces this promotion."""
        return f"gitops-promotion promote --group {self.group} --app {self.app} --env {self.environment}"

    def sources(self, tip: Tip) -> list[Site]:
        """Return the sites that the tag may come from."""
        return [Site(self.application, n) for n in tip.config.way(self.application).sources(self.environment)]

    def outcome(self, result: Result, message: str, tag: Tag | None = None) -> Outcome:
        """Return an outcome that ends this step."""
        return Outcome.of(replace(self, tag=tag or NO_TAG), result, message)


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
) -> list[Outcome]:
    """Return one outcome for each promotion that is due.

    Without a usable range in the runner's event, or with `everything`, all applications are compared; `app` with
    `environment` (the target) forces one. One failure does not stop the others. Raises UsageError, ConfigError,
    GitError and ProviderError for what concerns them all.
    """
    if group or app or environment:
        return _run_steps(run, [_forced_step(run.tip, group, app, environment)], one_each=False)
    pushed = None if everything else _pushed_steps(run)
    if pushed is None:
        steps = _differing_steps(run.tip)
        outcomes = _run_steps(run, steps, one_each=run.tip.config.prflow == "per-app")
        outcomes += [] if run.dry_run else _heal(run, find_kustomize)
        names = run.tip.config.pipeline
        return outcomes or [
            Outcome(
                result="unchanged",
                message=f"nothing to promote: in {names} no application differs from the one before",
            )
        ]
    steps, outcomes = pushed
    return [*outcomes, *_run_steps(run, steps, one_each=False)] or [
        Outcome(result="skipped", message="no marked tag changed in this push: there is nothing to promote")
    ]


def _forced_step(tip: Tip, group: str, app: str, environment: str) -> Step:
    if not app or not environment:
        raise UsageError("to force one promotion give --app and --env, the environment to promote into")
    check_name("application", app)
    if not tip.config.pipeline.sources(environment):
        raise UsageError(f"{environment} is the first environment: `gitops-promotion new` sets its tags")
    if not group:
        groups = sorted({a.group for a in tip.applications() if a.name == app})
        if len(groups) != 1:
            raise UsageError(
                f"the application {app} has markers in {'the groups ' + ', '.join(groups) if groups else 'no group'}: "
                "give --group"
            )
        group = groups[0]
    application = check_application(group, app)
    way = tip.config.way(application)
    if environment not in way.names:
        raise UsageError(f"{application} does not go into {environment}: its environments are {way}")
    if not way.sources(environment):
        raise UsageError(f"{environment} is the first environment: `gitops-promotion new` sets its tags")
    return Step(application=application, environment=environment, forced=True)


def _differing_steps(tip: Tip) -> list[Step]:
    steps = (
        Step(application=application, environment=name)
        for application in tip.applications()
        for _, name in tip.config.way(application).steps()
    )
    return [step for step in steps if _differs(tip, step)]


def _differs(tip: Tip, step: Step) -> bool:
    """Return True if a source and the target have the application, and there is something to do or to report."""
    try:
        target = tip.files(step.target)
        sources = [files for site in step.sources(tip) if (files := tip.files(site))]
        if not sources:
            return False
        if not target:
            # Reported where the application goes on behind the gap: it may well end before the last environment.
            behind = tip.config.way(step.application).behind(step.environment)
            return any(tip.files(Site(step.application, name)) for name in behind)
        return any(_would_change(tip, step, site, target) for site in step.sources(tip))
    except ManifestError:
        return True


def _would_change(tip: Tip, step: Step, source: Site, target: Mapping[str, bytes]) -> bool:
    tag = tip.tag(source)
    if tag is None:
        return False
    name = tip.config.layout.marker_name(step.application, step.environment)
    return bool(markers.set_tag(target, group=name.group, app=name.app, tag=tag).edits)


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
    for change in sorted(
        changed.in_environments(), key=lambda change: (change.application, names.index(change.environment))
    ):
        way = tip.config.way(change.application)
        if change.environment not in way.names:
            continue
        targets = way.targets(change.environment)
        steps |= dict.fromkeys(Step(application=change.application, environment=target) for target in targets)
        if not targets:
            end = Step(application=change.application, environment=change.environment)
            outcomes.append(end.outcome("skipped", f"{change.environment} is the last environment: nothing follows"))
    return list(steps), outcomes


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
            outcome = Outcome.failed(error, group=step.group, app=step.app, environment=step.environment)
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
    candidate = _candidate(tip, step, batch)
    if candidate.tag is None:
        return step.outcome("skipped", candidate.awaited)
    tag, files = candidate.tag, tip.files(step.target)
    if not files:
        message = f"{step.environment} has no marker for {step.application}: add one there if it belongs there"
        run.note(f"warning: {message}")
        return step.outcome("skipped", message, tag)
    request = Request(kind=PROMOTION, application=step.application, tag=tag, environment=step.environment)
    name = tip.config.layout.marker_name(step.application, step.environment)
    edits = markers.set_tag(files, group=name.group, app=name.app, tag=tag).edits
    pulls: dict[str, Sequence[PullRequest]] = {}
    if edits and not step.forced and (reason := _not_due(run, step, batch, candidate, pulls)):
        return step.outcome("skipped", reason, tag)
    return setting_tag(tip, request, files, partial(_veto, run, step, request), pulls)


def _candidate(tip: Tip, step: Step, batch: _Batch) -> due.Candidate:
    """Return the tag to promote."""
    sources = step.sources(tip)
    tags = {site.environment: tip.tag(site) for site in sources}
    if len(sources) == 1 and not tags[sources[0].environment]:
        return due.Candidate(awaited=f"{sources[0].environment} has no tag marker for {step.application} (any more)")
    requirements = tip.config.way(step.application).requirements(step.environment)

    def commits_since(tag: Tag) -> int:
        sites = [site for site in sources if deployments.same_tag(tags[site.environment], tag)]
        timelines = tip.timelines(dict.fromkeys(sites, tag), [], batch.sites(tip))
        lengths = (deployments.deployment(timelines[site], tag) for site in sites)
        return min((len(found.points) for found in lengths if found), default=0)

    return due.candidate(requirements, tags, commits_since)


def _not_due(
    run: Run, step: Step, batch: _Batch, candidate: due.Candidate, asked: dict[str, Sequence[PullRequest]]
) -> str:
    """Return why the promotion is not due, "" if it is; the pull requests asked for are kept in `asked`, by branch."""
    tip, tag = run.tip, candidate.tag or NO_TAG
    sources = [Site(step.application, name) for name in candidate.sources]
    timelines = tip.timelines(dict.fromkeys(sources, tag), [step.target], batch.sites(tip))
    pauses = list(_LATE)
    pull_requests: dict[str, Sequence[PullRequest]] = {}
    while True:
        answer = due.due(
            due.Facts(
                application=step.application,
                tag=tag,
                target_name=step.environment,
                target=timelines[step.target],
                sources={site.environment: timelines[site] for site in sources},
                retry=step.command,
                pull_requests=pull_requests,
            )
        )
        if not answer.ask or (answer.again and not pauses):
            return answer.reason
        branch = tip.config.branch(step.application, answer.ask)
        if answer.again:
            pause = pauses.pop(0)
            run.note(f"the forge does not show the merge of {branch} yet; asking again in {pause:g} s")
            run.clock.sleep(pause)
        try:
            if answer.again or branch not in asked:
                asked[branch] = run.forge.pull_requests(head=branch)
        except AuthError as error:
            if not run.dry_run:
                raise
            run.note(f"warning: the forge was not asked how {tag.name} came to {answer.ask}: {error}")
            return ""
        pull_requests[answer.ask] = asked[branch]


def _veto(
    run: Run, step: Step, request: Request, pulls: Sequence[PullRequest], branch: Branch | None
) -> Outcome | None:
    """Leave an open promotion into an earlier environment, and a decline, as they are."""
    earlier = run.tip.config.way(step.application).before(step.environment)
    current = due.open_for(pulls, run.tip.base)
    proposed = branch.proposal.environments if branch else ()
    if current is not None and (busy := [name for name in earlier if name in proposed]):
        message = f"pull request #{current.number} into {busy[0]} has the branch {current.head}: it comes first"
        return replace(step.outcome("skipped", message, request.tag), pull_request=current)
    if not step.forced and (declined := due.declined(request, pulls)):
        message = (
            f"pull request #{declined.number} for it was closed without merging; to propose it again: {step.command}"
        )
        return replace(step.outcome("declined", message, request.tag), pull_request=declined)
    return None


def _heal(run: Run, find_kustomize: KustomizeFinder) -> list[Outcome]:
    """Rebuild open promotions into the first environment that conflict with or lag behind the tip: no other run does.

    The body is a hint for which to look at; what is rebuilt is what the branch's tree proposes.
    """
    outcomes: list[Outcome] = []
    pulls = run.forge.open_promotions()
    candidates = list(_entry_promotions(run.tip, pulls))
    run.tip.fetch_branches(pull.head for pull, _ in candidates)
    for pull, request in candidates:
        try:
            branch = read_branch(run, pull.head, request.application)
            if branch is None or not _needs_rebuild(run, pull, branch, request.environment):
                continue
            rebuilt = replace(request, tag=branch.proposal.tag or NO_TAG, built_at=read_time(branch.proposal.built_at))
            outcomes.append(deliver(run, partial(_rebuild, run.tip, rebuilt)))
        except PromotionError as error:
            outcomes.append(
                Outcome.failed(error, group=request.group, app=request.app, environment=request.environment)
            )
    return outcomes + heal(run, pulls, find_kustomize)


def _entry_promotions(tip: Tip, pulls: Iterable[PullRequest]) -> Iterable[tuple[PullRequest, Request]]:
    for pull in pulls:
        hint = read_metadata(pull.body)
        if hint is None or not (is_name(hint.group) and is_name(hint.app)):
            continue
        application = Application(hint.group, hint.app)
        if hint.env == tip.config.way(application).entry.name:
            yield pull, Request(kind=PROMOTION, application=application, environment=hint.env)


def _needs_rebuild(run: Run, pull: PullRequest, branch: Branch, environment: str) -> bool:
    proposal = branch.proposal
    # A feature's branch has another owner, whatever its body says: its tag is for no promotion.
    if proposal.environments != (environment,) or proposal.tag is None or proposal.other_owner:
        return False
    if branch.base_sha == run.tip.sha:
        return False
    return bool(run.tip.repository.conflicts(run.tip.sha, branch.sha)) or run.forge.head_state(pull).outdated


def _rebuild(tip: Tip, request: Request) -> Intent:
    return setting_tag(tip, request, tip.files(Site(request.application, request.environment)))
