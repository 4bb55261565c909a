"""The meaning of the votes, threads, iterations and pushes of a pull request; pure.

A vote has neither a time nor a commit. Azure DevOps opens a thread for each vote, push and change of state, and the
properties of the thread say who did it. Everybody who may comment can post a thread with such properties, but only
under their own name: a thread counts if its first comment is by the person that it is about, or by Azure DevOps itself
(docs/facts/forges.md#pull-requests).
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from gitops_promotion.core.discussion import MARKER, Comment, Discussion, Event, EventKind, Person
from gitops_promotion.core.forge import Review
from gitops_promotion.providers.azure_devops.answers import FULL, HEADS, NOBODY, items, pushed_sha, text, time

REVIEW_MARKER = "<!-- gitops-promotion: review -->"
"""The beginning of a comment that belongs to its author's vote."""
SERVICE = "00000002-0000-8888-8000-000000000000"
"""The identity under which Azure DevOps Services acts itself."""

_ZEROS = re.compile(r"0+")
_EPOCH = datetime.min.replace(tzinfo=UTC)
_APPROVALS = (5, 10)
# Of accounts that are no person: a build service, Azure DevOps itself, an application of Entra.
_BOT_DESCRIPTORS = ("svc.", "s2s.", "aadsp.")
_BOT_IDENTITIES = (
    "Microsoft.TeamFoundation.ServiceIdentity;",
    "Microsoft.VisualStudio.Services.Claims.AadServicePrincipal;",
    "System:ServicePrincipal;",
)
# Such as `Microsoft.TeamFoundation.ServiceIdentity;COLLECTION:Build:PROJECT`, which pull requests show as
# `Build\PROJECT`.
_SERVICE_IDENTITY = re.compile(r"Microsoft\.TeamFoundation\.ServiceIdentity;[^:]+:([^:]+):(.+)")
_WINDOWS = "System.Security.Principal.WindowsIdentity;"
_GROUP_DESCRIPTORS = ("vssgp.", "aadgp.", "unauthgp.")
_STATES: Mapping[str, EventKind] = {"Abandoned": "closed", "Active": "reopened", "Completed": "merged"}
_ENDS = ("closed", "merged")
_NEAR = timedelta(minutes=1)
"""The time within which the thread about the end of a pull request is the one about its present end."""


# -- people


def is_bot(identity: object) -> bool:
    """Return True for a build service, an application, and Azure DevOps itself."""
    name = text(identity, "unique_name").casefold()
    return (
        text(identity, "id") == SERVICE
        or name.startswith(("build\\", f"{SERVICE}@"))
        or any(text(identity, key).startswith(_BOT_DESCRIPTORS) for key in ("descriptor", "subject_descriptor"))
        or text(identity, "descriptor").startswith(_BOT_IDENTITIES)
    )


def is_group(identity: object) -> bool:
    """Return True for a group or team."""
    return (
        getattr(identity, "is_container", None) is True
        or text(identity, "descriptor").startswith(_GROUP_DESCRIPTORS)
        or text(identity, "unique_name").startswith("vstfs:///")
    )


def read_person(identity: object) -> Person:
    """Return whom an identity of a pull request belongs to; the name is "" for one that the server does not name."""
    name = text(identity, "unique_name") or text(identity, "display_name")
    return Person(name=name, is_bot=is_bot(identity))


def account_name(identity: object) -> str:
    """Return the name of an identity of the directory, the one that pull requests show as the unique name."""
    if service := _SERVICE_IDENTITY.fullmatch(text(identity, "descriptor")):
        return f"{service[1]}\\{service[2]}"
    properties = getattr(identity, "properties", None)
    properties = properties if isinstance(properties, dict) else {}
    account, domain = _property(properties, "Account"), _property(properties, "Domain")
    if account and domain and "\\" not in account and text(identity, "descriptor").startswith(_WINDOWS):
        return f"{domain}\\{account}"
    return account or _property(properties, "Mail") or text(identity, "provider_display_name")


