"""What every provider promises about the people on a pull request. Only the `forge` fixture knows which one it is."""

from typing import TYPE_CHECKING

import pytest

from gitops_promotion.core.discussion import MARKER
from gitops_promotion.core.forge import OWN_CONTEXT
from gitops_promotion.errors import ProviderError
from tests.providers.conftest import FORGES
from tests.providers.test_contract import HEAD, propose

if TYPE_CHECKING:
    from tests.providers.conftest import Forge

LEFT_OUT = {"local", "github"}
"""The forges that do not keep these promises yet."""


@pytest.fixture(params=[name for name in FORGES if name not in LEFT_OUT])
def forge(request: pytest.FixtureRequest) -> "Forge":
    """Each forge in turn."""
    forge: Forge = request.getfixturevalue(f"{request.param}_forge")
    return forge


class TestDiscussions:
    def test_begin_with_the_opening_by_the_author(self, forge: "Forge") -> None:
        opened = propose(forge)
        discussion = forge.provider.discussions([opened.number])[opened.number]
        assert discussion.author.name == opened.author
        first = discussion.events[0]
        assert (first.kind, first.by) == ("opened", discussion.author)
        assert (discussion.reviews, discussion.comments) == ((), ())

    def test_have_the_same_reviews_as_the_pull_request(self, forge: "Forge") -> None:
        opened = propose(forge, gated=True)
        forge.review(opened.number, "changes-requested", by="bob")
        forge.push(HEAD, {"more.txt": "more\n"})
        forge.review(opened.number, "approved", by="eve")
        forge.review(opened.number, "approved", by="bob")
        discussion = forge.provider.discussions([opened.number])[opened.number]
        assert set(discussion.reviews) == set(forge.provider.reviews(opened.number))
        assert {(review.author, review.verdict) for review in discussion.reviews} == {
            ("bob", "approved"),
            ("eve", "approved"),
        }

    def test_name_who_closed_it_and_when(self, forge: "Forge") -> None:
        opened = propose(forge)
        forge.close_by_hand(opened.number, by="bob")
        events = forge.provider.discussions([opened.number])[opened.number].events
        closed = events[-1]
        assert (closed.kind, closed.by and closed.by.name, closed.by and closed.by.is_bot) == ("closed", "bob", False)
        assert closed.at is not None
        assert events[0].at is not None
        assert closed.at >= events[0].at

    def test_of_several_are_read_at_once_and_of_none_are_none(self, forge: "Forge") -> None:
        numbers = [propose(forge, head=f"promote/webshop-{name}").number for name in ("a", "b")]
        assert sorted(forge.provider.discussions([*numbers, numbers[0]])) == numbers
        assert forge.provider.discussions([]) == {}

    def test_of_an_unknown_number_are_an_error(self, forge: "Forge") -> None:
        with pytest.raises(ProviderError):
            forge.provider.discussions([4711])


class TestComments:
    def test_are_one_that_is_edited_in_place(self, forge: "Forge") -> None:
        opened = propose(forge)
        for body in (f"{MARKER}\nIt waits.", f"{MARKER}\nIt passed.", f"{MARKER}\nIt passed."):
            written = forge.provider.discussions([opened.number])[opened.number].comments
            forge.provider.write_comment(opened, body, written)
            [comment] = forge.provider.discussions([opened.number])[opened.number].comments
            assert comment.body == body
            assert not written or comment.id == written[0].id

    def test_of_two_writers_at_once_the_oldest_stays(self, forge: "Forge") -> None:
        opened = propose(forge)
        for body in (f"{MARKER}\nOne.", f"{MARKER}\nTwo."):
            forge.provider.write_comment(opened, body, ())
        first, second = forge.provider.discussions([opened.number])[opened.number].comments
        assert (first.body, second.body) == (f"{MARKER}\nOne.", f"{MARKER}\nTwo.")
        forge.provider.write_comment(opened, f"{MARKER}\nThree.", (first, second))
        [comment] = forge.provider.discussions([opened.number])[opened.number].comments
        assert (comment.id, comment.body) == (first.id, f"{MARKER}\nThree.")


class TestPeople:
    def test_pushers_are_those_who_pushed_to_the_branch(self, forge: "Forge") -> None:
        opened = propose(forge)
        people = forge.provider.pushers(opened)
        assert people.problem == ""
        assert people.members

    def test_the_owner_of_the_token_has_a_name(self, forge: "Forge") -> None:
        assert forge.provider.identity().name


def test_a_gate_that_is_required_is_a_required_status(forge: "Forge") -> None:
    opened = propose(forge, gated=True)
    assert forge.provider.requires_status(opened, OWN_CONTEXT)
