"""Merge queues: which branches are groups of the queue into the default branch, and which pull requests they merge.

A group's branch is `<prefix><base>/pr-<number>-<commit>`. It contains the groups in front of it, whose branches are
still there (https://docs.github.com/en/repositories/configuring-branches-and-merges-in-your-repository/configuring-pull-request-merges/managing-a-merge-queue).
"""

import re
from collections.abc import Mapping, Sequence

from gitops_promotion.core.forge import PullRequest
from gitops_promotion.workflow.run import Run

_GROUP = re.compile(r"pr-([1-9][0-9]{0,17})-[0-9a-f]+")


def queue_branches(run: Run) -> Mapping[str, str]:
    """Return the heads of the branches in the merge queue, by branch name; none for a forge without queues."""
    prefix = f"refs/heads/{_prefix(run)}"
    shas = run.tip.refs.shas if run.facts.queue_prefix else {}
    return {ref.removeprefix("refs/heads/"): sha for ref, sha in shas.items() if ref.startswith(prefix)}


def pulls_in_group(run: Run, branch: str, sha: str) -> list[PullRequest]:
    """Return the open pull requests in a group, in the order of the queue; none for any other branch or head."""
    branches = queue_branches(run)
    numbers = {branches[name]: int(match[1]) for name in branches if (match := _match(run, name))}
    if branch not in branches or not _match(run, branch) or sha not in numbers:
        return []
    commits = reversed(run.tip.repository.commits(run.tip.sha, sha))
    pulls = [run.forge.pull_request(numbers[commit.sha]) for commit in commits if commit.sha in numbers]
    return [pull for pull in pulls if pull.state == "open"]


def brings_only(run: Run, sha: str, pulls: Sequence[PullRequest]) -> bool:
    """Return True if a group's files are those that merging its pull requests makes.

    Who can push a branch of that name could put more into it, under the approval of a pull request that it names.
    """
    repository = run.tip.repository
    merged, _ = repository.diff_from_merge_base(run.tip.sha, sha)
    for pull in pulls:
        merge = repository.try_merge(merged, pull.head_sha)
        if merge.sha is None:
            return False
        merged = merge.sha
    return not repository.diff_trees(merged, sha)


def _prefix(run: Run) -> str:
    return f"{run.facts.queue_prefix}{run.tip.base}/"


def _match(run: Run, branch: str) -> re.Match[str] | None:
    return _GROUP.fullmatch(branch.removeprefix(_prefix(run)))
