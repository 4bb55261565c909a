"""The answer of `why`, as text and as JSON."""

from gitops_promotion.core import untrusted
from gitops_promotion.core.why import Why
from gitops_promotion.render.json_v1 import document


def human(view: Why, *, colour: bool = False) -> str:
    """Return the first sentence, and below it the reasons and what to do."""
    del colour
    lines = [view.headline, *(f"- {reason}" for reason in view.reasons), *(f"next: {step}" for step in view.next)]
    return "".join(untrusted.terminal(line) + "\n" for line in lines)


def json_v1(view: Why, *, colour: bool = False) -> str:
    """Return the document of `why`: what is not known is null, or an empty list."""
    del colour
    return document(
        group=view.application.group,
        app=view.application.name,
        environment=view.environment,
        tag=view.tag or None,
        there=view.there,
        since=view.since.isoformat() if view.since else None,
        by=view.by or None,
        pull_request=view.pull_request,
        decision=view.decision,
        reasons=list(view.reasons),
        next=list(view.next),
        text=view.text,
    )
