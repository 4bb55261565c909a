"""The records of the `local` provider: JSON in blobs to values and back, and the refs that hold them.

Whoever can push can write these refs: everything read from them is checked like any other input.
"""

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Self, TypeVar, get_args

from gitops_promotion.core import untrusted
from gitops_promotion.core.commits import Refs
from gitops_promotion.core.discussion import Event, EventKind, Person
from gitops_promotion.core.forge import CommitStatus, PullRequest, PullRequestState, Review, StatusState

ROOT = "refs/gitops-promotion"
VERSION = 1
LIMIT = 1_000_000
"""Bytes of one record; a longer one is not read."""
NEWEST = 200
"""The most that is stored: statuses of a commit, reviews or events of a pull request, pull requests of a branch."""

SHA = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")

_PULL = re.compile(re.escape(ROOT) + r"/pulls/([1-9][0-9]{0,8})")
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A comment of this tool: its number as text, who ran the tool, and the text."""

    id: str
    by: str
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A pull request.

    `armed_for` is the one head at which it may be merged automatically. `object_id` is the blob it was read from.
    `base_sha` is the base's commit when the head was stored: a head that the base contained by then is not merged by it
    later. `events` are those after it was opened; records of older versions have none. `inferred`: the stored record is
    open or has another head, and the state here follows from the remote's branches.
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
    comments: tuple[Note, ...] = ()
    events: tuple[Event, ...] = ()
    base_sha: str | None = field(default=None, compare=False)
    object_id: str | None = field(default=None, compare=False)
    inferred: bool = field(default=False, compare=False)

    def moved_from(self, sha: str) -> str:
        """Return the text that the head has moved on from a commit."""
        return f"{self.head} of pull request #{self.number} moved from {sha} to {self.head_sha}"

    def merge_message(self, title_limit: int) -> str:
        """Return the message of the merge commit."""
        # In the first paragraph: in a last paragraph of its own the title could be read as trailers.
        return f"Merge pull request #{self.number}: {untrusted.line(self.title, title_limit)}\n"

    @classmethod
    def parse(cls, number: int, content: bytes | None, object_id: str) -> Self:
        """Read a record that claims to be pull request `number`. Raises ValueError, whose text calls it "it"."""
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
            reviews=tuple(map(_review, _objects(values, "reviews"))),
            comments=tuple(map(_note, _objects(values, "comments") if "comments" in values else ())),
            events=tuple(map(_event, _objects(values, "events") if "events" in values else ())),
            base_sha=None if values.get("base_sha") is None else _sha(_get(values, "base_sha", str)),
            object_id=object_id,
        )
        if record.number != number:
            raise ValueError("it has another number")
        if record.head == record.base:
            # Merging it would delete its own base.
            raise ValueError("its head is its base")
        return record

    def as_branches_show(self, refs: Refs, merged_as: Callable[[str], str | None]) -> Self:
        """Return it with the state that follows from the branches of the remote.

        `merged_as` returns the commit that brought a head into the base: then a person merged it by hand. Otherwise its
        head is the tip of its branch; without a branch it is closed.
        """
        if self.state != "open":
            return self
        tip = refs.branch(self.head)
        # The stored head comes first: after the merge the branch may have moved on.
        for head in dict.fromkeys((self.head_sha, tip or self.head_sha)):
            if sha := merged_as(head):
                merged = self.after(Event(kind="merged", at=None))
                return replace(merged, head_sha=head, state="merged", merge_sha=sha, armed_for=None, inferred=True)
        if tip is None:
            return replace(self.after(Event(kind="branch-deleted", at=None)), state="closed", inferred=True)
        return replace(self, head_sha=tip, inferred=tip != self.head_sha)

    @property
    def armed(self) -> bool:
        """True if it merges automatically at its present head; arming does not follow a branch that moved."""
        return self.state == "open" and self.armed_for == self.head_sha

    def after(self, event: Event) -> Self:
        """Return it with one more event."""
        return replace(self, events=(*self.events, event)[-NEWEST:])

    def fields(self) -> dict[str, object]:
        """Return the fields that are stored, for `encode`."""
        fields = asdict(self)
        del fields["object_id"], fields["inferred"]
        return fields

    def pull_request(self) -> PullRequest:
        """Return it as a pull request, as every forge has one."""
        return PullRequest(
            number=self.number,
            # A forge has a page for it, this provider a command.
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


def is_bot(name: str) -> bool:
    """Return True for the name of a bot, as GitHub writes them."""
    return name.casefold().endswith("[bot]")


def _review(values: dict[str, object]) -> Review:
    author = _get(values, "author", str)
    return Review(
        author=author,
        verdict=_one_of(values, "verdict", ("approved", "changes-requested")),
        sha=_sha(_get(values, "sha", str)),
        comment=_get(values, "comment", str),
        at=_time(values, "at"),
        is_bot=is_bot(author),
    )


def _note(values: dict[str, object]) -> Note:
    number = _get(values, "id", str)
    if not is_number(int(number) if re.fullmatch(r"[0-9]{1,9}", number) else 0):
        raise ValueError("it has a comment without a number")
    return Note(id=number, by=_get(values, "by", str), body=_get(values, "body", str))


def _event(values: dict[str, object]) -> Event:
    by = None if values.get("by") is None else _get(_get(values, "by", dict), "name", str)
    return Event(
        kind=_one_of(values, "kind", get_args(EventKind)),
        at=None if values.get("at") is None else _time(values, "at"),
        by=None if by is None else Person(name=by, is_bot=is_bot(by)),
        comment=_get(values, "comment", str),
    )


def pull_ref(number: int) -> str:
    """Return the ref of a pull request."""
    return f"{ROOT}/pulls/{number}"


def index_ref(head: str) -> str:
    """Return the ref of the numbers of one branch's pull requests."""
    # A digest, since `a` and `a/b` cannot both be refs: an old branch's index would lock out a new branch.
    return f"{ROOT}/heads/{hashlib.sha256(head.encode(errors='surrogateescape')).hexdigest()}"


