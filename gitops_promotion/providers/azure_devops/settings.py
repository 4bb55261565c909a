"""What Azure DevOps would do to promotions: policies and permissions, in five requests, all of them reads.

The facts about who may read what are in docs/facts/forges.md#policies-and-permissions.
"""

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import replace

from gitops_promotion.core import untrusted
from gitops_promotion.core.forge import ForgeSettings, Hidden, Obstacle, RequiredCheck
from gitops_promotion.errors import ProviderError
from gitops_promotion.providers.azure_devops.answers import field, text
from gitops_promotion.providers.azure_devops.api import SCOPES
from gitops_promotion.providers.azure_devops.endpoints import GIT_SECURITY, Endpoints
from gitops_promotion.providers.azure_devops.policies import (
    BUILD,
    STATUS,
    Policy,
    allowed_methods,
    read_policies,
)

REVIEWERS = "fa4e907d-c16b-4a4c-9dfa-4906e5d171dd"
REQUIRED_REVIEWERS = "fd2167ab-b0be-447a-8ec8-39368250530e"
WORK_ITEMS = "40e92b44-2fe1-4dd6-b3d8-74a9c21d0c6e"
"""The policy types for a number of reviewers, for certain reviewers, and for linked work items.

https://github.com/Azure/azure-devops-cli-extension/blob/master/azure-devops/azext_devops/dev/repos/policy.py
"""
PERMISSIONS = {4: "Contribute", 16: "Create branch", 16384: "Contribute to pull requests"}
"""The permissions that promotions need, by their bits in the namespace of Git repositories.

https://learn.microsoft.com/azure/devops/organizations/security/namespace-reference
"""


def read_settings(endpoints: Endpoints, *, base: str, head: str, is_personal_token: bool) -> ForgeSettings:
    """Return what Azure DevOps would do to promotions. Raises AuthError, ProviderError, if it shows no repository."""
    hidden: list[Hidden] = []
    repository = endpoints.repository()
    repository_id = field(repository, str, "id")
    project_id = field(getattr(repository, "project", None), str, "id")
    settings = ForgeSettings(
        auto_merge=True, has_merge_queue=False, is_strict=False, wants_signatures=False, starts_workflows=True
    )
    try:
        granted = endpoints.permissions(f"repoV2/{project_id}/{repository_id}", list(PERMISSIONS))
        lacking = tuple(f"the permission {name!r}" for bit, name in PERMISSIONS.items() if not granted[bit])
        if lacking:
            bits = sum(bit for bit in PERMISSIONS if not granted[bit])
            command = _grant_command(endpoints, f"repoV2/{project_id}/{repository_id}", bits)
            settings = replace(settings, lacking=lacking, grant_command=command)
    except (ProviderError, KeyError) as error:
        hidden.append(
            Hidden(
                what=f"what the token may do ({_reason(error)})",
                next_step="look at Project settings, Repositories, Security: docs/azure-devops.md lists what it needs",
            )
        )
    if is_personal_token:
        hidden.append(
            Hidden(
                what="which scopes the personal access token has",
                next_step=f"Azure DevOps shows them on the page of the token alone; it needs {SCOPES}",
            )
        )
    try:
        of_base = [policy for policy in read_policies(endpoints.policies(repository_id, base)) if policy.is_of_branch]
        of_head = [policy for policy in read_policies(endpoints.policies(repository_id, head)) if policy.is_of_branch]
    except ProviderError as error:
        step = "give a token with the scope Code (Read)"
        hidden.append(Hidden(what=f"the policies of {base} ({_reason(error)})", next_step=step))
        return replace(settings, hidden=tuple(hidden))
    return replace(
        settings,
        merge_methods=tuple(allowed_methods(of_base)),
        checks=tuple(_checks(of_base, base)),
        approvals=max((_approvals(policy) for policy in of_base), default=0),
        some_approvals=any(policy.blocking and policy.type == REQUIRED_REVIEWERS for policy in of_base),
        obstacles=(*_obstacles(of_base, base), *_of_head(of_head, head)),
        hidden=tuple(hidden),
    )


