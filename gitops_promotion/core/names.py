"""Names of groups, applications and environments: the grammar that all of them follow."""

import re
from dataclasses import dataclass

from gitops_promotion.core.untrusted import quoted
from gitops_promotion.errors import UsageError

# One path segment, one ref component and one marker part at once: no slash, colon, blank, `..` or `.lock` end.
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,98}[A-Za-z0-9])?")


def check_name(noun: str, text: str) -> str:
    """Return `text` if it can be a group, application or environment; `noun` says which in the error.

    Raises UsageError.
    """
    if not is_name(text):
        raise UsageError(
            f"{noun} {quoted(text)} is not a valid name: use letters, digits, '.', '_' and '-' (at most 100, "
            "first and last a letter or digit, no '..', no '.lock' end)"
        )
    return text


def is_name(text: str) -> bool:
    """Return True if `check_name` would accept the text."""
    return bool(_NAME.fullmatch(text)) and ".." not in text and not text.endswith(".lock")


@dataclass(frozen=True, slots=True, order=True)
class Application:
    """One application of one group; `str()` gives `group/name`."""

    group: str
    name: str

    def __str__(self) -> str:
        return f"{self.group}/{self.name}" if self.name else ""

    @property
    def options(self) -> str:
        """The options that name it on a command line."""
        return f"--group {self.group} --app {self.name}"


NO_APPLICATION = Application("", "")
"""The application of a request that concerns several, such as one that removes stale copies."""


@dataclass(frozen=True, slots=True, order=True)
class Site:
    """One application in one environment."""

    application: Application
    environment: str


def application_of(group: str, name: str) -> Application | None:
    """Return the application of these two names, None if one of them is not a valid name."""
    return Application(group, name) if is_name(group) and is_name(name) else None


def check_application(group: str, name: str) -> Application:
    """Return the application of these two names. Raises UsageError if one of them is not a valid name."""
    return Application(check_name("group", group), check_name("application", name))
