"""Pull requests, statuses and reviews as refs of the remote itself, for plain git servers and for trying things out.

    refs/gitops-promotion/pulls/<n>         one pull request, its reviews included
    refs/gitops-promotion/heads/<digest>    the numbers of one branch's pull requests
    refs/gitops-promotion/statuses/<sha>    the statuses of one commit

Each is a blob with a JSON object and changes only by a push that names the object it replaces, so any number of writers
lose nothing; a merge and its record are one atomic push (docs/decisions/0003-local-provider.md). Everybody who can push
can write these refs: everything read from them is checked like any other input.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from gitops_promotion.core import untrusted
from gitops_promotion.core.commits import Refs, RefUpdate
from gitops_promotion.core.discussion import Event
from gitops_promotion.core.forge import (
    OWN_CONTEXT,
    AutoMerge,
    CommitStatus,
    Details,
    Draft,
    ForgeSettings,
    HeadState,
    PullRequest,
    RequiredCheck,
)
from gitops_promotion.errors import LeaseLostError, OutdatedError, RefusedPushError, UsageError
from gitops_promotion.providers import Connection
from gitops_promotion.providers.local.facts import FORGE
from gitops_promotion.providers.local.ledger import Decision, Ledger
from gitops_promotion.providers.local.people import WithPeople, unless_outdated
from gitops_promotion.providers.local.records import NEWEST, SHA, Record, all_numbers, index_ref, statuses_ref

_log = logging.getLogger(__name__)
T = TypeVar("T")


def connect(connection: Connection) -> "Local":
    """Return the provider that keeps everything in the connection's own remote."""
    return Local(connection)


