"""Promotions: an application gets a tag in an environment."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from gitops_promotion.core.config import Config
from gitops_promotion.core.model import Kind, Request


@dataclass(frozen=True, slots=True)
class Promotion(Kind):
    """The kind of request that `new` and `promote` make."""

    name: str = "promote"
    uses_settings: ClassVar[bool] = True
    changes_tag: ClassVar[bool] = True
    edits_only_tags: ClassVar[bool] = True
    stops_at_holds: ClassVar[bool] = True

    def branch(self, request: Request, config: Config) -> str:
        """Return the promotion branch of the application. Raises UsageError."""
        return config.branch(request.application, request.environment)

    def title(self, request: Request) -> str:
        """Return the predecessor's title, so that people's filters keep working."""
        return f"Promote {request.application} version {request.tag.name} to environment {request.environment}"

    def trailers(self, request: Request) -> Mapping[str, str]:
        """Return when the image was built or the run began, and the people behind the promotion, where known."""
        return {
            "Built-At": request.built_at.isoformat() if request.built_at else "",
            "Started-At": request.started_at.isoformat() if request.started_at else "",
            **request.origin.trailers,
        }

    def notes(self, request: Request, config: Config) -> list[str]:
        """Return what the promotion waits for, and who merges it."""
        requirements = config.way(request.application).requirements(request.environment)
        notes = [note for gate in config.gates(request.environment) if (note := gate.note(requirements))]
        if config.environment(request.environment).auto:
            notes.append("It merges by itself when its checks pass.")
        else:
            notes.append("It waits for a person: merging approves it, closing declines it, and the decline sticks.")
        return notes


PROMOTION = Promotion()
