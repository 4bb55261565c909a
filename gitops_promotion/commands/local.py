"""The `local` verbs: the actions of people on a forge's pages, and the reports of Flux, on plain git."""

import re
from dataclasses import replace
from datetime import datetime
from typing import Literal

from gitops_promotion.core import diff
from gitops_promotion.core.forge import OWN_CONTEXT, CommitStatus, Details, PullRequest, PullRequests, StatusState
from gitops_promotion.core.model import Outcome
from gitops_promotion.errors import PromotionError, UsageError
from gitops_promotion.providers import Playable
from gitops_promotion.workflow.examine import Subject, examine
from gitops_promotion.workflow.judge import judge_arming
from gitops_promotion.workflow.races import repeat_after_races
from gitops_promotion.workflow.run import Run

_LOOK_BACK = 1000
"""Commits of the default branch that an abbreviation may name; older ones need the whole id."""


def list_pull_requests(run: Run, *, include_closed: bool) -> PullRequests:
    """Return the open pull requests, with `include_closed` merged and closed ones too, newest first."""
    forge = _forge(run)
    pulls = forge.every_pull_request() if include_closed else forge.open_promotions()
    return PullRequests(pull_requests=tuple(pulls), errors=forge.left_out)


def show(run: Run, number: int) -> Details:
    """Return one pull request with its statuses, reviews and diff. Raises ProviderError for an unknown number."""
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
    """Merge a pull request now, as a person decided; the outcome reports the gates that had not passed."""
    forge = _forge(run)
    before = _not_merged(forge.pull_request(number))
    blocking = _blocking_reasons(run, before) if before.state == "open" else []
    merge_result = forge.merge(before)
    pull_request = forge.pull_request(number)
    if merge_result.state != "merged":
        next_step = ": look at it and run this again" if pull_request.state == "open" else ""
        return _outcome(
            "refused", f"{merge_result.reason}{next_step if merge_result.state == 'moved' else ''}", pull_request
        )
    objections = [*([merge_result.reason] if merge_result.reason else []), *blocking]
    note = f", though {'; '.join(objections)}" if objections else ""
    return _outcome("merged", f"pull request #{number} merged into {pull_request.base}{note}", pull_request)


def _blocking_reasons(run: Run, pull: PullRequest) -> list[str]:
    """Return why windows, freezes or holds would not let a pull request merge now."""
    tip = run.tip
    if not tip.has_config or not any(
        g.stops_arming for name in tip.config.pipeline.names for g in tip.config.gates(name)
    ):
        return []
    try:
        subject = Subject(branch=pull.head, sha=pull.head_sha, number=pull.number, pull_request=pull)
        questions = repeat_after_races(run, lambda _: examine(run, subject)).questions
        lookups = run.lookups()
        verdicts = [judge_arming(tip, lookups, question) for question in questions]
    except PromotionError as error:
        return [f"the gates could not be asked: {error}"]
    return [text for verdict in verdicts if verdict.decision != "pass" for text in verdict.texts]


def _not_merged(pull: PullRequest) -> PullRequest:
    """Return a pull request that is not merged. Raises UsageError."""
    if pull.state == "merged":
        raise UsageError(
            f"pull request #{pull.number} is merged already: `gitops-promotion local list` has the open ones"
        )
    return pull


def close(run: Run, number: int) -> Outcome:
    """Close a pull request without merging it; its branch stays. Raises UsageError if it is merged."""
    forge = _forge(run)
    before = _not_merged(forge.pull_request(number))
    after = forge.close_pull_request(before)
    if before == after:
        return _outcome("unchanged", f"pull request #{number} is closed already", after)
    return _outcome("updated", f"pull request #{number} closed, its branch {after.head} stays", after)


def reopen(run: Run, number: int) -> Outcome:
    """Open a closed pull request again.

    Raises UsageError if it is merged, ProviderError with the reason where it is not possible otherwise.
    """
    forge = _forge(run)
    before = _not_merged(forge.pull_request(number))
    after = forge.reopen(number)
    if before == after:
        return _outcome("unchanged", f"pull request #{number} is open already", after)
    return _outcome("updated", f"pull request #{number} opened again", after)


def review(run: Run, number: int, *, verdict: Literal["approved", "changes-requested"], comment: str) -> Outcome:
    """Review a pull request at its current head. Raises UsageError unless it is open."""
    forge = _forge(run)
    if _not_merged(forge.pull_request(number)).state != "open":
        raise UsageError(
            f"pull request #{number} is closed, and only open ones are reviewed: open it again with "
            f"`gitops-promotion local reopen {number}`"
        )
    posted = forge.review(number, verdict, comment)
    message = f"{posted.author}: {verdict} on {posted.sha} of pull request #{number}"
    return _outcome("updated", message, forge.pull_request(number))


def set_status(
    run: Run, revision: str, *, context: str, state: StatusState, description: str, at: datetime | None = None
) -> Outcome:
    """Publish a status, as Flux would, on a branch's tip or a commit; `at` is its time if that is not now.

    Raises UsageError for an unknown commit, and for this tool's own context.
    """
    forge = _forge(run)
    if context.casefold() == OWN_CONTEXT:
        raise UsageError(
            f"{OWN_CONTEXT!r} is reserved for the verdict of `status`: "
            "run `gitops-promotion status --pr N` to publish it"
        )
    sha = _resolve(run, revision)
    forge.set_status(sha, CommitStatus(context=context, state=state, description=description, created_at=at))
    return Outcome(result="updated", message=f"{context} is {state} on {sha}", sha=sha)


def _forge(run: Run) -> Playable:
    provider = run.forge
    if not isinstance(provider, Playable):
        raise UsageError(
            "the remote belongs to a forge, which has pages for this: "
            "give --provider local if its pull requests are to be refs of the remote anyway"
        )
    return provider


def _outcome(result: Literal["merged", "updated", "unchanged", "refused"], message: str, pull: PullRequest) -> Outcome:
    return Outcome(
        result=result, message=message, branch=pull.head, sha=pull.merge_sha or pull.head_sha, pull_request=pull
    )


def _resolve(run: Run, revision: str) -> str:
    """Return the full id of a commit that a person names by its branch or by the first digits of its id."""
    tip = run.tip.refs.branch(revision.removeprefix("refs/heads/"))
    if tip is not None:
        return tip
    text = revision.lower()
    if re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", text):
        if run.tip.repository.fetch_commit(text):
            return text
    elif re.fullmatch(r"[0-9a-f]{4,63}", text):
        recent = (entry.sha for entry in run.tip.repository.history(run.tip.sha, (), _LOOK_BACK))
        matches = {sha for sha in (*run.tip.refs.shas.values(), *recent) if sha.startswith(text)}
        if len(matches) == 1:
            return matches.pop()
        if matches:
            raise UsageError(f"{revision} is the start of {len(matches)} commits: write more digits")
    raise UsageError(
        f"the remote has neither a branch nor a commit {revision!r}: push it first, name a branch, "
        "or write the commit's whole id"
    )
