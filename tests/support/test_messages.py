from types import SimpleNamespace
from typing import Any

import pytest

from tests.support import messages


def report(when: str, outcome: str = "passed", **more: Any) -> dict[str, Any]:
    return {"when": when, "outcome": outcome, "sections": [], "user_properties": [], **more}


def sent(*events: tuple[str, dict[str, Any]], **options: Any) -> list[tuple[str, dict[str, Any]]]:
    """The events of a worker that get to the controller."""
    found: list[tuple[str, dict[str, Any]]] = []
    worker = SimpleNamespace(workerid="gw0", sendevent=lambda name, **content: found.append((name, content)))
    manager = SimpleNamespace(get_plugins=lambda: [object(), worker])
    option = SimpleNamespace(**{"verbose": -1, "durations": None, "xmlpath": None, **options})
    config: Any = SimpleNamespace(option=option, pluginmanager=manager)
    messages.trim(config)
    for name, content in events:
        worker.sendevent(name, **content)
    return found


SILENT = [("logstart", {}), *(("testreport", {"data": report(when)}) for when in ("setup", "teardown"))]


@pytest.mark.parametrize(
    "event",
    [
        ("testreport", {"data": report("call")}),
        ("testreport", {"data": report("setup", "skipped")}),
        ("testreport", {"data": report("setup", "failed")}),
        ("testreport", {"data": report("teardown", "failed")}),
        ("testreport", {"data": report("teardown", sections=[("Captured log", "x")])}),
        ("testreport", {"data": report("setup", user_properties=[("a", "b")])}),
        ("logfinish", {}),
        ("runtest_protocol_complete", {"item_index": 1}),
    ],
)
def test_what_tells_something_is_sent(event: tuple[str, dict[str, Any]]) -> None:
    assert sent(*SILENT, event) == [event]


@pytest.mark.parametrize("option", [{"verbose": 1}, {"durations": 10}, {"xmlpath": "report.xml"}])
def test_all_is_sent_where_it_is_shown(option: dict[str, Any]) -> None:
    assert sent(*SILENT, **option) == SILENT
