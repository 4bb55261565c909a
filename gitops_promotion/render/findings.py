"""The findings of `validate` and `doctor`: for people, as JSON, as SARIF, and as annotations of GitHub Actions."""

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from gitops_promotion.core import untrusted
from gitops_promotion.core.checks import CHECKS, USELESS, Finding, Findings
from gitops_promotion.core.doctor import ROWS
from gitops_promotion.core.pages import REPOSITORY, page
from gitops_promotion.render.common import without_commands
from gitops_promotion.render.json_v1 import VERSION

_LISTED = 5
"""How many warnings with one code and one step are shown."""

_COLOURS: Mapping[str, int] = {"error": 31, "warning": 33}


def human(findings: Findings, *, colour: bool = False) -> str:
    """Return each finding with its place, its reason and what to do, and the numbers of both levels at the end.

    Where there are warnings alone, the end says how to make them count. Of many warnings with one code and one step
    the first ones are shown, with the number of all, unless warnings count.
    """
    by_step: dict[tuple[str, ...], list[Finding]] = {}
    for finding in findings.findings:
        by_step.setdefault((finding.level, finding.code, finding.fix), []).append(finding)
    blocks = []
    for finding in findings.findings:
        equals = by_step[finding.level, finding.code, finding.fix]
        if finding.level == "error" or findings.strict or len(equals) <= _LISTED:
            blocks.append(_block([finding], colour))
        elif finding is equals[0]:
            blocks.append(_block(equals, colour))
    counts = ", ".join(
        f"{number} {level}{'s' if number != 1 else ''}"
        for level in ("error", "warning")
        if (number := sum(finding.level == level for finding in findings.findings))
    )
    strict = " (exit code 2 with --strict)" if findings.findings and not findings.exit_code else ""
    return "\n".join([*blocks, f"{findings.files} YAML files: {counts or 'no problem found'}{strict}"]) + "\n"


def _block(equals: Sequence[Finding], colour: bool) -> str:
    """Return findings with one code and one step: a line for each of the first, and the step."""
    level = f"\x1b[{_COLOURS[equals[0].level]}m{equals[0].level}\x1b[0m" if colour else equals[0].level
    lines = [
        f"{untrusted.terminal(f'{finding.path}:{finding.line}')}: {level} {finding.code}: "
        f"{untrusted.terminal(finding.message)}"
        for finding in equals[:_LISTED]
    ]
    if len(equals) > _LISTED:
        lines.append(f"    and {len(equals) - _LISTED} more with {equals[0].code}: --format json lists all of them")
    return "\n".join([*lines, f"    {untrusted.terminal(equals[0].fix)}"])


def json_v1(findings: Findings, *, colour: bool = False) -> str:
    """Return the document with the list `findings` (docs/exit-codes.md)."""
    del colour
    return _document({"version": VERSION, "findings": [finding_fields(finding) for finding in findings.findings]})


def finding_fields(finding: Finding) -> dict[str, Any]:
    """Return a finding as the document has it."""
    return {
        "code": finding.code,
        "level": finding.level,
        "file": finding.path,
        "line": finding.line,
        "message": finding.message,
        "fix": finding.fix,
        "url": finding.url,
    }


def sarif(findings: Findings, *, colour: bool = False) -> str:
    """Return a SARIF 2.1.0 log, as code scanning of forges reads it.

    https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
    """
    del colour
    titles = {check.code: check.title for check in CHECKS} | {row.code: row.title for row in ROWS}
    titles[USELESS] = "a comment that allows nothing"
    codes = sorted({finding.code for finding in findings.findings})
    rules = [
        {
            "id": code,
            "shortDescription": {"text": titles[code]},
            "helpUri": page("docs/checks.md", code.lower()),
        }
        for code in codes
    ]
    results = [
        {
            "ruleId": finding.code,
            "ruleIndex": codes.index(finding.code),
            "level": finding.level,
            "message": {"text": f"{finding.message}: {finding.fix}"},
            "locations": [
                {
                    "physicalLocation": {
                        "artifactLocation": {"uri": quote(finding.path, errors="surrogateescape")},
                        "region": {"startLine": finding.line},
                    }
                }
            ],
        }
        for finding in findings.findings
    ]
    driver = {"name": "gitops-promotion", "informationUri": REPOSITORY, "rules": rules}
    return _document(
        {
            "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
            "version": "2.1.0",
            "runs": [{"tool": {"driver": driver}, "results": results}],
        }
    )


def github(findings: Findings, *, colour: bool = False) -> str:
    """Return a workflow command for each finding, which GitHub Actions shows at the line of the pull request.

    https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
    """
    del colour
    return "".join(
        f"::{finding.level} file={_property(finding.path)},line={finding.line},title={finding.code}::"
        f"{_data(f'{finding.message}: {finding.fix}')}\n"
        for finding in findings.findings
    )


def _data(text: str) -> str:
    # `##[...]` is a command anywhere in a line.
    return untrusted.terminal(text).replace("%", "%25").replace("##", "# #")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _document(content: Mapping[str, Any]) -> str:
    return without_commands(json.dumps(content, indent=2)) + "\n"
