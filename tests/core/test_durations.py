"""Durations as people read them."""

import pytest

from gitops_promotion.core import durations


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (0.3, "0.3s"),
        (0.999999, "1s"),
        (1, "1s"),
        (1.5, "2s"),
        (59.4, "59s"),
        (59.6, "1m"),
        (300, "5m"),
        (5400, "1h 30m"),
        (3599, "59m 59s"),
        (3600, "1h"),
        (3601, "1h"),
        (86399, "23h 59m"),
        (90000, "1d 1h"),
        (86400 * 400, "400d"),
    ],
)
def test_a_duration_has_its_two_largest_units(seconds: float, text: str) -> None:
    assert durations.shown(seconds) == text
