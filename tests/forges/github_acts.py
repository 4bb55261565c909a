"""What people and programs do to a repository on GitHub; each is done or refused as GitHub would."""

from typing import Any

from tests.forges import github_rules as rules
from tests.forges.github_state import AutoMerge, Pull, QueueEntry, RefusedError, Repo, Review, Status
from tests.forges.repository import Method
from tests.support import refs

NOT_ALLOWED = {
    "merge": "Merge commits are not allowed on this repository.",
    "squash": "Squash merges are not allowed on this repository.",
    "rebase": "Rebase merges are not allowed on this repository.",
}
HEAD_MOVED = "Head branch was modified. Review and try the merge again."


class InvalidError(RefusedError):
    """422 with GitHub's list of errors."""

    def __init__(self, errors: list[dict[str, str]] | list[str], message: str = "Validation Failed") -> None:
        super().__init__(422, message)
        self.errors = errors


def open_pull(
    repo: Repo, *, head_repo: Repo | None, head: str, base: str, title: str, body: str | None, draft: bool, author: str
) -> Pull:
    """Open one, or refuse as GitHub does; people's own go this way too."""
    for name, branch, tips in (("head", head, head_repo.tips if head_repo else {}), ("base", base, repo.tips)):
        if branch not in tips:
            raise InvalidError([{"resource": "PullRequest", "field": name, "code": "invalid"}])
    assert head_repo is not None
    if not title:
        raise InvalidError([{"resource": "Issue", "code": "missing_field", "field": "title"}])
    rivals = [pull for pull in repo.open_pulls() if pull.head_repo is head_repo and pull.head_ref == head]
    texts = []
    if any(pull.base_ref == base for pull in rivals):
        texts.append(f"A pull request already exists for {head_repo.owner}:{head}.")
    at = repo.world.clock.tick()
    pull = Pull(
        number=len(repo.pulls) + 1,
        title=title,
        body=body,
        author=author,
        head_repo=head_repo,
        head_ref=head,
        head_sha=head_repo.tips[head],
        base_ref=base,
        base_sha=repo.tips[base],
        draft=draft,
        created_at=at,
        updated_at=at,
        unsettled=repo.world.unknown_reads,
    )
    take_head(repo, pull)
    if repo.git.is_ancestor(pull.head_sha, pull.base_sha):
        texts.append(f"No commits between {base} and {head}")
    if texts:
        raise InvalidError([{"resource": "PullRequest", "code": "custom", "message": text} for text in texts])
    repo.pulls[pull.number] = pull
    repo.world.record("pull_request", repo, pull_event("opened", pull))
    return pull


def reopen(repo: Repo, pull: Pull) -> None:
    tip = pull.head_repo and pull.head_repo.tips.get(pull.head_ref)
    if pull.merged_at or not tip:
        text = "state cannot be changed. " + (
            "The pull request was merged." if pull.merged_at else "The branch is gone."
        )
        raise InvalidError([{"resource": "PullRequest", "code": "invalid", "field": "state", "message": text}])
    if tip != pull.head_sha and not repo.git.is_ancestor(pull.head_sha, tip):
        # As people report it (isaacs/github 361).
        text = f"state cannot be changed. The {pull.head_ref} branch was force-pushed or recreated."
        raise InvalidError([{"resource": "PullRequest", "code": "invalid", "field": "state", "message": text}])
    pull.open, pull.closed_at = True, None
    repo.note(pull, "ReopenedEvent")
    repo.world.record("pull_request", repo, pull_event("reopened", pull))


def close(repo: Repo, pull: Pull) -> None:
    """Close it unmerged."""
    pull.close(repo.world.clock.tick())
    repo.note(pull, "ClosedEvent")
    if entry := rules.queue_entry(repo, pull):
        dequeue(repo, entry)
    repo.world.record("pull_request", repo, pull_event("closed", pull))


def dismiss(repo: Repo, pull: Pull, review: Review) -> None:
    """Take a review back in place: it keeps its time and its commit."""
    repo.note(pull, "ReviewDismissedEvent", before=review.state, review=review)
    review.state = "DISMISSED"


def post_status(repo: Repo, sha: str, *, context: str, creator: str, **said: Any) -> Status:
    """Keep a status, or refuse as GitHub does; Flux's own go this way too."""
    known = repo.statuses.setdefault(sha, [])
    if sum(status.context == context for status in known) >= 1000:
        raise RefusedError(422, "This SHA and context has reached the maximum number of statuses.")
    if len(said["description"] or "") > 140:
        text = "description is too long (maximum is 140 characters)"
        raise InvalidError([{"resource": "Status", "code": "custom", "field": "description", "message": text}])
    at = repo.world.clock.tick()
    status = Status(id=repo.world.new_id(), sha=sha, context=context, creator=creator, created_at=at, **said)
    known.append(status)
    repo.world.record("status", repo, {"sha": sha, "context": context, "state": status.state})
    return status


