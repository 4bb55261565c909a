"""What Azure DevOps does by its rules: policies speak, trial merges are made, what is armed completes."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from tests.forges import azure_notes as notes
from tests.forges.azure_state import Evaluation, Event, Iteration, Options, Policy, Pull, RefusedError, Repo, Strategy

if TYPE_CHECKING:
    from tests.forges.repository import Method


def evaluate(repo: Repo, pull: Pull) -> list[tuple[Policy, Evaluation]]:
    """What each policy of the base branch says of a pull request."""
    return [(policy, _evaluation(policy, pull)) for policy in repo.policies_of(pull.base_ref)]


def _evaluation(policy: Policy, pull: Pull) -> Evaluation:
    if policy.kind == "strategy":
        return "approved"
    if policy.kind == "work items":
        return "queued"
    if policy.kind == "build":
        passed = pull.builds.get(policy.definition)
        return "queued" if passed is None else "approved" if passed else "rejected"
    if policy.kind in ("reviewers", "required reviewers"):
        if any(vote < 0 for vote in pull.votes.values()):
            return "rejected"
        approvals = [by for by, vote in pull.votes.items() if vote > 0 and by != pull.author]
        return "approved" if len(approvals) >= policy.minimum else "queued"
    # docs: Configure a branch policy for an external service, "Reset conditions".
    newest = pull.iterations[-1].id
    mine = [s for s in pull.statuses if (s.name, s.genre or "") == (policy.name, policy.genre)]
    if policy.resets:
        mine = [status for status in mine if status.iteration == newest]
    if not mine:
        return "queued"
    state = mine[-1].state
    return "approved" if state == "succeeded" else "rejected" if state in ("failed", "error") else "queued"


def blockers(repo: Repo, pull: Pull, *, ignored: Iterable[int] | None = None) -> list[Policy]:
    """What holds it: the blocking policies, and for auto-complete (`ignored` given) the optional ones not ignored."""
    return [
        policy
        for policy, state in evaluate(repo, pull)
        if state not in ("approved", "notApplicable")
        and (policy.blocking or (ignored is not None and policy.id not in ignored))
    ]


def trial(repo: Repo, pull: Pull) -> str | None:
    """The commit that merging now would make, None on conflict."""
    key = repo.tips[pull.base_ref], pull.head_sha
    if key not in repo.trees:
        author = (pull.author, f"{pull.author}@azure.test")
        message = f"Merge pull request {pull.number} from {pull.head_ref} into {pull.base_ref}"
        repo.trees[key] = repo.git.merge("merge", *key, message=message, author=author, when=pull.created_at)
    return repo.trees[key]


def allows(repo: Repo, branch: str, strategy: Strategy) -> bool:
    return all(strategy in policy.strategies for policy in repo.policies_of(branch) if policy.kind == "strategy")


def complete(repo: Repo, pull: Pull, options: Options, by: str) -> bool:
    """Merge it and close it; False if it conflicts or the base has moved on meanwhile."""
    old = repo.tips[pull.base_ref]
    pull.trial = trial(repo, pull)
    new = _merged(repo, pull, options, old, by)
    if pull.trial is None or new is None or not repo.git.move(pull.base_ref, new, old):
        return False
    pull.queued_at = repo.world.clock.tick()
    repo.remember(pull)
    pull.status, pull.closed_at, pull.closed_by = "completed", repo.world.clock.tick(), by
    notes.state_changed(repo, pull, by)
    pull.brought = repo.git.brought(old, new)
    pull.options = options
    # After a rebase it is not known to be more than the trial's (docs/facts/forges.md#pull-requests).
    if options.strategy in ("noFastForward", "squash"):
        pull.trial = new
    if options.delete_source and repo.git.move(pull.head_ref, None, pull.head_sha):
        repo.tips.pop(pull.head_ref, None)
    repo.tips[pull.base_ref] = new
    repo.world.events.append(
        Event(name="push", repository=repo.full_name, branch=pull.base_ref, sha=new, before=old, by=by)
    )
    return True


def _merged(repo: Repo, pull: Pull, options: Options, base: str, by: str) -> str | None:
    author, when = (by, f"{by}@azure.test"), repo.world.clock.now
    message, strategy = options.message or f"Merged PR {pull.number}: {pull.title}", options.strategy
    methods: dict[Strategy, Method] = {"noFastForward": "merge", "squash": "squash"}
    if strategy in methods:
        method = methods[strategy]
        return repo.git.merge(method, base, pull.head_sha, message=message, author=author, when=when)
    rebased = repo.git.merge("rebase", base, pull.head_sha, message="", author=author, when=when)
    if strategy == "rebase" or rebased is None:
        return rebased
    return repo.git.merge("merge", base, rebased, message=message, author=author, when=when)


def abandon(repo: Repo, pull: Pull, by: str) -> None:
    pull.status, pull.closed_by, pull.closed_at, pull.auto_by = "abandoned", by, repo.world.clock.tick(), ""
    notes.state_changed(repo, pull, by)


def reactivate(repo: Repo, pull: Pull, by: str) -> None:
    check_rivals(repo, head=pull.head_ref, base=pull.base_ref, fork=pull.fork, but=pull)
    pull.status, pull.closed_by, pull.closed_at = "active", "", None
    notes.state_changed(repo, pull, by)


def arm(repo: Repo, pull: Pull, by: str) -> None:
    """Auto-complete: at once, where there is nothing to wait for."""
    pull.auto_by = by
    settle(repo)


def settle(repo: Repo) -> None:
    """Complete what is armed and held by nothing, until nothing moves."""
    while sum(_fire(repo, pull) for pull in repo.active() if pull.auto_by):
        pass


def _fire(repo: Repo, pull: Pull) -> bool:
    if not pull.active or pull.draft or pull.head_ref not in repo.tips:
        return False
    # What blocks it is cheaper to see than a merge is to try.
    if blockers(repo, pull, ignored=pull.options.ignored) or not allows(repo, pull.base_ref, pull.options.strategy):
        return False
    return trial(repo, pull) is not None and complete(repo, pull, pull.options, pull.auto_by)


def sync(repo: Repo, by: str) -> None:
    """Take note of what was pushed since the last look, then let everything happen that now can."""
    before, repo.tips = repo.tips, repo.git.branches()
    moved = {branch for branch in before | repo.tips if before.get(branch) != repo.tips.get(branch)}
    for branch in sorted(moved):
        old, new = before.get(branch, "0" * 40), repo.tips.get(branch, "0" * 40)
        event = Event(name="push", repository=repo.full_name, branch=branch, sha=new, before=old, by=by)
        repo.world.events.append(event)
    for pull in repo.active():
        head = repo.tips.get(pull.head_ref)
        # Without its branch it stays active and shows what it showed.
        if head is not None and head != pull.head_sha and not pull.fork:
            _pushed(repo, pull, head, by)
        elif pull.base_ref in moved:
            pull.unsettled = repo.world.unsettled_reads
    settle(repo)


def _pushed(repo: Repo, pull: Pull, head: str, by: str) -> None:
    pull.head_sha = head
    at = repo.world.clock.tick()
    pull.iterations.append(Iteration(id=len(pull.iterations) + 1, sha=head, at=at, by=by))
    notes.pushed(repo, pull, by)
    pull.unsettled, pull.unevaluated = repo.world.unsettled_reads, repo.world.unevaluated_reads
    pull.builds.clear()
    if any(policy.kind == "reviewers" and policy.resets for policy in repo.policies_of(pull.base_ref)):
        notes.reset(repo, pull, by)
    announce(repo, pull, by)


def announce(repo: Repo, pull: Pull, by: str) -> None:
    """Tell pipelines of a pull request's new head."""
    event = Event(
        name="pull_request",
        repository=repo.full_name,
        branch=pull.head_ref,
        sha=pull.head_sha,
        number=pull.number,
        by=by,
    )
    repo.world.events.append(event)


