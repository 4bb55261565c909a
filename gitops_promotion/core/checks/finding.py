"""What a check finds: a place of a file, the problem there, and what to do."""

from dataclasses import dataclass
from typing import Literal, Self

from gitops_promotion.core.pages import page

Level = Literal["error", "warning"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One problem at a line of a file, counted from 1; `message` says what is wrong and why, `fix` what to do."""

    path: str
    line: int
    message: str
    fix: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A problem with the code and the level of the check that found it."""

    code: str
    level: Level
    path: str
    line: int
    message: str
    fix: str

    @classmethod
    def of(cls, problem: Problem, code: str, level: Level) -> Self:
        """Return the finding of a problem, for the check with this code and level."""
        return cls(
            code=code, level=level, path=problem.path, line=problem.line, message=problem.message, fix=problem.fix
        )

    @property
    def url(self) -> str:
        """The address of the page about its code."""
        return page("docs/checks.md", self.code.lower())


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """All findings of a tree, in the order of files and lines; `strict`: warnings count as errors do.

    `files` is the number of files that were looked at.
    """

    findings: tuple[Finding, ...] = ()
    files: int = 0
    strict: bool = False

    @property
    def exit_code(self) -> int:
        """2 with an error, or with a warning if `strict`; else 0."""
        return 2 if any(self.strict or finding.level == "error" for finding in self.findings) else 0
