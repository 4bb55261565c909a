"""What a head changes, and the questions that the gates must answer before it may merge: read from trees alone."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from gitops_promotion.core import holds, holds_file, markers, strays
from gitops_promotion.core.branch_names import ROLLBACKS
from gitops_promotion.core.commits import FileChange
from gitops_promotion.core.config import Config
from gitops_promotion.core.forge import PullRequest
from gitops_promotion.core.gated_changes import MARKER_REMOVED, GatedChange, gated_changes, manual_change
from gitops_promotion.core.gates import Question, Reason
from gitops_promotion.core.markers import is_manifest
from gitops_promotion.core.names import Site
from gitops_promotion.core.strays import Stray
from gitops_promotion.core.tags import NO_TAG, Tag
from gitops_promotion.errors import GitError, LeaseLostError, ManifestError, UsageError
from gitops_promotion.workflow import unmanaged_images
from gitops_promotion.workflow.foreign_work import foreign_work
from gitops_promotion.workflow.merge_queue import brings_only, pulls_in_group
from gitops_promotion.workflow.run import Run
from gitops_promotion.workflow.steps import left_out, marker_to_add, no_marker
from gitops_promotion.workflow.tip import Tip

_NO_TAG_CHANGED = Reason(evidence="no marked tag is changed: a manual change, nothing to wait for")
# How near, from 0 to 1, another name must be to suggest that a marker without any gate is mistyped.
_NEARNESS = 0.6


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """The head under examination: a branch (`foreign`: of another repository) and the commit it had at first."""

    branch: str
    sha: str
    number: int | None = None
    pull_request: PullRequest | None = None
    foreign: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """The questions that a head raises, and remarks on the changes that raise none.

    `refusals` say why the head must not merge whatever the gates say. `unclaimed` are the changed markers that belong
    to no environment; the warnings name them.
    """

    questions: tuple[Question, ...] = ()
    remarks: tuple[Reason, ...] = ()
    refusals: tuple[Reason, ...] = ()
    unclaimed: tuple[Stray, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Merge:
    """What merging a head would change at the tip; `tree` is the head's own where the merge conflicts, else ""."""

    changes: Sequence[FileChange]
    tree: str = ""


def find_subject(run: Run, number: int | None) -> Subject:
    """Return what to check: the pull request `number`, else the event's, else the branch that is checked out.

    Raises UsageError.
    """
    context, tip = run.context, run.tip
    if number is None and not context.head_branch:
        number = context.pull_request
    if number is not None:
        pull = run.forge.pull_request(number)
        return Subject(branch=pull.head, sha=pull.head_sha, number=pull.number, pull_request=pull)
    branch = context.head_branch or tip.repository.head_branch
    sha = context.head_sha if context.head_branch else tip.repository.head
    if not branch or (branch == tip.base and not context.foreign):
        checkout_state = f"{branch} is checked out, the default branch" if branch else "the checkout is detached"
        hint = "" if context.runner else "; to ask about an environment: gitops-promotion why --app APP --env ENV"
        raise UsageError(f"no pull request to check: {checkout_state}; check out its branch or give --pr NUMBER{hint}")
    at_remote = tip.refs.branch(branch)
    if at_remote is None and not context.head_branch:
        raise UsageError(f"the remote has no branch {branch}: push it, or give --pr NUMBER")
    head = sha or at_remote
    if head is None:
        raise UsageError(f"the runner names the branch {branch} but the remote has none of that name: give --pr NUMBER")
    # Opinions are given on a pull request, and the event alone does not show all of it.
    is_read = context.pull_request is not None and tip.has_config and tip.config.has_approvals
    return Subject(
        branch=branch,
        sha=head,
        number=context.pull_request,
        pull_request=run.forge.pull_request(context.pull_request) if is_read and context.pull_request else None,
        foreign=context.foreign,
    )


