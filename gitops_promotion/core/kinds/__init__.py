"""Kinds of requests: branch, title, trailers, sentences and gating of each; one file a kind."""

from gitops_promotion.core.kinds.feature import FEATURE
from gitops_promotion.core.kinds.hold import HOLD, RELEASE
from gitops_promotion.core.kinds.promotion import PROMOTION
from gitops_promotion.core.kinds.removal import REMOVAL
from gitops_promotion.core.kinds.rollback import ROLLBACK, branches_into, rollback_branch

__all__ = [
    "FEATURE",
    "HOLD",
    "NARROW",
    "PROMOTION",
    "RELEASE",
    "REMOVAL",
    "ROLLBACK",
    "branches_into",
    "rollback_branch",
]

NARROW = (ROLLBACK, HOLD)
"""The kinds that say what may be on their branches: `prefix`, `scope` and `beyond`."""
