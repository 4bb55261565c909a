"""Approvals as text and JSON."""

from collections.abc import Iterator, Mapping
from typing import Any

from gitops_promotion.core import untrusted
from gitops_promotion.core.approval_list import Approval, ApprovalList
from gitops_promotion.core.discussion import Event
from gitops_promotion.core.gates.approvals import Tally
from gitops_promotion.core.gates.approvals_text import shown_time
from gitops_promotion.render.common import short_tag
from gitops_promotion.render.json_v1 import document

_COLOURS = {"pending": 33, "approved": 32, "merged": 32, "declined": 31, "superseded": 0}
_WIDTH = max(map(len, _COLOURS))


def human(view: ApprovalList, *, colour: bool = False) -> str:
    """Return one line for each promotion, with the opinions, who can act, and the events indented below."""
    if not view.approvals:
        return f"no promotion waits for {untrusted.terminal(view.person) or 'people'}\n"
    return "".join(f"{line}\n" for approval in view.approvals for line in _lines(approval, view.history, colour))


def _lines(approval: Approval, history: bool, colour: bool) -> Iterator[str]:
    state = approval.state.ljust(_WIDTH)
    if colour:
        state = f"\x1b[{_COLOURS[approval.state]}m{state}\x1b[0m"
    seats = f", {approval.seats}" if approval.seats else ""
    subject = f"{approval.application} {short_tag(approval.tag)} in {approval.environment}"
    yield f"{state}  " + untrusted.terminal(f"{subject}, #{approval.pull_request.number}{seats}")
    details = [*_opinions(approval.tally), *(map(_event, approval.history) if history else [])]
    details += [approval.pull_request.url] if approval.pull_request.url else []
    yield from (" " * (_WIDTH + 2) + untrusted.terminal(detail) for detail in details)


def _opinions(tally: Tally | None) -> Iterator[str]:
    for opinion in tally.opinions if tally else ():
        comment = f": {untrusted.line(opinion.comment)}" if opinion.comment else ""
        ignored = "" if opinion.counts else f" (does not count: {opinion.why})"
        verb = "approved" if opinion.verdict == "approved" else "rejected"
        yield f"{opinion.author} {verb} it{shown_time(opinion.at)}{ignored}{comment}"
    for reason in tally.reasons if tally and tally.decision != "pass" else ():
        yield f"- {reason}"


def _event(event: Event) -> str:
    by = f" by {event.by.name or 'a deleted account'}" if event.by else ""
    comment = f": {untrusted.line(event.comment)}" if event.comment else ""
    return f"{event.kind}{by}{shown_time(event.at)}{comment}"


def json_v1(view: ApprovalList, *, colour: bool = False) -> str:
    """Return the document with the list `approvals`."""
    del colour
    return document(approvals=[_fields(approval, view.history) for approval in view.approvals])


def _fields(approval: Approval, history: bool) -> Mapping[str, Any]:
    return {
        "group": approval.application.group,
        "app": approval.application.name,
        "environment": approval.environment,
        "tag": approval.tag,
        "state": approval.state,
        "seats": approval.seats or None,
        "pull_request": approval.pull_request.number,
        "opinions": opinion_fields(approval.tally),
        "history": [_event_fields(event) for event in approval.history] if history else [],
    }


def opinion_fields(tally: Tally | None) -> list[dict[str, Any]]:
    """Return the opinions as documents have them."""
    return [
        {
            "author": opinion.author,
            "verdict": opinion.verdict,
            "at": opinion.at.isoformat() if opinion.at else None,
            "comment": opinion.comment or None,
            "counts": opinion.counts,
            "why": opinion.why or None,
        }
        for opinion in (tally.opinions if tally else ())
    ]


def _event_fields(event: Event) -> dict[str, Any]:
    return {
        "at": event.at.isoformat() if event.at else None,
        "by": event.by.name if event.by else None,
        "event": event.kind,
    }
