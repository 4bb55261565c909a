"""What every provider promises about people: reviews, comments, events, groups and pushes, in neutral words."""

from typing import TYPE_CHECKING

import pytest

from gitops_promotion.core.discussion import MARKER, Event
from gitops_promotion.core.forge import OWN_CONTEXT
from gitops_promotion.errors import ProviderError
from tests.providers.conftest import FORGES
from tests.providers.test_contract import HEAD, propose

if TYPE_CHECKING:
    from tests.providers.conftest import Forge


@pytest.fixture(params=FORGES)
def forge(request: pytest.FixtureRequest) -> "Forge":
    """Each forge in turn."""
    found: Forge = request.getfixturevalue(f"{request.param}_forge")
    return found


def events_of(forge: "Forge", number: int) -> list[tuple[str, str]]:
    """The events of a pull request, each with the name of its person."""
    events: tuple[Event, ...] = forge.provider.discussions([number])[number].events
    return [(event.kind, event.by.name if event.by else "") for event in events]


def names(forge: "Forge", *people: str) -> list[str]:
    """What the forge calls people."""
    return [forge.provider_of(person).identity().name for person in people]


class TestReviews:
    def test_of_nothing_ask_for_nothing(self, forge: "Forge") -> None:
        assert forge.provider.discussions([]) == {}

    def test_of_an_unknown_number_are_an_error(self, forge: "Forge") -> None:
        with pytest.raises(ProviderError):
            forge.provider.discussions([4711])

    def test_are_those_of_the_pull_request(self, forge: "Forge") -> None:
        opened = propose(forge, gated=True)
        forge.review(opened.number, "changes-requested", by="bob")
        forge.push(HEAD, {"more.txt": "more\n"})
        forge.review(opened.number, "approved", by="eve")
        forge.review(opened.number, "approved", by="bob")
        discussion = forge.provider.discussions([opened.number])[opened.number]
        assert {(review.author, review.verdict) for review in discussion.reviews} == {
            ("bob", "approved"),
            ("eve", "approved"),
        }

    def test_have_person_verdict_commit_text_and_time(self, forge: "Forge") -> None:
        opened = propose(forge)
        forge.provider_of("bob").add_review(opened, "approved", "looks | right")
        discussion = forge.provider.discussions([opened.number])[opened.number]
        [review] = discussion.reviews
        assert [review.author] == names(forge, "bob")
        assert (review.verdict, review.sha, review.is_bot) == ("approved", opened.head_sha, False)
        assert review.comment == "looks | right"
        assert review.at is not None
        assert discussion.author.name == opened.author
        assert ("approved", review.author) in events_of(forge, opened.number)

    def test_of_a_person_the_newest_counts(self, forge: "Forge") -> None:
        opened = propose(forge)
        bob, cat = forge.provider_of("bob"), forge.provider_of("cat")
        bob.add_review(opened, "approved", "")
        cat.add_review(opened, "approved", "")
        bob.add_review(opened, "changes-requested", "not today")
        reviews = forge.provider.discussions([opened.number])[opened.number].reviews
        verdicts = {review.author: review.verdict for review in reviews}
        assert len(reviews) == 2
        assert [verdicts[name] for name in names(forge, "bob", "cat")] == ["changes-requested", "approved"]

    def test_stay_on_the_commit_they_were_given_on(self, forge: "Forge") -> None:
        first = propose(forge)
        forge.provider_of("bob").add_review(first, "approved", "")
        second = propose(forge, title="Newer")
        [review] = forge.provider.discussions([second.number])[second.number].reviews
        assert second.head_sha != first.head_sha
        assert review.sha == first.head_sha

    def test_of_several_pull_requests_stay_apart(self, forge: "Forge") -> None:
        one, other = propose(forge), propose(forge, "promote/webshop-cart")
        forge.provider_of("bob").add_review(other, "approved", "")
        discussions = forge.provider.discussions([one.number, other.number])
        assert set(discussions) == {one.number, other.number}
        assert set(forge.provider.discussions([one.number, one.number])) == {one.number}
        assert [len(discussions[each.number].reviews) for each in (one, other)] == [0, 1]


