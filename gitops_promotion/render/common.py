"""What several formats share."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from gitops_promotion.core import durations
from gitops_promotion.core.model import Outcome


def subject(outcome: Outcome) -> str:
    """Return `group/app old -> new in environment`, as much of it as the outcome has."""
    if not outcome.app:
        return outcome.environment
    versions = " -> ".join(dict.fromkeys(short_tag(tag) for tag in (outcome.previous_tag, outcome.tag) if tag))
    text = f"{outcome.group}/{outcome.app} {versions}".rstrip()
    return f"{text} in {outcome.environment}" if outcome.environment else text


def short_tag(tag: str) -> str:
    """Return a tag with the first seven digits of its digest."""
    name, at, digest = tag.partition("@sha256:")
    return f"{name}@{digest[:7]}" if at else name


def age(since: datetime, now: datetime) -> str:
    """Return how long ago a time was, such as `2d 3h ago`; `now` for less than a minute, or a time ahead of `now`."""
    seconds = (now - since).total_seconds()
    return f"{durations.shown(seconds)} ago" if seconds >= 60 else "now"


def explanation(outcome: Outcome) -> list[str]:
    """Return the lines of the message, and the reasons that differ from it."""
    lines = [*outcome.message.split("\n"), *(reason for reason in outcome.reasons if reason != outcome.message)]
    return [line for line in lines if line]


def with_each_warning_once(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Return the outcomes of a run, in which only the first one with a warning has it."""
    seen: set[str] = set()
    shown: list[Outcome] = []
    for outcome in outcomes:
        warnings = tuple(warning for warning in dict.fromkeys(outcome.warnings) if warning not in seen)
        seen.update(warnings)
        shown.append(outcome if warnings == outcome.warnings else replace(outcome, warnings=warnings))
    return shown


def without_commands(document: str) -> str:
    r"""Return a JSON document in which `##` is written `#\u0023`.

    `##[...]` and `##vso[...]` are commands to a runner anywhere in a line.
    """
    return document.replace("##", "#\\u0023")
