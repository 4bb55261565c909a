"""A promotion branch as the remote has it."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from gitops_promotion.core import branch_contents
from gitops_promotion.core.branch_contents import Proposal
from gitops_promotion.core.commits import FileChange
from gitops_promotion.core.deployments import same_tag
from gitops_promotion.core.markers import read_tag
from gitops_promotion.core.names import Application, Site
from gitops_promotion.errors import ManifestError
from gitops_promotion.workflow.run import Run
from gitops_promotion.workflow.tip import Tip


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """A promotion branch as the remote has it: what it proposes, and the contents of the paths it changes."""

    sha: str
    base_sha: str
    proposal: Proposal
    head: Mapping[str, bytes]


def read_branch(run: Run, name: str, application: Application, feature: str = "") -> Branch | None:
    """Return what the remote's branch of that name holds beyond the default branch, None if there is none."""
    tip = run.tip
    sha = tip.branch(name)
    if sha is None:
        return None
    commits = tip.repository.commits(tip.sha, sha)
    blobs = tip.blobs(
        oid for commit in commits for change in commit.changes for oid in (change.old_file, change.new_file)
    )
    head = tip.repository.read(sha, {change.path for commit in commits for change in commit.changes})
    merges = {
        commit.sha
        for commit in commits
        if run.facts.is_update(commit) and tip.repository.is_plain_merge(commit.sha, *commit.parents)
    }
    proposal = branch_contents.read_proposal(
        commits, blobs, head, merges, config=tip.config, application=application, feature=feature
    )
    parents = branch_contents.effective(commits)[-1].parents if commits else ()
    return Branch(sha=sha, base_sha=parents[0] if parents else sha, proposal=proposal, head=head)


def branch_changes(tip: Tip, sha: str) -> tuple[Sequence[FileChange], Mapping[str, bytes]]:
    """Return what a branch changes since its merge base with the tip, and the contents of those files."""
    _, changes = tip.repository.diff_from_merge_base(tip.sha, sha)
    return changes, tip.blobs(oid for change in changes for oid in (change.old_file, change.new_file))


def has_another_tag(tip: Tip, site: Site, branch: Branch) -> bool:
    """Return True if an environment has got another tag since the base of a branch."""
    name = tip.config.layout.marker_name(site.application, site.environment)
    with suppress(ManifestError):
        earlier_tag = read_tag(tip.repository.read(branch.base_sha, tip.files(site)), name.group, name.app)
        return earlier_tag is not None and not same_tag(earlier_tag, tip.tag(site))
    return False
