"""Seats: each person takes one seat at most, even a person who could take several."""

from collections.abc import Collection, Sequence


def fill(seats: Sequence[Collection[str]]) -> tuple[str | None, ...]:
    """Return who takes each seat, as many as possible; None for one that stays empty.

    A seat is the people who may take it. The answer does not depend on the order of those people. This is a maximum
    matching of a bipartite graph, by augmenting paths.
    """
    seat_numbers: dict[str, int] = {}

    def seat(number: int, tried: set[str]) -> bool:
        for person in sorted(seats[number]):
            if person in tried:
                continue
            tried.add(person)
            if person not in seat_numbers or seat(seat_numbers[person], tried):
                seat_numbers[person] = number
                return True
        return False

    for number in range(len(seats)):
        seat(number, set())
    people = {number: person for person, number in seat_numbers.items()}
    return tuple(people.get(number) for number in range(len(seats)))
