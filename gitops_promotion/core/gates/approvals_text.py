"""The words of the gate of approvals: names, times and reasons, with text from outside made safe."""

from collections.abc import Sequence
from datetime import UTC, datetime

from gitops_promotion.core import untrusted
from gitops_promotion.core.gates import Question, Reason
from gitops_promotion.core.opinions import Opinion

SHOWN = 5
"""The most names in a reason, and the most reasons for opinions that do not count."""


def shown_name(text: str) -> str:
    """Return a name for one line of a message."""
    return untrusted.line(text, untrusted.VALUE_LIMIT) or "a deleted account"


def shown_time(time: datetime | None) -> str:
    """Return a time in UTC as ` at 2026-03-02 12:00 UTC`, "" if it is not known."""
    return f" at {time.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if time else ""


def listed(names: Sequence[str], word: str, *, limit: int = 0) -> str:
    """Return names as `a, b and c`, with `word` in place of `and` ("" for a comma).

    Of more than `limit` names it shows the first ones and how many more there are; 0 is no limit.
    """
    if limit and len(names) > limit:
        return f"{', '.join(names[:limit])} and {len(names) - limit} more"
    if len(names) < 2 or not word:
        return ", ".join(names)
    return f"{', '.join(names[:-1])} {word} {names[-1]}"


def _verdict_noun(opinion: Opinion) -> str:
    return "approval" if opinion.verdict == "approved" else "rejection"


def unclear_reason(gate: str, opinion: Opinion) -> Reason:
    """Return the reason to wait because of a rejection of which it is not known whether it counts."""
    evidence = f"{shown_name(opinion.author)} rejected it{shown_time(opinion.at)}, and whether that counts is not known"
    return Reason(gate=gate, evidence=evidence, missing=opinion.why)


def rejection_reason(gate: str, question: Question, opinion: Opinion) -> Reason:
    """Return the reason of a rejection that counts, with the ways out."""
    comment = f": {untrusted.quoted(untrusted.line(opinion.comment))}" if opinion.comment.strip() else ""
    options = question.application.options
    if question.requirements:
        command = f"`gitops-promotion promote {options} --env {question.environment}`"
    else:
        command = f"`gitops-promotion new {options} --tag {question.tag} --again`"
    name = shown_name(opinion.author)
    return Reason(
        gate=gate,
        evidence=f"{name} rejected it{shown_time(opinion.at)}{comment}",
        missing=f"{name} can change that review, or {command} proposes it again",
        who=(opinion.author,),
    )


def ignored_reasons(gate: str, opinions: Sequence[Opinion]) -> list[Reason]:
    """Return why opinions do not count, at most SHOWN of them and how many more there are."""
    reasons = [
        Reason(gate=gate, evidence=f"the {_verdict_noun(o)} of {shown_name(o.author)} does not count: {o.why}")
        for o in opinions[:SHOWN]
    ]
    if len(opinions) > SHOWN:
        reasons.append(Reason(gate=gate, evidence=f"{len(opinions) - SHOWN} more opinions do not count"))
    return reasons