def _grant_command(endpoints: Endpoints, token: str, bits: int) -> str:
    """Return the command that gives permissions to the identity of the token. Raises ProviderError."""
    descriptor = untrusted.line(text(endpoints.me(), "subject_descriptor"))
    return (
        f"az devops security permission update --namespace-id {GIT_SECURITY} "
        f"--subject {shlex.quote(descriptor)} --token {shlex.quote(token)} --allow-bit {bits}"
    )


def _reason(error: Exception) -> str:
    return untrusted.line(str(error)) if isinstance(error, ProviderError) else "the answer names other permissions"


def _checks(policies: Sequence[Policy], base: str) -> Iterator[RequiredCheck]:
    for policy in policies:
        if not policy.blocking:
            continue
        name = untrusted.line(str(policy.settings.get("displayName") or f"build {policy.id}"))
        if policy.type == BUILD:
            is_manual = policy.settings.get("manualQueueOnly") is True
            weakness = Obstacle(
                problem=f"the required build {name} of {base} starts by hand alone, so promotions wait for a person",
                next_step=f"`az repos policy build update --id {policy.id} --manual-queue-only false`",
            )
            yield RequiredCheck(name=name, is_build=True, weakness=weakness if is_manual else None)
        elif policy.type == STATUS:
            genre, status = (str(policy.settings.get(key) or "") for key in ("statusGenre", "statusName"))
            context = untrusted.line(f"{genre}/{status}" if genre else status)
            yield RequiredCheck(name=context, weakness=_weakness(policy, base) if policy.is_own_check else None)


def _weakness(policy: Policy, base: str) -> Obstacle | None:
    """Return what lets somebody, or an older push, pass the policy for the published verdict."""
    page = f"Repos, Branches, {base}, Branch policies"
    edit = f"`az repos policy show --id {policy.id}` shows the policy; change it in {page}"
    if policy.outlives_pushes:
        problem = "takes the verdict on an older push for one on the newest"
        step = f"switch on `Reset status whenever there are new changes`; {edit}"
    elif policy.settings.get("policyApplicability") not in (None, 0, "default", "apply"):
        problem = "applies only once the status was posted, so a promotion may merge before it"
        step = f"choose `Apply by default`; {edit}"
    elif not policy.settings.get("authorId"):
        problem = "takes the status from everybody with Contribute, so each of them can let a promotion pass its gates"
        step = f"choose the identity that publishes as `Authorized identity`; {edit}"
    else:
        return None
    return Obstacle(problem=f"the policy of {base} for the status gitops-promotion {problem}", next_step=step)


def _approvals(policy: Policy) -> int:
    """Return how many people must approve every pull request, whatever it changes."""
    if not policy.blocking or policy.type not in (REVIEWERS, REQUIRED_REVIEWERS):
        return 0
    if policy.type == REQUIRED_REVIEWERS and policy.settings.get("filenamePatterns"):
        return 0
    count = policy.settings.get("minimumApproverCount")
    return count if isinstance(count, int) else 1


def _obstacles(policies: Sequence[Policy], base: str) -> Iterator[Obstacle]:
    for policy in policies:
        if policy.blocking and policy.type == WORK_ITEMS:
            yield Obstacle(
                problem=f"{base} wants linked work items, and promotions have none: none merges",
                next_step=f"`az repos policy work-item-linking update --id {policy.id} --blocking false`",
            )


def _of_head(policies: Sequence[Policy], head: str) -> Iterator[Obstacle]:
    blocking = [policy for policy in policies if policy.blocking]
    if blocking:
        numbers = " ".join(str(policy.id) for policy in blocking)
        yield Obstacle(
            problem=f"branches such as {head} have a required policy, so they take no pushes",
            next_step=f"leave them out of the policies {numbers}: see `az repos policy show --id {blocking[0].id}`",
        )
