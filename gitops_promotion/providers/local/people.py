"""What people do on plain git: reviews, closing, comments and pushes; names are believed, since everybody may write."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from gitops_promotion.core import untrusted
from gitops_promotion.core.commits import Commit, Refs, Store
from gitops_promotion.core.discussion import Comment, Discussion, Event, People, Person
from gitops_promotion.core.forge import PullRequest, Review
from gitops_promotion.errors import OutdatedError, ProviderError, UsageError
from gitops_promotion.providers import Opinion
from gitops_promotion.providers.local.ledger import Decision, Ledger
from gitops_promotion.providers.local.records import NEWEST, Note, Record, is_bot, pull_ref

T = TypeVar("T")


class WithPeople:
    """The people's half of a remote; `author` is who acts where nobody else is named."""

    def __init__(self, store: Store, ledger: Ledger, *, author: str, now: Callable[[], datetime]) -> None:
        """Send nothing yet."""
        self._store = store
        self._ledger = ledger
        self._author = author
        self._now = now

    def identity(self) -> Person:
        """Return the author that git is configured with."""
        return _person(self._author)

    def discussions(self, numbers: Sequence[int]) -> dict[int, Discussion]:
        """Return what was said and done on these pull requests; damaged ones are left out, with a warning.

        Raises ProviderError if no pull request has one of the numbers.
        """

        def decide(refs: Refs) -> Decision[dict[int, Discussion]]:
            for number in numbers:
                if pull_ref(number) not in refs.shas:
                    self._ledger.record(refs, number)
            records = self._ledger.records(refs, numbers, lenient=True)
            return (), {record.number: self._discussion(record) for record in records}

        return self._ledger.transact(decide) if numbers else {}

    def _discussion(self, record: Record) -> Discussion:
        opened = Event(kind="opened", at=record.created_at, by=_person(record.author))
        return Discussion(
            author=_person(record.author),
            reviews=tuple(reversed(record.reviews)),
            comments=tuple(Comment(id=note.id, body=note.body) for note in record.comments if note.by == self._author),
            events=(opened, *record.events),
        )

    def add_review(self, pull_request: PullRequest, verdict: Opinion, comment: str) -> None:
        """Review `pull_request.head_sha` as the author that git is configured with."""
        self._review(pull_request.number, verdict, comment, sha=pull_request.head_sha)

    def review(self, number: int, verdict: Opinion, comment: str) -> Review:
        """Store the author's review of the present head, in place of the author's last; ProviderError unless open."""
        return self._review(number, verdict, comment, sha="")

    def _review(self, number: int, verdict: Opinion, comment: str, *, sha: str) -> Review:
        by = self._author

        def decide(refs: Refs) -> Decision[Review]:
            record = self._ledger.record(refs, number)
            if record.state != "open":
                raise ProviderError(f"pull request #{number} is {record.state} already: only open ones are reviewed")
            if sha and sha != record.head_sha:
                raise ProviderError(
                    f"pull request #{number} moved from {sha[:7]} to {record.head_sha[:7]}: review it again"
                )
            at = self._now()
            review = Review(author=by, verdict=verdict, sha=record.head_sha, comment=comment, at=at, is_bot=is_bot(by))
            reviews = [review, *(old for old in record.reviews if old.author.casefold() != by.casefold())]
            event = Event(
                kind="approved" if verdict == "approved" else "rejected", at=at, by=_person(by), comment=comment
            )
            reviewed = replace(record.after(event), reviews=tuple(reviews[:NEWEST]))
            return [self._ledger.save(reviewed)], review

        return self._ledger.transact(decide)

    def close_pull_request(self, pull_request: PullRequest) -> PullRequest:
        """Close it unmerged; its branch stays. Raises ProviderError if it is merged."""

        def decide(refs: Refs) -> Decision[PullRequest | OutdatedError]:
            record = self._ledger.record(refs, pull_request.number)
            if record.state == "merged":
                next_step = f"revert {record.merge_sha} instead"
                return (), OutdatedError(f"pull request #{record.number} is merged already", next_step=next_step)
            if record.state == "closed":
                return ([self._ledger.save(record)] if record.inferred else []), record.pull_request()
            event = Event(kind="closed", at=self._now(), by=self.identity())
            closed = replace(record.after(event), state="closed", armed_for=None)
            return [self._ledger.save(closed)], closed.pull_request()

        return unless_outdated(self._ledger.transact(decide))

    def reopen(self, number: int) -> PullRequest:
        """Open a closed pull request again, at the present head of its branch; an open one stays as it is.

        Raises ProviderError if it is merged, if its branch is gone, or if the branch has a newer one.
        """

        def decide(refs: Refs) -> Decision[PullRequest]:
            record = self._ledger.record(refs, number)
            if record.state == "open":
                return (), record.pull_request()
            if record.state == "merged":
                raise ProviderError(f"pull request #{number} is merged: `gitops-promotion new` proposes another tag")
            head_sha = refs.branch(record.head)
            if head_sha is None:
                raise ProviderError(
                    f"pull request #{number} cannot be reopened, since its branch {record.head} is gone: "
                    "`gitops-promotion promote --app APP --env ENV` proposes it again"
                )
            newest = next(iter(self._ledger.numbers(refs, record.head)[0]), number)
            if newest != number:
                raise ProviderError(f"pull request #{number} cannot be reopened: #{newest} of its branch is newer")
            event = Event(kind="reopened", at=self._now(), by=self.identity())
            reopened = replace(record.after(event), state="open", head_sha=head_sha, merge_sha=None)
            return [self._ledger.save(reopened)], reopened.pull_request()

        return self._ledger.transact(decide)

    def write_comment(self, pull_request: PullRequest, body: str, written: Sequence[Comment]) -> None:
        """Make this author's one comment say `body`: edit the oldest of those written, and delete the others."""
        if [comment.body for comment in written] == [body]:
            return
        ids = [comment.id for comment in written]

        def decide(refs: Refs) -> Decision[None]:
            record = self._ledger.record(refs, pull_request.number)
            notes = [
                replace(note, body=body) if note.id in ids[:1] else note
                for note in record.comments
                if note.id not in ids[1:]
            ]
            if not any(note.id in ids[:1] for note in notes):
                number = max((int(note.id) for note in record.comments), default=0) + 1
                notes.append(Note(id=str(number), by=self._author, body=body))
            return [self._ledger.save(replace(record, comments=tuple(notes[-NEWEST:])))], None

        self._ledger.transact(decide)

    def members(self, group: str) -> People:
        """Raise UsageError: plain git has no groups."""
        raise UsageError(
            f"{untrusted.quoted(group)} is a group of a forge, and plain git has none: list its people in "
            "approverGroups, under a name without / and \\"
        )

    def pushers(self, pull_request: PullRequest) -> People:
        """Return the authors and committers of the branch's commits that are not this tool's own."""

        def decide(refs: Refs) -> Decision[frozenset[str]]:
            base, head = f"refs/heads/{pull_request.base}", f"refs/heads/{pull_request.head}"
            if base not in refs.shas or head not in refs.shas:
                return (), frozenset()
            fetched = self._store.fetch(base, head)
            commits = self._store.commits(fetched[base], fetched[head])
            return (), frozenset(name for commit in commits if not _is_own(commit) for name in _names(commit))

        return People(members=self._ledger.transact(decide))

    def requires_status(self, _pull_request: PullRequest, _context: str) -> bool:
        """Return True: a gated pull request merges by the published verdict alone."""
        return True

    def add_reviewer(self, _pull_request: PullRequest, _name: str) -> str:
        """Return "": plain git asks nobody, and anybody may review."""
        return ""

    def add_assignee(self, _pull_request: PullRequest, name: str) -> str:
        """Return the message that plain git keeps no assignees."""
        return f"plain git keeps no assignees: {untrusted.line(name)} is left out"

    def add_label(self, _pull_request: PullRequest, label: str) -> str:
        """Return the message that plain git keeps no labels."""
        return f"plain git keeps no labels: {untrusted.line(label)} is left out"


def _person(name: str) -> Person:
    return Person(name=name, is_bot=is_bot(name))


def _is_own(commit: Commit) -> bool:
    """Return True for a commit of this tool: an amended one keeps its trailers, and has another committer."""
    return "Promotion" in commit.trailers and commit.author_email == commit.committer_email


def _names(commit: Commit) -> tuple[str, ...]:
    return tuple(filter(None, (commit.author, commit.committer)))


def unless_outdated(result: PullRequest | OutdatedError) -> PullRequest:
    """Return the pull request, or raise the race that a decision was stopped by.

    A decision that raises a lost race itself would be made again by the ledger, with the same draft.
    """
    if isinstance(result, OutdatedError):
        raise result
    return result
