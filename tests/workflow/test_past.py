"""The people of a history, on values."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

from gitops_promotion.core.commits import CommitHeader
from gitops_promotion.core.discussion import Discussion, Person
from gitops_promotion.core.forge import Review
from gitops_promotion.core.history import Event, History
from gitops_promotion.core.names import Application
from gitops_promotion.errors import AuthError
from gitops_promotion.workflow.past import with_people

NOW = datetime(2026, 1, 31, tzinfo=UTC)


def history(*numbers: int | None) -> History:
    events = (
        Event(
            time=NOW, application=Application("shop", "web"), environment="dev", kind="promotion", pull_request=number
        )
        for number in numbers
    )
    return History(events=tuple(events), left_out=("something",))


def run(asked: list[list[int]], *, most: int = 2, error: Exception | None = None) -> Any:
    def discussions(numbers: list[int]) -> dict[int, Discussion]:
        asked.append(numbers)
        if error:
            raise error
        review = Review(author="bob", verdict="approved", sha="s")
        return {number: Discussion(author=Person(name="bot"), reviews=(review,)) for number in numbers}

    facts = SimpleNamespace(most_discussions=most)
    header = CommitHeader(parents=("first", "s"), author="", author_email="", message="")
    repository = SimpleNamespace(headers=lambda shas: dict.fromkeys(shas, header), fetch_commits=set)
    tip = SimpleNamespace(repository=repository)
    return cast("Any", SimpleNamespace(forge=SimpleNamespace(discussions=discussions), facts=facts, tip=tip))


def test_the_newest_pull_requests_are_asked_for_in_one_go_each_once() -> None:
    asked: list[list[int]] = []
    found = with_people(run(asked), history(9, None, 9, 8, 7))
    assert asked == [[9, 8]]
    assert [event.approved_by for event in found.events] == [("bob",), (), ("bob",), ("bob",), ()]
    assert found.left_out == (
        "something",
        "who approved and merged: before the newest 2 pull requests; narrow it with --app or --since",
    )


def test_nobody_is_asked_where_no_event_names_a_pull_request() -> None:
    asked: list[list[int]] = []
    assert with_people(run(asked), history(None)) == history(None)
    assert asked == []


def test_a_forge_that_does_not_answer_is_a_reason_of_what_is_left_out() -> None:
    found = with_people(run([], error=AuthError("no token")), history(9))
    assert found.left_out == ("something", "who approved and merged: no token")
    assert found.events == history(9).events


def test_an_approved_commit_that_cannot_be_fetched_names_nobody_and_is_left_out() -> None:
    asking = run([])
    header = CommitHeader(parents=("first", "another"), author="", author_email="", message="")
    asking.tip.repository.headers = lambda shas: dict.fromkeys(shas, header)
    asking.tip.repository.fetch_commits = lambda _: set()
    found = with_people(asking, history(9))
    assert found.events[0].approved_by == ()
    assert found.left_out == ("something", "who approved s: it cannot be compared with what was merged")