class TestEvents:
    def test_a_close_says_by_whom(self, forge: "Forge") -> None:
        opened = propose(forge)
        forge.close_by_hand(opened.number, by="bob")
        events = forge.provider.discussions([opened.number])[opened.number].events
        closes = [event for event in events if event.kind == "closed"]
        assert [event.by.name if event.by else "" for event in closes] == names(forge, "bob")
        assert [event.by.is_bot if event.by else None for event in closes] == [False]
        assert closes[0].at is not None
        assert events[0].at is not None
        assert closes[0].at >= events[0].at
        assert "branch-deleted" not in {event.kind for event in events}

    def test_begin_with_the_opening_and_end_with_the_merge(self, forge: "Forge") -> None:
        opened = propose(forge)
        forge.merge_by_hand(opened.number)
        events = events_of(forge, opened.number)
        assert events[0] == ("opened", opened.author)
        kinds = [kind for kind, _ in events if kind != "branch-deleted"]
        assert kinds[-1] == "merged"
        assert "closed" not in kinds


class TestComments:
    def test_are_written_edited_and_not_repeated(self, forge: "Forge") -> None:
        opened = propose(forge)
        for text in ("One", "One", "Two"):
            body = f"{MARKER}\n{text}: | <b> 🚀\n"
            written = forge.provider.discussions([opened.number])[opened.number].comments
            forge.provider.write_comment(opened, body, written)
            comments = forge.provider.discussions([opened.number])[opened.number].comments
            assert [comment.body.strip() for comment in comments] == [body.strip()]

    def test_of_two_writers_at_once_the_oldest_stays(self, forge: "Forge") -> None:
        opened = propose(forge)
        forge.provider.write_comment(opened, f"{MARKER}\nOne", ())
        forge.provider.write_comment(opened, f"{MARKER}\nTwo", ())
        both = forge.provider.discussions([opened.number])[opened.number].comments
        assert [comment.body for comment in both] == [f"{MARKER}\nOne", f"{MARKER}\nTwo"]
        forge.provider.write_comment(opened, f"{MARKER}\nThree", both)
        comments = forge.provider.discussions([opened.number])[opened.number].comments
        assert [(comment.id, comment.body) for comment in comments] == [(both[0].id, f"{MARKER}\nThree")]

    def test_of_somebody_else_with_the_marker_are_none_of_ours(self, forge: "Forge") -> None:
        opened = propose(forge)
        forge.provider_of("bob").write_comment(opened, f"{MARKER}\nAll is well", ())
        assert forge.provider.discussions([opened.number])[opened.number].comments == ()


class TestPeople:
    def test_the_members_of_an_unknown_group_are_a_problem_and_not_nobody(self, forge: "Forge") -> None:
        if forge.provider.publishes:
            pytest.skip("plain git has no groups: tests/providers/test_local_people.py")
        people = forge.provider.members("acme/nowhere")
        assert people.members == frozenset()
        assert people.problem

    def test_who_pushed_can_be_read(self, forge: "Forge") -> None:
        opened = propose(forge)
        pushers = forge.provider.pushers(opened)
        assert pushers.problem == ""
        assert pushers.members

    def test_a_label_is_given_once_or_the_reason_against_it_is_told(self, forge: "Forge") -> None:
        opened = propose(forge)
        for _ in range(2):
            refusal = forge.provider.add_label(opened, "env:prod")
            assert refusal == ("plain git keeps no labels: env:prod is left out" if forge.provider.publishes else "")

    def test_a_person_is_assigned_or_the_reason_against_it_is_told(self, forge: "Forge") -> None:
        opened = propose(forge)
        for _ in range(2):
            refusal = forge.provider.add_assignee(opened, "ann")
            assert refusal == "" or refusal.startswith(("plain git keeps no assignees", "Azure DevOps assigns nobody"))

    def test_a_status_that_must_be_there_is_required(self, forge: "Forge") -> None:
        forge.require_gate()
        opened = propose(forge, HEAD)
        forge.pass_gate(opened.head_sha)
        assert forge.provider.requires_status(opened, OWN_CONTEXT)
