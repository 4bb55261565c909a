"""Pull requests, statuses and reviews as refs of the remote itself, for plain git servers and for trying things out.

    refs/gitops-promotion/pulls/<n>         one pull request, its reviews included
    refs/gitops-promotion/heads/<digest>    the numbers of one branch's pull requests
    refs/gitops-promotion/statuses/<sha>    the statuses of one commit

Each is a blob with a JSON object and changes only by a push that names what it replaces, so any number of writers lose
nothing; what belongs together (a merge and its record) is one atomic push. docs/decisions/0003-local-provider.md says
why. Whoever can push can write these refs: everything read from them is checked like any other input.
"""

import hashlib
import itertools
import json
import logging
import re
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import Literal, Self, TypeVar, get_args

from gitops_promotion.core.model import (
    OWN_CONTEXT,
    AutoMerge,
    CommitStatus,
    Details,
    Draft,
    PullRequest,
    PullRequestState,
    Refs,
    RefUpdate,
    Review,
    StatusState,
)
from gitops_promotion.core.texts import TITLE_LIMIT
from gitops_promotion.errors import GitError, LeaseLostError, ProviderError, UsageError
from gitops_promotion.providers import Connection

ROOT = "refs/gitops-promotion"
VERSION = 1
LIMIT = 1_000_000
"""Bytes of one record; a longer one is not read."""
KEPT = 200
"""Statuses of a commit, reviews of a pull request, pull requests of a branch that are remembered: the newest."""
RACES = 30
"""How often a change is tried again because somebody else was quicker; each round has a winner."""

