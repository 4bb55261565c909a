"""The findings of `validate` and `doctor`: for people, as JSON, as SARIF, and as annotations of GitHub Actions."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from gitops_promotion.core import untrusted
from gitops_promotion.core.checks import CHECKS, USELESS, Finding, Findings
from gitops_promotion.core.doctor import ROWS
from gitops_promotion.core.pages import REPOSITORY, page
from gitops_promotion.render.common import without_commands
from gitops_promotion.render.json_v1 import VERSION

_COLOURS: Mapping[str, int] = {"error": 31, "warning": 33}


def human(findings: Findings, *, colour: bool = False) -> str:
    """Return each finding with its place, its reason and what to do, and the numbers of both levels at the end.

    Where there are warnings alone, the end says how to make them count.
    """
    blocks = [_block(finding, colour) for finding in findings.findings]
    counts = ", ".join(
        f"{number} {level}{'s' if number != 1 else ''}"
        for level in ("error", "warning")
        if (number := sum(finding.level == level for finding in findings.findings))
    )
    strict = " (exit code 2 with --strict)" if findings.findings and not findings.exit_code else ""
    return "\n".join([*blocks, f"{findings.files} YAML files: {counts or 'nothing found'}{strict}"]) + "\n"


def _block(finding: Finding, colour: bool) -> str:
    level = f"\x1b[{_COLOURS[finding.level]}m{finding.level}\x1b[0m" if colour else finding.level
    lines = [
        f"{untrusted.terminal(f'{finding.path}:{finding.line}')}: {level} {finding.code}: "
        f"{untrusted.terminal(finding.message)}",
        f"    {untrusted.terminal(finding.fix)}",
    ]
    return "\n".join(lines)


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
