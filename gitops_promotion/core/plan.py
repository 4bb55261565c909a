"""Request + configuration + files -> Plan, and what an existing promotion branch is worth against it."""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass

from gitops_promotion.core import markers
from gitops_promotion.core.commits import Commit, FileChange, read_trailers
from gitops_promotion.core.config import Config
from gitops_promotion.core.markers.scan import Marker, is_manifest, scan
from gitops_promotion.core.model import Plan, Request
from gitops_promotion.core.pull_request_text import body, commit_message, title
from gitops_promotion.core.tags import Tag
from gitops_promotion.core.untrusted import code_span
from gitops_promotion.errors import ManifestError

# The Go tool's fixed author (PREDECESSOR B40): its promotions in flight are ours to carry on.
_PREDECESSOR = "gitops-promotion@xenit.se"
_PREDECESSOR_SUBJECTS = ("Promote ", "Review ", "Remove stale ")
# GitHub commits its "Update branch" merges under this address; Azure DevOps has no such button.
_FORGE_COMMITTER = "noreply@github.com"


def make(
    request: Request,
    config: Config,
    files: Mapping[str, bytes],
    *,
    base: str,
    base_sha: str,
) -> Plan:
    """Return what sets the request's tag in its environment; `files` are that environment's marked files at `base_sha`.

    A plan without edits means the tag is there already. Raises ManifestError (no marker, or one that cannot be
    edited) and UsageError (an environment the configuration does not have).
    """
    group, app, environment = request.group, request.app, request.environment
    is_feature = request.kind == "feature"
    branch = (
        config.feature_branch(group, app, request.feature) if is_feature else config.branch(group, app, environment)
    )
    where = f"{config.path(group, environment)} on {base}"
    edited = markers.set_tag(files, group=group, app=app, tag=request.tag, where=where)
    return of_edits(
        request,
        config,
        edited.edits,
        base=base,
        base_sha=base_sha,
        branch=branch,
        message=commit_message(request, previous_tag=edited.previous),
        previous_tag=edited.previous,
        warnings=edited.warnings,
    )


def of_edits(
    request: Request,
    config: Config,
    edits: Mapping[str, bytes | None],
    *,
    base: str,
    base_sha: str,
    branch: str,
    message: str,
    previous_tag: str = "",
    notes: Sequence[str] = (),
    warnings: tuple[str, ...] = (),
    url: str = "",
) -> Plan:
    """Return the plan of these edits to the tree at `base_sha`, with the texts that people read of it.

    Raises UsageError for an environment the configuration does not have.
    """
    return Plan(
        request=request,
        branch=branch,
        base=base,
        base_sha=base_sha,
        previous_tag=previous_tag,
        message=message,
        title=title(request),
        body=body(
            request,
            base_sha=base_sha,
            previous_tag=previous_tag,
            files=sorted(edits),
            notes=[*_notes(config, request), *notes],
        ),
        auto_merge=config.environment(request.environment).auto,
        gated=_gated(config, request),
        edits=edits,
        url=url,
        warnings=warnings,
    )


def seal(edits: Mapping[str, bytes | None]) -> str:
    """Return a digest of edits, for the trailer `Edits` of a commit that is not of tags alone.

    By it `read_proposal` knows our own work again: an amended commit keeps its trailers, but not its contents.
    """
    digest = hashlib.sha256()
    for path, content in sorted(edits.items()):
        digest.update(path.encode(errors="surrogateescape") + b"\0")
        digest.update(b"-" if content is None else hashlib.sha256(content).digest())
    return digest.hexdigest()[:32]


def _gated(config: Config, request: Request) -> bool:
    return request.kind == "promote" and request.environment != config.first.name


def _notes(config: Config, request: Request) -> list[str]:
    """Say in the pull request why it waits and who can act."""
    previous = config.previous_environment(request.environment)
    notes = []
    if previous is not None and _gated(config, request):
        notes.append(
            f"Its check `gitops-promotion status` passes when {code_span(previous.name)} is healthy with this tag."
        )
    if config.environment(request.environment).auto:
        notes.append("It merges by itself when its checks pass.")
    elif request.kind != "promote":
        notes.append("It waits for a person to merge it.")
    else:
        notes.append("It waits for a person: merging approves it, closing declines it, and the decline sticks.")
    return notes


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What a promotion branch proposes, read from its commits and trees alone.

    `foreign` are commits of people; `rival` is another application, or another feature, whose work the branch holds;
    `environments` and `tag` are what the changed markers say at its head.
    """

    foreign: tuple[Commit, ...] = ()
    rival: str = ""
    environments: tuple[str, ...] = ()
    tag: Tag | None = None
    paths: frozenset[str] = frozenset()
    built_at: str = ""


def read_proposal(
    entries: Sequence[Commit],
    blobs: Mapping[str, bytes],
    head: Mapping[str, bytes],
    merges: Set[str] = frozenset(),
    *,
    config: Config,
    group: str,
    app: str,
    feature: str = "",
) -> Proposal:
    """Read the commits a branch has beyond the default branch, newest first.

    `blobs` holds the contents of all changed files by object id, `head` those of the changed paths at the branch's
    tip, `merges` the commits that `may_be_the_forges` and hold what merging gives by itself. Trailers alone prove
    nothing (an amended commit keeps them): a commit of ours changed nothing but tags of its application, or exactly
    what its `Edits` trailer says.
    """
    ours = [entry for entry in entries if entry.sha in merges or _is_ours(entry, blobs)]
    rivals = {rival for entry in entries if (rival := _rival(entry, f"{group}/{app}", feature))}
    changes = [change for entry in ours if len(entry.parents) < 2 for change in entry.changes]
    environments = {config.environment_of(change.path, group) for change in changes if group}
    order = [environment.name for environment in config.environments]
    try:
        tag = markers.read_tag(head, group, app)
    except ManifestError:
        tag = None
    return Proposal(
        foreign=tuple(entry for entry in entries if entry not in ours),
        rival=min(rivals, default=""),
        environments=tuple(name for name in order if name in environments),
        tag=tag,
        paths=frozenset(change.path for change in changes),
        built_at=next((at for entry in ours if (at := entry.trailers.get("Built-At"))), ""),
    )


def same_edits(plan: Plan, proposal: Proposal, head: Mapping[str, bytes]) -> bool:
    """Return True if a branch already proposes exactly the plan's edits, wherever its base is."""
    if proposal.paths != plan.edits.keys():
        return False
    if all(head.get(path) == content for path, content in plan.edits.items()):
        return True
    # What else changed in these files on the default branch is no reason to propose a tag anew.
    request = plan.request
    if "Edits" in read_trailers(plan.message) or not proposal.paths <= head.keys():
        return False
    try:
        return not markers.set_tag(head, group=request.group, app=request.app, tag=request.tag).edits
    except ManifestError:
        return False


