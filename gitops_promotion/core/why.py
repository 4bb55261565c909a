"""Why a tag is, or is not, in an environment: the answer in sentences."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from gitops_promotion.core.board import Cell, Promotion
from gitops_promotion.core.gates import Decision
from gitops_promotion.core.names import Application


@dataclass(frozen=True, slots=True, kw_only=True)
class Why:
    """The answer: `tag` is that of the nearest source, and `there` says whether the environment has it.

    `since`, `by` and `approved_by` are those of a tag that is there. `pull_request` brought it, or would bring it.
    `decision` is None where no open promotion was judged. `reasons` and `next` are sentences, the latter on what to do.
    `at` is the moment that is asked about, None for now.
    """

    application: Application
    environment: str
    tag: str
    there: bool
    since: datetime | None = None
    by: str = ""
    approved_by: tuple[str, ...] = ()
    pull_request: int | None = None
    decision: Decision | None = None
    reasons: tuple[str, ...] = ()
    next: tuple[str, ...] = ()
    at: datetime | None = None
    current: str = ""

    @property
    def text(self) -> str:
        """The whole answer as one line: the first sentence, the reasons, and what to do."""
        parts = [self.headline, "; ".join(self.reasons), "; ".join(self.next)]
        return " - ".join(part for part in parts if part)

    @property
    def headline(self) -> str:
        """The first sentence, without a full stop."""
        moment = f"At {moment_text(self.at)}, " if self.at else ""
        return moment + (self._presence() if self.there else self._absence())

    def _presence(self) -> str:
        people = f", approved by {' and '.join(self.approved_by)}" if self.approved_by else ""
        since = f" since {moment_text(self.since)}" if self.since else ""
        by = f", by #{self.pull_request}" if self.pull_request else ""
        person = f", {'merged ' if self.pull_request else ''}by {self.by}" if self.by else ""
        return f"{self.tag} is in {self.environment}{since}{by}{person}{people}"

    def _absence(self) -> str:
        if not self.tag:
            return f"nothing is to go into {self.environment}: no source of {self.application} has a tag"
        replacing = f", which has {self.current}" if self.current else ""
        text = f"{self.tag} is not in {self.environment}{replacing}"
        if self.pull_request is None or self.decision is None:
            return text
        verbs = {"wait": "waits", "pass": "may merge", "refuse": "must not merge"}
        return f"{text}: pull request #{self.pull_request} {verbs[self.decision]}"


def moment_text(time: datetime) -> str:
    """Return a time as people read it, in its own zone: `2026-01-31 12:30 UTC`."""
    zone = time.strftime("%Z") or "UTC"
    return f"{time:%Y-%m-%d %H:%M} {zone}"


def way_so_far(cells: Sequence[Cell], tag: str) -> str:
    """Return where the tag is already, and since when: `dev since ..., qa since ...`; "" if it is nowhere."""
    return ", ".join(
        cell.environment + (f" since {moment_text(cell.since)}" if cell.since else "")
        for cell in cells
        if cell.tag == tag
    )


def forcing_step(steps: Sequence[str], command: str) -> str:
    """Return the step to promote a tag that does not go on by itself; `steps` are what its gates need before.

    `command` is refused while a hold stops the tag, so its lifting comes first.
    """
    is_held = any("gitops-promotion release " in step for step in steps)
    return f"{'then, ' if is_held else ''}to promote it all the same: {command}"


def next_steps(
    promotion: Promotion, application: Application, environment: str, *, merge: str, auto: bool, publishes: bool = False
) -> list[str]:
    """Return what people can do about an open promotion; `merge` is the page or the command that merges it.

    `publishes`: what has `auto` merges when a run of this tool publishes its verdict.
    """
    steps: list[str] = []
    names = f"{application.options} --env {environment}"
    if promotion.decision == "wait" and promotion.approvers:
        steps.append(f"{', '.join(promotion.approvers)} can approve: gitops-promotion approve {names}")
    steps += promotion.steps
    auto = auto and promotion.is_armed
    if promotion.decision == "pass" and not auto:
        steps.append(f"merge it: {merge}")
    if promotion.decision == "pass" and auto and publishes:
        steps.append("to merge it: gitops-promotion status --publish")
    if promotion.earliest:
        # Rounded up to a whole minute: at the beginning of the minute it would be too early.
        last = timedelta(minutes=1) - timedelta(microseconds=1)
        steps.append(f"look again at {moment_text(promotion.earliest + last)}")
    return steps
