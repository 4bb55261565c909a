"""Which override counts for a head: this tool's commit claims it, and the verdict on the head proves it."""

from dataclasses import dataclass

from gitops_promotion.core import overrides
from gitops_promotion.core.overrides import Override
from gitops_promotion.workflow.lookups import Lookups
from gitops_promotion.workflow.tip import Tip


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """An override that a head claims; `problem` says why it does not count, "" if it does."""

    override: Override
    problem: str = ""

    @property
    def warning(self) -> str:
        """The warning about a claim that does not count."""
        return f"the override by {self.override.person} does not count here: {self.problem}"


def find_claim(tip: Tip, lookups: Lookups, sha: str) -> Claim | None:
    """Return the override that a head which is here claims, None without one.

    Costs a request for statuses, and one for the owner of the token, if the commit has the trailers. Raises
    ProviderError, GitError.
    """
    header = tip.repository.headers([sha]).get(sha)
    override = Override.read(header.trailers) if header else None
    if override is None:
        return None
    status = overrides.published_by(lookups.statuses((sha,))[sha])
    if status is None or not status.description.startswith(f"overridden by {override.person}: "):
        return Claim(override=override, problem="no published verdict on the head records it")
    return Claim(override=override, problem=overrides.problem(status, lookups.identity()))


def counting_override(tip: Tip, lookups: Lookups, sha: str) -> Override | None:
    """Return the override that counts for a head, None without one. Raises ProviderError, GitError."""
    claim = find_claim(tip, lookups, sha)
    return claim.override if claim is not None and not claim.problem else None