def _rival(entry: Commit, owner: str, feature: str) -> str:
    """Return whose work a commit on this owner's branch is, "" for its own and a person's."""
    promoted = entry.trailers.get("Promotion", owner)
    other = entry.trailers.get("Feature", "") if "Promotion" in entry.trailers else feature
    if (promoted, other) == (owner, feature):
        return ""
    return f"{promoted} (feature {other})" if other else promoted


def may_be_the_forges(entry: Commit) -> bool:
    """Return True for what GitHub's "Update branch" commits; a conflict that a person solved there looks alike."""
    signed = entry.committer_email == _FORGE_COMMITTER and entry.message.startswith("Merge branch ")
    return len(entry.parents) == 2 and signed


def _is_ours(entry: Commit, blobs: Mapping[str, bytes]) -> bool:
    subject = entry.message.partition("\n")[0]
    if len(entry.parents) > 1:
        return False
    if entry.author_email == _PREDECESSOR and subject.startswith(_PREDECESSOR_SUBJECTS):
        return True
    if "Edits" in entry.trailers:
        edits = {change.path: blobs[change.new] if change.new else None for change in entry.changes}
        return entry.trailers["Edits"] == seal(edits)
    if "Promotion" not in entry.trailers:
        return False
    promoted, _, name = entry.trailers["Promotion"].partition("/")
    return bool(entry.changes) and all(
        change.old is not None
        and change.new is not None
        and markers.only_tags_differ(blobs[change.old], blobs[change.new], promoted, name)
        for change in entry.changes
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """What a diff changes: the paths by (group, application), and manifests that no longer parse."""

    paths: Mapping[tuple[str, str], tuple[str, ...]]
    broken: tuple[ManifestError, ...]


def changed_tags(changes: Sequence[FileChange], blobs: Mapping[str, bytes]) -> Changed:
    """Return the applications whose marked values differ between the two sides of a diff.

    A manifest that did not parse before counts as empty: whatever it says now is a change.
    """
    changed: dict[tuple[str, str], list[str]] = {}
    broken: list[ManifestError] = []
    for change in changes:
        if not is_manifest(change.path):
            continue
        try:
            after = _values(change.path, change.new, blobs)
        except ManifestError as error:
            broken.append(error)
            continue
        try:
            before = _values(change.path, change.old, blobs)
        except ManifestError:
            before = {}
        for pair in sorted(before.keys() | after.keys()):
            if before.get(pair) != after.get(pair):
                changed.setdefault(pair, []).append(change.path)
    return Changed(paths={pair: tuple(paths) for pair, paths in changed.items()}, broken=tuple(broken))


def loses_sight(old: bytes, new: bytes, path: str, group: str, app: str) -> bool:
    """Return True if a file's markers of an application are gone and what they named has changed with them.

    Taking a marker away is a person's business; with another tag beneath it, it would slip past the gate.
    """

    def mine(content: bytes) -> list[Marker]:
        found = scan(content, path).markers
        return [m for m in found if (m.group, m.app) == (group, app) and m.part.has_version]

    before = mine(old)
    if len(mine(new)) >= len(before):
        return False
    kept = {re.split(rb"[ \t]#", line)[0].strip() for line in new.split(b"\n")}
    return any(old[old.rfind(b"\n", 0, m.start) + 1 : m.end].strip() not in kept for m in before)


def reappears(old: bytes, others: Iterable[bytes], path: str, group: str, app: str) -> bool:
    """Return True if an image that a deleted file's markers named stands in another file with another tag.

    Without its marker it would have moved past the gate. A tag that stood alone cannot be followed.
    """
    texts = list(others)
    for marker in scan(old, path).markers:
        name = marker.value.partition("@")[0].rpartition(":")[0]
        if (marker.group, marker.app) != (group, app) or not marker.part.has_tag or not name:
            continue
        found = (m for text in texts for m in re.finditer(re.escape(name.encode()) + rb"[:@][^\s\"'#,]+", text))
        if any(match[0].decode(errors="replace") != marker.value for match in found):
            return True
    return False


def _values(path: str, blob: str | None, blobs: Mapping[str, bytes]) -> dict[tuple[str, str], list[tuple[str, str]]]:
    values: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for marker in scan(blobs[blob], path).markers if blob else ():
        values.setdefault((marker.group, marker.app), []).append((marker.part.suffix, marker.value))
    return values