def read_account(identity: object) -> Person:
    """Return whom an identity of the directory belongs to."""
    is_service = account_name(identity).casefold().startswith("build\\")
    return Person(name=account_name(identity), is_bot=is_service or is_bot(identity))


# -- votes


def read_reviews(data: object, threads: Sequence[object], iterations: Sequence[object]) -> list[Review]:
    """Return the votes of people, newest first, each with the commit that was the head when it was given.

    The vote's thread has the time, and the iteration of that time has the commit; a vote without such a thread belongs
    to no commit. The groups are those for which Azure DevOps counts the vote.
    """
    votes = list(_votes(threads))
    pushes = sorted(
        (pushed, pushed_sha(iteration))
        for iteration in iterations
        if (pushed := time(iteration, "created_date")) is not None
    )
    reviews = []
    for reviewer in items(getattr(data, "reviewers", None)):
        verdict = _verdict(getattr(reviewer, "vote", None))
        # A group has the vote of one of its members, who is in the list too.
        if verdict is None or is_group(reviewer):
            continue
        key = text(reviewer, "id"), reviewer.vote
        at = max((vote.at for vote in votes if (vote.voter, vote.value) == key), default=None)
        sha = next((sha for pushed, sha in reversed(pushes) if at is not None and pushed <= at), "")
        person = read_person(reviewer)
        reviews.append(
            Review(
                author=person.name or "unknown",
                verdict=verdict,
                sha=sha,
                comment=_comment(threads, key[0], at),
                at=at,
                is_bot=person.is_bot,
                groups=tuple(name for group in _voted_for(reviewer) if (name := text(group, "display_name"))),
            )
        )
    return sorted(reviews, key=lambda review: review.at or _EPOCH, reverse=True)


def has_votes(data: object) -> bool:
    """Return True if anybody has voted on a pull request."""
    return any(getattr(reviewer, "vote", None) for reviewer in items(getattr(data, "reviewers", None)))


def lacks_groups(data: object) -> bool:
    """Return True if a group has a member's vote, but no voter is shown with a group."""
    reviewers = items(getattr(data, "reviewers", None))
    group_voted = any(is_group(reviewer) and getattr(reviewer, "vote", None) for reviewer in reviewers)
    return group_voted and not any(_voted_for(reviewer) for reviewer in reviewers if not is_group(reviewer))


def _voted_for(reviewer: object) -> list[Any]:
    return items(getattr(reviewer, "voted_for", None))


def _verdict(vote: object) -> Literal["approved", "changes-requested"] | None:
    if not isinstance(vote, int) or isinstance(vote, bool):
        return None
    return "approved" if vote in _APPROVALS else "changes-requested" if vote < 0 else None


def _comment(threads: Sequence[object], voter: str, at: datetime | None) -> str:
    """Return the text that a voter gave with their last vote by this tool's verbs, "" without one."""
    texts = [
        (published, text(comment, "content"))
        for comment in map(_first_comment, threads)
        if text(comment, "content").startswith(REVIEW_MARKER)
        and text(getattr(comment, "author", None), "id") == voter
        and (published := time(comment, "published_date")) is not None
        and (at is None or published >= at)
    ]
    return max(texts)[1].removeprefix(REVIEW_MARKER).strip() if texts else ""


# -- threads


@dataclass(frozen=True, slots=True, kw_only=True)
class _Vote:
    voter: str
    value: int
    at: datetime
    person: Person


def _votes(threads: Sequence[object]) -> Iterator[_Vote]:
    """Yield the votes of which Azure DevOps has opened a thread."""
    for thread in threads:
        properties = _properties(thread)
        value = _property(properties, "CodeReviewVoteResult")
        at = time(thread, "published_date")
        if _property(properties, "CodeReviewThreadType") != "VoteUpdate" or not at:
            continue
        voter = _actor(thread, "CodeReviewVotedBy")
        if voter is not None and re.fullmatch(r"-?[0-9]{1,3}", value):
            yield _Vote(voter=text(voter, "id"), value=int(value), at=at, person=read_person(voter))