def open_pull(repo: Repo, *, head: str, base: str, title: str, body: str, author: str, fork: bool = False) -> Pull:
    if head not in repo.tips or base not in repo.tips:
        raise RefusedError(
            400,
            "GitPullRequestInvalidRefsException",
            "TF401398: The pull request cannot be activated because the source and/or the target branch no longer "
            "exists, or the requested refs are not branches",
        )
    check_rivals(repo, head=head, base=base, fork=fork)
    check_texts(title, body)
    return add_pull(repo, head=head, base=base, title=title, body=body, author=author, fork=fork)


def add_pull(repo: Repo, *, head: str, base: str, title: str, body: str, author: str, fork: bool = False) -> Pull:
    """Open one of which it is known that nothing speaks against it."""
    repo.world.pulls += 1
    at = repo.world.clock.tick()
    pull = Pull(
        number=repo.world.pulls,
        title=title,
        body=body,
        author=author,
        fork=fork,
        head_ref=head,
        head_sha=repo.tips[head],
        base_ref=base,
        base_sha=repo.tips[base],
        created_at=at,
        iterations=[Iteration(id=1, sha=repo.tips[head], at=at, by=author)],
        unsettled=repo.world.unsettled_reads,
        unevaluated=repo.world.unevaluated_reads,
    )
    repo.pulls[pull.number] = pull
    announce(repo, pull, author)
    return pull


def check_rivals(repo: Repo, *, head: str, base: str, fork: bool, but: Pull | None = None) -> None:
    if any((pull.head_ref, pull.base_ref, pull.fork) == (head, base, fork) for pull in repo.active() if pull != but):
        raise RefusedError(
            409,
            "GitPullRequestExistsException",
            "TF401179: An active pull request for the source and target branch already exists.",
        )


def check_texts(title: str, body: str) -> None:
    """As the server counts: in UTF-16."""
    for name, text, most in (("title", title, 400), ("description", body, 4000)):
        if len(text.encode("utf-16-le")) // 2 > most:
            raise RefusedError(
                400,
                "InvalidArgumentValueException",
                f"Invalid argument value. Parameter name: A {name} is at most {most} characters.",
            )