def merge(
    repo: Repo,
    pull: Pull,
    method: Method,
    *,
    by: str,
    sha: str = "",
    headline: str = "",
    message: str = "",
    bypass: bool = False,
) -> str:
    """Merge now and return the new tip of the base. `bypass`: an administrator overrides rules and queue."""
    if not pull.open:
        raise RefusedError(405, "Pull Request is not mergeable")
    if pull.draft:
        raise RefusedError(405, "Pull Request is still a draft")
    if sha and sha != pull.head_sha:
        raise RefusedError(409, HEAD_MOVED)
    if not repo.settings.allows(method):
        raise RefusedError(405, NOT_ALLOWED[method])
    if not bypass:
        if rules.queue_of(repo, pull):
            raise RefusedError(405, "Changes must be made through the merge queue")
        for text in rules.unmet(repo, pull):
            raise RefusedError(405, text)
        if rules.is_behind(repo, pull):
            raise RefusedError(409, "Head branch is out of date. Review and try the merge again.")
    old = rules.base_tip(repo, pull)
    wish = AutoMerge(method=method, by=by, at=repo.world.clock.now, headline=headline, body=message)
    new = merge_commit(repo, pull, by, old, wish)
    if new is None:
        raise RefusedError(405, "Pull Request is not mergeable")
    if not move(repo, pull.base_ref, new, old):
        raise RefusedError(409, "Base branch was modified. Review and try the merge again.")
    became_merged(repo, pull, new, by, since=old)
    repo.world.record("push", repo, {"ref": f"refs/heads/{pull.base_ref}", "before": old, "after": new})
    return new


def enable_auto_merge(repo: Repo, pull: Pull, wish: AutoMerge, *, expected: str) -> None:
    """Arm it, or put it into the queue if it could merge now and there is one."""
    if not pull.open:
        raise RefusedError(422, "Can't enable auto-merge for this pull request.")
    if expected and expected != pull.head_sha:
        # GitHub's text for this refusal is not known; this is the one of its merges.
        raise RefusedError(422, HEAD_MOVED)
    if not repo.settings.allow_auto_merge:
        raise RefusedError(422, "Pull request Auto merge is not allowed for this repository")
    if pull.draft:
        raise RefusedError(422, "Pull request Pull request is a draft")
    if not repo.settings.allows(wish.method):
        raise RefusedError(422, NOT_ALLOWED[wish.method])
    if pull.auto_merge:
        raise RefusedError(422, "Pull request Auto merge is already enabled")
    if repo.protection(pull.base_ref) is None:
        raise RefusedError(422, "Pull request Protected branch rules not configured for this branch")
    state = rules.merge_state(repo, pull)
    if pull.unsettled and state != "unstable":
        # What is required is not known yet, so that nothing seems to be: "clean" for a moment.
        state = "clean"
    elif state in ("clean", "unstable") and rules.queue_of(repo, pull):
        enqueue(repo, pull, by=wish.by, expected=expected, quiet=wish.quiet)
        return
    if state not in ("blocked", "behind"):
        # "clean" and "unstable" are what people report; "dirty" is taken to read alike.
        raise RefusedError(422, f"Pull request Pull request is in {state} status")
    pull.auto_merge = wish


def disable_auto_merge(pull: Pull) -> None:
    if pull.auto_merge is None:
        raise RefusedError(422, "Can't disable auto-merge for this pull request.")
    pull.auto_merge = None


def enqueue(repo: Repo, pull: Pull, *, by: str, expected: str, quiet: bool) -> QueueEntry:
    """Put it at the end of the queue."""
    queue = rules.queue_of(repo, pull)
    if queue is None:
        raise RefusedError(422, "Merge queue is not enabled for this branch")
    if expected and expected != pull.head_sha:
        raise RefusedError(422, HEAD_MOVED)
    if rules.queue_entry(repo, pull):
        raise RefusedError(422, "Pull request is already in the queue")
    if not pull.open or rules.merge_state(repo, pull) not in ("clean", "unstable"):
        raise RefusedError(422, "Pull request is not mergeable")
    entry = QueueEntry(id=repo.world.new_id(), pull=pull, by=by, at=repo.world.clock.tick(), quiet=quiet)
    queue.entries.append(entry)
    return entry


