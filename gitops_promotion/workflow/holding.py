"""What is on hold: by the file on the default branch, and by the pull requests that are about to change it.

Those count already, so that `promote` does not race a hold or a rollback; and they only ever hold more.
"""

from collections.abc import Sequence
from dataclasses import replace

from gitops_promotion.core import branch_contents, holds_file
from gitops_promotion.core.branch_names import HOLDS, ROLLBACKS
from gitops_promotion.core.holds import FILE, Hold
from gitops_promotion.errors import LeaseLostError, ManifestError
from gitops_promotion.workflow.lookups import Lookups
from gitops_promotion.workflow.tip import Tip


def require_readable(tip: Tip, environment: str) -> None:
    """Raise ManifestError if a part of the file of holds cannot be read that may concern an environment."""
    if faults := tip.holds.faults(environment):
        raise ManifestError(faults=faults)


def gather(tip: Tip, lookups: Lookups) -> tuple[Hold, ...]:
    """Return the holds that open pull requests of this tool add. Raises GitError, ProviderError, LeaseLostError."""
    if not tip.holds.has_open:
        return ()
    pulls = [
        pull
        for pull in lookups.open_promotions()
        if pull.base == tip.base and pull.head.startswith((HOLDS, ROLLBACKS)) and tip.refs.branch(pull.head)
    ]
    if tip.hold_branches - {pull.head for pull in pulls}:
        _require_current(tip, lookups)
    tip.fetch_branches(pull.head for pull in pulls)
    holds: list[Hold] = []
    for pull in pulls:
        sha = tip.branch(pull.head)
        if sha is not None:
            holds += (replace(hold, pull_request=pull.number) for hold in _added(tip, lookups, sha))
    return tuple(holds)


def _require_current(tip: Tip, lookups: Lookups) -> None:
    """Raise LeaseLostError if the tip moved before the open pull requests were read: a hold may have merged between."""
    if tip.sha not in lookups.current_tips:
        if tip.has_moved():
            raise LeaseLostError(f"{tip.base} of {tip.repository.url} moved while its holds were read")
        lookups.current_tips.add(tip.sha)


def _added(tip: Tip, lookups: Lookups, sha: str) -> Sequence[Hold]:
    """Return the holds that a head adds to those of the tip, none if a commit on it is not this tool's."""
    if (tip.sha, sha) not in lookups.added_holds:
        commits = tip.repository.commits(tip.sha, sha)
        blobs = tip.blobs(
            oid for commit in commits for change in commit.changes for oid in (change.old_file, change.new_file)
        )
        merges = {c.sha for c in commits if len(c.parents) > 1 and tip.repository.is_plain_merge(c.sha, *c.parents)}
        source = tip.repository.read(sha, [FILE]).get(FILE, b"")
        is_own = branch_contents.is_all_own(commits, blobs, merges, tip.config)
        holds = holds_file.parse(source, tip.config.pipeline.names).holds if is_own else ()
        lookups.added_holds[tip.sha, sha] = tuple(hold for hold in holds if hold not in tip.holds.holds)
    return lookups.added_holds[tip.sha, sha]