def _actor(thread: object, beginning: str) -> object | None:
    """Return the identity that a thread is about; None unless that identity or Azure DevOps itself has written it.

    Older servers give the identity's id in a property of another name, in place of a key into the thread's identities.
    """
    properties = _properties(thread)
    identities = getattr(thread, "identities", None)
    identities = identities if isinstance(identities, dict) else {}
    identity = identities.get(_property(properties, f"{beginning}Identity"))
    author = getattr(_first_comment(thread), "author", None)
    if identity is None:
        tf_id = _property(properties, f"{beginning}TfId")
        identity = author if tf_id and text(author, "id").casefold() == tf_id.casefold() else None
    ids = text(identity, "id"), text(author, "id")
    return identity if ids[0] not in ("", NOBODY) and ids[1] in (ids[0], SERVICE) else None


def _first_comment(thread: object) -> object | None:
    return next(iter(items(getattr(thread, "comments", None))), None)


def _properties(thread: object) -> Mapping[str, Any]:
    properties = getattr(thread, "properties", None)
    return properties if isinstance(properties, dict) else {}


def _property(properties: Mapping[str, Any], name: str) -> str:
    value = properties.get(name)
    value = value.get("$value") if isinstance(value, dict) else value
    return str(value) if isinstance(value, str | int) else ""


def has_marker(threads: Sequence[object]) -> bool:
    """Return True if a comment begins with this tool's marker, whoever wrote it."""
    return any(True for _ in _marked(threads))


def _marked(threads: Sequence[object]) -> Iterator[tuple[object, object]]:
    return ((thread, each) for thread, each in _present(threads) if text(each, "content").startswith(MARKER))


def _present(threads: Sequence[object]) -> Iterator[tuple[object, object]]:
    """Yield the threads that nobody has deleted, with their first comments."""
    for thread in threads:
        comment = _first_comment(thread)
        is_deleted = getattr(thread, "is_deleted", None) is True or getattr(comment, "is_deleted", None) is True
        if comment is not None and not is_deleted:
            yield thread, comment


def own_comments_since_vote(threads: Sequence[object], own_id: str) -> list[str]:
    """Return the texts of the threads that an account has begun since it voted last, or at any time if it did not.

    A comment of an earlier vote may have the same words.
    """
    voted = max((vote.at for vote in _votes(threads) if vote.voter == own_id), default=_EPOCH)
    return [
        text(comment, "content")
        for thread, comment in _present(threads)
        if own_id
        and text(getattr(comment, "author", None), "id") == own_id
        and (time(comment, "published_date") or _EPOCH) >= voted
    ]


def _own_comments(threads: Sequence[object], own_id: str) -> tuple[Comment, ...]:
    """Return this tool's comments, oldest first; a comment of somebody else does not count, even with the marker."""
    comments = [
        (number, Comment(id=f"{number}/{comment_number}", body=text(comment, "content")))
        for thread, comment in _marked(threads)
        if own_id and text(getattr(comment, "author", None), "id") == own_id
        if isinstance(number := getattr(thread, "id", None), int)
        if isinstance(comment_number := getattr(comment, "id", None), int)
    ]
    return tuple(comment for _, comment in sorted(comments, key=lambda pair: pair[0]))


# -- all of it


def read_discussion(
    data: object, threads: Sequence[object], iterations: Sequence[object], *, own_id: str, has_branch: bool
) -> Discussion:
    """Return the discussion of a pull request. Raises ProviderError.

    `own_id` is the identity of this tool, "" where nothing is written by it; `has_branch` is False if the source branch
    of an open pull request was deleted, which leaves it open.
    """
    author = read_person(getattr(data, "created_by", None))
    events = [Event(kind="opened", at=time(data, "creation_date"), by=author)]
    events += [
        Event(
            kind="approved" if vote.value > 0 else "rejected" if vote.value < 0 else "withdrawn",
            at=vote.at,
            by=vote.person,
        )
        for vote in _votes(threads)
    ]
    events += _thread_events(threads)
    events += [
        Event(
            kind="retargeted",
            at=time(iteration, "created_date"),
            by=read_person(getattr(iteration, "author", None)),
        )
        for iteration in iterations
        if "retarget" in re.split(r",\s*", text(iteration, "reason"))
    ]
    events += _states(data, threads)
    events.sort(key=lambda event: event.at or _EPOCH)
    if not has_branch:
        events.append(Event(kind="branch-deleted", at=None))
    return Discussion(
        author=author,
        reviews=tuple(read_reviews(data, threads, iterations)),
        comments=_own_comments(threads, own_id),
        events=tuple(events),
        asked=frozenset(
            text(reviewer, "display_name") if is_group(reviewer) else read_person(reviewer).name
            for reviewer in items(getattr(data, "reviewers", None))
        ),
    )


