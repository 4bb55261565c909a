"""The record of what was told, in a ref of the remote: changed by compare-and-swap, so that only one run tells it."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from gitops_promotion.core.commits import RefUpdate
from gitops_promotion.core.notifications.told import FILE, REF, Record
from gitops_promotion.core.races import pause, reason_to_give_up
from gitops_promotion.errors import GitError, LeaseLostError
from gitops_promotion.git import Repository
from gitops_promotion.workflow.run import Clock


@dataclass(slots=True, kw_only=True)
class Told:
    """The record in the remote. Methods raise GitError."""

    repository: Repository
    clock: Clock
    _record: Record | None = field(init=False, default=None)
    _object: str | None = field(init=False, default=None)

    def free(self, keys: Iterable[str]) -> list[str]:
        """Return those of the keys that were not told, and that no other run is about to tell."""
        return self._read().free(keys, self.clock.now())

    def claim(self, keys: Sequence[str]) -> list[str]:
        """Claim those of the keys that are free for this run, and return them."""
        if not keys:
            return []
        claimed: list[str] = []

        def change(record: Record) -> Record | None:
            claimed[:] = record.free(keys, self.clock.now())
            return record.claimed(claimed, self.clock.now()) if claimed else None

        self._change(change)
        return claimed

    def settle(self, keys: Sequence[str], *, sent_keys: Sequence[str]) -> None:
        """Give up the claims of this run, and record what was sent."""
        if keys:
            self._change(lambda record: record.settled(keys, sent_keys))

    def _read(self) -> Record:
        """Return the record as it was read last."""
        if self._record is None:
            self._object = self.repository.refs(REF).shas.get(REF)
            self._record = Record() if self._object is None else self._fetch()
        return self._record

    def _fetch(self) -> Record:
        self._object = self.repository.fetch(REF)[REF]
        advice = f"delete it with `git push <remote> --delete {REF}`"
        try:
            return Record.parse(self.repository.read(self._object, [FILE]).get(FILE, b""))
        except (GitError, ValueError) as error:
            raise GitError(f"{REF} cannot be read ({error}): {advice}") from None

    def _change(self, change: Callable[[Record], Record | None]) -> None:
        lost_races: list[LeaseLostError] = []
        while True:
            record = change(self._read())
            if record is None:
                return
            content = record.encode(f"{self.clock.random():.17f}")
            new = self.repository.write_record(FILE, content, "Record what channels were told")
            try:
                self.repository.push([RefUpdate(ref=REF, new=new, expected=self._object)])
            except LeaseLostError as error:
                self._record = None
                lost_races.append(error)
                if reason := reason_to_give_up(lost_races):
                    raise GitError(reason) from error
                self.clock.sleep(pause(len(lost_races) - 1, self.clock.random()))
            else:
                self._record, self._object = record, new
                return
