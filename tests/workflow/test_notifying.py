"""How many news one run tells."""

from types import SimpleNamespace
from typing import Any

from gitops_promotion.workflow import notifying


def test_one_run_tells_a_channel_a_number_of_news() -> None:
    def items(channel: str, count: int) -> list[Any]:
        return [SimpleNamespace(access=SimpleNamespace(channel=SimpleNamespace(name=channel)))] * count

    told, postponed = notifying._limited([*items("a", notifying._MOST + 3), *items("b", 1)])
    assert [item.access.channel.name for item in told] == ["a"] * notifying._MOST + ["b"]
    assert postponed == 3
