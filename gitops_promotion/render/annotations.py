"""Turns outcomes into the annotations on the page of a run."""

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from gitops_promotion.core import untrusted
from gitops_promotion.core.model import Outcome
from gitops_promotion.errors import Fault
from gitops_promotion.render.common import explanation, subject, with_each_warning_once

Level = Literal["error", "warning", "notice"]

LIMIT = 10
"""Annotations of one level: GitHub shows at most 10 of a step, Azure Pipelines keeps at most 10 of one."""

_LEVELS: dict[str, Level] = {
    "failed": "error",
    "refused": "error",
    "timed-out": "warning",
    "opened": "notice",
    "updated": "notice",
    "merged": "notice",
    "declined": "notice",
}
# Characters of a title.
_TITLE_LIMIT = 250


class Annotation(NamedTuple):
    """One text on the page of a run; `fault` is the file and line that it is shown at."""

    level: Level
    title: str
    text: str
    fault: Fault | None = None


def annotations(outcomes: Sequence[Outcome]) -> list[Annotation]:
    """Return the annotations, errors first, at most LIMIT of each level; the last one counts those left out.

    An outcome whose error names lines of files has an annotation at each of them. Ordinary results have none. A warning
    of several outcomes is one annotation.
    """
    unlimited = [annotation for outcome in with_each_warning_once(outcomes) for annotation in _annotations(outcome)]
    levels: tuple[Level, ...] = ("error", "warning", "notice")
    by_level = ([annotation for annotation in unlimited if annotation.level == level] for level in levels)
    return [annotation for group in by_level for annotation in _limited(group)]


def _annotations(outcome: Outcome) -> Iterator[Annotation]:
    about = subject(outcome)
    title = f"{outcome.result}: {about}" if about else f"gitops-promotion: {outcome.result}"
    title = untrusted.terminal(title)[:_TITLE_LIMIT]
    level = _LEVELS.get(outcome.result)
    if level and outcome.faults:
        for fault in outcome.faults:
            # A message with more than the faults has the next step.
            lines = [str(fault)] if str(fault) in outcome.message else [str(fault), *explanation(outcome)]
            yield Annotation(level, title, "\n".join(map(untrusted.terminal, lines)), fault)
    elif level:
        lines = explanation(outcome)
        if outcome.pull_request is not None:
            lines.append(outcome.pull_request.url)
        yield Annotation(level, title, "\n".join(map(untrusted.terminal, lines)))
    for warning in outcome.warnings:
        yield Annotation("warning", title, untrusted.terminal(warning))


def _limited(annotations: list[Annotation]) -> list[Annotation]:
    if len(annotations) <= LIMIT:
        return annotations
    first = annotations[: LIMIT - 1]
    text = f"{len(annotations) - len(first)} more are in the run's summary and in its log"
    return [*first, Annotation(annotations[0].level, "gitops-promotion", text)]