def _thread_events(threads: Sequence[object]) -> Iterator[Event]:
    """Yield the pushes, and the resets of several votes at once."""
    for thread in threads:
        at = time(thread, "published_date")
        if _property(_properties(thread), "CodeReviewThreadType") == "RefUpdate":
            if (pusher := _actor(thread, "CodeReviewRefUpdatedBy")) is not None:
                yield Event(kind="pushed", at=at, by=read_person(pusher))
            continue
        for kind in ("CodeReviewResetAllVotesInitiator", "CodeReviewResetMultipleVotesInitiator"):
            if (initiator := _actor(thread, kind)) is not None:
                yield Event(kind="withdrawn", at=at, by=read_person(initiator))


def _states(data: object, threads: Sequence[object]) -> list[Event]:
    """Return who closed, reopened and merged a pull request, oldest first.

    The pull request itself says how it ended, when, and mostly who did it: that counts, and no thread after it.
    """
    events = []
    for thread in threads:
        kind = _STATES.get(_property(_properties(thread), "CodeReviewStatus"))
        actor, at = _actor(thread, "CodeReviewStatusUpdatedBy"), time(thread, "published_date")
        is_update = _property(_properties(thread), "CodeReviewThreadType") == "StatusUpdate"
        if is_update and kind is not None and actor is not None and at is not None:
            events.append(Event(kind=kind, at=at, by=read_person(actor)))
    events.sort(key=lambda event: event.at or _EPOCH)
    state = text(data, "status")
    end: EventKind | None = "merged" if state == "completed" else "closed" if state == "abandoned" else None
    if end is None:
        # An open pull request was reopened after each end.
        while events and events[-1].kind in _ENDS:
            events.pop()
        return events
    at = time(data, "closed_date")
    if at is not None:
        events = [event for event in events if event.at is not None and event.at < at + _NEAR]
    while events and events[-1].kind == "reopened":
        events.pop()
    ends = []
    # Of several ends in a row at most one can be true.
    while events and events[-1].kind in _ENDS:
        ends.append(events.pop())
    by = read_person(getattr(data, "closed_by", None))
    of_thread = next((event for event in ends if event.kind == end), None)
    return [
        *events,
        Event(
            kind=end,
            at=at or (of_thread.at if of_thread else None),
            by=by if by.name else of_thread.by if of_thread else None,
        ),
    ]


# -- pushes


def read_pushers(pushes: Sequence[object], branch: str, head_sha: str) -> frozenset[str] | None:
    """Return who pushed to a branch since it was made; `pushes` begin with the newest.

    None if that is not certain: the newest is not the one that brought `head_sha`, a push does not say who made it, or
    there may be more pushes than these.
    """
    names = set()
    for number, push in enumerate(pushes):
        name = read_person(getattr(push, "pushed_by", None)).name
        updates = [
            update for update in items(getattr(push, "ref_updates", None)) if text(update, "name") == f"{HEADS}{branch}"
        ]
        if not name or (number == 0 and all(text(update, "new_object_id") != head_sha for update in updates)):
            return None
        names.add(name)
        if any(_ZEROS.fullmatch(text(update, "old_object_id")) for update in updates):
            return frozenset(names)
    return None if not pushes or len(pushes) >= FULL else frozenset(names)
