"""Answers of GitHub about people: what they mean, and what becomes of spoiled ones."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import pytest

from gitops_promotion.core.discussion import MARKER, Discussion, Person
from gitops_promotion.errors import ProviderError
from gitops_promotion.providers.github import discussions as answers
from gitops_promotion.providers.github import queries

ANN = {"__typename": "User", "login": "ann"}
LAST = {"hasNextPage": False, "endCursor": None, "hasPreviousPage": False}
WRONG: list[Any] = [None, 5, "x", True, [], {}, [5, None], {"nodes": 5}, {"nodes": [5]}, {"nodes": [], "pageInfo": 5}]


def pull(**parts: object) -> dict[str, Any]:
    """A pull request without reviews, comments and events, but for what is given as nodes."""
    empty = {name: {"pageInfo": LAST, "nodes": parts.get(name, [])} for name in queries.FIRST}
    return {"author": ANN, "state": "OPEN", "createdAt": "2026-03-01T12:00:00Z"} | empty


def read(data: Mapping[str, Any]) -> Discussion:
    return answers.read_discussion(data, queries.FIRST).discussion


@pytest.mark.parametrize(
    ("actor", "person"),
    [
        (ANN, Person(name="ann")),
        ({"__typename": "Bot", "login": "flux"}, Person(name="flux[bot]", is_bot=True)),
        ({"__typename": "Bot", "login": "flux[bot]"}, Person(name="flux[bot]", is_bot=True)),
        ({"__typename": "Mannequin", "login": "ann"}, Person(name="")),
        ({"__typename": "Organization", "login": "ann"}, Person(name="")),
        ({"login": "ann"}, Person(name="")),
        ({"__typename": "User", "login": None}, Person(name="")),
        (None, Person(name="")),
        (5, Person(name="")),
    ],
)
def test_only_a_user_and_a_bot_are_somebody(actor: object, person: Person) -> None:
    assert answers.person(actor) == person
    assert read(pull() | {"author": actor}).author == person


@pytest.mark.parametrize("part", list(queries.FIRST))
@pytest.mark.parametrize("wrong", WRONG)
def test_a_part_of_the_wrong_type_is_an_error_of_the_forge(part: str, wrong: object) -> None:
    with pytest.raises(ProviderError, match="the answer of GitHub has no"):
        read(pull() | {part: wrong})


@pytest.mark.parametrize("part", list(queries.FIRST))
@pytest.mark.parametrize("node", [5, "x", None, [], {}, {"state": 5}, {"__typename": 5}, {"body": MARKER}])
def test_a_node_of_the_wrong_type_says_nothing(part: str, node: object) -> None:
    assert read(pull(**{part: [node]})) == read(pull())


@pytest.mark.parametrize(
    "node",
    [
        {"state": "APPROVED"},
        {"state": "APPROVED", "author": 5, "commit": "x", "submittedAt": "yesterday", "body": []},
    ],
)
def test_a_review_without_its_fields_is_nobodys_on_no_commit(node: Mapping[str, object]) -> None:
    [review] = read(pull(reviews=[node])).reviews
    assert (review.author, review.sha, review.at, review.comment) == ("", "", None, "")


@pytest.mark.parametrize("state", ["COMMENTED", "PENDING", "DISMISSED", "approved", ""])
def test_a_review_in_another_state_is_no_opinion(state: str) -> None:
    node = {"__typename": "PullRequestReview", "id": "PRR_1", "state": state, "author": ANN}
    discussion = read(pull(reviews=[node], events=[node]))
    assert discussion.reviews == ()
    assert len(discussion.events) == 1


@pytest.mark.parametrize(
    "field",
    [
        {"viewerDidAuthor": False},
        {"viewerDidAuthor": None},
        {"viewerDidAuthor": "true"},
        {"isMinimized": True},
        {"isMinimized": None},
        {"body": f" {MARKER}"},
        {"body": MARKER.upper()},
    ],
)
def test_a_comment_is_ours_only_if_everything_says_so(field: Mapping[str, object]) -> None:
    node: dict[str, object] = {"id": "IC_1", "body": f"{MARKER}\n", "viewerDidAuthor": True, "isMinimized": False}
    assert len(read(pull(comments=[node])).comments) == 1
    assert read(pull(comments=[{**node, **field}])).comments == ()


def event(kind: str, second: int, **more: object) -> dict[str, object]:
    return {"__typename": kind, "createdAt": f"2026-03-01T12:00:{second:02}Z", "actor": ANN} | more


@pytest.mark.parametrize(
    ("state", "nodes", "kinds"),
    [
        ("CLOSED", [event("ClosedEvent", 1)], ["closed"]),
        ("CLOSED", [event("HeadRefDeletedEvent", 2), event("ClosedEvent", 1)], ["closed", "branch-deleted"]),
        ("MERGED", [event("MergedEvent", 1), event("ClosedEvent", 1)], ["merged"]),
        ("MERGED", [event("ClosedEvent", 1), event("MergedEvent", 2)], ["merged"]),
        (
            "MERGED",
            [event("ClosedEvent", 1), event("ReopenedEvent", 2), event("MergedEvent", 3), event("ClosedEvent", 3)],
            ["closed", "reopened", "merged"],
        ),
        (
            "MERGED",
            [event("ClosedEvent", 1), event("ReopenedEvent", 2), event("MergedEvent", 3)],
            ["closed", "reopened", "merged"],
        ),
        ("OPEN", [event("SomethingNewEvent", 1), event("HeadRefForcePushedEvent", 2)], ["pushed"]),
        ("OPEN", [{"__typename": "ClosedEvent"}], ["closed"]),
    ],
)
def test_events_are_in_the_order_of_time_and_a_merge_is_no_close(
    state: str, nodes: list[object], kinds: list[str]
) -> None:
    events = read(pull(events=nodes) | {"state": state}).events
    assert [each.kind for each in events] == ["opened", *kinds]


@pytest.mark.parametrize(
    ("previous", "kinds"),
    [
        ("APPROVED", ["approved", "withdrawn"]),
        ("CHANGES_REQUESTED", ["rejected", "withdrawn"]),
        ("COMMENTED", ["withdrawn"]),
        (None, ["withdrawn"]),
    ],
)
def test_a_dismissed_review_was_what_it_was_before(previous: str | None, kinds: list[str]) -> None:
    review = {
        "__typename": "PullRequestReview",
        "id": "PRR_1",
        "state": "DISMISSED",
        "author": ANN,
        "submittedAt": "2026-03-01T12:00:01Z",
    }
    dismissal = event(
        "ReviewDismissedEvent", 2, previousReviewState=previous, review={"id": "PRR_1"}, dismissalMessage="stale"
    )
    events = read(pull(events=[review, dismissal])).events
    assert [each.kind for each in events[1:]] == kinds
    assert events[-1].comment == "stale"


@pytest.mark.parametrize(
    "wrong", [None, 5, "x", {"login": "ann"}, [5], [{"type": "User"}], [{"login": 5, "type": "User"}]]
)
def test_a_list_of_members_or_pushes_of_the_wrong_type_names_nobody(wrong: Any) -> None:
    with suppress(ProviderError, TypeError):
        assert answers.read_members(wrong) == frozenset()
    with suppress(ProviderError):
        assert answers.read_pushes(wrong, "refs/heads/x").pushers == frozenset()


def test_pushes_of_another_branch_or_without_a_person_are_nobodys() -> None:
    nodes = [
        {"ref": "refs/heads/xy", "activity_type": "push", "after": "a", "actor": {"login": "eve"}},
        {"ref": "refs/heads/x", "activity_type": "push", "after": "b", "actor": None},
        {"ref": "refs/heads/x", "activity_type": "branch_creation", "after": "c", "actor": {"login": "ann"}},
        {"ref": "refs/heads/x", "activity_type": "push", "after": "d", "actor": {"login": "old"}},
    ]
    pushes = answers.read_pushes(nodes, "refs/heads/x")
    assert pushes == answers.Pushes(pushers=frozenset({"ann"}), heads=frozenset({"b", "c"}), begins=True)
    assert not answers.read_pushes(nodes[:2], "refs/heads/x").begins


@pytest.mark.parametrize(
    ("link", "cursor"),
    [
        ('<https://h/a?ref=x&after=djE6%2B%3D&per_page=1>; rel="next"', "djE6+="),
        ('<https://h/a?after=one>; rel="next", <https://h/a?before=two>; rel="prev"', "one"),
        ('<https://h/a?before=two>; rel="prev", <https://h/a?after=one>; rel="next"', "one"),
        ('<https://h/a?after=one>; rel="prev"', ""),
        ('<https://h/a?thereafter=one>; rel="next"', ""),
        ("", ""),
        (f'<https://h/a?after={"x" * 501}>; rel="next"', ""),
    ],
)
def test_the_cursor_of_the_next_page_is_in_the_link(link: str, cursor: str) -> None:
    assert answers.next_cursor({"link": link}) == cursor


@pytest.mark.parametrize("wrong", WRONG)
def test_rules_of_the_wrong_type_require_nothing_or_are_an_error(wrong: Any) -> None:
    rule = {"type": "required_status_checks"}
    with suppress(ProviderError):
        assert answers.contexts_of_rules([rule | {"parameters": wrong}]) == frozenset()
    with suppress(ProviderError):
        assert answers.contexts_of_rules([wrong]) == frozenset()
    with suppress(ProviderError):
        checks = {"required_status_checks": wrong, "enforcement_level": "everyone"}
        assert answers.contexts_of_protection({"protection": checks}) == frozenset()
    for data in ({"object": wrong}, {"object": {"status": wrong}}, {"object": {"status": {"context": wrong}}}):
        with suppress(ProviderError):
            assert answers.read_is_required({"repository": data}) is None


def test_a_protection_that_is_switched_off_requires_nothing() -> None:
    checks = {"contexts": ["gitops-promotion", 5], "enforcement_level": "everyone"}
    assert answers.contexts_of_protection({"protection": {"required_status_checks": checks}}) == {"gitops-promotion"}
    off = {"required_status_checks": checks | {"enforcement_level": "off"}}
    assert answers.contexts_of_protection({"protection": off}) == frozenset()
