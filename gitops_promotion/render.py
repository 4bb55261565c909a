"""Outcomes -> text. Returns strings and opens nothing."""

import json
import re
from collections.abc import Sequence
from typing import Any, Literal

from gitops_promotion.core.forge import Details, PullRequest
from gitops_promotion.core.model import Outcome, Plan
from gitops_promotion.core.untrusted import table_cell
from gitops_promotion.core.untrusted import terminal as printable

Level = Literal["error", "warning", "notice"]
Colour = Literal["green", "yellow", "red"]

COLOURS: dict[str, Colour] = {
    "refused": "red",
    "timed-out": "red",
    "failed": "red",
    "skipped": "yellow",
    "declined": "yellow",
}
"""The colour of a result that is no plain success."""

SUMMARY_LIMIT = 100_000
"""Characters of the summary: GitHub takes 1 MiB from a step, older servers 128 KiB, and more is not shown at all."""

ANNOTATION_LIMIT = 10
"""Annotations of one level: GitHub shows no more of a step, Azure Pipelines keeps no more of one."""

_LINK = re.compile(r"https?://[A-Za-z0-9.:-]+(?:/[A-Za-z0-9._~/#?&=%+-]*)?")
_LEVELS: dict[str, Level] = {
    "failed": "error",
    "refused": "error",
    "timed-out": "warning",
    "opened": "notice",
    "updated": "notice",
    "merged": "notice",
    "declined": "notice",
}

_WIDTH = max(map(len, ("unchanged", "timed-out")))


def human(outcomes: Sequence[Outcome], *, paint: bool = False) -> str:
    """Return one line an outcome, then what belongs to it, indented; `paint` colours the results."""
    return "\n".join(_one(outcome, paint) for outcome in outcomes) + "\n"


def _one(outcome: Outcome, paint: bool) -> str:
    result = outcome.result.ljust(_WIDTH)
    if paint:
        code = {"green": 32, "yellow": 33, "red": 31}[COLOURS.get(outcome.result, "green")]
        result = f"\x1b[{code}m{result}\x1b[0m"
    what = subject(outcome)
    lines = [f"{result}  {what}: {outcome.message}" if what else f"{result}  {outcome.message}"]
    lines += [f"- {reason}" for reason in outcome.reasons if reason != outcome.message]
    lines += [f"- warning: {warning}" for warning in outcome.warnings]
    lines += [f"at {outcome.feature_url}"] if outcome.feature_url else []
    if outcome.pull_request is not None and outcome.pull_request.url:
        lines.append(outcome.pull_request.url)
    text = ("\n" + " " * (_WIDTH + 2)).join(printable(line) for line in lines)
    if paint:
        text = text.replace("\ufffd[", "\x1b[")
    shown = plan(outcome.plan) if outcome.plan else _lines(outcome.diff)
    return f"{text}\n\n{shown}".rstrip("\n")


def subject(outcome: Outcome) -> str:
    """Return `group/app old -> new in environment`, as much of it as the outcome knows."""
    if not outcome.app:
        return outcome.environment
    versions = " -> ".join(dict.fromkeys(_short(tag) for tag in (outcome.previous_tag, outcome.tag) if tag))
    text = f"{outcome.group}/{outcome.app} {versions}".rstrip()
    return f"{text} in {outcome.environment}" if outcome.environment else text


def _short(tag: str) -> str:
    name, at, digest = tag.partition("@sha256:")
    return f"{name}@{digest[:7]}" if at else name


def plan(plan: Plan) -> str:
    """Return all that a dry run would have written."""
    fields = (
        ("branch", plan.branch),
        ("base", f"{plan.base} at {plan.base_sha}"),
        ("auto-merge", "on" if plan.auto_merge else "off, waits for a person"),
        ("title", plan.title),
    )
    lines = [f"{name}: {printable(value)}" for name, value in fields]
    return "\n".join(
        (
            *lines,
            "",
            "commit message:",
            _indented(plan.message),
            "",
            "body:",
            _indented(plan.body),
            "",
            _lines(plan.diff),
        )
    )


def _indented(text: str) -> str:
    return "\n".join("    " + printable(line) if line else "" for line in text.rstrip("\n").split("\n"))


def _lines(text: str) -> str:
    return "\n".join(printable(line) for line in text.split("\n"))


