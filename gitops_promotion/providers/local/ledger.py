"""The records of the `local` provider in the remote: read together, changed by compare-and-swap.

Every change is a push that names the objects it replaces, so any number of writers lose nothing.
docs/decisions/0003-local-provider.md has the reasons for the nonce of each record and the index of each branch.
"""

import itertools
import logging
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from datetime import datetime
from functools import partial
from typing import TypeVar

from gitops_promotion.core.commits import Refs, RefUpdate, Store
from gitops_promotion.core.forge import CommitStatus
from gitops_promotion.core.races import pause, reason_to_give_up
from gitops_promotion.errors import GitError, LeaseLostError, NoPullRequestError, ProviderError
from gitops_promotion.providers.local.records import (
    LIMIT,
    ROOT,
    Record,
    all_numbers,
    encode,
    index_ref,
    is_number,
    parse_numbers,
    parse_statuses,
    pull_ref,
    statuses_ref,
)

MOST_CHOICES = 128
"""How many numbers a writer chooses from at most, after several lost races; those left out stay unused."""

PATIENCE = 8
"""How often a decision waits for the rest of a merge, about ten seconds in all; then its base counts as reset."""

READ_AHEAD = 100
"""Records that are fetched before they are asked for; a fetch of one takes as long as a fetch of this many."""

_log = logging.getLogger(__name__)
T = TypeVar("T")
Decision = tuple[Sequence[RefUpdate], T]
"""The updates to push, if any, and the result once they have arrived."""


