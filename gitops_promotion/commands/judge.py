"""What holds a promotion back now: the gate's rules applied to what the repository and the forge say."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from gitops_promotion.commands.session import Place, Session
from gitops_promotion.core import gate, history
from gitops_promotion.core.model import CommitStatus, Tag, Verdict

Statuses = Callable[[Sequence[str]], Mapping[str, Sequence[CommitStatus]]]
"""Who is asked for the statuses of commits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """One promotion that must wait: the tag for `environment`, healthy in `previous` or not."""

    group: str
    app: str
    tag: Tag
    environment: str
    previous: str


def judge(session: Session, asked: Gate, *, expired: bool, ask: Statuses | None = None) -> Verdict:
    """Return the verdict at the session's tip, with one request to the forge, or what `ask` costs.

    Raises GitError, ProviderError.
    """
    key = (asked.group, asked.app, asked.previous)
    session.read_applications([key])
    places = [Place(group=asked.group, environment=asked.previous)]
    points = session.timelines({key: asked.tag}, [], places, before=gate.CANDIDATES)[key]
    stay = history.stay(points, asked.tag)
    said = (ask or session.provider.statuses)(gate.asked(stay)) if stay else {}
    statuses = gate.trusted(said, session.config.status_authors)
    contexts = gate.contexts(session.config.status_contexts, asked.group, asked.previous)
    return gate.status_gate(
        group=asked.group,
        app=asked.app,
        tag=asked.tag,
        environment=asked.previous,
        stay=stay,
        statuses=statuses,
        contexts=contexts,
        fail_fast=session.config.fail_fast,
        expired=expired,
        causes=gate.suspects(stay, statuses, contexts, session.blobs(())) if stay else (),
    )
