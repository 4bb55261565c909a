"""What is known of the opinions on a promotion: read from the forge and from git, as far as it decides the verdict."""

from collections.abc import Sequence
from dataclasses import replace

from gitops_promotion.core.commits import FileChange
from gitops_promotion.core.forge import PullRequest
from gitops_promotion.core.gates import Question
from gitops_promotion.core.gates.approvals import Approvals
from gitops_promotion.core.opinions import Facts
from gitops_promotion.core.origin import UNKNOWN, Origin
from gitops_promotion.core.same_edits import same_edits
from gitops_promotion.errors import AuthError, GitError
from gitops_promotion.workflow.lookups import Lookups
from gitops_promotion.workflow.tip import Tip

_MERGES = 50
"""How many merges of the default branch into a promotion are followed to find its commit."""


def gather(tip: Tip, lookups: Lookups, question: Question, gate: Approvals) -> Facts:
    """Return what the gate of approvals needs to know of the pull request of a question.

    Edits are compared only for opinions that could count otherwise, and who pushed is asked only where the approvals
    would be complete. Raises ProviderError, GitError.
    """
    pull = question.pull_request
    if pull is None:
        if not question.head:
            return Facts(problem="no pull request proposes it yet, and opinions are given on one")
        problem = f"no pull request is known that brings {question.head[:7]}, and opinions are given on one"
        return Facts(problem=f"{problem}: give --pr NUMBER")
    if pull.head_sha != question.head:
        return Facts(problem=f"#{pull.number} has another head now, {pull.head_sha[:7]}: that one is judged")
    discussion = lookups.discussion(pull.number)
    if discussion is None:
        return Facts(problem=f"the forge does not say who reviewed #{pull.number}: run again")
    origin = origin_of(tip, pull)
    facts = Facts(
        discussion=discussion,
        head_sha=pull.head_sha,
        members={group: lookups.members(group) for group in gate.forge_groups},
        starters=frozenset(origin.triggered_by),
        since=origin.again_at,
        same_base=discussion.same_base,
    )
    if shas := gate.commits_to_compare(facts):
        facts = replace(facts, edits=_compared(tip, pull, shas))
    if gate.tally(question, facts).decision == "pass":
        facts = replace(facts, pushers=lookups.pushers(pull))
        if gate.tally(question, facts).decision != "pass":
            # What this tool pushed is no reason against the owner of its token.
            facts = replace(facts, tool_identity=lookups.identity())
    return facts


def origin_of(tip: Tip, pull: PullRequest) -> Origin:
    """Return who started a promotion, and who proposed it again, as the commit of the promotion says.

    Above it may be merges of the default branch, as GitHub's "Update branch" makes them. Raises GitError.
    """
    sha = pull.head_sha
    if not tip.repository.fetch_commit(sha):
        return UNKNOWN
    for _ in range(_MERGES):
        header = tip.repository.headers([sha]).get(sha)
        if header is None:
            return UNKNOWN
        if "Promotion" in header.trailers:
            return Origin.read(header.trailers)
        if len(header.parents) < 2:
            return UNKNOWN
        sha = header.parents[0]
    return UNKNOWN


def makes_edits_of(tip: Tip, merged: str, parent: str, reviewed: str) -> bool:
    """Return True if a reviewed commit makes the edits that a commit of the default branch made on its first parent.

    All of them must be here. Raises GitError, also for commits without a common history.
    """
    changes = tip.repository.diff_trees(parent, merged)
    reviewed_changes = tip.repository.diff_from_merge_base(parent, reviewed)[1]
    return _are_same(tip, reviewed_changes, changes)


def _compared(tip: Tip, pull: PullRequest, shas: Sequence[str]) -> dict[str, bool | None]:
    """Return whether these commits make the same edits as the head, None for one that cannot be fetched."""
    changes = _edits(tip, pull.head_sha)
    return {sha: _is_same(tip, changes, sha) for sha in shas}


def _is_same(tip: Tip, changes: Sequence[FileChange] | None, sha: str) -> bool | None:
    reviewed = _edits(tip, sha)
    if changes is None or reviewed is None:
        return None
    return _are_same(tip, reviewed, changes)


def _are_same(tip: Tip, first: Sequence[FileChange], second: Sequence[FileChange]) -> bool:
    blobs = tip.blobs(oid for change in (*first, *second) for oid in (change.old_file, change.new_file))
    return same_edits(first, second, blobs)


def _edits(tip: Tip, sha: str) -> Sequence[FileChange] | None:
    """Return what a commit changes since it left the default branch, None if that cannot be known."""
    try:
        if not tip.repository.fetch_commit(sha):
            return None
        return tip.repository.diff_from_merge_base(tip.sha, sha)[1]
    except AuthError:
        raise
    except GitError:
        # A commit without a common history with the default branch cannot be compared.
        return None
