"""Which of two runs that set a tag of one application is newer: by the build of the image, or by the run's start."""

from dataclasses import dataclass
from datetime import datetime

from gitops_promotion.core.model import Request


@dataclass(frozen=True, slots=True, kw_only=True)
class Rival:
    """The open or the last promotion into an environment, by another run.

    `name` is its name in messages, `commit` its head. The times are None where its commit does not have them.
    """

    name: str
    commit: str
    built_at: datetime | None
    started_at: datetime | None


def newer(request: Request, rival: Rival, *, was_there: bool) -> str:
    """Return why a rival is newer than a request, "" if it is not (docs/concepts.md, Several runs at once).

    A request with the time of its build is compared by builds only. Start times decide only between runs that race with
    each other: a rival that `was_there` when the run looked first is not newer, since the clocks of two runners differ.
    """
    if request.built_at is not None:
        if rival.built_at is None or rival.built_at <= request.built_at:
            return ""
        return f"built at {request.built_at.isoformat()}, but {rival.name} is of a newer build"
    if was_there or request.started_at is None or rival.started_at is None or rival.started_at <= request.started_at:
        return ""
    return f"{rival.name} is of a run that started later: with --built-at the build would decide"
