"""`--output human`: a few lines for people, coloured on a terminal."""

from collections.abc import Sequence

from gitops_promotion.core import untrusted
from gitops_promotion.core.environments import described
from gitops_promotion.core.forge import Details, PullRequests
from gitops_promotion.core.graph import Graph, Node
from gitops_promotion.core.model import Outcome, Plan
from gitops_promotion.core.report import Report
from gitops_promotion.render.common import subject, with_each_warning_once

_GREEN, _YELLOW, _RED = 32, 33, 31
_COLOURS = {"refused": _RED, "timed-out": _RED, "failed": _RED, "skipped": _YELLOW, "declined": _YELLOW}
# The most entries that a list shows.
_SHOWN = 5
_WIDTH = max(map(len, ("unchanged", "timed-out")))


def report(report: Report, *, colour: bool = False) -> str:
    """Return one line for each outcome, with its reasons, warnings and link indented below; each warning once."""
    return "\n".join(_outcome(outcome, colour) for outcome in with_each_warning_once(report.outcomes)) + "\n"


def _outcome(outcome: Outcome, colour: bool) -> str:
    about = subject(outcome)
    # An error of a file has a line for each fault.
    message = "; ".join(outcome.message.split("\n"))
    lines = [f"{about}: {message}" if about else message]
    lines += [f"- {reason}" for reason in outcome.reasons if reason != outcome.message]
    lines += [f"- warning: {warning}" for warning in outcome.warnings]
    lines += [f"at {outcome.feature_url}"] if outcome.feature_url else []
    if outcome.pull_request is not None and outcome.pull_request.url:
        lines.append(outcome.pull_request.url)
    result = outcome.result.ljust(_WIDTH)
    if colour:
        result = f"\x1b[{_COLOURS.get(outcome.result, _GREEN)}m{result}\x1b[0m"
    text = f"{result}  " + ("\n" + " " * (_WIDTH + 2)).join(untrusted.terminal(line) for line in lines)
    details = _plan(outcome.plan) if outcome.plan else _printable_lines(outcome.diff)
    return f"{text}\n\n{details}".rstrip("\n")


def _plan(plan: Plan) -> str:
    fields = (
        ("branch", plan.branch),
        ("base", f"{plan.base} at {plan.base_sha}"),
        ("auto-merge", "on" if plan.auto_merge else "off, waits for a person"),
        ("title", plan.title),
    )
    return "\n".join(
        (
            *(f"{name}: {untrusted.terminal(value)}" for name, value in fields),
            "",
            "commit message:",
            _indented(plan.message),
            "",
            "body:",
            _indented(plan.body),
            "",
            _printable_lines(plan.diff),
        )
    )


def _indented(text: str) -> str:
    return "\n".join("    " + untrusted.terminal(line) if line else "" for line in text.rstrip("\n").split("\n"))


def _printable_lines(text: str) -> str:
    return "\n".join(untrusted.terminal(line) for line in text.split("\n"))


def pull_requests(pulls: PullRequests, *, colour: bool = False) -> str:
    """Return the table of `local list`."""
    del colour
    if not pulls.pull_requests:
        return "no pull requests that can be read\n" if pulls.errors else "no pull requests\n"
    rows = [("NUMBER", "STATE", "AUTO-MERGE", "BRANCH", "TITLE")]
    rows += [
        (f"#{pull.number}", pull.state, "armed" if pull.auto_merge else "off", pull.head, pull.title)
        for pull in pulls.pull_requests
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = ("  ".join((*(map(str.ljust, row, widths)), row[4])) for row in rows)
    return "".join(untrusted.terminal(line).rstrip() + "\n" for line in lines)


def pull_request(details: Details, *, colour: bool = False) -> str:
    """Return the text of `local show`: the pull request with its statuses, reviews, body, comments and diff."""
    del colour
    pull = details.pull_request
    gate = "waits for its check, `gitops-promotion status`" if details.gated else "no check is required"
    merged = f", merged as {pull.merge_sha}" if pull.merge_sha else ""
    lines = [
        f"#{pull.number}  {pull.title}",
        f"{pull.state}, auto-merge {'armed' if pull.auto_merge else 'off'}; {gate}",
        f"{pull.head} at {pull.head_sha} into {pull.base}{merged}",
        f"by {pull.author}",
        *(f"status  {s.context}: {s.state}  {s.description}".rstrip() for s in details.statuses),
        *(f"review  {r.author}: {r.verdict} on {r.sha[:7]}  {r.comment}".rstrip() for r in details.reviews),
    ]
    head = "\n".join(untrusted.terminal(line) for line in lines)
    texts = (pull.body, *details.comments, details.diff)
    return "\n\n".join([head, *map(_printable_lines, texts)]).rstrip("\n") + "\n"


def graph(graph: Graph, *, colour: bool = False) -> str:
    """Return the text of `graph`: the order, then each environment with what its patterns find."""
    del colour
    return "\n\n".join([graph.pipeline, *map(_environment, graph.environments)]) + "\n"


def _environment(node: Node) -> str:
    order = f"after {described(node.requirements)}" if node.requirements else "the entry"
    fields = {
        "path": ", ".join(node.patterns),
        "marker": ", ".join(node.markers),
        "files": _listed(node.files),
        "applications": _listed([str(application) for application in node.applications]),
        "next": ", ".join(node.targets) or "none",
    }
    lines = [f"{node.name}: {order}, {'merges by itself' if node.auto else 'a person merges'}"]
    lines += [f"  {name.ljust(max(map(len, fields)))}  {value}" for name, value in fields.items()]
    return "\n".join(map(untrusted.terminal, lines))


def _listed(texts: Sequence[str]) -> str:
    """Return how many texts there are, and the first of them."""
    texts_shown = [*texts[:_SHOWN], *([f"{len(texts) - _SHOWN} more"] if len(texts) > _SHOWN else [])]
    return f"{len(texts)} ({', '.join(texts_shown)})" if texts else "none"