def examine(run: Run, subject: Subject) -> Examination:
    """Return the questions of all environments whose marked tags the head changes; without any, at least one remark.

    For a group of a merge queue, questions of environments with approvals are those of its pull requests. Raises what
    `examine_head` raises, and ProviderError.
    """
    examination = examine_head(run, subject)
    asks_people = not subject.foreign and any(_asks_people(run, question) for question in examination.questions)
    pulls = pulls_in_group(run, subject.branch, subject.sha) if asks_people else []
    pull_questions: list[Question] = []
    for pull in pulls:
        head = Subject(branch=pull.head, sha=pull.head_sha, number=pull.number, pull_request=pull)
        pull_questions += examine_head(run, head).questions
    if not pull_questions or not brings_only(run, subject.sha, pulls):
        return examination
    questions: dict[Question, None] = {}
    for question in examination.questions:
        same = [q for q in pull_questions if _is_same(q, question)]
        questions |= dict.fromkeys(same if same and _asks_people(run, question) else [question])
    return replace(examination, questions=tuple(questions))


def _is_same(first: Question, second: Question) -> bool:
    """Return True if the questions of two heads are the same; one about images alone is about no application."""
    return (first.environment, first.tag, first.only) == (second.environment, second.tag, second.only) and (
        bool(first.only) or first.application == second.application
    )


def _asks_people(run: Run, question: Question) -> bool:
    return any("opinions" in gate.needs for gate in run.tip.config.gates(question.environment))


def examine_head(run: Run, subject: Subject) -> Examination:
    """Return the questions of one head.

    What counts is what merging it would change at the tip. Raises ManifestError for a head whose markers cannot be
    followed, or which changes tags while no environment has a marker; GitError; LeaseLostError after a race.
    """
    tip, repository = run.tip, run.tip.repository
    if tip.refs.branch(subject.branch) == subject.sha:
        tip.fetch_branches([subject.branch])
    if not repository.fetch_commit(subject.sha):
        problem = f"the commit {subject.sha[:7]} of {subject.branch} cannot be fetched (was the branch rewritten?)"
        if tip.refs.branch(subject.branch) == subject.sha:
            raise LeaseLostError(problem)
        raise GitError(f"{problem}: run again on the new head")
    # The head of a merge queue's group answers for all commits that are not on the default branch yet: the verdict is
    # the commit's, and anybody may open a pull request with it.
    merged = repository.merge_result(tip.sha, subject.sha)
    if merged is None:
        _, changes = repository.diff_from_merge_base(tip.sha, subject.sha)
        merge = _Merge(changes=changes, tree=subject.sha)
    else:
        merge = _Merge(changes=repository.diff_trees(tip.sha, merged))
    examination = _checked(tip, _examine_merge(run, subject, merge))
    return _with_images(run, subject, examination, merge.changes, merged or subject.sha)


def _with_images(
    run: Run, subject: Subject, examination: Examination, changes: Sequence[FileChange], merged: str
) -> Examination:
    """Return the examination with what the merge does to images, where the configuration wants to know.

    An environment without a question gets one if its images change otherwise than by tags.
    """
    environments = unmanaged_images.compared_environments(run.tip)
    if not environments or examination.refusals:
        return examination
    comparisons = unmanaged_images.compare(run, environments, examination.questions, changes, merged)
    questions = [replace(q, images=comparisons.get(q.environment)) for q in examination.questions]
    for environment, comparison in comparisons.items():
        if comparison.is_empty or environment in {question.environment for question in examination.questions}:
            continue
        questions.append(
            Question(
                application=unmanaged_images.application_for(run.tip, environment, changes),
                tag=NO_TAG,
                environment=environment,
                requirements=(),
                head=subject.sha,
                pull_request=subject.pull_request,
                images=comparison,
                only=("images",),
            )
        )
    return replace(examination, questions=tuple(questions))


