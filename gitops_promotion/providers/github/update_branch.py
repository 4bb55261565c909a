"""Branches that are behind their base on GitHub: when that stops a merge, and the commit of "Update branch"."""

from gitops_promotion.core.commits import Commit

_UPDATE_COMMITTER = "noreply@github.com"


def is_outdated(merge_state: str) -> bool:
    """Return True if a pull request cannot merge before its branch has the tip of its base, by its mergeStateStatus."""
    return merge_state == "BEHIND"


def is_update(commit: Commit) -> bool:
    """Return True for the commit of GitHub's "Update branch"; a conflict solved on its pages has the same metadata."""
    signed = commit.committer_email == _UPDATE_COMMITTER and commit.message.startswith("Merge branch ")
    return len(commit.parents) == 2 and signed
