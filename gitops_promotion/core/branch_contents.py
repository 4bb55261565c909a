"""What a promotion branch contains: whose commits, which tags, and whether it makes the same edits as a plan."""

import hashlib
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass

from gitops_promotion.core import markers
from gitops_promotion.core.changed_tags import changed_tags
from gitops_promotion.core.commits import Commit, FileChange, read_trailers
from gitops_promotion.core.config import Config
from gitops_promotion.core.holds import FILE, Hold, lifted_by_promotion
from gitops_promotion.core.holds_file import changed_holds, only_lifts, parse
from gitops_promotion.core.layout import MarkerName
from gitops_promotion.core.model import Plan, Request
from gitops_promotion.core.names import Application
from gitops_promotion.core.origin import UNKNOWN, Origin
from gitops_promotion.core.tags import Tag
from gitops_promotion.errors import ManifestError

# The Go tool's fixed author (docs/migrating.md, B40): its open promotions are taken over.
_PREDECESSOR = "gitops-promotion@xenit.se"
_PREDECESSOR_SUBJECTS = ("Promote ", "Review ", "Remove stale ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What a promotion branch proposes, read from its commits and trees alone.

    `foreign` are commits of people. `other_owner` is another application, or another feature, that has commits on the
    branch, "" for none. `environments` and `tag` are those of the changed markers at its head.
    """

    foreign: tuple[Commit, ...] = ()
    other_owner: str = ""
    environments: tuple[str, ...] = ()
    tag: Tag | None = None
    paths: frozenset[str] = frozenset()
    built_at: str = ""
    started_at: str = ""
    origin: Origin = UNKNOWN


def read_proposal(
    commits: Sequence[Commit],
    blobs: Mapping[str, bytes],
    head: Mapping[str, bytes],
    merges: Set[str] = frozenset(),
    *,
    config: Config,
    application: Application,
    feature: str = "",
) -> Proposal:
    """Read the commits that a branch has beyond the default branch, newest first.

    `blobs` has the contents of all changed files by object id, `head` those of the changed paths at the branch's tip,
    `merges` the commits of a forge's "Update branch" that contain only what merging their parents gives. Trailers alone
    prove nothing (an amended commit keeps them): a commit of this tool changed nothing but tags of its application, or
    exactly what its `Edits` trailer says.
    """
    own_commits = [commit for commit in commits if commit.sha in merges or _is_own(commit, blobs, config)]
    other_owners = {owner for commit in commits if (owner := _other_owner(commit, str(application), feature))}
    changes = [
        change
        for commit in effective(commits)
        if commit in own_commits and commit.sha not in merges
        for change in commit.changes
    ]
    environments = _environments(changes, blobs, application, config) if application.name else set()
    return Proposal(
        foreign=tuple(commit for commit in commits if commit not in own_commits),
        other_owner=min(other_owners, default=""),
        environments=tuple(name for name in config.pipeline.names if name in environments),
        tag=_proposed_tag(head, environments, application, config),
        paths=frozenset(change.path for change in changes),
        built_at=next((at for commit in own_commits if (at := commit.trailers.get("Built-At"))), ""),
        started_at=next((at for commit in own_commits if (at := commit.trailers.get("Started-At"))), ""),
        origin=next(
            (Origin.read(commit.trailers) for commit in own_commits if "Promotion" in commit.trailers), Origin()
        ),
    )


def is_all_own(commits: Sequence[Commit], blobs: Mapping[str, bytes], merges: Set[str], config: Config) -> bool:
    """Return True if there are commits, and each is this tool's or one of `merges`, as in `read_proposal`."""
    return bool(commits) and all(commit.sha in merges or _is_own(commit, blobs, config) for commit in commits)


def effective(commits: Sequence[Commit]) -> Sequence[Commit]:
    """Return the commits, newest first, that make up the branch's tree.

    Where the server allows no forced push, a commit of this tool on top of the others replaces them: its first parent
    is on the default branch, and it has the trailers of a promotion.
    """
    for number, commit in enumerate(commits):
        if len(commit.parents) > 1 and "Promotion" in commit.trailers:
            return commits[: number + 1]
    return commits


def _environments(
    changes: Sequence[FileChange], blobs: Mapping[str, bytes], application: Application, config: Config
) -> set[str]:
    """Return the environments that changed files belong to.

    If a file belongs to several, these are the ones whose tag has changed in it.
    """
    environments: set[str] = set()
    for change in changes:
        owners = {name for name in config.pipeline.names if config.layout.holds(change.path, application, name)}
        if len(owners) > 1:
            changed = changed_tags([change], blobs, config.layout).changes
            owners &= {tag_change.environment for tag_change in changed if tag_change.application == application}
        environments |= owners
    return environments


def _proposed_tag(
    head: Mapping[str, bytes], environments: Set[str], application: Application, config: Config
) -> Tag | None:
    for environment in sorted(environments):
        name = config.layout.marker_name(application, environment)
        try:
            if tag := markers.read_tag(head, name.group, name.app):
                return tag
        except ManifestError:
            return None
    return None


def displaced(request: Request, proposal: Proposal) -> str:
    """Return what a branch proposes for other environments and a request would replace, such as `1.4.2 into prod`.

    "" for nothing. A newer tag for the same environment replaces nothing that anybody waits for.
    """
    names = [name for name in proposal.environments if name != request.environment]
    return f"{proposal.tag} into {' and '.join(names)}" if names and proposal.tag else ""


def same_edits(plan: Plan, proposal: Proposal, head: Mapping[str, bytes], config: Config) -> bool:
    """Return True if a branch already proposes exactly the plan's edits, wherever its base is."""
    if proposal.paths != plan.edits.keys():
        return False
    if all(head.get(path) == content for path, content in plan.edits.items()):
        return True
    # Other changes of these files on the default branch are no reason to propose the tag again.
    if "Edits" in read_trailers(plan.message) or not proposal.paths <= head.keys():
        return False
    request = plan.request
    name = config.layout.marker_name(request.application, request.environment)
    try:
        return not markers.set_tag(head, group=name.group, app=name.app, tag=request.tag).edits
    except ManifestError:
        return False


def changes_only(plan: Plan, changes: Sequence[FileChange], blobs: Mapping[str, bytes], config: Config) -> bool:
    """Return True if a diff has only the plan's edits: authors, trailers and digests of commits may be forged."""
    if plan.request.kind.edits_only_tags:
        return not beyond_tags(plan.request.application, changes, blobs, config)
    contents = {change.path: blobs[change.new_file] if change.new_file else None for change in changes}
    return contents == dict(plan.edits) and all(change.new_kind == "file" for change in changes if change.new)


def beyond_tags(
    application: Application, changes: Sequence[FileChange], blobs: Mapping[str, bytes], config: Config
) -> list[str]:
    """Return the paths of a diff that change more than tags of the application and the holds that these tags lift."""
    names = {config.layout.marker_name(application, environment) for environment in config.pipeline.names}
    beyond = [change for change in changes if not sets_tags(change, blobs, names)]
    return [c.path for c in beyond if c.path != FILE or not _lifts_holds(c, changes, blobs, application, config)]


def holds_of(change: FileChange, blobs: Mapping[str, bytes]) -> tuple[Sequence[Hold], Sequence[Hold]]:
    """Return the holds that a change of the file of holds adds, and those that it removes.

    Both are empty if the file is deleted, or if one side of the change cannot be read.
    """
    if change.new_file is None:
        return (), ()
    difference = changed_holds(blobs[change.old_file] if change.old_file else b"", blobs[change.new_file])
    return (difference[1], difference[0]) if difference else ((), ())


def sets_tags(change: FileChange, blobs: Mapping[str, bytes], names: Set[MarkerName]) -> bool:
    """Return True if a change sets tags at these markers, and does nothing else."""
    if change.old_file is None or change.new_file is None or change.old_mode != change.new_mode:
        return False
    before, after = blobs[change.old_file], blobs[change.new_file]
    return any(markers.only_tags_differ(before, after, name.group, name.app) for name in names)


def _lifts_holds(
    change: FileChange,
    changes: Sequence[FileChange],
    blobs: Mapping[str, bytes],
    application: Application,
    config: Config,
) -> bool:
    """Return True if a change of the file of holds does nothing but remove holds that the diff's tags lift."""
    if change.old_file is None or change.new_file is None:
        return False
    before = blobs[change.old_file]
    environments = _environments([c for c in changes if c.path != FILE], blobs, application, config)
    head = {c.path: blobs[c.new_file] for c in changes if c.new_file}
    liftable: list[Hold] = []
    for environment in environments:
        if tag := _proposed_tag(head, {environment}, application, config):
            # With `overridden`, a hold on the tag itself may be lifted too: whether an override allows that is the
            # question of the gate of holds.
            liftable += lifted_by_promotion(parse(before, ()).holds, application, environment, tag, overridden=True)
    return only_lifts(before, blobs[change.new_file], liftable)


def edits_digest(edits: Mapping[str, bytes | None]) -> str:
    """Return the digest of edits for the trailer `Edits` of a commit that changes more than tags.

    `read_proposal` recognizes such a commit by it: an amended commit keeps its trailers, but not its contents.
    """
    digest = hashlib.sha256()
    for path, content in sorted(edits.items()):
        digest.update(path.encode(errors="surrogateescape") + b"\0")
        digest.update(b"-" if content is None else hashlib.sha256(content).digest())
    return digest.hexdigest()[:32]


def _other_owner(commit: Commit, owner: str, feature: str) -> str:
    """Return the application or feature of a commit on this owner's branch, "" if it is this owner's or a person's."""
    promoted = commit.trailers.get("Promotion", owner)
    other_feature = commit.trailers.get("Feature", "") if "Promotion" in commit.trailers else feature
    if (promoted, other_feature) == (owner, feature):
        return ""
    return f"{promoted} (feature {other_feature})" if other_feature else promoted


def _is_own(commit: Commit, blobs: Mapping[str, bytes], config: Config) -> bool:
    subject = commit.message.partition("\n")[0]
    if len(commit.parents) > 1 and "Promotion" not in commit.trailers:
        return False
    if commit.author_email == _PREDECESSOR and subject.startswith(_PREDECESSOR_SUBJECTS):
        return True
    if "Edits" in commit.trailers:
        edits = {change.path: blobs[change.new_file] if change.new_file else None for change in commit.changes}
        return commit.trailers["Edits"] == edits_digest(edits)
    if "Promotion" not in commit.trailers:
        return False
    group, _, name = commit.trailers["Promotion"].partition("/")
    return bool(commit.changes) and not beyond_tags(Application(group, name), commit.changes, blobs, config)
