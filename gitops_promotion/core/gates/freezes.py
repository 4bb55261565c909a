"""The freezes gate: nothing merges into an environment during a freeze (docs/windows-and-holds.md, Freezes)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gitops_promotion.core.calendar import Calendar, instant_text
from gitops_promotion.core.environments import Pipeline, Requirements
from gitops_promotion.core.gates import Common, Evidence, Gate, Question, Reason, Verdict
from gitops_promotion.core.gates.calendar_keys import calendar_of


def make(environment: str, pipeline: Pipeline, _settings: Mapping[str, Any], common: Common) -> "Freezes | None":
    """Return the freezes gate of an environment, None without a freeze."""
    calendar = calendar_of(pipeline.environment(environment), common)
    return Freezes(calendar=calendar) if calendar.freezes else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Freezes(Gate):
    """The freezes of one environment; its windows decide when it opens after a freeze."""

    calendar: Calendar
    stops_arming: bool = True

    def judge(self, question: Question, evidence: Evidence) -> Verdict:
        """Return a wait in a freeze, until the environment is open again; else a pass."""
        gate = f"freezes of {question.environment}"
        freeze = self.calendar.freeze_at(evidence.now)
        if freeze is None:
            ends = [freeze.end for freeze in self.calendar.freezes if freeze.end <= evidence.now]
            return Verdict(
                decision="pass",
                reasons=(Reason(gate=gate, evidence="no freeze now"),),
                newest_evidence=max(ends, default=None),
            )
        opening = self.calendar.next_opening(evidence.now)
        text = f"frozen until {instant_text(freeze.end, freeze.zone)}"
        if freeze.reason:
            text += f" ({freeze.reason})"
        missing = "" if opening is None or opening[0] == freeze.end else f"it opens on {instant_text(*opening)}"
        reason = Reason(gate=gate, evidence=text, missing=missing, earliest=opening[0] if opening else None)
        return Verdict(decision="wait", reasons=(reason,))

    def note(self, _requirements: Requirements) -> str:
        """Return the sentence that says that freezes count."""
        return "It does not merge during a freeze."
