"""Pull requests, statuses and reviews as refs of the remote itself, for plain git servers and for trying things out.

    refs/gitops-promotion/pulls/<n>         one pull request, its reviews included
    refs/gitops-promotion/heads/<digest>    the numbers of one branch's pull requests
    refs/gitops-promotion/statuses/<sha>    the statuses of one commit

Each is a blob with a JSON object and changes only by a push that names what it replaces, so any number of writers lose
nothing; what belongs together (a merge and its record) is one atomic push. docs/decisions/0003-local-provider.md says
why. Whoever can push can write these refs: everything read from them is checked like any other input.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Literal, TypeVar

from gitops_promotion.core import untrusted
from gitops_promotion.core.commits import Refs, RefUpdate
from gitops_promotion.core.forge import (
    OWN_CONTEXT,
    AutoMerge,
    CommitStatus,
    Details,
    Draft,
    HeadState,
    PullRequest,
    Review,
)
from gitops_promotion.core.pull_request_text import TITLE_LIMIT
from gitops_promotion.errors import LeaseLostError, ProviderError, RefGoneError, RefusedPushError, UsageError
from gitops_promotion.providers import Connection
from gitops_promotion.providers.local.ledger import Change, Ledger
from gitops_promotion.providers.local.records import SHA, Record, all_numbers, index_ref, statuses_ref

KEPT = 200
"""Statuses of a commit, reviews of a pull request, pull requests of a branch that are remembered: the newest."""

_log = logging.getLogger(__name__)
T = TypeVar("T")


def connect(connection: Connection) -> "Local":
    """Return the provider that keeps everything in the connection's own remote."""
    return Local(connection)


