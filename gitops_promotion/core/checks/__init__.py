"""Checks of a repository's files, without git and without a forge: each problem with its line and what to do."""

from gitops_promotion.core.checks import allowed
from gitops_promotion.core.checks.finding import Finding, Findings
from gitops_promotion.core.checks.table import CHECKS, USELESS
from gitops_promotion.core.checks.tree import Tree

__all__ = ["CHECKS", "CODES", "USELESS", "Finding", "Findings", "Tree", "check"]

CODES = (*(row.code for row in CHECKS), USELESS)
"""Every code that a finding can have."""


def check(tree: Tree, *, strict: bool = False) -> Findings:
    """Return the findings of all checks that no comment accepts, by file and line."""
    findings: dict[Finding, None] = {}
    used: set[tuple[str, int]] = set()
    for row in CHECKS:
        for problem in row.find(tree):
            allowance = allowed.accepting(tree.contents.get(problem.path, b""), row.code, problem.line)
            if allowance:
                used.add((problem.path, allowance.line))
                continue
            findings[Finding.of(problem, row.code, row.level)] = None
    for problem in allowed.faults(tree.contents, CODES, used):
        findings[Finding.of(problem, USELESS, "warning")] = None
    ordered = sorted(findings, key=lambda finding: (finding.path, finding.line, finding.code))
    return Findings(findings=tuple(ordered), files=len(tree.contents), strict=strict)
