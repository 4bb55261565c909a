"""Findings that are accepted in place: `# gitops-promotion: allow GP204 reason`."""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from gitops_promotion.core.checks.finding import Problem

_WORD = b"gitops-promotion:"
_COMMENT = re.compile(r"#\s*gitops-promotion:\s*allow\b[ \t]*(?P<code>\S*)[ \t]*(?P<reason>.*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """A comment that accepts a code on its own line and on the one below; `alone`: nothing else is on its line."""

    line: int
    code: str
    reason: str
    alone: bool


@lru_cache(maxsize=8192)
def allowances(content: bytes) -> tuple[Allowance, ...]:
    """Return the allowances of a file, those without a reason too."""
    if _WORD not in content:
        return ()
    comments = []
    for number, line in enumerate(re.split(r"\r\n|\r|\n", content.decode(errors="replace")), start=1):
        if match := _COMMENT.search(line):
            alone = not line[: match.start()].strip()
            allowance = Allowance(line=number, code=match["code"], reason=match["reason"].strip(), alone=alone)
            comments.append(allowance)
    return tuple(comments)


def accepting(content: bytes, code: str, line: int) -> Allowance | None:
    """Return the allowance that accepts a code on a line: at its end, or in the comments right above it."""
    by_line = {allowance.line: allowance for allowance in allowances(content) if allowance.reason}
    on_line = by_line.get(line)
    if on_line and on_line.code == code:
        return on_line
    above = line - 1
    while (allowance := by_line.get(above)) and allowance.alone:
        if allowance.code == code:
            return allowance
        above -= 1
    return None


def faults(
    contents: Mapping[str, bytes], codes: Collection[str], used: Collection[tuple[str, int]]
) -> Iterator[Problem]:
    """Yield the allowances that silence nothing; `used` are the places of those that do."""
    for path, content in sorted(contents.items()):
        for allowance in allowances(content):
            if (path, allowance.line) in used:
                continue
            message, fix = _fault(allowance, codes)
            yield Problem(path=path, line=allowance.line, message=message, fix=fix)


def _fault(allowance: Allowance, codes: Collection[str]) -> tuple[str, str]:
    form = "# gitops-promotion: allow CODE reason"
    if allowance.code not in codes:
        return "this comment allows no code that exists", f"write it as {form}"
    if not allowance.reason:
        return f"this comment gives no reason, so it does not silence {allowance.code}", f"write it as {form}"
    return (
        f"this comment silences nothing: {allowance.code} is found neither on its line nor on the one below",
        "remove it",
    )