class Ledger:
    """The records in one remote: `transact` reads and writes them, the other methods are for its decisions."""

    def __init__(
        self,
        store: Store,
        *,
        now: Callable[[], datetime],
        sleep: Callable[[float], None],
        nonce: Callable[[], str],
        monotonic: Callable[[], float],
    ) -> None:
        self._store = store
        self._now = now
        self._sleep = sleep
        self._monotonic = monotonic
        self._nonce = nonce
        # Blobs never change: while `status` polls, each is fetched once.
        self._blobs: dict[str, bytes] = {}
        # The errors of what was left out, each once; the keys are in order.
        self.left_out: dict[str, None] = {}
        self._races = self._waits = 0
        self._merges: dict[tuple[str, str], str | None] = {}

    def transact(self, decide: Callable[[Refs], Decision[T]]) -> T:
        """Read the refs, decide, push; where another writer was faster, read and decide again after a pause.

        Raises ProviderError after too many decisions.
        """
        lost_races: list[LeaseLostError] = []
        self._waits = 0
        while True:
            self._races = len(lost_races) - self._waits
            start = self._monotonic()
            refs = self._store.refs("refs/heads/*", f"{ROOT}/*")
            try:
                updates, result = decide(refs)
                if updates:
                    self._store.push(updates)
            except LeaseLostError as error:
                lost_races.append(error)
            except GitError as error:
                # A ref that was deleted under a fetch is a lost race too; where nothing moved, the failure is real.
                if self._store.refs("refs/heads/*", f"{ROOT}/*") == refs:
                    raise
                lost_races.append(LeaseLostError(str(error)))
            else:
                return result
            if reason := reason_to_give_up(lost_races):
                raise ProviderError(reason)
            self._sleep(pause(len(lost_races) - 1, self._random(), decision_seconds=self._monotonic() - start))

    def read(self, refs: Refs, names: Iterable[str]) -> dict[str, tuple[str, bytes | None]]:
        """Return object id and content of those refs that exist; the content is None for an object that is no blob."""
        ids = {name: refs.shas[name] for name in names if name in refs.shas}
        missing = [name for name, object_id in ids.items() if object_id not in self._blobs]
        if missing:
            fetched = self._fetch(refs, missing)
            ids |= {name: fetched[name] for name in missing}
            for name in fetched:
                # One by one: a commit in the place of a blob must not keep the others from being read.
                with suppress(GitError):
                    self._blobs |= self._store.read_objects([fetched[name]])
        return {name: (object_id, self._blobs.get(object_id)) for name, object_id in ids.items()}

    def _fetch(self, refs: Refs, missing: Sequence[str]) -> dict[str, str]:
        """Fetch these refs, and all other records with them while they are few: a verb reads several, one by one."""
        records = (name for name in refs.shas if name.startswith(f"{ROOT}/"))
        unread = [name for name in records if name not in missing and refs.shas[name] not in self._blobs]
        if 0 < len(unread) <= READ_AHEAD:
            # A record that cannot be fetched must not prevent others from being read.
            with suppress(GitError):
                return self._store.fetch(*missing, *unread)
        return self._store.fetch(*missing)

    def records(self, refs: Refs, numbers: Sequence[int], *, lenient: bool = False) -> list[Record]:
        """Return the records of these numbers that exist, as the branches show them; `lenient` as in `_stored`."""

        def merged_as(record: Record, head: str) -> str | None:
            base = refs.branch(record.base)
            # A base that has not moved contains nothing new.
            if base is None or base == record.base_sha:
                return None
            merge = self._merge_of(base, head)
            is_older = merge and record.base_sha and self._merge_of(record.base_sha, head)
            return None if is_older else merge

        stored = self._stored(refs, numbers, lenient=lenient)
        return [record.as_branches_show(refs, partial(merged_as, record)) for record in stored]

    def _merge_of(self, tip: str, head: str) -> str | None:
        if (tip, head) not in self._merges:
            self._merges[tip, head] = self._store.brought_by(tip, head)
        return self._merges[tip, head]

    def _stored(self, refs: Refs, numbers: Sequence[int], *, lenient: bool = False) -> list[Record]:
        """Return those of the numbers that exist, in this order; `lenient` warns of unreadable ones and goes on."""
        objects = self.read(refs, [pull_ref(number) for number in numbers])
        records = []
        for number in numbers:
            ref = pull_ref(number)
            if ref not in objects:
                continue
            object_id, content = objects[ref]
            try:
                records.append(Record.parse(number, content, object_id))
            except ValueError as error:
                if not lenient:
                    raise _unreadable(ref, error) from error
                self._leave_out(ref, error)
        return records

    def _leave_out(self, ref: str, error: ValueError) -> None:
        """Note that a record cannot be read. A verb that fails for it says why; others only say that it is left out."""
        text = str(_unreadable(ref, error))
        if text not in self.left_out:
            self.left_out[text] = None
            _log.warning("left out: %s, which cannot be read: `gitops-promotion local list` says what to do", ref)

    def record(self, refs: Refs, number: int) -> Record:
        """Return the record of that number as the branches show it. Raises ProviderError if there is none."""
        for record in self.records(refs, [number]):
            return record
        raise NoPullRequestError(
            f"there is no pull request #{number}: 'gitops-promotion local list --all' lists every one"
        )

    def require_whole_merges(self, refs: Refs, records: Iterable[Record]) -> None:
        """Raise LeaseLostError for a merge that the refs show in part, so that the decision is made again.

        A server changes the refs of an atomic push one after another (docs/decisions/0003-local-provider.md): for a
        moment the record is merged, and the base and the branch are as before. A base that was reset looks the same.
        """
        for record in records:
            base, tip = refs.branch(record.base), refs.branch(record.head)
            if record.state != "merged" or record.inferred or tip != record.head_sha or self._waits == PATIENCE:
                continue
            if base and not self._merge_of(base, tip):
                self._waits += 1
                raise LeaseLostError(f"{record.base} does not show the merge of pull request #{record.number} yet")

    def numbers(self, refs: Refs, head: str, *, lenient: bool = False) -> tuple[tuple[int, ...], str | None]:
        """Return the numbers of a branch's pull requests, newest first, and the object id of that index."""
        ref = index_ref(head)
        object_id, content = self.read(refs, [ref]).get(ref, (None, None))
        if object_id is None:
            return (), None
        try:
            return parse_numbers(content), object_id
        except ValueError as error:
            if not lenient:
                raise _unreadable(ref, error) from error
            self._leave_out(ref, error)
            return (), object_id

    def statuses(self, refs: Refs, sha: str) -> tuple[tuple[CommitStatus, ...], str | None]:
        """Return a commit's statuses, newest first, and their object id; unreadable ones count as none."""
        ref = statuses_ref(sha)
        object_id, content = self.read(refs, [ref]).get(ref, (None, None))
        if object_id is None:
            return (), None
        try:
            return parse_statuses(content), object_id
        except ValueError as error:
            _log.warning("counts as empty: %s", _unreadable(ref, error))
            return (), object_id

    def save(self, record: Record) -> RefUpdate:
        """Return the update that stores a record in place of the one it was made from."""
        values = replace(record, updated_at=self._now()).fields()
        return RefUpdate(ref=pull_ref(record.number), new=self._write(values), expected=record.object_id)

    def save_numbers(self, head: str, numbers: Sequence[int], expected: str | None) -> RefUpdate:
        """Return the update that makes these the numbers of a branch's pull requests."""
        values = {"head": head, "numbers": numbers}
        return RefUpdate(ref=index_ref(head), new=self._write(values), expected=expected)

    def save_statuses(self, sha: str, statuses: Iterable[CommitStatus], expected: str | None) -> RefUpdate:
        """Return the update that makes these the statuses of a commit."""
        values = {"sha": sha, "statuses": [asdict(status) for status in statuses]}
        return RefUpdate(ref=statuses_ref(sha), new=self._write(values), expected=expected)

    def _write(self, values: Mapping[str, object]) -> str:
        content = encode(values, nonce=self._nonce())
        if len(content) > LIMIT:
            raise ProviderError(f"a record of {len(content)} bytes is too long, {LIMIT} are allowed: shorten its texts")
        object_id = self._store.write_blob(content)
        self._blobs[object_id] = content
        return object_id

    def free_number(self, refs: Refs) -> int:
        """Return the number after the highest pull request's.

        A ref with a higher number that is no pull request does not count: it could use all numbers up.
        """
        used = all_numbers(refs)
        # The highest is nearly always a pull request; the other records are read only if it is not.
        for numbers in (used[:1], used[1:]):
            for record in self._stored(refs, numbers, lenient=True):
                number = self._unused(record.number + 1, used)
                if is_number(number):
                    return number
        return self._unused(1, used)

    def _unused(self, start: int, used: Sequence[int]) -> int:
        """Return the first number from `start` on that is not used; after several lost races, one of the first few.

        A hundred writers that all took the first one would need a hundred rounds.
        """
        numbers = (number for number in itertools.count(start) if number not in used)
        choices = min(2 ** max(0, self._races - 2), MOST_CHOICES)
        return next(itertools.islice(numbers, int(self._random() * choices), None))

    def _random(self) -> float:
        return zlib.crc32(self._nonce().encode()) / 2**32

    def record_merges(self, records: Iterable[Record]) -> list[RefUpdate]:
        """Return the updates that record the merges that people made by hand."""
        return [self.save(record) for record in records if record.inferred and record.state == "merged"]


def _unreadable(ref: str, error: ValueError) -> ProviderError:
    return ProviderError(
        f"{ref} of the remote is not a record of this program ({error}): restore it, or delete it with "
        f"'git push <remote> --delete {ref}'"
    )
