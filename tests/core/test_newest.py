"""Which of two runs that set a tag of one application is the newer."""

from datetime import UTC, datetime

import pytest

from gitops_promotion.core.kinds import PROMOTION
from gitops_promotion.core.model import Request
from gitops_promotion.core.names import Application
from gitops_promotion.core.newest import Rival, newer
from gitops_promotion.core.tags import Tag


def at(hour: int | None) -> datetime | None:
    return None if hour is None else datetime(2026, 3, 1, hour, tzinfo=UTC)


@pytest.mark.parametrize(
    ("built", "started", "rival_built", "rival_started", "was_there", "expected"),
    [
        # The time of the build decides, also against what was there already.
        (8, None, 9, None, True, "built at 2026-03-01T08:00:00+00:00, but #7 is of a newer build"),
        (8, None, 9, None, False, "built at 2026-03-01T08:00:00+00:00, but #7 is of a newer build"),
        (9, None, 9, None, False, ""),
        (9, None, 8, None, False, ""),
        # A rival without such a time is no newer build, whenever it started.
        (9, None, None, 10, False, ""),
        # Without one the start decides, between runs that meet in a race.
        (None, 8, None, 9, False, "#7 is of a run that started later: with --built-at the build would decide"),
        (None, 8, None, 9, True, ""),
        (None, 9, None, 9, False, ""),
        (None, 9, None, 8, False, ""),
        (None, 9, 10, None, False, ""),
        (None, None, None, 9, False, ""),
        (None, 9, None, None, False, ""),
    ],
)
def test_a_build_or_else_a_start_decides(
    built: int | None,
    started: int | None,
    rival_built: int | None,
    rival_started: int | None,
    was_there: bool,
    expected: str,
) -> None:
    request = Request(
        kind=PROMOTION,
        application=Application("webshop", "webui"),
        tag=Tag("1"),
        environment="dev",
        built_at=at(built),
        started_at=at(started),
    )
    rival = Rival(name="#7", commit="c", built_at=at(rival_built), started_at=at(rival_started))
    assert newer(request, rival, was_there=was_there) == expected