class Local(WithPeople):
    """A forge made of refs: a `Provider`, and `Playable`, for it has no pages of its own."""

    publishes = True

    def __init__(self, connection: Connection) -> None:
        ledger = Ledger(
            connection.store,
            now=connection.now,
            sleep=connection.sleep,
            nonce=connection.nonce,
            monotonic=connection.monotonic,
        )
        super().__init__(connection.store, ledger, author=connection.author, now=connection.now)
        self._allows_deletions = True

    def pull_request(self, number: int) -> PullRequest:
        """Return one pull request in full. Raises ProviderError if there is none of that number."""
        return self._ledger.transact(lambda refs: ((), self._ledger.record(refs, number).pull_request()))

    def pull_requests(self, *, head: str) -> list[PullRequest]:
        """Return those from the branch `head`, open and closed, newest first, at most NEWEST."""

        def decide(refs: Refs) -> Decision[list[PullRequest]]:
            numbers, _ = self._ledger.numbers(refs, head)
            return (), [record.pull_request() for record in self._ledger.records(refs, numbers) if record.head == head]

        return self._ledger.transact(decide)

    def open_promotions(self) -> list[PullRequest]:
        """Return all open ones: only this tool opens any here."""

        def decide(refs: Refs) -> Decision[list[PullRequest]]:
            branches = [ref.removeprefix("refs/heads/") for ref in refs.shas if ref.startswith("refs/heads/")]
            self._ledger.read(refs, [index_ref(branch) for branch in branches])
            numbers = {
                number for branch in branches for number in self._ledger.numbers(refs, branch, lenient=True)[0][:1]
            }
            records = self._ledger.records(refs, sorted(numbers, reverse=True), lenient=True)
            return (), [record.pull_request() for record in records if record.state == "open"]

        return self._ledger.transact(decide)

    @property
    def left_out(self) -> tuple[str, ...]:
        """The errors of the records that could not be read, and that lists so far left out."""
        return tuple(self._ledger.left_out)

    def open_pull_requests(self) -> list[PullRequest]:
        """Return all open ones."""
        return self.open_promotions()

    def every_pull_request(self) -> list[PullRequest]:
        """Return all there ever were, newest first. Cost follows their number."""

        def decide(refs: Refs) -> Decision[list[PullRequest]]:
            return (), [record.pull_request() for record in self._ledger.records(refs, all_numbers(refs), lenient=True)]

        return self._ledger.transact(decide)

    def open_pull_request(self, draft: Draft) -> PullRequest:
        """Create or update the one open pull request from `draft.head`.

        A change of the head, the base or the gate disarms it. Raises OutdatedError if one of its branches is deleted,
        or the head is not at `draft.head_sha` any more, since the draft describes that commit; also if the base has
        all its changes, which another run merged: then the branch is deleted.
        """

        def decide(refs: Refs) -> Decision[PullRequest | OutdatedError]:
            for branch in (draft.head, draft.base):
                if refs.branch(branch) is None:
                    return (), OutdatedError(f"the remote has no branch {branch!r} any more for a pull request")
            if refs.branch(draft.head) != draft.head_sha:
                return (), OutdatedError(f"the branch {draft.head!r} moved before its pull request was opened")
            numbers, index = self._ledger.numbers(refs, draft.head)
            # Only the newest can be open: a number is added to the index when the others are closed.
            newest = [record for record in self._ledger.records(refs, numbers[:1]) if record.head == draft.head]
            if newest and newest[0].state == "open":
                return self._rewrite_decision(refs, newest[0], draft)
            if draft.number:
                return (), OutdatedError(f"pull request #{draft.number} is not open any more")
            self._ledger.require_whole_merges(refs, newest)
            if self._brings_nothing(refs, draft):
                reason = f"{draft.base} already has the changes of {draft.head}"
                return self._deletion_of(refs, draft.head, draft.head_sha), OutdatedError(reason)
            updates, opened = self._create_decision(refs, draft, numbers, index)
            return [*updates, *self._ledger.record_merges(newest)], opened

        return unless_outdated(self._transact_merge(decide))

    def _brings_nothing(self, refs: Refs, draft: Draft) -> bool:
        """Return True if the base has moved since the head was made from it, and a merge would change nothing."""
        base = refs.branch(draft.base)
        if not base or not draft.base_sha or base == draft.base_sha:
            return False
        self._store.fetch(f"refs/heads/{draft.base}", f"refs/heads/{draft.head}")
        return self._store.try_merge(base, draft.head_sha).sha == base

    def _deletion_of(self, refs: Refs, branch: str, sha: str) -> list[RefUpdate]:
        """Return the update that deletes a branch; none for the default branch, and where no deletion is allowed."""
        if branch == refs.default_branch or not self._allows_deletions:
            return []
        return [RefUpdate(ref=f"refs/heads/{branch}", new=None, expected=sha)]

    def _rewrite_decision(self, refs: Refs, record: Record, draft: Draft) -> Decision[PullRequest]:
        """Return the updates that give an open pull request the draft's texts, and what it is then."""
        stays_armed = record.armed and (record.base, record.gated) == (draft.base, draft.gated)
        rewritten = replace(
            record,
            base=draft.base,
            title=draft.title,
            body=draft.body,
            gated=draft.gated,
            armed_for=record.armed_for if stays_armed else None,
            base_sha=refs.branch(draft.base),
        )
        # A head that is not stored would be lost if its branch is merged by hand and deleted.
        updates = [self._ledger.save(rewritten)] if rewritten != record or record.inferred else []
        if record.inferred:
            updates += self._without_verdict(refs, rewritten.head_sha)
        return updates, rewritten.pull_request()

    def _create_decision(
        self, refs: Refs, draft: Draft, numbers: Sequence[int], index: str | None
    ) -> Decision[PullRequest]:
        """Return the updates that create a pull request; `numbers` and `index` are what its branch has already."""
        created_at = self._now()
        record = Record(
            number=self._ledger.free_number(refs),
            head=draft.head,
            head_sha=draft.head_sha,
            base=draft.base,
            title=draft.title,
            body=draft.body,
            gated=draft.gated,
            author=self._author,
            created_at=created_at,
            updated_at=created_at,
            base_sha=refs.branch(draft.base),
        )
        # Both or none: two writers that create for one branch collide on its index, whatever numbers they chose.
        of_branch = [record.number, *numbers][:NEWEST]
        updates = [self._ledger.save(record), self._ledger.save_numbers(draft.head, of_branch, index)]
        return updates + self._without_verdict(refs, draft.head_sha), record.pull_request()

    def _without_verdict(self, refs: Refs, sha: str) -> list[RefUpdate]:
        """Return the update that removes a success published before the pull request existed, or had this head."""
        statuses, expected = self._ledger.statuses(refs, sha)
        without = [status for status in statuses if (status.context, status.state) != (OWN_CONTEXT, "success")]
        return [self._ledger.save_statuses(sha, without, expected)] if len(without) < len(statuses) else []

    def set_auto_merge(self, pull_request: PullRequest, enabled: bool) -> AutoMerge:
        """Arm it for exactly `pull_request.head_sha`, or disarm it; merges it if nothing holds it."""

        def decide(refs: Refs) -> Decision[AutoMerge]:
            record = self._ledger.record(refs, pull_request.number)
            name = f"pull request #{record.number}"
            if record.state == "merged" and enabled and record.head_sha == pull_request.head_sha:
                return self._ledger.record_merges([record]), AutoMerge(state="merged")
            if record.state != "open":
                # No gate refused: the caller had an older state, and decides again.
                return self._ledger.record_merges([record]), AutoMerge(
                    state="moved", reason=f"{name} is {record.state} already"
                )
            if not enabled:
                disarmed = replace(record, armed_for=None)
                return ([self._ledger.save(disarmed)] if disarmed != record else []), AutoMerge(state="off")
            if record.head_sha != pull_request.head_sha:
                return (), AutoMerge(state="moved", reason=record.moved_from(pull_request.head_sha))
            if not record.gated or self._passed(refs, record.head_sha):
                return self._merge_decision(refs, record)
            armed = AutoMerge(state="armed", reason=f"{name} merges once {OWN_CONTEXT!r} succeeds on {record.head_sha}")
            rewritten = replace(record, armed_for=record.head_sha)
            return ([self._ledger.save(rewritten)] if rewritten != record else []), armed

        result = self._transact_merge(decide)
        # The verdict may have been published after the statuses were read and before the arming, by a run that saw
        # nothing armed. So decide once more: of the two runs at least one sees the other's change.
        return self._transact_merge(decide) if result.state == "armed" else result

    def _transact_merge(self, decide: Callable[[Refs], Decision[T]]) -> T:
        """Transact a decision that may merge; where the server allows no deletions, merged branches stay."""
        try:
            return self._ledger.transact(decide)
        except RefusedPushError as error:
            if error.kind != "delete" or not self._allows_deletions:
                raise
            self._allows_deletions = False
            return self._ledger.transact(decide)

    def _passed(self, refs: Refs, sha: str) -> bool:
        statuses, _ = self._ledger.statuses(refs, sha)
        return any((status.context, status.state) == (OWN_CONTEXT, "success") for status in statuses)

    def merge(self, pull_request: PullRequest) -> AutoMerge:
        """Merge an open pull request now, at exactly `pull_request.head_sha`.

        It does not ask the gate: it stands for a person who presses the button of a forge's page.
        """

        def decide(refs: Refs) -> Decision[AutoMerge]:
            record = self._ledger.record(refs, pull_request.number)
            name = f"pull request #{record.number}"
            if record.state != "open":
                return self._ledger.record_merges([record]), AutoMerge(
                    state="moved", reason=f"{name} is {record.state} already"
                )
            if record.head_sha != pull_request.head_sha:
                return (), AutoMerge(state="moved", reason=record.moved_from(pull_request.head_sha))
            note = ""
            if record.gated and not self._passed(refs, record.head_sha):
                note = f"its check {OWN_CONTEXT!r} had not passed on {record.head_sha}"
            updates, result = self._merge_decision(refs, record)
            if result.state == "merged":
                return updates, replace(result, reason="; ".join(filter(None, (note, result.reason))))
            return updates, result

        return self._transact_merge(decide)

    def _merge_decision(self, refs: Refs, record: Record) -> Decision[AutoMerge]:
        """Return the updates that merge a pull request, or none and the reason why it cannot be merged.

        Raises LeaseLostError if one of its branches has moved.
        """
        base, head = f"refs/heads/{record.base}", f"refs/heads/{record.head}"
        name = f"pull request #{record.number}"
        before = refs.branch(record.base)
        if before is None:
            reason = f"{name} goes into {record.base!r}, which the remote no longer has: close it"
            return (), AutoMerge(state="refused", reason=reason)
        updates: list[RefUpdate] = []
        notes: list[str] = []
        after = before
        # A branch without a commit of its own has nothing to merge: only the record changes.
        if before != record.head_sha:
            # If one moved since it was listed, its lease is lost below, or its old commit cannot be fetched. Mostly
            # both are here, and a fetch would be a quarter of the time in which another writer can be faster.
            for ref, sha in ((base, before), (head, record.head_sha)):
                if not self._store.fetch_commit(sha):
                    raise LeaseLostError(f"{ref} moved while it was read")
            merge = self._store.merge(before, record.head_sha, record.merge_message(FORGE.title_limit))
            if merge.sha is None:
                paths = ", ".join(map(repr, merge.conflicts))
                reason = (
                    f"{name} conflicts with {record.base} in {paths}: 'gitops-promotion promote --all' rebuilds it, "
                    f"or merge {record.base} into {record.head} by hand"
                )
                return (), AutoMerge(state="refused", reason=reason)
            if merge.sha == before:
                # No commit of the base merged it, and the newest one may be of something else.
                after = record.head_sha
                notes.append(f"{record.base} already had its changes")
            else:
                after = merge.sha
                updates.append(RefUpdate(ref=base, new=after, expected=before))
        updates += self._deletion_of(refs, record.head, record.head_sha)
        if record.head != refs.default_branch and not self._allows_deletions:
            notes.append(f"the branch {record.head} stays, since the server allows no deletions")
        merged = record.after(Event(kind="merged", at=self._now(), by=self.identity()))
        updates.append(self._ledger.save(replace(merged, state="merged", merge_sha=after, armed_for=None)))
        return updates, AutoMerge(state="merged", reason="; ".join(notes))

    def head_state(self, pull_request: PullRequest) -> HeadState:
        """Return whether the published verdict blocks it: a plain git server demands nothing else."""
        statuses = self.statuses([pull_request.head_sha])[pull_request.head_sha]
        failed = any((status.context, status.state) == (OWN_CONTEXT, "failure") for status in statuses)
        return HeadState(failed=failed)

    def statuses(self, shas: Sequence[str]) -> dict[str, list[CommitStatus]]:
        """Return the newest status per context of each commit, newest first; an unreadable record counts as none."""

        def decide(refs: Refs) -> Decision[dict[str, list[CommitStatus]]]:
            self._ledger.read(refs, [statuses_ref(sha) for sha in shas])
            return (), {sha: list(self._ledger.statuses(refs, sha)[0]) for sha in shas}

        return self._ledger.transact(decide)

    def set_status(self, sha: str, status: CommitStatus) -> None:
        """Publish a status on a commit; this tool's own success merges the pull requests armed for that commit.

        Raises UsageError for a context that cannot be stored. A refused merge is only logged: the status stays.
        """
        if not SHA.fullmatch(sha):
            raise UsageError(f"{untrusted.quoted(sha)} is not the full id of a commit: write all its hex digits")
        if not status.context.isprintable() or not 0 < len(status.context) <= 255:
            raise UsageError(
                f"context {untrusted.quoted(status.context)} cannot be stored: use 1 to 255 printable characters"
            )
        stamped = replace(status, created_at=status.created_at or self._now(), author=status.author or self._author)

        def decide(refs: Refs) -> Decision[None]:
            statuses, expected = self._ledger.statuses(refs, sha)
            for old in statuses:
                # A repeated status keeps its first time, since when it has been true.
                if not status.created_at and replace(stamped, created_at=old.created_at, author=old.author) == old:
                    return (), None
            updated = [stamped, *(old for old in statuses if old.context != stamped.context)][:NEWEST]
            return [self._ledger.save_statuses(sha, updated, expected)], None

        self._ledger.transact(decide)
        if (status.context, status.state) == (OWN_CONTEXT, "success"):
            self._merge_armed(sha)

    def _merge_armed(self, sha: str) -> None:
        def decide(refs: Refs) -> Decision[AutoMerge | None]:
            branches = [ref.removeprefix("refs/heads/") for ref, tip in refs.shas.items() if tip == sha]
            numbers = [number for branch in branches for number in self._ledger.numbers(refs, branch)[0][:1]]
            records = self._ledger.records(refs, numbers)
            armed = [record for record in records if record.armed]
            return self._merge_decision(refs, armed[0]) if armed else (self._ledger.record_merges(records), None)

        # One at a time: each merge moves the base under the next.
        while result := self._transact_merge(decide):
            if result.state == "refused":
                _log.warning("%s is published, but %s", OWN_CONTEXT, result.reason)
                return

    def forge_settings(self, **_: object) -> ForgeSettings:
        """Return what `local` does: it knows no rules, and waits for the published verdict alone."""
        return ForgeSettings(
            auto_merge=True,
            merge_methods=("merge", "squash", "rebase"),
            has_merge_queue=False,
            checks=(RequiredCheck(name=OWN_CONTEXT),),
            approvals=0,
            some_approvals=False,
            is_strict=False,
            wants_signatures=False,
            starts_workflows=True,
        )

    def details(self, number: int) -> Details:
        """Return all there is to know of one pull request. Raises ProviderError if there is none of that number."""

        def decide(refs: Refs) -> Decision[Details]:
            record = self._ledger.record(refs, number)
            details = Details(
                pull_request=record.pull_request(),
                gated=record.gated,
                created_at=record.created_at,
                updated_at=record.updated_at,
                statuses=self._ledger.statuses(refs, record.head_sha)[0],
                reviews=record.reviews,
                comments=tuple(note.body for note in record.comments),
            )
            return (), details

        return self._ledger.transact(decide)
