"""Features: a temporary version of an application in the first environment."""

from collections.abc import Mapping
from dataclasses import dataclass

from gitops_promotion.core.config import Config
from gitops_promotion.core.model import Kind, Request


@dataclass(frozen=True, slots=True)
class Feature(Kind):
    """The kind of request that `feature` makes."""

    name: str = "feature"

    def branch(self, request: Request, config: Config) -> str:
        """Return the branch of the feature. Raises UsageError."""
        return config.feature_branch(request.application, request.feature)

    def title(self, request: Request) -> str:
        """Return a title that names the feature (docs/migrating.md, B33)."""
        return (
            f"Feature {request.feature} of {request.application} version {request.tag.name} "
            f"in environment {request.environment}"
        )

    def trailers(self, request: Request) -> Mapping[str, str]:
        """Return the name of the feature."""
        return {"Feature": request.feature}


FEATURE = Feature()