def _checked(tip: Tip, examination: Examination) -> Examination:
    """Return the examination with warnings about markers that no environment has. Raises ManifestError."""
    unclaimed = [strays.unclaimed(tip.config.layout, stray) for stray in examination.unclaimed]
    warnings = [*examination.warnings, *unclaimed]
    if examination.questions or examination.remarks:
        warnings += map(str, tip.config.warnings if examination.questions else ())
        return replace(examination, warnings=tuple(warnings))
    remarks = tuple(Reason(evidence=f"{text}; nothing to wait for") for text in unclaimed)
    if tip.has_config and (text := tip.marked.nothing_found()):
        # A configuration that finds nothing must not turn a required check green, but its repair must be able to merge.
        if examination.unclaimed:
            raise ManifestError.at(tip.config_file, 0, text)
        warnings.append(f"{tip.config_file}: {text}")
    return replace(examination, remarks=remarks or (_NO_TAG_CHANGED,), warnings=tuple(warnings))


def _examine_merge(run: Run, subject: Subject, merge: _Merge) -> Examination:
    tip, changes = run.tip, merge.changes
    _require_readable_holds(tip, changes)
    manifests = [change for change in changes if is_manifest(change.path)]
    blobs = tip.blobs(oid for change in manifests for oid in (change.old_file, change.new_file))
    # A change without markers needs no configuration, so that the first pull request can add it.
    if not any(b"imagepolicy" in blobs[oid] for c in manifests for oid in (c.old_file, c.new_file) if oid):
        return Examination(refusals=_foreign_work(run, subject, (), changes))
    blobs = tip.blobs(oid for change in changes for oid in (change.old_file, change.new_file))
    config = tip.config
    gated = [name for name in config.pipeline.names if _is_gated(config, name)]
    merge_changes = gated_changes(changes, blobs, config.layout, gated)
    questions: list[Question] = []
    remarks: list[Reason] = []
    by_site: dict[Site, list[GatedChange]] = {}
    for change in merge_changes.changes:
        by_site.setdefault(change.site, []).append(change)
    for site in sorted(by_site, key=lambda c: (c.application, config.pipeline.names.index(c.environment))):
        text = f"{site.application} in {site.environment}"
        if site.environment not in gated:
            remarks.append(Reason(evidence=f"{text}: the first environment, nothing to wait for"))
            continue
        new_questions, remark = _questions(tip, subject, site, by_site[site], merge)
        questions += new_questions
        remarks += [Reason(evidence=f"{text}: {remark}")] if remark else []
    refusals = _foreign_work(run, subject, [change.site for change in merge_changes.changes], changes)
    sites = list(by_site)
    out_of_way = (left_out(site) for site in sites if site.environment not in config.way(site.application).names)
    return Examination(
        questions=tuple(questions),
        remarks=tuple(remarks),
        refusals=refusals,
        unclaimed=merge_changes.unclaimed,
        warnings=(*out_of_way, *_gaps(tip, [site for site in sites if site.environment in gated])),
    )


def _gaps(tip: Tip, sites: Iterable[Site]) -> Iterator[str]:
    """Yield the environments that gates cannot ask, since they have no marker of the application before them."""
    for site in sites:
        application, way = site.application, tip.config.way(site.application)
        earlier = way.before(site.environment) if site.environment in way.names else ()
        with_marker = {name for name in earlier if tip.files(Site(application, name))}
        if not with_marker:
            yield from _mistyped(tip, site) if earlier else ()
            continue
        for group in way.requirements(site.environment):
            for absent in group if not with_marker & set(group) else ():
                place = Site(application, absent)
                text = f"{no_marker(place)}, so the gates of {site.environment} ask what comes before {absent}"
                try:
                    yield f"{text}: {marker_to_add(tip, place)}"
                except ManifestError as error:
                    yield f"{text}: {error}"


def _mistyped(tip: Tip, site: Site) -> Iterator[str]:
    """Yield the warning that no gate holds an application, if it may be another one with a mistyped marker."""
    marked_sites = {(marked.application, marked.environment) for marked in tip.marked.sites()}
    sites = {*marked_sites, (site.application, site.environment)}
    if text := strays.without_way(tip.config.way(site.application), site.application, sites, nearness=_NEARNESS):
        yield text


