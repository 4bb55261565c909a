"""The `local` verbs: what a forge's pages and Flux do elsewhere, done here by a person or a script."""

import re
from dataclasses import replace
from typing import Literal

from gitops_promotion.core import diff
from gitops_promotion.core.forge import OWN_CONTEXT, CommitStatus, Details, PullRequest, PullRequests, StatusState
from gitops_promotion.core.model import Outcome
from gitops_promotion.errors import UsageError
from gitops_promotion.providers import Playable
from gitops_promotion.workflow.run import Run

_LOOK_BACK = 1000
"""Commits of the default branch among which an abbreviation is looked up; for older ones the whole id is asked for."""


def list_pull_requests(run: Run, *, everything: bool) -> PullRequests:
    """Return the open pull requests, with `everything` merged and closed ones too, newest first."""
    forge = _forge(run)
    return PullRequests(pull_requests=tuple(forge.every_pull_request() if everything else forge.open_promotions()))


def show(run: Run, number: int) -> Details:
    """Return all there is to know of one pull request. Raises ProviderError if there is none of that number."""
    details = _forge(run).details(number)
    pull = details.pull_request
    if pull.state != "open":
        return details
    run.tip.repository.fetch(f"refs/heads/{pull.head}")
    _, changes = run.tip.repository.diff_from_merge_base(run.tip.sha, pull.head_sha)
    blobs = run.tip.blobs(oid for change in changes for oid in (change.old, change.new))
    old = {change.path: blobs[change.old] for change in changes if change.old}
    new = {change.path: blobs[change.new] if change.new else None for change in changes}
    return replace(details, diff=diff.unified(old, new))


def merge(run: Run, number: int) -> Outcome:
    """Merge a pull request now, for a person asks for it; if its gate had not passed, the outcome says so."""
    forge = _forge(run)
    answer = forge.merge(forge.pull_request(number))
    pull_request = forge.pull_request(number)
    if answer.state != "merged":
        return _outcome("refused", answer.reason, pull_request)
    note = f", though {answer.reason}" if answer.reason else ""
    return _outcome("merged", f"pull request #{number} merged into {pull_request.base}{note}", pull_request)


def close(run: Run, number: int) -> Outcome:
    """Close a pull request unmerged; its branch stays. Raises ProviderError if it is merged."""
    forge = _forge(run)
    before = forge.pull_request(number)
    after = forge.close_pull_request(before)
    if before == after:
        return _outcome("unchanged", f"pull request #{number} is closed already", after)
    return _outcome("updated", f"pull request #{number} closed, its branch {after.head} stays", after)


def review(run: Run, number: int, *, verdict: Literal["approved", "changes-requested"], comment: str) -> Outcome:
    """Give one's opinion on a pull request's head as it is now. Raises ProviderError unless it is open."""
    forge = _forge(run)
    given = forge.review(number, verdict, comment)
    message = f"{given.author}: {verdict} on {given.sha} of pull request #{number}"
    return _outcome("updated", message, forge.pull_request(number))


def set_status(run: Run, revision: str, *, context: str, state: StatusState, description: str) -> Outcome:
    """Publish a status, as Flux would, on a branch's tip or a commit.

    Raises UsageError for a commit nobody knows, and for this tool's own context.
    """
    forge = _forge(run)
    if context.casefold() == OWN_CONTEXT:
        raise UsageError(
            f"{OWN_CONTEXT!r} is the verdict of our own check and nobody else's: "
            "run `gitops-promotion status --pr N` to have it published"
        )
    sha = _resolve(run, revision)
    forge.set_status(sha, CommitStatus(context=context, state=state, description=description))
    return Outcome(result="updated", message=f"{context} is {state} on {sha}", sha=sha)


def _forge(run: Run) -> Playable:
    provider = run.forge
    if not isinstance(provider, Playable):
        raise UsageError(
            "the remote belongs to another provider, on whose own pages this is done: "
            "give --provider local if its pull requests are to live in git all the same"
        )
    return provider


def _outcome(result: Literal["merged", "updated", "unchanged", "refused"], message: str, pull: PullRequest) -> Outcome:
    return Outcome(
        result=result, message=message, branch=pull.head, sha=pull.merge_sha or pull.head_sha, pull_request=pull
    )


def _resolve(run: Run, revision: str) -> str:
    """Return the full id of what a person calls `main`, `promote/x`, `1a2b3c4` or by all its digits."""
    tip = run.tip.refs.branch(revision.removeprefix("refs/heads/"))
    if tip is not None:
        return tip
    text = revision.lower()
    if re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", text):
        if run.tip.repository.fetch_commit(text):
            return text
    elif re.fullmatch(r"[0-9a-f]{4,63}", text):
        recent = (entry.sha for entry in run.tip.repository.history(run.tip.sha, (), _LOOK_BACK))
        found = {sha for sha in (*run.tip.refs.shas.values(), *recent) if sha.startswith(text)}
        if len(found) == 1:
            return found.pop()
        if found:
            raise UsageError(f"{revision} is the start of {len(found)} commits: write more of it")
    raise UsageError(
        f"the remote has neither a branch nor a commit {revision!r}: push it first, name a branch, "
        "or write the commit's whole id"
    )