def pull_requests(pulls: Sequence[PullRequest]) -> str:
    """Return a table of pull requests, as `local list` shows it."""
    if not pulls:
        return "no pull requests\n"
    rows = [("NUMBER", "STATE", "AUTO-MERGE", "BRANCH", "TITLE")]
    rows += [
        (f"#{pull.number}", pull.state, "armed" if pull.auto_merge else "off", pull.head, pull.title) for pull in pulls
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = ("  ".join((*(map(str.ljust, row, widths)), row[4])) for row in rows)
    return "".join(printable(line).rstrip() + "\n" for line in lines)


def details(details: Details) -> str:
    """Return all there is to know of one pull request, as `local show` shows it."""
    pull = details.pull_request
    gate = "waits for its check, `gitops-promotion status`" if details.gated else "nothing is required"
    merged = f", merged as {pull.merge_sha}" if pull.merge_sha else ""
    lines = [
        f"#{pull.number}  {pull.title}",
        f"{pull.state}, auto-merge {'armed' if pull.auto_merge else 'off'}; {gate}",
        f"{pull.head} at {pull.head_sha} into {pull.base}{merged}",
        f"by {pull.author}",
        *(f"status  {s.context}: {s.state}  {s.description}".rstrip() for s in details.statuses),
        *(f"review  {r.author}: {r.verdict} on {r.sha[:7]}  {r.comment}".rstrip() for r in details.reviews),
    ]
    head = "\n".join(printable(line) for line in lines)
    return f"{head}\n\n{_lines(pull.body)}\n\n{_lines(details.diff)}".rstrip("\n") + "\n"


def pull_requests_json(pulls: Sequence[PullRequest]) -> str:
    """Return the document of `local list --output json`."""
    return _document(pull_requests=[pull_request(pull) for pull in pulls])


def details_json(details: Details) -> str:
    """Return the document of `local show --output json`."""
    statuses = [{"context": s.context, "state": s.state, "description": s.description} for s in details.statuses]
    reviews = [{"author": r.author, "verdict": r.verdict, "sha": r.sha, "comment": r.comment} for r in details.reviews]
    return _document(
        pull_request={
            **pull_request(details.pull_request),
            "body": details.pull_request.body,
            "gated": details.gated,
            "statuses": statuses,
            "reviews": reviews,
            "diff": details.diff,
        }
    )


def as_json(outcomes: Sequence[Outcome]) -> str:
    """Return the document of `--output json` (docs/exit-codes.md)."""
    return _document(outcomes=[_outcome(outcome) for outcome in outcomes])


def _document(**content: Any) -> str:
    return _uncommanding(json.dumps({"version": 1, **content}, indent=2)) + "\n"


def _uncommanding(document: str) -> str:
    # `##[...]` and `##vso[...]` are commands to a runner wherever they stand in a line; JSON can say it otherwise.
    return document.replace("##", "#\\u0023")


def _outcome(outcome: Outcome) -> dict[str, Any]:
    return {
        "result": outcome.result,
        "exit_code": outcome.exit_code,
        "message": outcome.message,
        "group": outcome.group,
        "app": outcome.app,
        "environment": outcome.environment,
        "tag": outcome.tag,
        "previous_tag": outcome.previous_tag,
        "branch": outcome.branch,
        "sha": outcome.sha,
        "feature_url": outcome.feature_url,
        "pull_request": pull_request(outcome.pull_request) if outcome.pull_request else None,
        "reasons": list(outcome.reasons),
        "warnings": list(outcome.warnings),
        "plan": _plan(outcome.plan) if outcome.plan else None,
        "diff": outcome.plan.diff if outcome.plan else outcome.diff,
    }


def pull_request(pull: PullRequest) -> dict[str, Any]:
    """Return what JSON shows of a pull request."""
    return {
        "number": pull.number,
        "url": pull.url,
        "state": pull.state,
        "head": pull.head,
        "head_sha": pull.head_sha,
        "base": pull.base,
        "merge_sha": pull.merge_sha,
        "auto_merge": pull.auto_merge,
        "title": pull.title,
        "author": pull.author,
    }


def _plan(plan: Plan) -> dict[str, Any]:
    return {
        "branch": plan.branch,
        "base": plan.base,
        "base_sha": plan.base_sha,
        "commit_message": plan.message,
        "title": plan.title,
        "body": plan.body,
        "auto_merge": plan.auto_merge,
        "files": sorted(plan.edits),
    }


def outputs(outcomes: Sequence[Outcome], *, limit: int) -> dict[str, str]:
    """Return what later steps of a workflow can use: the first outcome's values, and `outcomes` with all as JSON.

    The JSON is one line of at most `limit` characters, each outcome as in `as_json` but without what only a dry run
    has; what would go beyond it is left out, from the end.
    """
    kept: list[str] = []
    left = limit - 1
    for outcome in outcomes:
        values = {key: value for key, value in _outcome(outcome).items() if key not in ("plan", "diff")}
        text = _uncommanding(json.dumps(values, separators=(",", ":")))
        left -= len(text) + 1
        if left < 0:
            break
        kept.append(text)
    first = next(iter(outcomes), None)
    pull = first.pull_request if first else None
    names = ("result", "message", "group", "app", "environment", "tag", "previous_tag", "branch", "sha", "feature_url")
    return {
        **{name: getattr(first, name, "") for name in names},
        "pull_request_number": str(pull.number) if pull else "",
        "pull_request_url": pull.url if pull else "",
        "outcomes": f"[{','.join(kept)}]",
    }


def summary(outcomes: Sequence[Outcome], *, verb: str) -> str:
    """Return a Markdown table of the outcomes, at most SUMMARY_LIMIT characters."""
    text = (
        f"### gitops-promotion {verb}\n\n"
        "| result | application | version | environment | pull request | |\n| --- | --- | --- | --- | --- | --- |\n"
    )
    for shown, outcome in enumerate(outcomes):
        row = _row(outcome)
        if len(text) + len(row) > SUMMARY_LIMIT:
            return f"{text}\nand {len(outcomes) - shown} more\n\n"
        text += row
    return text + "\n"


def _row(outcome: Outcome) -> str:
    versions = [table_cell(_short(tag)) for tag in (outcome.previous_tag, outcome.tag) if tag]
    said = [*_said(outcome), *(f"warning: {warning}" for warning in outcome.warnings)]
    cells = (
        outcome.result,
        table_cell(f"{outcome.group}/{outcome.app}" if outcome.app else ""),
        " → ".join(versions) or "-",
        table_cell(outcome.environment),
        _link(outcome.pull_request),
        "<br>".join(table_cell(line) for line in said),
    )
    return f"| {' | '.join(cells)} |\n"


def _link(pull: PullRequest | None) -> str:
    if pull is None:
        return "-"
    # Of `local` it is a command, and a URL that could end its own link is not made one.
    return f"[#{pull.number}]({pull.url})" if _LINK.fullmatch(pull.url) else f"#{pull.number}"


def _said(outcome: Outcome) -> list[str]:
    """Return the message and the reasons that say more than it, line by line."""
    lines = [*outcome.message.split("\n"), *(reason for reason in outcome.reasons if reason != outcome.message)]
    return [line for line in lines if line]


def annotations(outcomes: Sequence[Outcome]) -> list[tuple[Level, str, str]]:
    """Return level, title and text of what people should see on a run's page; nothing of what is ordinary.

    Of each level at most ANNOTATION_LIMIT, the last of which says how many are left out.
    """
    found: list[tuple[Level, str, str]] = []
    for outcome in outcomes:
        what = subject(outcome)
        title = printable(f"{outcome.result}: {what}" if what else f"gitops-promotion: {outcome.result}")[:250]
        if level := _LEVELS.get(outcome.result):
            lines = _said(outcome)
            if outcome.pull_request is not None:
                lines.append(outcome.pull_request.url)
            found.append((level, title, "\n".join(map(printable, lines))))
        found += [("warning", title, printable(warning)) for warning in outcome.warnings]
    levels: tuple[Level, ...] = ("error", "warning", "notice")
    return [kept for level in levels for kept in _fitting([each for each in found if each[0] == level])]


def _fitting(found: list[tuple[Level, str, str]]) -> list[tuple[Level, str, str]]:
    if len(found) <= ANNOTATION_LIMIT:
        return found
    kept = found[: ANNOTATION_LIMIT - 1]
    left = len(found) - len(kept)
    return [*kept, (found[0][0], "gitops-promotion", f"{left} more are in the run's summary and in its log")]
