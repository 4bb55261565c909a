"""Overrides: a person sends one head past its gates, and says why (docs/overrides.md).

A branch's name, a body and trailers prove nothing: anybody who can push can write them. An override counts only for the
head on which this tool's own verdict records it, published by the identity that reads the verdict now.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from gitops_promotion.core.discussion import Person
from gitops_promotion.core.forge import CommitStatus
from gitops_promotion.core.untrusted import line

REASON_LIMIT = 300
"""The most characters of a reason that a person gives."""

WORKFLOW_IDENTITIES = re.compile(r"github-actions|build\\.+")
"""The identities with which the workflows of every writer can publish: the tokens of GitHub's workflows, and those of
the pipelines of Azure DevOps."""

_DESCRIPTION = re.compile(r"overridden by (?P<person>[^:]+): ")
_PERSON_LIMIT = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """Who sends a promotion past its gates, and why.

    `gates`: past all gates except holds. `hold`: past holds. `times`: only past windows and freezes, for a rollback.
    """

    person: str
    reason: str
    gates: bool = False
    hold: bool = False
    times: bool = False

    @property
    def trailers(self) -> Mapping[str, str]:
        """The trailers of the commit."""
        names = {"gates": self.gates, "hold": self.hold, "times": self.times}
        passed = " and ".join(name for name, on in names.items() if on)
        return {
            "Override-By": line(self.person, _PERSON_LIMIT),
            "Override-Of": passed,
            "Override-Reason": line(self.reason, REASON_LIMIT),
        }

    @property
    def description(self) -> str:
        """The text of the verdict that records it; a forge may cut its end."""
        return f"overridden by {line(self.person, _PERSON_LIMIT).replace(':', ' ')}: {line(self.reason, REASON_LIMIT)}"

    def passes(self, gate: str) -> bool:
        """Return True if it goes past the gate of this name (`core/gates/table.py`)."""
        if gate == "holds":
            return self.hold
        return self.gates or (self.times and gate in ("windows", "freezes"))

    @classmethod
    def read(cls, trailers: Mapping[str, str]) -> Self | None:
        """Read the claim in the trailers of a commit, None if there is none; only the published status proves it."""
        person, reason = trailers.get("Override-By", ""), trailers.get("Override-Reason", "")
        passed = trailers.get("Override-Of", "").split(" and ")
        if not person or not reason:
            return None
        return cls(
            person=person, reason=reason, gates="gates" in passed, hold="hold" in passed, times="times" in passed
        )


def claims_override(description: str) -> bool:
    """Return True for a verdict in the words of an override."""
    return _DESCRIPTION.match(description) is not None


def published_by(statuses: Sequence[CommitStatus]) -> CommitStatus | None:
    """Return this tool's newest verdict on a head if it claims an override, None otherwise.

    Its state is the verdict of the gates that the override does not pass.
    """
    newest = next((status for status in statuses if status.is_own), None)
    if newest is None or not claims_override(newest.description):
        return None
    return newest


def is_of_workflow(identity: Person) -> bool:
    """Return True for the identity of a token that every workflow or pipeline has: its verdicts prove nothing."""
    return _is_of_workflow(_folded(identity.name))


def problem(claim: CommitStatus, identity: Person) -> str:
    """Return why a verdict that claims an override does not count for the identity that reads it, "" if it does."""
    author, token_owner = _folded(claim.author), _folded(identity.name)
    if _is_of_workflow(token_owner) or _is_of_workflow(author):
        return (
            "the workflow's own token published it, which every workflow of a writer has: use the token of an App or "
            "of another account"
        )
    if not author or author != token_owner:
        return (
            f"{line(claim.author, _PERSON_LIMIT) or 'somebody unknown'} published it, and {identity.name} looks at it"
        )
    return ""


def _is_of_workflow(folded_name: str) -> bool:
    return WORKFLOW_IDENTITIES.fullmatch(folded_name) is not None


def _folded(name: str) -> str:
    # GitHub's GraphQL API leaves out the ending that its REST API has.
    return name.casefold().removesuffix("[bot]")
