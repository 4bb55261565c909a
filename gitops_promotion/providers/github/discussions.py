"""The meaning of GitHub's answers about people: reviews, comments, events, pushes, rules; pure, as answers.py."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal
from urllib.parse import unquote

from gitops_promotion.core.discussion import MARKER, Comment, Discussion, Event, EventKind, Person
from gitops_promotion.core.forge import Review
from gitops_promotion.providers.github.answers import field, items, login, text, time

_VERDICTS: Mapping[str, Literal["approved", "changes-requested"]] = {
    "APPROVED": "approved",
    "CHANGES_REQUESTED": "changes-requested",
}
_REVIEW_EVENTS: Mapping[str, EventKind] = {"APPROVED": "approved", "CHANGES_REQUESTED": "rejected"}
_EVENTS: Mapping[str, EventKind] = {
    "ReviewDismissedEvent": "withdrawn",
    "ClosedEvent": "closed",
    "ReopenedEvent": "reopened",
    "MergedEvent": "merged",
    "HeadRefDeletedEvent": "branch-deleted",
    "HeadRefForcePushedEvent": "pushed",
    "BaseRefChangedEvent": "retargeted",
}
_EPOCH = datetime.min.replace(tzinfo=UTC)
_NEXT_CURSOR = re.compile(r'[?&]after=([A-Za-z0-9%_.:=+/-]{1,500})(?:&[^>]*)?>; rel="next"')


def person(actor: object) -> Person:
    """Return who an actor of GraphQL is; the name "" for a deleted account and for an imported one.

    An imported account (`Mannequin`) carries the login that somebody had on another server.
    """
    name = text(actor, "login")
    match text(actor, "__typename"):
        case "User":
            return Person(name=name)
        case "Bot":
            return Person(name=login(actor), is_bot=True)
    return Person(name="")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What one answer has of a pull request, and the cursors of the parts that have more to read."""

    discussion: Discussion
    cursors: Mapping[str, str | None]

    def after(self, earlier: Discussion | None) -> Discussion:
        """Return the discussion with what earlier pages had."""
        if earlier is None:
            return self.discussion
        return replace(
            earlier,
            reviews=earlier.reviews + self.discussion.reviews,
            comments=earlier.comments + self.discussion.comments,
        )


def read_discussion(pull: Mapping[str, Any], parts: Iterable[str]) -> Page:
    """Read the parts of one pull request that `queries.discussions` asked for.

    Raises ProviderError, as every reader here does. Comments are read on until the first one of this tool: the page
    that has it ends the reading, so nobody makes it long with comments of their own.
    """
    cursors: dict[str, str | None] = {}
    reviews: tuple[Review, ...] = ()
    comments: tuple[Comment, ...] = ()
    discussion = Discussion(author=Person(name=""))
    for part in parts:
        connection = field(pull, dict, part)
        if part == "events":
            discussion = _read_events(pull, connection)
            continue
        nodes, cursor = _nodes(connection)
        if part == "reviews":
            reviews = tuple(review for node in nodes if (review := _read_review(node)) is not None)
        else:
            comments = _read_comments(nodes)
        if cursor is not None and not (part == "comments" and comments):
            cursors[part] = cursor
    return Page(discussion=replace(discussion, reviews=reviews, comments=comments), cursors=cursors)


def _nodes(connection: Mapping[str, Any]) -> tuple[list[Any], str | None]:
    """Return the items of a page, and the cursor of the next page, None after the last."""
    page = field(connection, dict, "pageInfo")
    return items(connection.get("nodes")), field(page, str, "endCursor") if field(page, bool, "hasNextPage") else None


def _read_review(node: object) -> Review | None:
    """Return an approval or an objection; None for a review that is neither any more.

    A dismissal changes the review itself: no older one of that person comes back.
    """
    verdict = _VERDICTS.get(text(node, "state"))
    if verdict is None or not isinstance(node, dict):
        return None
    author = person(node.get("author"))
    return Review(
        author=author.name,
        is_bot=author.is_bot,
        verdict=verdict,
        # A commit that was pushed away is null: then the review belongs to no head.
        sha=text(node.get("commit"), "oid"),
        comment=text(node, "body"),
        at=time(node, "submittedAt"),
    )


def same_review(
    pull: Mapping[str, Any], verdict: Literal["approved", "changes-requested"], body: Mapping[str, str]
) -> Mapping[str, Any] | None:
    """Return the newest review of the token's owner if it is the one that a request with `body` makes, None if not."""
    node = pull.get("viewerLatestReview")
    if not isinstance(node, dict):
        return None
    is_same = (
        _VERDICTS.get(text(node, "state")) == verdict
        and text(node.get("commit"), "oid") == body["commit_id"]
        and text(node, "body").split() == body["body"].split()
    )
    return node if is_same else None


def own_comments(pull: Mapping[str, Any]) -> tuple[Comment, ...]:
    """Return the newest comments of this tool on a pull request."""
    return _read_comments(items(field(pull, dict, "comments").get("nodes")))


def _read_comments(nodes: Sequence[object]) -> tuple[Comment, ...]:
    return tuple(comment for node in nodes if (comment := _read_comment(node)) is not None)


