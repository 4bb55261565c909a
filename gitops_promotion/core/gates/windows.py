"""The windows gate: promotions into an environment merge only in its windows (docs/windows-and-holds.md, Windows)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gitops_promotion.core.calendar import Calendar, instant_text
from gitops_promotion.core.environments import Pipeline, Requirements
from gitops_promotion.core.gates import Common, Evidence, Gate, Question, Reason, Verdict
from gitops_promotion.core.gates.calendar_keys import calendar_of


def make(environment: str, pipeline: Pipeline, _settings: Mapping[str, Any], common: Common) -> "Windows | None":
    """Return the windows gate of an environment, None if it is always open."""
    calendar = calendar_of(pipeline.environment(environment), common)
    return Windows(calendar=calendar) if calendar.windows else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Windows(Gate):
    """The windows of one environment; an opening during a freeze is not the next one."""

    calendar: Calendar
    stops_arming: bool = True

    def judge(self, question: Question, evidence: Evidence) -> Verdict:
        """Return a pass in a window, else a wait until the next opening."""
        gate = f"windows of {question.environment}"
        if (window := self.calendar.window_at(evidence.now)) is not None:
            reason = Reason(gate=gate, evidence=f"open ({window})")
            return Verdict(decision="pass", reasons=(reason,), newest_evidence=self.calendar.last_opening(evidence.now))
        opening = self.calendar.next_opening(evidence.now)
        text = f"closed until {instant_text(*opening)}" if opening else "closed"
        reason = Reason(gate=gate, evidence=text, earliest=opening[0] if opening else None)
        return Verdict(decision="wait", reasons=(reason,))

    def note(self, _requirements: Requirements) -> str:
        """Return the sentence that names the windows."""
        return f"It merges only in the windows {'; '.join(map(str, self.calendar.windows[:5]))}."
