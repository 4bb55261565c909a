"""The formats of findings: nothing in a path or a message becomes a command, markup or a line of its own."""

import json
from dataclasses import replace

import pytest

from gitops_promotion.core.checks import Finding, Findings
from gitops_promotion.render import findings as formats

PATH = "a,b:c%\n::error::x/\udc80 \x1b[31m.yaml"


def of(path: str = PATH, message: str = "first\n::stop-commands::x ##vso[task] 100%", level: str = "error") -> Findings:
    finding = Finding(
        code="GP201",
        level="error" if level == "error" else "warning",
        path=path,
        line=3,
        message=message,
        fix="write it",
    )
    return Findings(findings=(finding,), files=1)


def test_human_text_is_two_printable_lines_a_finding_and_a_sum() -> None:
    text = formats.human(of())
    assert len(text.splitlines()) == 3
    assert text.replace("\n", "").isprintable()
    assert text.endswith("1 YAML files: 1 error\n")
    assert "\x1b[31merror\x1b[0m GP201" in formats.human(of(), colour=True)
    assert "\x1b[33mwarning\x1b[0m GP201" in formats.human(of(level="warning"), colour=True)


def test_warnings_that_end_with_0_say_how_they_count() -> None:
    warnings = of(level="warning")
    assert formats.human(warnings).endswith("1 YAML files: 1 warning (exit code 2 with --strict)\n")
    assert formats.human(replace(warnings, strict=True)).endswith("1 YAML files: 1 warning\n")


def test_many_warnings_with_one_step_are_few_lines_with_their_number() -> None:
    [warning], [error] = of(level="warning").findings, of().findings
    others = tuple(replace(warning, path=f"{n}.yaml", message=f"the marker {n}") for n in range(7))
    other_step = replace(warning, path="other.yaml", fix="move it")
    errors = tuple(replace(error, message=f"error {n}") for n in range(7))
    many = Findings(findings=(*others, other_step, *errors), files=9)
    text = formats.human(many)
    assert text.startswith("0.yaml:3: warning GP201: the marker 0\n1.yaml:3: warning GP201: the marker 1\n")
    assert "4.yaml:3: warning GP201: the marker 4\n    and 2 more with GP201: --format json lists all of them\n" in text
    assert text.count("    write it\n") == 1 + 7
    assert "other.yaml:3: warning GP201" in text
    assert text.endswith("9 YAML files: 7 errors, 8 warnings\n")
    assert len(json.loads(formats.json_v1(many))["findings"]) == 15
    five = replace(many, findings=others[:5])
    assert formats.human(five).count("    write it\n") == 5
    assert formats.human(replace(many, strict=True)).count("    write it\n") == 7 + 7


def test_an_annotation_is_one_line_with_an_escaped_path() -> None:
    [line] = formats.github(of()).splitlines()
    assert line.startswith("::error file=a%2Cb%3Ac%25\ufffd%3A%3Aerror%3A%3Ax/")
    assert "##" not in line
    assert line.endswith("100%25: write it")


@pytest.mark.parametrize("render", [formats.json_v1, formats.sarif])
def test_documents_are_json_without_a_command_in_them(render: "object") -> None:
    assert callable(render)
    text = render(of())
    assert "##" not in text
    json.loads(text)


def test_sarif_names_the_rule_the_level_and_a_uri() -> None:
    [run] = json.loads(formats.sarif(of()))["runs"]
    [result] = run["results"]
    assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"] == "GP201"
    assert result["level"] == "error"
    uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert uri == "a%2Cb%3Ac%25%0A%3A%3Aerror%3A%3Ax/%80%20%1B%5B31m.yaml"
