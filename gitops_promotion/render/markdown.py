"""Outcomes -> the summary of a run in Markdown. No text from outside is markup in it."""

import re
from collections.abc import Sequence

from gitops_promotion.core.forge import PullRequest
from gitops_promotion.core.model import Outcome
from gitops_promotion.core.untrusted import table_cell
from gitops_promotion.render.common import explanation, short_tag

SUMMARY_LIMIT = 100_000
"""Characters of a summary: GitHub takes 1 MiB from a step, older servers 128 KiB, and shows none of a larger one."""

_LINK = re.compile(r"https?://[A-Za-z0-9.:-]+(?:/[A-Za-z0-9._~/#?&=%+-]*)?")


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
        _link(outcome.pull_request),
        "<br>".join(table_cell(line) for line in lines),
    )
    return f"| {' | '.join(cells)} |\n"


def _link(pull: PullRequest | None) -> str:
    if pull is None:
        return "-"
    # The URL of `local` is a command, and a URL with other characters could end the link.
    return f"[#{pull.number}]({pull.url})" if _LINK.fullmatch(pull.url) else f"#{pull.number}"
