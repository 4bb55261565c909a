"""The one comment on a pull request: what each gate says, who can act, and how to approve or decline."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from gitops_promotion.core import untrusted
from gitops_promotion.core.discussion import MARKER
from gitops_promotion.core.gates import Decision, Question, Verdict
from gitops_promotion.core.untrusted import code_span

LIMIT = 60_000
"""The most characters of a comment: GitHub accepts 65,536."""

_REASONS = 50
_NAMES = 20
_WORDS: dict[Decision, str] = {"pass": "Passed", "wait": "Waits", "refuse": "Refused"}

# The ids by which reasons name their evidence: they change with every commit of the default branch.
_IDS = re.compile(r"\b[0-9a-f]{7,64}\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What the gates answer to one question; `question` is None where they were not asked.

    `auto`: the promotion merges by itself. `asks_people`: the environment has approvals.
    """

    question: Question | None = None
    verdict: Verdict
    auto: bool = False
    asks_people: bool = False


def text(parts: Sequence[Part], *, number: int) -> str:
    """Return the comment in Markdown, at most LIMIT characters; text from outside is never markup in it."""
    lines = [MARKER]
    for part in parts:
        lines += _lines(part, number)
        if sum(map(len, lines)) + len(lines) > LIMIT:
            break
    body = "\n".join(lines)
    # A cut inside a code span could turn text from outside into markup, so only whole lines are left out.
    while len(body) + 1 > LIMIT:
        body = body.rpartition("\n")[0]
    return f"{body}\n"


def says_the_same(first: str, second: str) -> bool:
    """Return True if two comments are the same apart from the ids of commits, and blanks that forges change."""
    return _steady(first) == _steady(second)


def _steady(body: str) -> list[str]:
    return [_IDS.sub("", line).rstrip() for line in body.strip().splitlines()]


def _lines(part: Part, number: int) -> list[str]:
    verdict, question = part.verdict, part.question
    about = ""
    if question is not None:
        tag, environment = code_span(question.tag.name), code_span(question.environment)
        about = f": {code_span(str(question.application))} {tag} into {environment}"
        if not question.tag.name:
            about = f": images of {environment}"
    lines = ["", f"**{_WORDS[verdict.decision]}**{about}", ""]
    lines += [f"- {code_span(untrusted.line(reason, 1000))}" for reason in verdict.texts[:_REASONS]]
    if len(verdict.reasons) > _REASONS:
        lines.append(f"- and {len(verdict.reasons) - _REASONS} more reasons, which the log of the run has")
    names = list(dict.fromkeys(name for reason in verdict.reasons for name in reason.who))
    if names and verdict.decision != "pass":
        code_spans = [code_span(untrusted.line(name, untrusted.VALUE_LIMIT)) for name in names[:_NAMES]]
        omitted = f" and {len(names) - _NAMES} more" if len(names) > _NAMES else ""
        lines += ["", f"Who can act: {', '.join(code_spans)}{omitted}."]
    return lines + (["", *_ways(part, number)] if question is not None else [])


def _ways(part: Part, number: int) -> list[str]:
    """Return how people decide on a pull request."""
    if part.verdict.decision == "pass":
        return ["It merges by itself when all required checks pass." if part.auto else "A person merges it."]
    if not part.asks_people:
        return [f"To decline it, close it without merging, or run `gitops-promotion decline --pr {number}`."]
    return [
        f"To approve, approve it in a review, or run `gitops-promotion approve --pr {number}`.",
        f"To decline, reject it in a review, or run `gitops-promotion decline --pr {number}`.",
    ]