class Local:
    """A forge made of refs; see the module. Beside the Provider's methods it has what a forge's own pages offer."""

    publishes = True

    def __init__(self, connection: Connection) -> None:
        self._store = connection.store
        self._author = connection.author
        self._now = connection.now
        self._allows_deletions = True
        self._ledger = Ledger(connection.store, now=connection.now, sleep=connection.sleep, nonce=connection.nonce)

    def pull_request(self, number: int) -> PullRequest:
        """Return one pull request whole. Raises ProviderError if there is none of that number."""
        return self._ledger.settle(lambda refs: ((), self._ledger.one(refs, number).shown()))

    def pull_requests(self, *, head: str) -> list[PullRequest]:
        """Return those from the branch `head`, open and closed, newest first, at most KEPT."""

        def decide(refs: Refs) -> Change[list[PullRequest]]:
            numbers, _ = self._ledger.numbers(refs, head)
            return (), [record.shown() for record in self._ledger.records(refs, numbers) if record.head == head]

        return self._ledger.settle(decide)

    def open_promotions(self) -> list[PullRequest]:
        """Return all open ones: nobody but this tool opens any here."""

        def decide(refs: Refs) -> Change[list[PullRequest]]:
            branches = [ref.removeprefix("refs/heads/") for ref in refs.shas if ref.startswith("refs/heads/")]
            self._ledger.read(refs, [index_ref(branch) for branch in branches])
            numbers = {
                number for branch in branches for number in self._ledger.numbers(refs, branch, lenient=True)[0][:1]
            }
            records = self._ledger.records(refs, sorted(numbers, reverse=True), lenient=True)
            return (), [record.shown() for record in records if record.state == "open"]

        return self._ledger.settle(decide)

    def every_pull_request(self) -> list[PullRequest]:
        """Return all there ever were, newest first. Cost follows their number."""

        def decide(refs: Refs) -> Change[list[PullRequest]]:
            return (), [record.shown() for record in self._ledger.records(refs, all_numbers(refs), lenient=True)]

        return self._ledger.settle(decide)

    def open_pull_request(self, draft: Draft) -> PullRequest:
        """Create or update the one open pull request from `draft.head`.

        An update that changes what would merge, or where, or when, comes out disarmed. Raises LeaseLostError if the
        branch is not at `draft.head_sha` any more, since the draft describes that commit; RefGoneError if one of its
        branches is deleted.
        """

        def decide(refs: Refs) -> Change[PullRequest | LeaseLostError]:
            for branch in (draft.head, draft.base):
                if refs.branch(branch) is None:
                    message = (
                        f"the remote has no branch {branch!r} to make a pull request of: push it and run this again"
                    )
                    return (), RefGoneError(message)
            if refs.branch(draft.head) != draft.head_sha:
                message = f"branch {draft.head!r} moved before its pull request was opened: run this again"
                return (), LeaseLostError(message)
            numbers, index = self._ledger.numbers(refs, draft.head)
            # Only the newest can be open: who adds a number to the index has seen the others closed.
            newest = [record for record in self._ledger.records(refs, numbers[:1]) if record.head == draft.head]
            if newest and newest[0].state == "open":
                return self._rewritten(refs, newest[0], draft)
            updates, opened = self._created(refs, draft, numbers, index)
            return [*updates, *self._ledger.noted(newest)], opened

        pull_request = self._ledger.settle(decide)
        if isinstance(pull_request, LeaseLostError):
            raise pull_request
        return pull_request

    def _rewritten(self, refs: Refs, record: Record, draft: Draft) -> Change[PullRequest]:
        still = record.armed and (record.base, record.gated) == (draft.base, draft.gated)
        wanted = replace(
            record,
            base=draft.base,
            title=draft.title,
            body=draft.body,
            gated=draft.gated,
            armed_for=record.armed_for if still else None,
            base_sha=refs.branch(draft.base),
        )
        # A head that is not noted would be forgotten if its branch is merged by hand and deleted.
        updates = [self._ledger.save(wanted)] if wanted != record or record.told else []
        if record.told:
            updates += self._without_verdict(refs, wanted.head_sha)
        return updates, wanted.shown()

    def _created(self, refs: Refs, draft: Draft, numbers: Sequence[int], index: str | None) -> Change[PullRequest]:
        now = self._now()
        record = Record(
            number=self._ledger.free_number(refs),
            head=draft.head,
            head_sha=draft.head_sha,
            base=draft.base,
            title=draft.title,
            body=draft.body,
            gated=draft.gated,
            author=self._author,
            created_at=now,
            updated_at=now,
            base_sha=refs.branch(draft.base),
        )
        # Both or none: two writers that create for one branch collide on its index, whatever numbers they took.
        known = [record.number, *numbers][:KEPT]
        updates = [self._ledger.save(record), self._ledger.save_numbers(draft.head, known, index)]
        return updates + self._without_verdict(refs, draft.head_sha), record.shown()

    def _without_verdict(self, refs: Refs, sha: str) -> list[RefUpdate]:
        """Return what takes back a success that was published before the pull request was there, or at this head."""
        known, expected = self._ledger.statuses(refs, sha)
        kept = [status for status in known if (status.context, status.state) != (OWN_CONTEXT, "success")]
        return [self._ledger.save_statuses(sha, kept, expected)] if len(kept) < len(known) else []

    def close_pull_request(self, pull_request: PullRequest) -> PullRequest:
        """Close it unmerged; its branch stays. Raises ProviderError if it is merged."""

        def decide(refs: Refs) -> Change[PullRequest]:
            record = self._ledger.one(refs, pull_request.number)
            if record.state == "merged":
                raise ProviderError(
                    f"pull request #{record.number} is merged already: revert {record.merge_sha} instead"
                )
            closed = replace(record, state="closed", armed_for=None)
            return ([self._ledger.save(closed)] if record.state == "open" or record.told else []), closed.shown()

        return self._ledger.settle(decide)

    def set_auto_merge(self, pull_request: PullRequest, enabled: bool) -> AutoMerge:
        """Arm it for exactly `pull_request.head_sha`, or disarm it; armed and free to merge means merged."""

        def decide(refs: Refs) -> Change[AutoMerge]:
            record = self._ledger.one(refs, pull_request.number)
            name = f"pull request #{record.number}"
            if record.state == "merged" and enabled and record.head_sha == pull_request.head_sha:
                return self._ledger.noted([record]), AutoMerge(state="merged")
            if record.state != "open":
                # No gate said no: who asked to arm it saw an older state, and decides anew.
                reason = f"{name} is {record.state} already: open a new one"
                return self._ledger.noted([record]), AutoMerge(state="moved" if enabled else "refused", reason=reason)
            if not enabled:
                disarmed = replace(record, armed_for=None)
                return ([self._ledger.save(disarmed)] if disarmed != record else []), AutoMerge(state="off")
            if record.head_sha != pull_request.head_sha:
                return (), AutoMerge(state="moved", reason=_moved(record, pull_request.head_sha))
            if not record.gated or self._passed(refs, record.head_sha):
                return self._merged(refs, record)
            armed = AutoMerge(state="armed", reason=f"{name} merges once {OWN_CONTEXT!r} succeeds on {record.head_sha}")
            wanted = replace(record, armed_for=record.head_sha)
            return ([self._ledger.save(wanted)] if wanted != record else []), armed

        answer = self._settle_merge(decide)
        # The verdict may have come after the statuses were read and before it was armed; whoever set it saw nothing
        # armed. So look once more: of the two, at least one sees the other.
        return self._settle_merge(decide) if answer.state == "armed" else answer

    def _settle_merge(self, decide: Callable[[Refs], Change[T]]) -> T:
        """Settle a decision that may merge; where the server allows no deletions, merged branches stay."""
        try:
            return self._ledger.settle(decide)
        except RefusedPushError as error:
            if error.kind != "delete" or not self._allows_deletions:
                raise
            self._allows_deletions = False
            return self._ledger.settle(decide)

    def _passed(self, refs: Refs, sha: str) -> bool:
        known, _ = self._ledger.statuses(refs, sha)
        return any((each.context, each.state) == (OWN_CONTEXT, "success") for each in known)

    def merge(self, pull_request: PullRequest) -> AutoMerge:
        """Merge an open pull request now, as a person does who presses the button; that is an approval of its own.

        Only at the head that was seen.
        """

        def decide(refs: Refs) -> Change[AutoMerge]:
            record = self._ledger.one(refs, pull_request.number)
            name = f"pull request #{record.number}"
            if record.state != "open":
                return self._ledger.noted([record]), AutoMerge(
                    state="refused", reason=f"{name} is {record.state} already"
                )
            if record.head_sha != pull_request.head_sha:
                return (), AutoMerge(state="refused", reason=_moved(record, pull_request.head_sha))
            note = ""
            if record.gated and not self._passed(refs, record.head_sha):
                note = f"its check {OWN_CONTEXT!r} had not passed on {record.head_sha}"
            updates, answer = self._merged(refs, record)
            if answer.state == "merged":
                return updates, replace(answer, reason="; ".join(filter(None, (note, answer.reason))))
            return updates, answer

        return self._settle_merge(decide)

    def _merged(self, refs: Refs, record: Record) -> Change[AutoMerge]:
        base, head = f"refs/heads/{record.base}", f"refs/heads/{record.head}"
        name = f"pull request #{record.number}"
        before = refs.branch(record.base)
        if before is None:
            reason = f"{name} goes into {record.base!r}, which the remote no longer has: close it"
            return (), AutoMerge(state="refused", reason=reason)
        updates = []
        after: str | None = before
        # A branch that never had more than its base has nothing to merge: only the record is left to write.
        if before != record.head_sha:
            # If one moved since it was listed, its lease is lost below, or its old commit is not to be had.
            self._store.fetch(base, head)
            merge = self._store.merge(before, record.head_sha, _message(record))
            if merge.sha is None:
                paths = ", ".join(map(repr, merge.conflicts))
                reason = (
                    f"{name} conflicts with {record.base} in {paths}: 'gitops-promotion promote --all' rebuilds it, "
                    f"or merge {record.base} into {record.head} by hand"
                )
                return (), AutoMerge(state="refused", reason=reason)
            after = merge.sha
            updates.append(RefUpdate(ref=base, new=after, expected=before))
        stays = ""
        if record.head != refs.default_branch and self._allows_deletions:
            updates.append(RefUpdate(ref=head, new=None, expected=record.head_sha))
        elif record.head != refs.default_branch:
            stays = f"the branch {record.head} stays, since the server allows no deletions"
        updates.append(self._ledger.save(replace(record, state="merged", merge_sha=after, armed_for=None)))
        return updates, AutoMerge(state="merged", reason=stays)

    def head_state(self, pull_request: PullRequest) -> HeadState:
        """Return whether the published verdict holds it back; a plain git server demands nothing else."""
        said = self.statuses([pull_request.head_sha])[pull_request.head_sha]
        return HeadState(failed=any((each.context, each.state) == (OWN_CONTEXT, "failure") for each in said))

    def statuses(self, shas: Sequence[str]) -> dict[str, list[CommitStatus]]:
        """Return the newest status per context of each commit, newest first; an unreadable record counts as none."""

        def decide(refs: Refs) -> Change[dict[str, list[CommitStatus]]]:
            self._ledger.read(refs, [statuses_ref(sha) for sha in shas])
            return (), {sha: list(self._ledger.statuses(refs, sha)[0]) for sha in shas}

        return self._ledger.settle(decide)

    def set_status(self, sha: str, status: CommitStatus) -> None:
        """Publish a status on a commit; this tool's own success merges what is armed for that commit and gated by it.

        Raises UsageError for a context that cannot be kept. A merge that is refused is only logged: the status stands.
        """
        if not SHA.fullmatch(sha):
            raise UsageError(f"{sha!r} is not the full id of a commit: write all its hex digits")
        if not status.context.isprintable() or not 0 < len(status.context) <= 255:
            raise UsageError(f"context {status.context!r} cannot be kept: use 1 to 255 printable characters")
        mine = replace(status, created_at=status.created_at or self._now(), author=status.author or self._author)

        def decide(refs: Refs) -> Change[None]:
            known, expected = self._ledger.statuses(refs, sha)
            for old in known:
                # Said before: it keeps its time, which tells since when it has been so.
                if replace(mine, created_at=old.created_at, author=old.author) == old:
                    return (), None
            kept = [mine, *(old for old in known if old.context != mine.context)][:KEPT]
            return [self._ledger.save_statuses(sha, kept, expected)], None

        self._ledger.settle(decide)
        if (status.context, status.state) == (OWN_CONTEXT, "success"):
            self._merge_armed(sha)

    def _merge_armed(self, sha: str) -> None:
        def decide(refs: Refs) -> Change[AutoMerge | None]:
            branches = [ref.removeprefix("refs/heads/") for ref, tip in refs.shas.items() if tip == sha]
            numbers = [number for branch in branches for number in self._ledger.numbers(refs, branch)[0][:1]]
            records = self._ledger.records(refs, numbers)
            armed = [record for record in records if record.armed]
            return self._merged(refs, armed[0]) if armed else (self._ledger.noted(records), None)

        # One at a time: each merge moves the base under the next.
        while answer := self._settle_merge(decide):
            if answer.state == "refused":
                _log.warning("%s is published, but %s", OWN_CONTEXT, answer.reason)
                return

    def reviews(self, number: int) -> list[Review]:
        """Return the last review of each person, newest first, bound to its commit."""
        return self._ledger.settle(lambda refs: ((), list(self._ledger.one(refs, number).reviews)))

    def review(self, number: int, verdict: Literal["approved", "changes-requested"], comment: str) -> Review:
        """Give one's opinion on the head as it is now, in place of one's last. Raises ProviderError unless open."""

        def decide(refs: Refs) -> Change[Review]:
            record = self._ledger.one(refs, number)
            if record.state != "open":
                raise ProviderError(f"pull request #{number} is {record.state} already: only open ones are reviewed")
            mine = Review(author=self._author, verdict=verdict, sha=record.head_sha, comment=comment, at=self._now())
            others = [review for review in record.reviews if review.author != self._author]
            return [self._ledger.save(replace(record, reviews=(mine, *others)[:KEPT]))], mine

        return self._ledger.settle(decide)

    def details(self, number: int) -> Details:
        """Return all there is to know of one pull request. Raises ProviderError if there is none of that number."""

        def decide(refs: Refs) -> Change[Details]:
            record = self._ledger.one(refs, number)
            details = Details(
                pull_request=record.shown(),
                gated=record.gated,
                created_at=record.created_at,
                updated_at=record.updated_at,
                statuses=self._ledger.statuses(refs, record.head_sha)[0],
                reviews=record.reviews,
            )
            return (), details

        return self._ledger.settle(decide)


def _moved(record: Record, seen: str) -> str:
    return (
        f"{record.head} moved from {seen} to {record.head_sha}, which nobody armed pull request #{record.number} for: "
        "look at the new commits and run this again"
    )


def _message(record: Record) -> str:
    # The title stays in the first paragraph: in a last one of its own it could pass for trailers.
    return f"Merge pull request #{record.number}: {untrusted.line(record.title, TITLE_LIMIT)}\n"
