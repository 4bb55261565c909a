"""What a head changes, and the questions that the gates must answer before it may merge: read from trees alone."""

from collections.abc import Sequence
from dataclasses import dataclass

from gitops_promotion.core import markers
from gitops_promotion.core.changes import TagChange, changed_tags, moves_unmarked, unmarks_and_changes
from gitops_promotion.core.commits import FileChange
from gitops_promotion.core.forge import PullRequest
from gitops_promotion.core.gates import Question, Reason
from gitops_promotion.core.layout import MarkerName
from gitops_promotion.core.markers import is_manifest
from gitops_promotion.core.names import Application, is_name
from gitops_promotion.core.tags import Tag
from gitops_promotion.errors import GitError, ManifestError, UsageError
from gitops_promotion.workflow.run import Run
from gitops_promotion.workflow.tip import Site, Tip

_NO_TAG_CHANGED = Reason(evidence="no marked tag is changed: a manual change, nothing to wait for")


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
    """The questions that a head raises, and remarks on the changes that raise none."""

    questions: tuple[Question, ...] = ()
    remarks: tuple[Reason, ...] = ()


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
        where = f"{branch} is checked out, the default branch" if branch else "the checkout is detached"
        raise UsageError(f"no pull request to check: {where}; check out its branch or give --pr NUMBER")
    at_remote = tip.refs.branch(branch)
    if at_remote is None and not context.head_branch:
        raise UsageError(f"the remote has no branch {branch}: push it, or give --pr NUMBER")
    head = sha or at_remote
    if head is None:
        raise UsageError(f"the runner names the branch {branch} but the remote has none of that name: give --pr NUMBER")
    return Subject(branch=branch, sha=head, number=context.pull_request, foreign=context.foreign)


def examine(tip: Tip, subject: Subject) -> Examination:
    """Return the questions of all environments whose marked tags the head changes.

    What counts is what merging it would change at the tip. Raises ManifestError for a head whose markers cannot be
    followed, GitError.
    """
    repository = tip.repository
    if tip.refs.branch(subject.branch) == subject.sha:
        tip.fetch_branches([subject.branch])
    if not repository.fetch_commit(subject.sha):
        raise GitError(
            f"the commit {subject.sha[:7]} of {subject.branch} cannot be fetched (was the branch rewritten?): run "
            "again on the new head"
        )
    # The head of a merge queue's group answers for all commits that are not on the default branch yet: the verdict is
    # the commit's, and anybody may open a pull request with it.
    merged = repository.merge_result(tip.sha, subject.sha)
    if merged is None:
        _, changes = repository.diff_from_merge_base(tip.sha, subject.sha)
    else:
        changes = repository.diff_trees(tip.sha, merged)
    return _examine_changes(tip, subject, changes, merged or subject.sha)


def _examine_changes(tip: Tip, subject: Subject, changes: Sequence[FileChange], tree: str) -> Examination:
    manifests = [change for change in changes if is_manifest(change.path)]
    blobs = tip.blobs(oid for change in manifests for oid in (change.old_file, change.new_file))
    # A change without markers needs no configuration, so that the first pull request can add it.
    if not any(b"imagepolicy" in blobs[oid] for c in manifests for oid in (c.old_file, c.new_file) if oid):
        return Examination(remarks=(_NO_TAG_CHANGED,))
    changed = changed_tags(changes, blobs, tip.config.layout)
    if changed.broken:
        raise changed.broken[0]
    if not changed.changes:
        return Examination(remarks=(_NO_TAG_CHANGED,))
    questions: list[Question] = []
    remarks: list[Reason] = []
    for change in _in_order(tip, changed.in_environments()):
        if not (is_name(change.application.group) and is_name(change.application.name)):
            continue
        subject_text = f"{change.application} in {change.environment}"
        if not tip.config.pipeline.sources(change.environment):
            remarks.append(Reason(evidence=f"{subject_text}: the first environment, nothing to wait for"))
            continue
        _check_markers_stay(tip, change, changes)
        question = _question(tip, subject, change, tree)
        if isinstance(question, Question):
            questions.append(question)
        else:
            remarks.append(Reason(evidence=f"{subject_text}: {question}"))
    if not questions and not remarks:
        remarks.append(Reason(evidence="the changed markers belong to no environment: nothing to wait for"))
    return Examination(questions=tuple(questions), remarks=tuple(remarks))


def _in_order(tip: Tip, changes: Sequence[TagChange]) -> list[TagChange]:
    names = tip.config.pipeline.names
    return sorted(changes, key=lambda change: (change.application, names.index(change.environment)))


def _check_markers_stay(tip: Tip, tag_change: TagChange, changes: Sequence[FileChange]) -> None:
    blobs = tip.blobs(oid for change in changes for oid in (change.old_file, change.new_file))
    for change in changes:
        if change.path not in tag_change.paths or change.old_file is None:
            continue
        old = blobs[change.old_file]
        if change.new_file is None:
            others = [blobs[other.new_file] for other in changes if other.new_file]
            lost = moves_unmarked(old, others, change.path, tag_change.marker)
        else:
            lost = unmarks_and_changes(old, blobs[change.new_file], change.path, tag_change.marker)
        if lost:
            raise ManifestError(
                f"{change.path}: a marker of {tag_change.application} is removed and its tag changed with it, past the "
                f"gate of {tag_change.environment}: remove the marker in one pull request and change the tag in another"
            )


def _question(tip: Tip, subject: Subject, change: TagChange, tree: str) -> Question | str:
    """Return the question of one application's change in one environment, or why there is none."""
    application, environment = change.application, change.environment
    tag = _tag_in(tip, tree, application, environment, change.marker)
    if tag is None:
        return "its marker is removed, a manual change: its tag is not gated any more"
    way = tip.config.way(application)
    if environment not in way.names:
        return "the application's environments leave it out, nothing to wait for"
    tip.read(Site(application, name) for name in way.before(environment))
    having = [name for name in way.before(environment) if tip.files(Site(application, name))]
    requirements = way.way([*having, environment]).requirements(environment)
    if not requirements:
        return "no earlier environment has it, nothing to wait for"
    return Question(
        application=application,
        tag=tag,
        environment=environment,
        requirements=requirements,
        head=subject.sha,
        pull_request=subject.pull_request,
    )


def _tag_in(tip: Tip, tree: str, application: Application, environment: str, marker: MarkerName) -> Tag | None:
    """Return the tag of an application in an environment of a tree, None if it has no marker there."""
    layout = tip.config.layout
    paths = tip.repository.grep(tree, [str(marker)], layout.pathspecs(application, [environment]))
    files = tip.repository.read(tree, [path for path in paths if layout.holds(path, application, environment)])
    return markers.read_tag(files, marker.group, marker.app)