def dequeue(repo: Repo, entry: QueueEntry) -> None:
    """Take it out, with its branch; whoever is left is built anew by the next `settle`."""
    assert repo.queue is not None
    repo.queue.entries.remove(entry)
    if entry.branch:
        move(repo, entry.branch, None, entry.head_sha)


def update_branch(repo: Repo, pull: Pull, *, by: str, expected: str) -> None:
    """Merge the base into the head, as the button of a branch that is behind does."""
    if expected and expected != pull.head_sha:
        raise RefusedError(422, "expected head sha didn\u2019t match current head ref.")
    if not pull.open or pull.head_repo is not repo:
        raise RefusedError(422, "The pull request cannot be updated.")
    tip = rules.base_tip(repo, pull)
    if repo.git.is_ancestor(tip, pull.head_sha):
        raise RefusedError(422, "There are no new commits on the base branch.")
    author = (by, f"{by}@users.noreply.github.test")
    message = f"Merge branch '{pull.base_ref}' into {pull.head_ref}"
    new = repo.git.merge("merge", pull.head_sha, tip, message=message, author=author, when=repo.world.clock.tick())
    if new is None:
        raise RefusedError(422, "merge conflict between base and head")
    # The branch alone: `sync` finds it as anybody's push.
    repo.git.move(pull.head_ref, new, pull.head_sha)


def merge_commit(repo: Repo, pull: Pull, by: str, base: str, wish: AutoMerge) -> str | None:
    owner = pull.head_repo.owner if pull.head_repo else "unknown"
    message = f"Merge pull request #{pull.number} from {owner}/{pull.head_ref}\n\n{pull.title}"
    if wish.method == "squash":
        commits = [each for each in repo.git.commits(pull.head_sha, without=base) if len(each.parents) < 2]
        subject, body = pull.title, "\n\n".join(f"* {commit.message}" for commit in reversed(commits))
        if len(commits) == 1:
            # GitHub's default for a single commit: its own message, trailers and all.
            subject, _, body = commits[0].message.partition("\n")
        message = f"{subject} (#{pull.number})\n\n{body.strip()}".rstrip()
    if wish.headline:
        message = f"{wish.headline}\n\n{wish.body}".rstrip()
    author = (by, f"{by}@users.noreply.github.test")
    return repo.git.merge(
        wish.method, base, pull.head_sha, message=message, author=author, when=repo.world.clock.tick()
    )


def became_merged(repo: Repo, pull: Pull, sha: str, by: str, *, since: str, quiet: bool = False) -> None:
    """Note that its changes are in the base branch now, as the commits from `since` to `sha`."""
    repo.remember(pull)
    at = repo.world.clock.tick()
    pull.merged_at, pull.merged_by, pull.merge_sha = at, by, sha
    pull.introduced = repo.git.brought(since, sha)
    pull.close(at)
    repo.note(pull, "MergedEvent", by=by)
    repo.note(pull, "ClosedEvent", by=by)
    repo.world.record("pull_request", repo, pull_event("closed", pull), by=by, quiet=quiet)
    if repo.settings.delete_branch_on_merge and pull.head_repo is repo:
        move(repo, pull.head_ref, None, pull.head_sha)
        repo.note(pull, "HeadRefDeletedEvent", by=by)


def move(repo: Repo, branch: str, new: str | None, expected: str | None) -> bool:
    """Change a branch as GitHub itself does, so that it is not taken for somebody's push."""
    if not repo.git.move(branch, new, expected):
        return False
    repo.log("branch_deletion" if new is None else "pr_merge", branch, expected, new)
    if new is None:
        repo.tips.pop(branch, None)
    else:
        repo.tips[branch] = new
    return True


def take_head(repo: Repo, pull: Pull) -> None:
    """Keep the head's commits here, whatever becomes of its branch or fork."""
    ref = f"refs/pull/{pull.number}/head"
    if pull.head_repo is repo or pull.head_repo is None:
        refs.change(repo.git.path, ref, pull.head_sha)
    else:
        repo.git.git("fetch", "--quiet", "--no-tags", pull.head_repo.git.url, f"+refs/heads/{pull.head_ref}:{ref}")


def pull_event(action: str, pull: Pull) -> dict[str, object]:
    """What a workflow on `pull_request` reads of its event."""
    return {
        "action": action,
        "number": pull.number,
        "pull_request": {
            "number": pull.number,
            "merged": pull.merged_at is not None,
            "merge_commit_sha": pull.merge_sha,
            "head": {"ref": pull.head_ref, "sha": pull.head_sha},
            "base": {"ref": pull.base_ref, "sha": pull.base_sha},
        },
    }
