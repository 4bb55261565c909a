"""Rollbacks: an application gets a tag back that it had in an environment before."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import ClassVar

from gitops_promotion.core.branch_contents import holds_of, sets_tags
from gitops_promotion.core.branch_names import ROLLBACKS, branch_problem
from gitops_promotion.core.commits import FileChange
from gitops_promotion.core.config import Config
from gitops_promotion.core.holds import FILE
from gitops_promotion.core.model import Kind, Request
from gitops_promotion.core.names import Application
from gitops_promotion.errors import UsageError


@dataclass(frozen=True, slots=True)
class Rollback(Kind):
    """The kind of request that `rollback` makes."""

    name: str = "rollback"
    prefix: ClassVar[str] = ROLLBACKS
    changes_tag: ClassVar[bool] = True
    goes_back: ClassVar[bool] = True

    def branch(self, request: Request, _config: Config) -> str:
        """Return the branch of the application and the environment. Raises UsageError."""
        name = f"{ROLLBACKS}{request.application.group}-{request.application.name}-{request.environment}"
        if problem := branch_problem(name):
            raise UsageError(f"{request.application} makes the branch {name!r}, which {problem}: roll back by hand")
        return name

    def title(self, request: Request) -> str:
        """Return a title that names the tag it goes back to."""
        return f"Roll back {request.application} to version {request.tag.name} in environment {request.environment}"

    def trailers(self, request: Request) -> Mapping[str, str]:
        """Return that it is a rollback, why, and the people behind it."""
        return {"Rollback": "true", "Rollback-Reason": request.reason, **request.origin.trailers}

    def notes(self, request: Request, config: Config) -> list[str]:
        """Return what it does not wait for, and who merges it."""
        waits = "It does not wait for the environments before, for this tag was green here."
        return [waits, *Kind.notes(self, request, config)]

    def scope(self, request: Request) -> str:
        """Return whose tag and hold may change."""
        return f"the tag of {request.application} in {request.environment} and a hold on it"

    def beyond(
        self, request: Request, changes: Sequence[FileChange], blobs: Mapping[str, bytes], config: Config
    ) -> list[str]:
        """Return the paths of a diff that change more than the tag and a hold; a hold may be added, none removed."""
        application, environment = request.application, request.environment
        names = {config.layout.marker_name(application, environment)}

        def is_own(change: FileChange) -> bool:
            if change.path == FILE:
                added, removed = holds_of(change, blobs)
                names_of_hold = (application.group, application.name, environment)
                is_of_site = all((h.group, h.app, h.environment) == names_of_hold for h in added)
                return bool(added) and not removed and is_of_site
            return config.layout.holds(change.path, application, environment) and sets_tags(change, blobs, names)

        return [change.path for change in changes if not is_own(change)]


ROLLBACK = Rollback()


def rollback_branch(application: Application, environment: str, config: Config) -> str:
    """Return the branch of the rollback of an application in an environment. Raises UsageError."""
    return ROLLBACK.branch(Request(kind=ROLLBACK, application=application, environment=environment), config)


def branches_into(application: Application, environment: str, config: Config) -> list[str]:
    """Return the branches of the promotion and of the rollback of an application into an environment."""
    branches = [config.branch(application, environment)]
    # Names that are too long for the branch of a rollback may still fit the branch of a promotion.
    with suppress(UsageError):
        branches.append(rollback_branch(application, environment, config))
    return branches
