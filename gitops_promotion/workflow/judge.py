"""What holds a promotion back now: the gate's rules applied to what the repository and the forge say."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from gitops_promotion.core import deployments, markers
from gitops_promotion.core.forge import CommitStatus
from gitops_promotion.core.gates import health
from gitops_promotion.core.model import Verdict
from gitops_promotion.core.tags import Tag
from gitops_promotion.errors import ConfigError
from gitops_promotion.workflow.session import Place, Session

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

    Raises GitError, ProviderError, ConfigError.
    """
    _check_names(session, asked)
    key = (asked.group, asked.app, asked.previous)
    session.read_applications([key])
    places = [Place(group=asked.group, environment=asked.previous)]
    points = session.timelines({key: asked.tag}, [], places, before=health.CANDIDATES)[key]
    stay = deployments.stay(points, asked.tag)
    said = (ask or session.provider.statuses)(health.asked(stay)) if stay else {}
    statuses = health.trusted(said, session.config.status_authors)
    contexts = health.contexts(session.config.status_contexts, asked.group, asked.previous)
    return health.status_gate(
        group=asked.group,
        app=asked.app,
        tag=asked.tag,
        environment=asked.previous,
        stay=stay,
        statuses=statuses,
        contexts=contexts,
        fail_fast=session.config.fail_fast,
        expired=expired,
        causes=health.suspects(stay, statuses, contexts, session.blobs(())) if stay else (),
    )


def _check_names(session: Session, asked: Gate) -> None:
    """Raise ConfigError where the statuses of another group's environment would speak for this one's."""
    config = session.config
    names = [environment.name for environment in config.environments]
    for group, environment in health.rivals(config.status_contexts, asked.group, asked.previous, names):
        place = Place(group=group, environment=environment)
        session.read_marked([place], [])
        if any(found == group for found, _ in markers.applications(session.files(group, environment))):
            raise ConfigError(
                f"{session.config_file}: the statuses of {asked.group} in {asked.previous} and of {group} in "
                f"{environment} have the same name: rename one of the two, or set statusContext to a pattern that "
                "tells them apart, such as */{group}/{env}"
            )
