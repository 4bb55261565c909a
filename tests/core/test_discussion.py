"""Since when a pull request is known to go into the same branch."""

from datetime import UTC, datetime, timedelta

import pytest

from gitops_promotion.core.discussion import Discussion, Event, EventKind, Person

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def happened(*kinds: EventKind) -> tuple[Event, ...]:
    return tuple(Event(kind=kind, at=NOON + timedelta(minutes=minute)) for minute, kind in enumerate(kinds))


@pytest.mark.parametrize(
    ("events", "partial", "minute"),
    [
        (happened("opened", "approved"), False, None),
        (happened("opened", "retargeted", "approved", "retargeted", "approved"), False, 3),
        (happened("opened", "approved", "rejected"), True, 1),
        (happened("opened", "approved", "retargeted"), True, 2),
        ((Event(kind="opened", at=NOON), Event(kind="branch-deleted", at=None)), True, None),
    ],
)
def test_it_is_since_the_last_change_and_where_events_are_missing_since_the_oldest_known(
    events: tuple[Event, ...], partial: bool, minute: int | None
) -> None:
    discussion = Discussion(author=Person(name="ann"), events=events, partial=partial)
    assert discussion.same_base == (None if minute is None else NOON + timedelta(minutes=minute))