_log = logging.getLogger(__name__)
_SHA = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_PULL = re.compile(re.escape(ROOT) + r"/pulls/([1-9][0-9]{0,8})")
T = TypeVar("T")
Change = tuple[Sequence[RefUpdate], T]
"""What a decision comes to: the push it wants, if any, and what to answer once that push has arrived."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A pull request. `armed_for` is the one head it may merge at by itself, `object_id` the blob it was read from.

    `base_sha` is where the base was when the head was noted: what it had by then, nobody merges any more. `told`: it is
    stored as open, or with another head, and the branches of the remote say what it is.
    """

    number: int
    head: str
    head_sha: str
    base: str
    title: str
    body: str
    gated: bool
    author: str
    created_at: datetime
    updated_at: datetime
    state: PullRequestState = "open"
    merge_sha: str | None = None
    armed_for: str | None = None
    reviews: tuple[Review, ...] = ()
    base_sha: str | None = field(default=None, compare=False)
    object_id: str | None = field(default=None, compare=False)
    told: bool = field(default=False, compare=False)

    @classmethod
    def parse(cls, number: int, content: bytes | None, object_id: str) -> Self:
        """Read a record that claims to be pull request `number`. Raises ValueError saying what is wrong with it."""
        values = _parse(content)
        record = cls(
            number=_get(values, "number", int),
            head=_get(values, "head", str),
            head_sha=_sha(_get(values, "head_sha", str)),
            base=_get(values, "base", str),
            title=_get(values, "title", str),
            body=_get(values, "body", str),
            gated=_get(values, "gated", bool),
            author=_get(values, "author", str),
            created_at=_time(values, "created_at"),
            updated_at=_time(values, "updated_at"),
            state=_one_of(values, "state", get_args(PullRequestState)),
            merge_sha=None if values.get("merge_sha") is None else _sha(_get(values, "merge_sha", str)),
            armed_for=None if values.get("armed_for") is None else _sha(_get(values, "armed_for", str)),
            reviews=tuple(
                Review(
                    author=_get(review, "author", str),
                    verdict=_one_of(review, "verdict", ("approved", "changes-requested")),
                    sha=_sha(_get(review, "sha", str)),
                    comment=_get(review, "comment", str),
                    at=_time(review, "at"),
                )
                for review in _objects(values, "reviews")
            ),
            base_sha=None if values.get("base_sha") is None else _sha(_get(values, "base_sha", str)),
            object_id=object_id,
        )
        if record.number != number:
            raise ValueError("it says it has another number")
        if record.head == record.base:
            # Merging it would delete its own base.
            raise ValueError("its head is its base")
        return record

    def seen(self, refs: Refs, merged: Callable[[str], str | None]) -> Self:
        """Return it as the branches of the remote make it.

        `merged` names the commit that brought a head into the base: then it is merged, for a person did that by hand.
        Else its head is the branch's tip, and without a branch it is closed.
        """
        if self.state != "open":
            return self
        tip = refs.branch(self.head)
        # The head that was noted comes first: after the merge the branch may have gone on.
        for head in dict.fromkeys((self.head_sha, tip or self.head_sha)):
            if sha := merged(head):
                return replace(self, head_sha=head, state="merged", merge_sha=sha, armed_for=None, told=True)
        if tip is None:
            return replace(self, state="closed", told=True)
        return replace(self, head_sha=tip, told=tip != self.head_sha)

    @property
    def armed(self) -> bool:
        """Whether it merges by itself at the head it has; a branch that moved since takes no arming along."""
        return self.state == "open" and self.armed_for == self.head_sha

    def shown(self) -> PullRequest:
        """Return the neutral form."""
        return PullRequest(
            number=self.number,
            # Where a forge has a page to look at, this one has a command.
            url=f"gitops-promotion local show {self.number}",
            head=self.head,
            head_sha=self.head_sha,
            base=self.base,
            state=self.state,
            merge_sha=self.merge_sha,
            auto_merge=self.armed,
            title=self.title,
            body=self.body,
            author=self.author,
        )


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
        self._sleep = connection.sleep
        self._nonce = connection.nonce
        # Blobs never change, so one that was read once, while `status` polls, is not asked for again.
        self._blobs: dict[str, bytes] = {}
        self._brought: dict[tuple[str, str], str | None] = {}

    def pull_request(self, number: int) -> PullRequest:
        """Return one pull request whole. Raises ProviderError if there is none of that number."""
        return self._settle(lambda refs: ((), self._one(refs, number).shown()))

    def pull_requests(self, *, head: str) -> list[PullRequest]:
        """Return those from the branch `head`, open and closed, newest first, at most KEPT."""

        def decide(refs: Refs) -> Change[list[PullRequest]]:
            numbers, _ = self._numbers(refs, head)
            return (), [record.shown() for record in self._records(refs, numbers) if record.head == head]

        return self._settle(decide)

    def open_promotions(self) -> list[PullRequest]:
        """Return all open ones: nobody but this tool opens any here."""

        def decide(refs: Refs) -> Change[list[PullRequest]]:
            branches = [ref.removeprefix("refs/heads/") for ref in refs.shas if ref.startswith("refs/heads/")]
            self._read(refs, [_index(branch) for branch in branches])
            numbers = {number for branch in branches for number in self._numbers(refs, branch, lenient=True)[0][:1]}
            records = self._records(refs, sorted(numbers, reverse=True), lenient=True)
            return (), [record.shown() for record in records if record.state == "open"]

        return self._settle(decide)

    def every_pull_request(self) -> list[PullRequest]:
        """Return all there ever were, newest first. Cost follows their number."""

        def decide(refs: Refs) -> Change[list[PullRequest]]:
            return (), [record.shown() for record in self._records(refs, _all_numbers(refs), lenient=True)]

        return self._settle(decide)

    def open_pull_request(self, draft: Draft) -> PullRequest:
        """Create or update the one open pull request from `draft.head`.

        An update that changes what would merge, or where, or when, comes out disarmed. Raises LeaseLostError if the
        branch is not at `draft.head_sha` any more: what the draft says is not what somebody would then merge.
        """

        def decide(refs: Refs) -> Change[PullRequest | None]:
            tip = refs.branch(draft.head)
            if tip is None or refs.branch(draft.base) is None:
                gone = draft.head if tip is None else draft.base
                raise ProviderError(f"the remote has no branch {gone!r} to make a pull request of: push it first")
            if tip != draft.head_sha:
                return (), None
            numbers, index = self._numbers(refs, draft.head)
            # Only the newest can be open: who adds a number to the index has seen the others closed.
            newest = [record for record in self._records(refs, numbers[:1]) if record.head == draft.head]
            if newest and newest[0].state == "open":
                return self._rewritten(refs, newest[0], draft)
            updates, opened = self._created(refs, draft, numbers, index)
            return [*updates, *self._noted(newest)], opened

        pull_request = self._settle(decide)
        if pull_request is None:
            raise LeaseLostError(f"branch {draft.head!r} moved before its pull request was opened: run this again")
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
        return ([self._save(wanted)] if wanted != record or record.told else []), wanted.shown()

    def _created(self, refs: Refs, draft: Draft, numbers: Sequence[int], index: str | None) -> Change[PullRequest]:
        now = self._now()
        record = Record(
            number=self._free_number(refs),
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
        known = {"head": draft.head, "numbers": [record.number, *numbers][:KEPT]}
        # Both or none: two writers that create for one branch collide on its index, whatever numbers they took.
        updates = [self._save(record), RefUpdate(ref=_index(draft.head), new=self._write(known), expected=index)]
        return updates + self._without_verdict(refs, draft.head_sha), record.shown()

    def _free_number(self, refs: Refs) -> int:
        """Return the number after the highest that is a pull request's: a ref of others could use them all up."""
        taken = _all_numbers(refs)
        # Nearly always the highest will do; only else are the others read.
        for some in (taken[:1], taken[1:]):
            for record in self._stored(refs, some, lenient=True):
                number = next(number for number in itertools.count(record.number + 1) if number not in taken)
                if _PULL.fullmatch(f"{ROOT}/pulls/{number}"):
                    return number
        return next(number for number in itertools.count(1) if number not in taken)

    def _without_verdict(self, refs: Refs, sha: str) -> list[RefUpdate]:
        """Return what takes back a success that was published before there was a pull request to pass."""
        known, expected = self._statuses(refs, sha)
        kept = [status for status in known if (status.context, status.state) != (OWN_CONTEXT, "success")]
        return [self._save_statuses(sha, kept, expected)] if len(kept) < len(known) else []

    def _noted(self, records: Iterable[Record]) -> list[RefUpdate]:
        """Return what notes merges that people made by hand."""
        return [self._save(record) for record in records if record.told and record.state == "merged"]

    def close_pull_request(self, pull_request: PullRequest) -> PullRequest:
        """Close it unmerged; its branch stays. Raises ProviderError if it is merged."""

        def decide(refs: Refs) -> Change[PullRequest]:
            record = self._one(refs, pull_request.number)
            if record.state == "merged":
                raise ProviderError(
                    f"pull request #{record.number} is merged already: revert {record.merge_sha} instead"
                )
            closed = replace(record, state="closed", armed_for=None)
            return ([self._save(closed)] if record.state == "open" or record.told else []), closed.shown()

        return self._settle(decide)

    def set_auto_merge(self, pull_request: PullRequest, enabled: bool) -> AutoMerge:
        """Arm it for exactly `pull_request.head_sha`, or disarm it; armed and free to merge means merged."""

        def decide(refs: Refs) -> Change[AutoMerge]:
            record = self._one(refs, pull_request.number)
            name = f"pull request #{record.number}"
            if record.state == "merged" and enabled and record.head_sha == pull_request.head_sha:
                return self._noted([record]), AutoMerge(state="merged")
            if record.state != "open":
                # No gate said no: who asked to arm it saw an older state, and decides anew.
                reason = f"{name} is {record.state} already: open a new one"
                return self._noted([record]), AutoMerge(state="moved" if enabled else "refused", reason=reason)
            if not enabled:
                disarmed = replace(record, armed_for=None)
                return ([self._save(disarmed)] if disarmed != record else []), AutoMerge(state="off")
            if record.head_sha != pull_request.head_sha:
                return (), AutoMerge(state="moved", reason=_moved(record, pull_request.head_sha))
            if not record.gated or self._passed(refs, record.head_sha):
                return self._merged(refs, record)
            armed = AutoMerge(state="armed", reason=f"{name} merges once {OWN_CONTEXT!r} succeeds on {record.head_sha}")
            wanted = replace(record, armed_for=record.head_sha)
            return ([self._save(wanted)] if wanted != record else []), armed

        answer = self._settle(decide)
        # The verdict may have come after the statuses were read and before it was armed; whoever set it saw nothing
        # armed. So look once more: of the two, at least one sees the other.
        return self._settle(decide) if answer.state == "armed" else answer

    def merge(self, pull_request: PullRequest) -> AutoMerge:
        """Merge an open pull request now, as a person does who presses the button; that is an approval of its own.

        Only at the head that was seen.
        """

        def decide(refs: Refs) -> Change[AutoMerge]:
            record = self._one(refs, pull_request.number)
            name = f"pull request #{record.number}"
            if record.state != "open":
                return self._noted([record]), AutoMerge(state="refused", reason=f"{name} is {record.state} already")
            if record.head_sha != pull_request.head_sha:
                return (), AutoMerge(state="refused", reason=_moved(record, pull_request.head_sha))
            note = ""
            if record.gated and not self._passed(refs, record.head_sha):
                note = f"its check {OWN_CONTEXT!r} had not passed on {record.head_sha}"
            updates, answer = self._merged(refs, record)
            return updates, replace(answer, reason=answer.reason or note)

        return self._settle(decide)

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
        if record.head != refs.default_branch:
            updates.append(RefUpdate(ref=head, new=None, expected=record.head_sha))
        updates.append(self._save(replace(record, state="merged", merge_sha=after, armed_for=None)))
        return updates, AutoMerge(state="merged")

    def statuses(self, shas: Sequence[str]) -> dict[str, list[CommitStatus]]:
        """Return the newest status per context of each commit, newest first; an unreadable record counts as none."""

        def decide(refs: Refs) -> Change[dict[str, list[CommitStatus]]]:
            self._read(refs, [_statuses(sha) for sha in shas])
            return (), {sha: list(self._statuses(refs, sha)[0]) for sha in shas}

        return self._settle(decide)

    def set_status(self, sha: str, status: CommitStatus) -> None:
        """Publish a status on a commit; this tool's own success merges what is armed for that commit and gated by it.

        Raises UsageError for a context that cannot be kept. A merge that is refused is only logged: the status stands.
        """
        if not _SHA.fullmatch(sha):
            raise UsageError(f"{sha!r} is not the full id of a commit: write all its hex digits")
        if not status.context.isprintable() or not 0 < len(status.context) <= 255:
            raise UsageError(f"context {status.context!r} cannot be kept: use 1 to 255 printable characters")
        mine = replace(status, created_at=status.created_at or self._now(), author=status.author or self._author)

        def decide(refs: Refs) -> Change[None]:
            known, expected = self._statuses(refs, sha)
            for old in known:
                # Said before: it keeps its time, which tells since when it has been so.
                if replace(mine, created_at=old.created_at, author=old.author) == old:
                    return (), None
            kept = [mine, *(old for old in known if old.context != mine.context)][:KEPT]
            return [self._save_statuses(sha, kept, expected)], None

        self._settle(decide)
        if (status.context, status.state) == (OWN_CONTEXT, "success"):
            self._merge_armed(sha)

    def _merge_armed(self, sha: str) -> None:
        def decide(refs: Refs) -> Change[AutoMerge | None]:
            branches = [ref.removeprefix("refs/heads/") for ref, tip in refs.shas.items() if tip == sha]
            numbers = [number for branch in branches for number in self._numbers(refs, branch)[0][:1]]
            records = self._records(refs, numbers)
            armed = [record for record in records if record.armed]
            return self._merged(refs, armed[0]) if armed else (self._noted(records), None)

        # One at a time: each merge moves the base under the next.
        while answer := self._settle(decide):
            if answer.state == "refused":
                _log.warning("%s is published, but %s", OWN_CONTEXT, answer.reason)
                return

    def reviews(self, number: int) -> list[Review]:
        """Return the last review of each person, newest first, bound to its commit."""
        return self._settle(lambda refs: ((), list(self._one(refs, number).reviews)))

    def review(self, number: int, verdict: Literal["approved", "changes-requested"], comment: str) -> Review:
        """Give one's opinion on the head as it is now, in place of one's last. Raises ProviderError unless open."""

        def decide(refs: Refs) -> Change[Review]:
            record = self._one(refs, number)
            if record.state != "open":
                raise ProviderError(f"pull request #{number} is {record.state} already: only open ones are reviewed")
            mine = Review(author=self._author, verdict=verdict, sha=record.head_sha, comment=comment, at=self._now())
            others = [review for review in record.reviews if review.author != self._author]
            return [self._save(replace(record, reviews=(mine, *others)[:KEPT]))], mine

        return self._settle(decide)

    def details(self, number: int) -> Details:
        """Return all there is to know of one pull request. Raises ProviderError if there is none of that number."""

        def decide(refs: Refs) -> Change[Details]:
            record = self._one(refs, number)
            details = Details(
                pull_request=record.shown(),
                gated=record.gated,
                created_at=record.created_at,
                updated_at=record.updated_at,
                statuses=self._statuses(refs, record.head_sha)[0],
                reviews=record.reviews,
            )
            return (), details

        return self._settle(decide)

    def _settle(self, decide: Callable[[Refs], Change[T]]) -> T:
        """Read, decide, push; whenever somebody else was quicker read again and decide anew."""
        lost: GitError | None = None
        for attempt in range(RACES):
            refs = self._store.refs("refs/heads/*", f"{ROOT}/*")
            try:
                updates, answer = decide(refs)
                if updates:
                    self._store.push(updates)
            except LeaseLostError as error:
                lost = error
            except GitError as error:
                # A ref that was deleted under a fetch is a lost race too; where nothing moved, the failure is real.
                if self._store.refs("refs/heads/*", f"{ROOT}/*") == refs:
                    raise
                lost = error
            else:
                return answer
            # Spread, so that the same writers do not meet again.
            spread = zlib.crc32(self._nonce().encode()) / 2**32
            self._sleep(min(1.0, 0.05 * (attempt + 1)) * spread)
        raise ProviderError(f"others changed the remote {RACES} times in a row: run this again") from lost

    def _read(self, refs: Refs, names: Iterable[str]) -> dict[str, tuple[str, bytes | None]]:
        """Return object id and content of those of the refs that exist; None for what is no blob."""
        found = {name: refs.shas[name] for name in names if name in refs.shas}
        missing = [name for name, object_id in found.items() if object_id not in self._blobs]
        if missing:
            found |= self._store.fetch(*missing)
            for name in missing:
                # One by one: a commit that somebody put where a blob belongs must not keep the others from being read.
                with suppress(GitError):
                    self._blobs |= self._store.read_objects([found[name]])
        return {name: (object_id, self._blobs.get(object_id)) for name, object_id in found.items()}

    def _records(self, refs: Refs, numbers: Sequence[int], *, lenient: bool = False) -> list[Record]:
        """Return those of the numbers that exist, in this order, as they are seen now; `lenient` as in `_stored`."""

        def merged(record: Record, head: str) -> str | None:
            base = refs.branch(record.base)
            # Nothing came into a base that has not moved.
            if base is None or base == record.base_sha:
                return None
            sha = self._brought_by(base, head)
            had = sha and record.base_sha and self._brought_by(record.base_sha, head)
            return None if had else sha

        return [record.seen(refs, partial(merged, record)) for record in self._stored(refs, numbers, lenient=lenient)]

    def _brought_by(self, tip: str, head: str) -> str | None:
        if (tip, head) not in self._brought:
            self._brought[tip, head] = self._store.brought_by(tip, head)
        return self._brought[tip, head]

    def _stored(self, refs: Refs, numbers: Sequence[int], *, lenient: bool = False) -> list[Record]:
        """Return those of the numbers that exist, in this order; `lenient` warns of unreadable ones and goes on."""
        found = self._read(refs, [f"{ROOT}/pulls/{number}" for number in numbers])
        records = []
        for number in numbers:
            ref = f"{ROOT}/pulls/{number}"
            if ref not in found:
                continue
            object_id, content = found[ref]
            try:
                records.append(Record.parse(number, content, object_id))
            except ValueError as error:
                if not lenient:
                    raise _unreadable(ref, error) from error
                _log.warning("left out: %s", _unreadable(ref, error))
        return records

    def _one(self, refs: Refs, number: int) -> Record:
        for record in self._records(refs, [number]):
            return record
        raise ProviderError(
            f"there is no pull request #{number}: 'gitops-promotion local list --all' shows all there are"
        )

    def _numbers(self, refs: Refs, head: str, *, lenient: bool = False) -> tuple[tuple[int, ...], str | None]:
        """Return the numbers of a branch's pull requests, newest first, and the object id of that index."""
        ref = _index(head)
        object_id, content = self._read(refs, [ref]).get(ref, (None, None))
        if object_id is None:
            return (), None
        try:
            return _parse_numbers(content), object_id
        except ValueError as error:
            if not lenient:
                raise _unreadable(ref, error) from error
            _log.warning("left out: %s", _unreadable(ref, error))
            return (), object_id

    def _statuses(self, refs: Refs, sha: str) -> tuple[tuple[CommitStatus, ...], str | None]:
        ref = _statuses(sha)
        object_id, content = self._read(refs, [ref]).get(ref, (None, None))
        if object_id is None:
            return (), None
        try:
            return _parse_statuses(content), object_id
        except ValueError as error:
            _log.warning("counts as empty: %s", _unreadable(ref, error))
            return (), object_id

    def _passed(self, refs: Refs, sha: str) -> bool:
        return any((each.context, each.state) == (OWN_CONTEXT, "success") for each in self._statuses(refs, sha)[0])

    def _save(self, record: Record) -> RefUpdate:
        values = asdict(replace(record, updated_at=self._now()))
        del values["object_id"], values["told"]
        ref = f"{ROOT}/pulls/{record.number}"
        return RefUpdate(ref=ref, new=self._write(values), expected=record.object_id)

    def _save_statuses(self, sha: str, statuses: Iterable[CommitStatus], expected: str | None) -> RefUpdate:
        values = {"sha": sha, "statuses": [asdict(each) for each in statuses]}
        return RefUpdate(ref=_statuses(sha), new=self._write(values), expected=expected)

    def _write(self, values: Mapping[str, object]) -> str:
        # The nonce: git takes a push of what is already there for done, even if it had to be absent (FORGES).
        content = _to_bytes({"version": VERSION, "nonce": self._nonce(), **values})
        if len(content) > LIMIT:
            raise ProviderError(f"a record of {len(content)} bytes is too long, {LIMIT} are allowed: shorten its texts")
        object_id = self._store.write_blob(content)
        self._blobs[object_id] = content
        return object_id


def _index(head: str) -> str:
    # A digest, since `a` and `a/b` cannot both be refs: an old branch's index would lock out a new branch.
    return f"{ROOT}/heads/{hashlib.sha256(head.encode(errors='surrogateescape')).hexdigest()}"


def _statuses(sha: str) -> str:
    return f"{ROOT}/statuses/{sha}"


def _moved(record: Record, seen: str) -> str:
    return (
        f"{record.head} moved from {seen} to {record.head_sha}, which nobody armed pull request #{record.number} for: "
        "look at the new commits and run this again"
    )


def _message(record: Record) -> str:
    # The title stays in the first paragraph: in a last one of its own it could pass for trailers.
    title = "".join(c if c.isprintable() else " " for c in record.title[:TITLE_LIMIT])
    return f"Merge pull request #{record.number}: {title}\n"


def _all_numbers(refs: Refs) -> list[int]:
    return sorted((int(match[1]) for ref in refs.shas if (match := _PULL.fullmatch(ref))), reverse=True)


def _unreadable(ref: str, error: ValueError) -> ProviderError:
    return ProviderError(
        f"{ref} of the remote is not a record of this program ({error}): restore it, or delete it with "
        f"'git push <remote> --delete {ref}'"
    )


def _to_bytes(values: Mapping[str, object]) -> bytes:
    def text(time: datetime) -> str:
        return time.astimezone(UTC).isoformat()

    # Half a surrogate pair, as from an argument that is not UTF-8, would make a record that no one reads again.
    return json.dumps(values, indent=1, sort_keys=True, default=text, ensure_ascii=False).encode(errors="replace")


def _parse_numbers(content: bytes | None) -> tuple[int, ...]:
    numbers = _get(_parse(content), "numbers", list)
    if not all(type(number) is int and _PULL.fullmatch(f"{ROOT}/pulls/{number}") for number in numbers):
        raise ValueError("its 'numbers' are not numbers of pull requests")
    return tuple(numbers)


def _parse_statuses(content: bytes | None) -> tuple[CommitStatus, ...]:
    return tuple(
        CommitStatus(
            context=_get(status, "context", str),
            state=_one_of(status, "state", get_args(StatusState)),
            description=_get(status, "description", str),
            url=_get(status, "url", str),
            author=_get(status, "author", str),
            created_at=_time(status, "created_at"),
        )
        for status in _objects(_parse(content), "statuses")
    )


def _parse(content: bytes | None) -> dict[str, object]:
    """Return the JSON object of a record. Raises ValueError saying what is wrong, for anything at all."""
    if content is None:
        raise ValueError("it is no blob")
    if len(content) > LIMIT:
        raise ValueError(f"it has {len(content)} bytes, {LIMIT} are read")
    try:
        values = json.loads(content)
        # Half a surrogate pair is JSON, but no text that could be shown or written.
        json.dumps(values, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise ValueError("it is not JSON in UTF-8") from error
    if not isinstance(values, dict):
        raise ValueError("it is not a JSON object")  # noqa: TRY004
    if values.get("version") != VERSION:
        raise ValueError(f"its version is not {VERSION}")
    return values


def _get(values: Mapping[str, object], key: str, kind: type[T]) -> T:
    value = values.get(key)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise ValueError(f"its {key!r} is missing or not of type {kind.__name__}")
    return value


def _objects(values: Mapping[str, object], key: str) -> list[dict[str, object]]:
    found = _get(values, key, list)
    if not all(isinstance(each, dict) for each in found):
        raise ValueError(f"its {key!r} are not all objects")
    return found


def _one_of(values: Mapping[str, object], key: str, choices: tuple[T, ...]) -> T:
    for choice in choices:
        if values.get(key) == choice:
            return choice
    raise ValueError(f"its {key!r} is none of {', '.join(map(str, choices))}")


def _time(values: Mapping[str, object], key: str) -> datetime:
    try:
        time = datetime.fromisoformat(_get(values, key, str))
    except ValueError as error:
        raise ValueError(f"its {key!r} is no time") from error
    if time.utcoffset() is None:
        raise ValueError(f"its {key!r} lacks a time zone")
    return time


def _sha(text: str) -> str:
    if not _SHA.fullmatch(text):
        raise ValueError("it names a commit by what is no full object id")
    return text
