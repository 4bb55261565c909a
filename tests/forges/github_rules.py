"""When GitHub lets a pull request merge, and what it says when not, in its own words as people report them."""

from typing import Literal

from tests.forges.github_state import Protection, Pull, Queue, QueueEntry, Repo

MergeState = Literal["behind", "blocked", "clean", "dirty", "draft", "unknown", "unstable"]

GREEN = {"success", "neutral", "skipped"}
"""Conclusions of a check run that satisfy a required check."""


def base_tip(repo: Repo, pull: Pull) -> str:
    return repo.tips[pull.base_ref]


def potential_merge(repo: Repo, pull: Pull) -> str | None:
    """The commit that merging now would make, None on conflict: GitHub shows it as the open one's merge commit."""
    key = base_tip(repo, pull), pull.head_sha
    if key not in repo.trees:
        author = (pull.author, f"{pull.author}@users.noreply.github.test")
        message = f"Merge {pull.head_sha} into {key[0]}"
        repo.trees[key] = repo.git.merge("merge", *key, message=message, author=author, when=pull.updated_at)
    return repo.trees[key]


def check_states(repo: Repo, sha: str) -> dict[str, str]:
    """Each context of a commit, statuses and check runs alike: success, pending or failure."""
    found = {status.context: status.state.replace("error", "failure") for status in repo.newest_statuses(sha)}
    for run in repo.newest_checks(sha):
        found[run.name] = "pending" if not run.conclusion else "success" if run.conclusion in GREEN else "failure"
    return found


def missing_checks(repo: Repo, rule: Protection, sha: str) -> list[str]:
    states = check_states(repo, sha)
    return [context for context in rule.checks if states.get(context) != "success"]


def unmet(repo: Repo, pull: Pull) -> list[str]:
    """Why the base branch's rule keeps this from merging, in GitHub's words."""
    rule = repo.protection(pull.base_ref)
    if rule is None:
        return []
    found = []
    approvals = [review for review in pull.opinions() if review.state == "APPROVED"]
    if any(review.state == "CHANGES_REQUESTED" for review in pull.opinions()) and rule.approvals:
        found.append("Changes have been requested.")
    if len(approvals) < rule.approvals:
        noun = "review is" if rule.approvals == 1 else "reviews are"
        found.append(f"At least {rule.approvals} approving {noun} required by reviewers with write access.")
    missing = missing_checks(repo, rule, pull.head_sha)
    states = check_states(repo, pull.head_sha)
    if len(missing) == 1:
        words = {"failure": "is failing", "pending": "is pending"}.get(states.get(missing[0], ""), "is expected")
        found.append(f'Required status check "{missing[0]}" {words}.')
    elif missing:
        found.append(f"{len(missing)} of {len(rule.checks)} required status checks are expected.")
    return found


def is_behind(repo: Repo, pull: Pull) -> bool:
    rule = repo.protection(pull.base_ref)
    return rule is not None and rule.strict and not repo.git.is_ancestor(base_tip(repo, pull), pull.head_sha)


def merge_state(repo: Repo, pull: Pull) -> MergeState:
    """The mergeStateStatus, with all that GitHub works out later worked out at once."""
    if not pull.open:
        return "unknown"
    if pull.draft:
        return "draft"
    if potential_merge(repo, pull) is None:
        return "dirty"
    if unmet(repo, pull):
        return "blocked"
    if is_behind(repo, pull):
        return "behind"
    return "clean" if set(check_states(repo, pull.head_sha).values()) <= {"success"} else "unstable"


def review_decision(repo: Repo, pull: Pull) -> str | None:
    """None where nobody asked for reviews and nobody gave one."""
    rule = repo.protection(pull.base_ref)
    states = [review.state for review in pull.opinions()]
    if "CHANGES_REQUESTED" in states:
        return "CHANGES_REQUESTED"
    if rule and states.count("APPROVED") < rule.approvals:
        return "REVIEW_REQUIRED"
    return "APPROVED" if states else None


def queue_of(repo: Repo, pull: Pull) -> Queue | None:
    return repo.queue if repo.queue and repo.queue.branch == pull.base_ref else None


def queue_entry(repo: Repo, pull: Pull) -> QueueEntry | None:
    entries = repo.queue.entries if repo.queue else []
    return next((entry for entry in entries if entry.pull is pull), None)


def pulls_of(repo: Repo, sha: str) -> list[Pull]:
    """The merged ones that brought a commit into their base, or, of one that is in no base yet, the open ones."""
    seen = [repo.seen(pull) for pull in repo.pulls.values()]
    merged = [pull for pull in seen if sha in pull.introduced or sha == pull.merge_sha]
    if merged or repo.git.is_ancestor(sha, repo.tips[repo.default_branch]):
        return merged
    return [pull for pull in seen if pull.open and repo.git.is_ancestor(sha, pull.head_sha)]
