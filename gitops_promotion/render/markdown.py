"""Turns outcomes into the summary of a run in Markdown. No text from outside is markup in it."""

from collections.abc import Sequence

from gitops_promotion.core.model import Outcome
from gitops_promotion.core.untrusted import is_web_address, table_cell
from gitops_promotion.render.common import explanation, short_tag

SUMMARY_LIMIT = 100_000
"""Characters of a summary: GitHub takes 1 MiB from a step, older servers 128 KiB, and shows none of a larger one."""


def summary(outcomes: Sequence[Outcome], *, verb: str) -> str:
    """Return a table of the outcomes, at most SUMMARY_LIMIT characters."""
    text = (
        f"### gitops-promotion {verb}\n\n"
        "| result | application | version | environment | pull request | |\n| --- | --- | --- | --- | --- | --- |\n"
    )
    for count, outcome in enumerate(outcomes):
        row = _row(outcome)
        if len(text) + len(row) > SUMMARY_LIMIT:
            return f"{text}\nand {len(outcomes) - count} more\n\n"
        text += row
    return text + "\n"


def _row(outcome: Outcome) -> str:
    versions = [table_cell(short_tag(tag)) for tag in (outcome.previous_tag, outcome.tag) if tag]
    lines = [*explanation(outcome), *(f"warning: {warning}" for warning in outcome.warnings)]
    cells = (
        outcome.result,
        table_cell(f"{outcome.group}/{outcome.app}" if outcome.app else ""),
        " → ".join(versions) or "-",
        table_cell(outcome.environment),
        link(pull.number, pull.url) if (pull := outcome.pull_request) else "-",
        "<br>".join(table_cell(line) for line in lines),
    )
    return f"| {' | '.join(cells)} |\n"


def link(number: int | None, url: str) -> str:
    """Return a pull request as a link, or as its number alone where its address could end the link."""
    if number is None:
        return "-"
    # The URL of `local` is a command.
    return f"[#{number}]({url})" if is_web_address(url) else f"#{number}"
