"""Seats: one person takes one."""

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_promotion.core.gates.seats import fill


@pytest.mark.parametrize(
    ("seats", "people"),
    [
        ([], ()),
        (["a"], ("a",)),
        (["a", "a"], ("a", None)),
        (["ab", "a"], ("b", "a")),
        (["", "a"], (None, "a")),
        (["ab", "bc", "a"], ("b", "c", "a")),
    ],
)
def test_each_person_takes_one_seat(seats: list[str], people: tuple[str | None, ...]) -> None:
    assert fill(seats) == people


@given(st.lists(st.frozensets(st.sampled_from("abcd")), max_size=4))
def test_as_many_seats_as_possible_are_taken(seats: list[frozenset[str]]) -> None:
    taken = fill(seats)
    people = [person for person in taken if person]
    assert len(set(people)) == len(people)
    assert all(person in seat for person, seat in zip(taken, seats, strict=True) if person)
    best = max(
        sum(person in seat for person, seat in zip(order, seats, strict=False)) for order in permutations("abcd")
    )
    assert len(people) == best
