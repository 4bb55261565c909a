"""What follows by itself: heads follow pushes, what is armed merges, the queue goes on."""

from tests.forges import github_acts as acts
from tests.forges import github_rules as rules
from tests.forges.github_state import ActivityKind, AutoMerge, Protection, Pull, Queue, QueueEntry, Repo


def sync(repo: Repo) -> None:
    """Take note of what was pushed since the last look, then let everything happen that now can."""
    before, repo.tips = repo.tips, repo.git.branches()
    for fork in repo.world.repos.values():
        if fork.parent is repo:
            fork.tips = fork.git.branches()
    arrived: dict[str, frozenset[str]] = {}
    for branch in sorted(branch for branch in before | repo.tips if before.get(branch) != repo.tips.get(branch)):
        old, new = before.get(branch, "0" * 40), repo.tips.get(branch, "0" * 40)
        repo.world.record("push", repo, {"ref": f"refs/heads/{branch}", "before": old, "after": new})
        repo.log("push" if branch in before and branch in repo.tips else _birth(repo, branch), branch, old, new)
        arrived[branch] = frozenset()
        if branch in before and branch in repo.tips:
            arrived[branch] = repo.git.brought(old, new)
    for pull in repo.open_pulls():
        _follow(repo, pull, arrived)
    for pull in repo.pulls.values():
        gone = pull.head_repo is repo and pull.head_ref in arrived and pull.head_ref not in repo.tips
        if gone and pull.head_sha == before[pull.head_ref]:
            repo.note(pull, "HeadRefDeletedEvent")
    settle(repo)


def _birth(repo: Repo, branch: str) -> ActivityKind:
    return "branch_creation" if branch in repo.tips else "branch_deletion"


def _follow(repo: Repo, pull: Pull, arrived: dict[str, frozenset[str]]) -> None:
    head = pull.head_repo.tips.get(pull.head_ref) if pull.head_repo else None
    by = repo.world.acting.login if repo.world.acting else pull.author
    if head is None or pull.base_ref not in repo.tips:
        acts.close(repo, pull)
    elif head != pull.head_sha:
        _pushed(repo, pull, head)
    elif pull.base_ref in arrived:
        pull.unsettled = repo.world.unknown_reads
        if head in arrived[pull.base_ref]:
            acts.became_merged(repo, pull, head, by, since=pull.base_sha)


def _pushed(repo: Repo, pull: Pull, head: str) -> None:
    repo.note(pull, "Pushed", before=pull.head_sha, after=head)
    pull.head_sha, pull.base_sha, pull.updated_at = head, repo.tips[pull.base_ref], repo.world.clock.tick()
    pull.unsettled = repo.world.unknown_reads
    acts.take_head(repo, pull)
    rule = repo.protection(pull.base_ref)
    for review in pull.reviews if rule and rule.dismiss_stale else ():
        if review.state == "APPROVED":
            acts.dismiss(repo, pull, review)
    if pull.head_repo is not repo:
        # Who may not write here cannot have changes merged that nobody looked at.
        pull.auto_merge = None
    if entry := rules.queue_entry(repo, pull):
        acts.dequeue(repo, entry)
    repo.world.record("pull_request", repo, acts.pull_event("synchronize", pull))
    if repo.git.is_ancestor(head, repo.tips[pull.base_ref]):
        acts.close(repo, pull)


def settle(repo: Repo) -> None:
    """Let everything happen that now can: armed pull requests merge, the queue goes on; until nothing moves."""
    moved = True
    while moved:
        # All of them, not the first that can: one may have made another conflict.
        moved = sum(_fire(repo, pull) for pull in repo.open_pulls() if pull.auto_merge) > 0
        if repo.queue:
            moved = _advance(repo, repo.queue) or moved


def _fire(repo: Repo, pull: Pull) -> bool:
    armed = pull.auto_merge
    # What is unmet is cheaper to see than a merge is to try.
    if not pull.open or armed is None or rules.unmet(repo, pull):
        return False
    if rules.merge_state(repo, pull) not in ("clean", "unstable"):
        return False
    if rules.queue_of(repo, pull):
        pull.auto_merge = None
        acts.enqueue(repo, pull, by=armed.by, expected="", quiet=armed.quiet)
        return True
    old = rules.base_tip(repo, pull)
    new = acts.merge_commit(repo, pull, armed.by, old, armed)
    if new is None or not acts.move(repo, pull.base_ref, new, old):
        return False
    acts.became_merged(repo, pull, new, armed.by, since=old, quiet=armed.quiet)
    payload = {"ref": f"refs/heads/{pull.base_ref}", "before": old, "after": new}
    repo.world.record("push", repo, payload, by=armed.by, quiet=armed.quiet)
    return True


def _advance(repo: Repo, queue: Queue) -> bool:
    tip = repo.tips[queue.branch]
    rule = repo.protection(queue.branch) or Protection(pattern=queue.branch)
    base, green = tip, 0
    for entry in list(queue.entries):
        if not entry.pull.open or (entry.base_sha != base and not _build(repo, queue, entry, base)):
            acts.dequeue(repo, entry)
            return True
        states = rules.check_states(repo, entry.head_sha)
        if any(states.get(context) == "failure" for context in rule.checks):
            acts.dequeue(repo, entry)
            return True
        if not rules.missing_checks(repo, rule, entry.head_sha) and green == queue.entries.index(entry):
            green += 1
        base = entry.head_sha
    if green < max(1, queue.minimum):
        return False
    done = queue.entries[:green]
    if not acts.move(repo, queue.branch, done[-1].head_sha, tip):
        return False
    for entry in done:
        acts.became_merged(repo, entry.pull, entry.head_sha, entry.by, since=entry.base_sha, quiet=entry.quiet)
        acts.dequeue(repo, entry)
    payload = {"ref": f"refs/heads/{queue.branch}", "before": tip, "after": done[-1].head_sha}
    repo.world.record("push", repo, payload, by=done[-1].by, quiet=all(entry.quiet for entry in done))
    return True


def _build(repo: Repo, queue: Queue, entry: QueueEntry, base: str) -> bool:
    if entry.branch:
        acts.move(repo, entry.branch, None, entry.head_sha)
    wish = AutoMerge(method=queue.method, by=entry.by, at=entry.at)
    new = acts.merge_commit(repo, entry.pull, entry.by, base, wish)
    if new is None:
        entry.branch = ""
        return False
    entry.base_sha, entry.head_sha = base, new
    entry.branch = f"gh-readonly-queue/{queue.branch}/pr-{entry.pull.number}-{base}"
    acts.move(repo, entry.branch, new, None)
    group = {
        "head_sha": new,
        "head_ref": f"refs/heads/{entry.branch}",
        "base_sha": base,
        "base_ref": f"refs/heads/{queue.branch}",
    }
    repo.world.record("merge_group", repo, {"action": "checks_requested", "merge_group": group})
    return True
