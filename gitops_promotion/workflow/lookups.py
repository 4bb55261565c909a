"""What one look asks the forge: each thing once, and for several pull requests in one request where it allows that."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from gitops_promotion.core.discussion import Discussion, People, Person
from gitops_promotion.core.forge import CommitStatus, PullRequest
from gitops_promotion.core.holds import Hold
from gitops_promotion.providers import Provider


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookups:
    """The answers of the forge to the questions of one look, which happens at `now`.

    The first request for statuses brings those of `heads` along, the first one for a discussion those of the pull
    requests `numbers`. `added_holds` has the holds that a head adds, by the commits of tip and head; `current_tips` the
    commits that were still the tip when the open pull requests had been read.
    """

    forge: Provider
    now: datetime
    heads: tuple[str, ...] = ()
    numbers: tuple[int, ...] = ()
    added_holds: dict[tuple[str, str], tuple[Hold, ...]] = field(init=False, default_factory=dict)
    current_tips: set[str] = field(init=False, default_factory=set)
    _open: list[Sequence[PullRequest]] = field(init=False, default_factory=list)
    _statuses: dict[str, Sequence[CommitStatus]] = field(init=False, default_factory=dict)
    _discussions: dict[int, Discussion | None] = field(init=False, default_factory=dict)
    _members: dict[str, People] = field(init=False, default_factory=dict)
    _pushers: dict[tuple[int, str], People] = field(init=False, default_factory=dict)
    _identity: list[Person] = field(init=False, default_factory=list)
    _failed_comments: list[bool] = field(init=False, default_factory=list)

    def open_promotions(self) -> Sequence[PullRequest]:
        """Return all open pull requests from this tool's branches. Raises ProviderError."""
        if not self._open:
            self._open.append(self.forge.open_promotions())
        return self._open[0]

    def note_open(self, pulls: Sequence[PullRequest]) -> None:
        """Take note of the open pull requests, which were listed already."""
        self._open[:] = [pulls]

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

    def discussion(self, number: int) -> Discussion | None:
        """Return what was said and done on a pull request, None if the forge does not answer that.

        Raises ProviderError.
        """
        if number not in self._discussions:
            missing = [n for n in dict.fromkeys((number, *self.numbers)) if n not in self._discussions]
            discussions = self.forge.discussions(missing)
            self._discussions.update((n, discussions.get(n)) for n in missing)
        return self._discussions[number]

    def members(self, group: str) -> People:
        """Return the members of a group of the forge. Raises ProviderError."""
        if group not in self._members:
            self._members[group] = self.forge.members(group)
        return self._members[group]

    def pushers(self, pull_request: PullRequest) -> People:
        """Return who pushed to the branch of a pull request. Raises ProviderError."""
        key = (pull_request.number, pull_request.head_sha)
        if key not in self._pushers:
            self._pushers[key] = self.forge.pushers(pull_request)
        return self._pushers[key]

    def identity(self) -> Person:
        """Return who the token belongs to. Raises ProviderError."""
        if not self._identity:
            self._identity.append(self.forge.identity())
        return self._identity[0]

    @property
    def comments_failed(self) -> bool:
        """True once a comment could not be written in this look: the next one would fail too."""
        return bool(self._failed_comments)

    def note_failed_comment(self) -> None:
        """Take note of a comment that could not be written."""
        self._failed_comments.append(True)
