"""What the remote keeps for the `local` provider: read whole, changed by compare-and-swap.

Every change is a push that names what it replaces, so any number of writers lose nothing. Why each record carries a
nonce and each branch an index: docs/decisions/0003-local-provider.md.
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
from gitops_promotion.errors import GitError, LeaseLostError, ProviderError
from gitops_promotion.providers.local.records import (
    LIMIT,
    ROOT,
    Record,
    all_numbers,
    index_ref,
    is_number,
    parse_numbers,
    parse_statuses,
    pull_ref,
    statuses_ref,
    written,
)

RACES = 30
"""How often a change is tried again because somebody else was quicker; each round has a winner."""

READ_AHEAD = 100
"""Records that are fetched before they are asked for; a fetch of one takes as long as a fetch of this many."""

_log = logging.getLogger(__name__)
T = TypeVar("T")
Change = tuple[Sequence[RefUpdate], T]
"""What a decision comes to: the push it wants, if any, and what to answer once that push has arrived."""


class Ledger:
    """The records in one remote: `settle` for all that reads or writes, the others for what it is given to decide."""

    def __init__(
        self,
        store: Store,
        *,
        now: Callable[[], datetime],
        sleep: Callable[[float], None],
        nonce: Callable[[], str],
    ) -> None:
        self._store = store
        self._now = now
        self._sleep = sleep
        self._nonce = nonce
        # Blobs never change, so one that was read once, while `status` polls, is not asked for again.
        self._blobs: dict[str, bytes] = {}
        self._brought: dict[tuple[str, str], str | None] = {}

    def settle(self, decide: Callable[[Refs], Change[T]]) -> T:
        """Read, decide, push; whenever somebody else was quicker read again and decide anew.

        Raises ProviderError if that goes on for ever.
        """
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

    def read(self, refs: Refs, names: Iterable[str]) -> dict[str, tuple[str, bytes | None]]:
        """Return object id and content of those of the refs that exist; None for what is no blob."""
        found = {name: refs.shas[name] for name in names if name in refs.shas}
        missing = [name for name, object_id in found.items() if object_id not in self._blobs]
        if missing:
            fetched = self._fetch(refs, missing)
            found |= {name: fetched[name] for name in missing}
            for name in fetched:
                # One by one: a commit that somebody put where a blob belongs must not keep the others from being read.
                with suppress(GitError):
                    self._blobs |= self._store.read_objects([fetched[name]])
        return {name: (object_id, self._blobs.get(object_id)) for name, object_id in found.items()}

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
        found = self.read(refs, [pull_ref(number) for number in numbers])
        records = []
        for number in numbers:
            ref = pull_ref(number)
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

    def one(self, refs: Refs, number: int) -> Record:
        """Return the record of that number as it is seen now. Raises ProviderError if there is none."""
        for record in self.records(refs, [number]):
            return record
        raise ProviderError(
            f"there is no pull request #{number}: 'gitops-promotion local list --all' shows all there are"
        )

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
            _log.warning("left out: %s", _unreadable(ref, error))
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
        """Return the update that stores a record over the one it was made from."""
        values = replace(record, updated_at=self._now()).values()
        return RefUpdate(ref=pull_ref(record.number), new=self._write(values), expected=record.object_id)

    def save_numbers(self, head: str, numbers: Sequence[int], expected: str | None) -> RefUpdate:
        """Return the update that makes these the numbers of a branch's pull requests."""
        values = {"head": head, "numbers": numbers}
        return RefUpdate(ref=index_ref(head), new=self._write(values), expected=expected)

    def save_statuses(self, sha: str, statuses: Iterable[CommitStatus], expected: str | None) -> RefUpdate:
        """Return the update that makes these the statuses of a commit."""
        values = {"sha": sha, "statuses": [asdict(each) for each in statuses]}
        return RefUpdate(ref=statuses_ref(sha), new=self._write(values), expected=expected)

    def _write(self, values: Mapping[str, object]) -> str:
        content = written(values, nonce=self._nonce())
        if len(content) > LIMIT:
            raise ProviderError(f"a record of {len(content)} bytes is too long, {LIMIT} are allowed: shorten its texts")
        object_id = self._store.write_blob(content)
        self._blobs[object_id] = content
        return object_id

    def free_number(self, refs: Refs) -> int:
        """Return the number after the highest that is a pull request's: a ref of others could use them all up."""
        taken = all_numbers(refs)
        # Nearly always the highest will do; only else are the others read.
        for some in (taken[:1], taken[1:]):
            for record in self._stored(refs, some, lenient=True):
                number = next(number for number in itertools.count(record.number + 1) if number not in taken)
                if is_number(number):
                    return number
        return next(number for number in itertools.count(1) if number not in taken)

    def noted(self, records: Iterable[Record]) -> list[RefUpdate]:
        """Return what notes merges that people made by hand."""
        return [self.save(record) for record in records if record.told and record.state == "merged"]


def _unreadable(ref: str, error: ValueError) -> ProviderError:
    return ProviderError(
        f"{ref} of the remote is not a record of this program ({error}): restore it, or delete it with "
        f"'git push <remote> --delete {ref}'"
    )