def _read_comment(node: object) -> Comment | None:
    """Return a comment of this tool, None for any other.

    Author and marker together: whoever may write can copy the marker, and this token may have written other comments.
    A hidden comment does not count: somebody wants it out of sight.
    """
    is_own = isinstance(node, dict) and node.get("viewerDidAuthor") is True and node.get("isMinimized") is False
    body = text(node, "body")
    return Comment(id=field(node, str, "id"), body=body) if is_own and body.startswith(MARKER) else None


def _read_events(pull: Mapping[str, Any], connection: Mapping[str, Any]) -> Discussion:
    nodes = [node for node in items(connection.get("nodes")) if isinstance(node, dict)]
    author = person(pull.get("author"))
    dismissed = {
        text(node.get("review"), "id"): text(node, "previousReviewState")
        for node in nodes
        if text(node, "__typename") == "ReviewDismissedEvent"
    }
    events = [event for node in nodes if (event := _read_event(node, dismissed)) is not None]
    events.sort(key=lambda event: event.at or _EPOCH)
    if text(pull, "state") == "MERGED":
        events = _without_close_of_merge(events)
    opened = Event(kind="opened", at=time(pull, "createdAt"), by=author)
    page = field(connection, dict, "pageInfo")
    return Discussion(author=author, events=(opened, *events), partial=field(page, bool, "hasPreviousPage"))


def _read_event(node: Mapping[str, Any], dismissed: Mapping[str, str]) -> Event | None:
    """Return an event; `dismissed` has the verdict that each dismissed review had before."""
    name = text(node, "__typename")
    if name == "PullRequestReview":
        state = text(node, "state")
        verdict = _REVIEW_EVENTS.get(dismissed.get(text(node, "id"), "") if state == "DISMISSED" else state)
        if verdict is None:
            return None
        by = person(node.get("author"))
        return Event(kind=verdict, at=time(node, "submittedAt"), by=by, comment=text(node, "body"))
    if name not in _EVENTS:
        return None
    by, comment = person(node.get("actor")), text(node, "dismissalMessage")
    return Event(kind=_EVENTS[name], at=time(node, "createdAt"), by=by, comment=comment)


def _without_close_of_merge(events: Sequence[Event]) -> list[Event]:
    """Leave out the close that GitHub notes beside a merge: it is nobody's decline."""
    last = max((index for index, event in enumerate(events) if event.kind in ("closed", "reopened")), default=None)
    return [event for index, event in enumerate(events) if index != last or event.kind != "closed"]


# -- groups and pushes


def read_members(documents: Iterable[object]) -> frozenset[str]:
    """Return the logins of the people in a list of accounts of REST."""
    return frozenset(field(item, str, "login") for item in documents if text(item, "type") == "User")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pushes:
    """What one page of a branch's activity says of the time since the branch was created.

    `pushers` are logins, as REST writes them: `name[bot]` for an App's. `heads` are the commits that were pushed.
    `begins`: the page has the branch's creation; what is older belongs to an earlier branch of that name.
    """

    pushers: frozenset[str]
    heads: frozenset[str]
    begins: bool


def read_pushes(data: object, ref: str) -> Pushes:
    """Read a page of activity, newest first."""
    pushers, heads = set(), set()
    for item in items(data):
        if text(item, "ref") != ref or text(item, "activity_type") == "branch_deletion":
            continue
        heads.add(field(item, str, "after"))
        # Null for a deleted account.
        pushers.add(text(item.get("actor"), "login"))
        if field(item, str, "activity_type") == "branch_creation":
            return Pushes(pushers=frozenset(pushers - {""}), heads=frozenset(heads), begins=True)
    return Pushes(pushers=frozenset(pushers - {""}), heads=frozenset(heads), begins=False)


def next_cursor(headers: Mapping[str, str]) -> str:
    """Return the cursor of the next page in a Link header, "" after the last page."""
    cursor = _NEXT_CURSOR.search(headers.get("link", ""))
    return unquote(cursor[1]) if cursor else ""


# -- rules


def read_is_required(data: Mapping[str, Any]) -> bool | None:
    """Read the answer to `queries.IS_REQUIRED`; None while the commit has no status of that context."""
    commit = field(data, dict, "repository").get("object")
    status = commit.get("status") if isinstance(commit, dict) else None
    context = status.get("context") if isinstance(status, dict) else None
    return field(context, bool, "isRequired") if isinstance(context, dict) else None


def contexts_of_rules(documents: Iterable[object]) -> frozenset[str]:
    """Return the contexts of the statuses that the rules of a branch require."""
    contexts = set()
    for rule in documents:
        if isinstance(rule, dict) and text(rule, "type") == "required_status_checks":
            checks = items(field(rule, dict, "parameters").get("required_status_checks"))
            contexts |= {field(check, str, "context") for check in checks}
    return frozenset(contexts)


def contexts_of_protection(branch: object) -> frozenset[str]:
    """Return the contexts that the classic protection of a branch requires, as far as every reader may see them."""
    protection = branch.get("protection") if isinstance(branch, dict) else None
    checks = protection.get("required_status_checks") if isinstance(protection, dict) else None
    if not isinstance(checks, dict) or text(checks, "enforcement_level") == "off":
        return frozenset()
    return frozenset(context for context in items(checks.get("contexts")) if isinstance(context, str))
