"""The policies of a branch: their requirements for a pull request, and the allowed ways to complete it; pure."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gitops_promotion.core.forge import OWN_CONTEXT, HeadState
from gitops_promotion.providers.azure_devops.answers import field, text, time
from gitops_promotion.providers.http import zoned

MERGE_STRATEGY = "fa4e907d-c16b-4a4c-9dfa-4916e5d171ab"
"""The policy type that limits merge types.

https://learn.microsoft.com/rest/api/azure/devops/policy/types/list
"""
BUILD = "0609b952-1397-4640-95ec-e00a01b2c241"
STATUS = "cbdc66da-9728-4af8-aada-9a5a32e4a226"
"""The policy types that require a check: a build, and a status that is posted."""

STRATEGIES: Mapping[str, str] = {
    "noFastForward": "allowNoFastForward",
    "squash": "allowSquash",
    "rebase": "allowRebase",
    "rebaseMerge": "allowRebaseMerge",
}
"""The ways to complete a pull request, each with the policy's setting for it; the best first."""
REBASING = ("rebase", "rebaseMerge")

_METHODS: Mapping[str, tuple[str, ...]] = {
    "merge": ("noFastForward",),
    "squash": ("squash",),
    "rebase": ("rebase", "rebaseMerge"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """One policy of a branch; `status` is its evaluation for a pull request, "" for one that was not evaluated."""

    id: int
    blocking: bool
    status: str
    type: str
    settings: Mapping[str, Any]
    since: datetime | None = None

    @property
    def holds(self) -> bool:
        """True if the pull request cannot be completed before the evaluation changes."""
        return self.blocking and self.type != MERGE_STRATEGY and self.status not in ("approved", "notApplicable")

    @property
    def is_of_branch(self) -> bool:
        """False for a policy of pushes, such as one on the size of files: its scopes name no branch."""
        scopes = self.settings.get("scope")
        mappings = [scope for scope in scopes if isinstance(scope, dict)] if isinstance(scopes, list) else []
        return not mappings or any(scope.get("refName") or scope.get("matchKind") for scope in mappings)

    @property
    def is_check(self) -> bool:
        """True if it requires a check of this pull request, which may be this tool's own."""
        return self.blocking and self.type in (BUILD, STATUS) and self.status != "notApplicable"

    @property
    def is_own_check(self) -> bool:
        """True if it requires this tool's own verdict."""
        return self._is_about(OWN_CONTEXT)

    def _is_about(self, context: str) -> bool:
        """Return True for a policy about the status of this name, with its genre before a slash if it has one."""
        genre, name = (str(self.settings.get(key) or "") for key in ("statusGenre", "statusName"))
        return self.type == STATUS and (f"{genre}/{name}" if genre else name) == context

    def requires_status(self, context: str) -> bool:
        """Return True if a pull request to which it applies merges only after a success of this status.

        Not so where it applies only once somebody has posted the status, or takes one of an older push.
        """
        is_conditional = self.settings.get("policyApplicability") not in (None, 0, "default", "apply")
        outlives_pushes = self.settings.get("invalidateOnSourceUpdate") is False
        return self.is_check and self._is_about(context) and not is_conditional and not outlives_pushes

    @property
    def outlives_pushes(self) -> bool:
        """True if it requires this tool's verdict and takes the verdict on an older push for one on the newest."""
        return self.is_own_check and self.settings.get("invalidateOnSourceUpdate") is False


def read_policies(records: Sequence[object]) -> list[Policy]:
    """Read the policies of a list; those that are switched off are left out."""
    return [policy for data in records if (policy := read_policy(data)) is not None]


def read_policy(data: object) -> Policy | None:
    """Read an evaluation of a policy, or the policy's configuration; None for one that is switched off."""
    configuration = getattr(data, "configuration", None) or data
    if getattr(configuration, "is_deleted", False) or getattr(configuration, "is_enabled", True) is False:
        return None
    settings = getattr(configuration, "settings", None)
    return Policy(
        id=field(configuration, int, "id"),
        # Where the answer does not say it, the policy blocks: taking it for optional would merge past it.
        blocking=getattr(configuration, "is_blocking", True) is not False,
        status=text(data, "status"),
        type=text(getattr(configuration, "type", None), "id").lower(),
        settings=settings if isinstance(settings, dict) else {},
        since=_start(data),
    )


def _start(data: object) -> datetime | None:
    """Return when the evaluated build started; the evaluation itself has the time of its first build."""
    context = getattr(data, "context", None)
    build_start = context.get("buildStartedUtc") if isinstance(context, dict) else None
    if isinstance(build_start, str):
        with suppress(ValueError):
            return zoned(datetime.fromisoformat(build_start))
    return time(data, "started_date")


def head_state(policies: Sequence[Policy]) -> HeadState:
    """Return the head state that follows from failed checks: this tool's own counts first, then the latest.

    No branch on Azure DevOps demands that a head contains its tip: an outdated build runs again on the same head.
    """
    failed = [policy for policy in policies if policy.is_check and policy.status == "rejected"]
    own_failed = any(policy.is_own_check for policy in failed)
    failed_since = None if own_failed else max((policy.since for policy in failed if policy.since), default=None)
    return HeadState(failed=own_failed or failed_since is not None, failed_since=failed_since)


def merge_strategy(method: str, policies: Sequence[Policy]) -> str | None:
    """Return how to complete: by mergeMethod, else the best that every policy allows; None if no way is allowed."""
    candidates = _METHODS.get(method, tuple(STRATEGIES))
    return next((way for way in candidates if all(_allows(policy, way) for policy in policies)), None)


def allowed_methods(policies: Sequence[Policy]) -> list[str]:
    """Return the values of mergeMethod that every policy allows."""
    return [method for method in _METHODS if merge_strategy(method, policies) is not None]


def _allows(policy: Policy, way: str) -> bool:
    if policy.type != MERGE_STRATEGY:
        return True
    if policy.settings.get("useSquashMerge") is True:
        # The one setting of older servers, in place of the four.
        return way == "squash"
    return policy.settings.get(STRATEGIES[way]) is True
