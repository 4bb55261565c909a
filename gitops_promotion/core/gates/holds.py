"""The holds gate: what a person has put on hold does not merge (docs/windows-and-holds.md, Holds)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from gitops_promotion.core.environments import Pipeline, Requirements
from gitops_promotion.core.gates import Common, Evidence, Gate, Need, Question, Reason, Verdict
from gitops_promotion.core.holds import HoldsFile, covering


def make(environment: str, _pipeline: Pipeline, _settings: Mapping[str, Any], common: Common) -> "Holds | None":
    """Return the holds gate of an environment, None where nothing can be on hold."""
    file = common.settings.get("holds")
    if not isinstance(file, HoldsFile) or not file.is_about(environment):
        return None
    return Holds(file=file, in_file=replace(file, has_open=False).is_about(environment))


def is_of_open_alone(gate: Gate) -> bool:
    """Return True for the holds gate of an environment for which the file has no hold, but a pull request may add one.

    Such a gate only stops the arming: the forge must be asked first whether a pull request adds a hold.
    """
    return isinstance(gate, Holds) and not gate.in_file


@dataclass(frozen=True, slots=True, kw_only=True)
class Holds(Gate):
    """The holds of the file on the default branch; the holds that open pull requests add are evidence.

    `in_file`: the file itself may have a hold for the environment.
    """

    file: HoldsFile
    in_file: bool = True
    needs: frozenset[Need] = frozenset({"holds"})
    stops_arming: bool = True

    def judge(self, question: Question, evidence: Evidence) -> Verdict:
        """Return a wait for what is on hold, else a pass."""
        gate = f"holds of {question.environment}"
        holds = (*self.file.holds, *evidence.holds)
        reaching = covering(holds, question.application, question.environment, question.tag, evidence.now)
        if not reaching:
            ends = [hold.until for hold in holds if hold.until and hold.until <= evidence.now]
            return Verdict(
                decision="pass",
                reasons=(Reason(gate=gate, evidence="no hold"),),
                newest_evidence=max(ends, default=None),
            )
        return Verdict(
            decision="wait",
            reasons=tuple(
                Reason(
                    gate=gate,
                    evidence=str(hold),
                    missing=f"to lift it: {hold.release}",
                    who=(hold.by,) if hold.by else (),
                    earliest=hold.until,
                    steps=(f"to lift it: {hold.release}",),
                )
                for hold in reaching
            ),
        )

    def note(self, _requirements: Requirements) -> str:
        """Return no sentence: it is not known yet what is on hold at the time of the merge."""
        return ""