def _is_gated(config: Config, environment: str) -> bool:
    """Return True if a gate of an environment has a say on tags; a report of images has none."""
    gates = config.gates(environment)
    return bool(gates) and (bool(config.pipeline.sources(environment)) or not all(g.judges_sources for g in gates))


def _require_readable_holds(tip: Tip, changes: Sequence[FileChange]) -> None:
    """Raise ManifestError if a head leaves a file of holds that cannot be read: that would stop automation."""
    change = next((change for change in changes if change.path == holds.FILE and change.new), None)
    if change is None:
        return
    if change.new_file is None:
        raise ManifestError.at(holds.FILE, 0, "is no file any more: make it one, or delete it")
    names = tip.config.pipeline.names if tip.has_config else ()
    file = holds_file.parse(tip.blobs([change.new_file])[change.new_file], names)
    if file.problems:
        raise ManifestError(faults=[problem.fault for problem in file.problems])


def _foreign_work(
    run: Run, subject: Subject, sites: Sequence[Site], changes: Sequence[FileChange]
) -> tuple[Reason, ...]:
    """Return the reasons why a branch of this tool is not this tool's alone, none for the branch of anybody else."""
    is_ours = not subject.foreign and run.tip.has_config and run.tip.refs.branch(subject.branch) == subject.sha
    return tuple(foreign_work(run, subject.branch, sites, changes)) if is_ours else ()


def _questions(
    tip: Tip, subject: Subject, site: Site, changes: Sequence[GatedChange], merge: _Merge
) -> tuple[list[Question], str]:
    """Return the questions of one application's changes in one environment, and without any the reason, else ""."""
    if remark := manual_change(changes):
        return [], remark
    application, environment, config = site.application, site.environment, tip.config
    way = config.way(application)
    if environment not in way.names:
        return [], "the application's environments leave it out, nothing to wait for"
    tip.read(Site(application, name) for name in (*way.before(environment), environment))
    with_marker = [name for name in way.before(environment) if tip.files(Site(application, name))]
    requirements = way.way([*with_marker, environment]).requirements(environment)
    if not requirements and all(gate.judges_sources for gate in tip.config.gates(environment)):
        return [], "no earlier environment has it, nothing to wait for"
    tags = [change.tag for change in changes if change.effect == "unmarked" and change.tag]
    if any(change.effect == "tag" for change in changes) and (tag := _merged_tag(tip, merge, site)):
        tags.append(tag)
    unseen = tuple(dict.fromkeys(text for change in changes for text in change.unseen))
    return [
        Question(
            application=application,
            tag=tag,
            environment=environment,
            requirements=requirements,
            head=subject.sha,
            pull_request=subject.pull_request,
            unseen=unseen,
            unattended=not subject.foreign and subject.branch.startswith((config.branch_prefixes[0], ROLLBACKS)),
        )
        for tag in dict.fromkeys(tags)
    ], "" if tags else MARKER_REMOVED


def _merged_tag(tip: Tip, merge: _Merge, site: Site) -> Tag | None:
    """Return the tag of an application in an environment after the merge, None if it has no marker there."""
    layout = tip.config.layout
    application, environment = site.application, site.environment
    name = layout.marker_name(application, environment)
    if merge.tree:
        paths = tip.repository.grep(merge.tree, [str(name)], layout.pathspecs(application, [environment]))
        files = tip.repository.read(
            merge.tree, [path for path in paths if layout.holds(path, application, environment)]
        )
        return markers.read_tag(files, name.group, name.app)
    files = dict(tip.files(Site(application, environment)))
    blobs = tip.blobs(())
    for change in merge.changes:
        files.pop(change.path, None)
        if change.new_file and is_manifest(change.path) and layout.holds(change.path, application, environment):
            files[change.path] = blobs[change.new_file]
    return markers.read_tag(files, name.group, name.app)
