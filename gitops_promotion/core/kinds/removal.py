"""Removals: the copies of one feature, or all stale copies, are removed."""

from collections.abc import Mapping
from dataclasses import dataclass

from gitops_promotion.core.branch_names import REMOVALS
from gitops_promotion.core.config import Config
from gitops_promotion.core.model import Kind, Request

STALE_BRANCH = f"{REMOVALS}stale-feature"
"""The predecessor's branch for the removal of stale copies."""


@dataclass(frozen=True, slots=True)
class Removal(Kind):
    """The kind of request that `feature-delete` and `feature-stale` make."""

    name: str = "remove"

    def branch(self, request: Request, config: Config) -> str:
        """Return the branch of one feature, or the branch for all stale ones. Raises UsageError."""
        return config.feature_branch(request.application, request.feature) if request.feature else STALE_BRANCH

    def title(self, request: Request) -> str:
        """Return a title that names the feature, if it is only one."""
        subject = f"feature {request.feature} of {request.application}" if request.feature else "stale features"
        return f"Remove {subject} from environment {request.environment}"

    def trailers(self, request: Request) -> Mapping[str, str]:
        """Return the name of the feature, "" for several."""
        return {"Feature": request.feature}


REMOVAL = Removal()
