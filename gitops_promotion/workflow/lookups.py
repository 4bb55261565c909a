"""What one look asks the forge: each thing once, and for several pull requests in one request where it allows that."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from gitops_promotion.core.forge import CommitStatus
from gitops_promotion.providers import Provider


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookups:
    """The answers of the forge to the questions of one look, which happens at `now`.

    The first request for statuses brings those of `heads` along.
    """

    forge: Provider
    now: datetime
    heads: tuple[str, ...] = ()
    _statuses: dict[str, Sequence[CommitStatus]] = field(init=False, default_factory=dict)

    def statuses(self, shas: Sequence[str]) -> Mapping[str, Sequence[CommitStatus]]:
        """Return the newest status of each context of these commits, at least. Raises ProviderError."""
        missing = [sha for sha in dict.fromkeys((*shas, *self.heads)) if sha not in self._statuses]
        if missing:
            statuses = self.forge.statuses(missing)
            self._statuses.update((sha, statuses.get(sha, ())) for sha in missing)
        return self._statuses

    def own_status(self, sha: str) -> CommitStatus | None:
        """Return the verdict that is published on a commit, None without one. Raises ProviderError."""
        return next((status for status in self.statuses((sha,))[sha] if status.is_own), None)

    def remember(self, sha: str, verdict: CommitStatus) -> None:
        """Take note of a verdict that was published on a commit in this look."""
        self._statuses[sha] = (verdict,)
