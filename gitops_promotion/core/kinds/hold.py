"""Holds: the pull request that adds a hold, or lifts it. The two for the same names share one branch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from gitops_promotion.core.branch_contents import holds_of
from gitops_promotion.core.branch_names import HOLDS, branch_problem
from gitops_promotion.core.commits import FileChange
from gitops_promotion.core.config import Config
from gitops_promotion.core.holds import ANY, FILE, Hold
from gitops_promotion.core.model import Kind, Request
from gitops_promotion.core.names import Application
from gitops_promotion.errors import UsageError

_ANY_IN_BRANCHES = "_all"


@dataclass(frozen=True, slots=True)
class HoldChange(Kind):
    """The kind of request that `hold` and `release` make.

    `verb` begins the title. `effect` begins the sentence about the open pull request: what it does before it is merged.
    """

    verb: str
    effect: str = ""
    name: str = "hold"
    prefix: ClassVar[str] = HOLDS

    def branch(self, request: Request, _config: Config) -> str:
        """Return the branch of the group, application and environment. Raises UsageError."""
        names = (request.application.group, request.application.name, request.environment)
        name = HOLDS + "-".join(_ANY_IN_BRANCHES if text == ANY else text for text in names)
        if problem := branch_problem(name):
            raise UsageError(f"{request.application} makes the branch {name!r}, which {problem}: edit the file by hand")
        return name

    def title(self, request: Request) -> str:
        """Return a title that names what is held or released."""
        return f"{self.verb} {request.application} in environment {request.environment}"

    def notes(self, _request: Request, _config: Config) -> list[str]:
        """Return when a hold and its lifting count."""
        return ["A hold counts as soon as this pull request is open; lifting one counts when it is merged."]

    def scope(self, request: Request) -> str:
        """Return whose holds may change."""
        return f"the holds of {request.application} in {request.environment}"

    def beyond(
        self, request: Request, changes: Sequence[FileChange], blobs: Mapping[str, bytes], config: Config
    ) -> list[str]:
        """Return the paths of a diff that change more than the holds that the branch is named after."""
        branch = self.branch(request, config)

        def is_of_branch(hold: Hold) -> bool:
            of_hold = replace(request, application=Application(hold.group, hold.app), environment=hold.environment)
            return self.branch(of_hold, config) == branch

        def is_own(change: FileChange) -> bool:
            added, removed = holds_of(change, blobs) if change.path == FILE else ((), ())
            return bool(added or removed) and all(map(is_of_branch, (*added, *removed)))

        return [change.path for change in changes if not is_own(change)]

    def by_hand(self, _request: Request) -> str:
        """Return that a person must merge it, and that a hold counts already."""
        return f"{self.effect}waits for a person to merge it"


HOLD = HoldChange("Hold", "counts now, and ")
RELEASE = HoldChange("Release")
