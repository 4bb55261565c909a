"""Fewer messages from the workers of pytest-xdist: it sends six for each test, and two tell all of one that passes."""

from collections.abc import Callable
from typing import Any

import pytest


def trim(config: pytest.Config) -> None:
    """Leave out what a quiet run does not show. A version of xdist that has no such method sends all."""
    asked = config.option
    if asked.verbose > 0 or asked.durations or asked.xmlpath:
        return
    for plugin in config.pluginmanager.get_plugins():
        if hasattr(plugin, "workerid") and hasattr(plugin, "sendevent"):
            plugin.sendevent = _without_the_rest(plugin.sendevent)


def _without_the_rest(send: Callable[..., None]) -> Callable[..., None]:
    def send_event(name: str, **content: Any) -> None:
        report = content["data"] if name == "testreport" else None
        if report and _says_nothing(report):
            return
        if report and report["outcome"] == "passed":
            report["keywords"] = {}  # most of a report, and nobody looks at them
        if name != "logstart":
            send(name, **content)

    return send_event


def _says_nothing(report: dict[str, Any]) -> bool:
    """Return whether it is of a setup or a teardown that passed without a word."""
    quiet = report["outcome"] == "passed" and not report["sections"] and not report["user_properties"]
    return quiet and report["when"] != "call"