def statuses_ref(sha: str) -> str:
    """Return the ref of one commit's statuses."""
    return f"{ROOT}/statuses/{sha}"


def is_number(number: object) -> bool:
    """Return True if a pull request may have this number."""
    return type(number) is int and bool(_PULL.fullmatch(pull_ref(number)))


def all_numbers(refs: Refs) -> list[int]:
    """Return the numbers that are in use, by a pull request or not, highest first."""
    return sorted((int(match[1]) for ref in refs.shas if (match := _PULL.fullmatch(ref))), reverse=True)


def encode(values: Mapping[str, object], *, nonce: str) -> bytes:
    """Return the content of a blob that holds these values; it may be longer than LIMIT."""

    def text(time: datetime) -> str:
        return time.astimezone(UTC).isoformat()

    # Half a surrogate pair, as from an argument that is not UTF-8, would make a record that cannot be read again.
    # The nonce: git reports a push of an identical object as done, even if the lease says that the ref must not exist
    # (docs/facts/forges.md#shallow-clones-refs-and-pushes).
    record = {"version": VERSION, "nonce": nonce, **values}
    return json.dumps(record, indent=1, sort_keys=True, default=text, ensure_ascii=False).encode(errors="replace")


def parse_numbers(content: bytes | None) -> tuple[int, ...]:
    """Read the numbers of a branch's pull requests, newest first. Raises ValueError with the fault."""
    numbers = _get(_parse(content), "numbers", list)
    if not all(map(is_number, numbers)):
        raise ValueError("its 'numbers' are not numbers of pull requests")
    return tuple(numbers)


def parse_statuses(content: bytes | None) -> tuple[CommitStatus, ...]:
    """Read the statuses of one commit, newest first. Raises ValueError with the fault."""
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
    """Return the JSON object of a record. Raises ValueError with the fault, whatever the content is."""
    if content is None:
        raise ValueError("it is no blob")
    if len(content) > LIMIT:
        raise ValueError(f"it has {len(content)} bytes, {LIMIT} are read")
    try:
        values = json.loads(content)
        # Half a surrogate pair is JSON, but no text that can be shown or stored.
        json.dumps(values, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise ValueError("it is not JSON in UTF-8") from error
    if not isinstance(values, dict):
        raise ValueError("it is not a JSON object")  # noqa: TRY004  one fault among others
    if values.get("version") != VERSION:
        raise ValueError(f"its version is not {VERSION}")
    return values


def _get(values: Mapping[str, object], key: str, kind: type[T]) -> T:
    value = values.get(key)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise ValueError(f"its {key!r} is missing or not of type {kind.__name__}")
    return value


def _objects(values: Mapping[str, object], key: str) -> list[dict[str, object]]:
    objects = _get(values, key, list)
    if not all(isinstance(item, dict) for item in objects):
        raise ValueError(f"its {key!r} are not all objects")
    return objects


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
    if not SHA.fullmatch(text):
        raise ValueError("it names a commit without its full id")
    return text
