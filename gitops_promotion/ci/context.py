"""The subject of a run, and the checks of the runner's values."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NoReturn

from gitops_promotion.core import untrusted
from gitops_promotion.errors import UsageError

Level = Literal["error", "warning", "notice"]

HEADS = "refs/heads/"

EVENT_LIMIT = 32 << 20
"""The most bytes of an event file; forges send fewer (GitHub sends at most 25 MB)."""

_SHA = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
# All characters but those that git-check-ref-format forbids: a person may have named the branch.
_BRANCH = re.compile(r"[^\x00-\x20\x7f~^:?*\[\\]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class CIContext:
    """The subject of a run; "" and None where the runner names nothing, as in a shell.

    `runner` is the runner's name. `event` is `push`, `pull_request`, `merge_group` or another word of the runner's own.
    `head_branch` is the branch that was pushed to or the pull request's own, without `refs/heads/`, "" for a tag;
    `head_sha` is its commit, never the runner's temporary merge (docs/migrating.md, B20). `before` and `after` are the
    range of a push or a merge group, both or neither. `foreign`: the pull request comes from another repository, and
    this tool leaves its branches alone (docs/migrating.md, B25). `status_context` names the commit status that arrived.
    `actor` is the person who started this run, as the runner names them: a login on GitHub, a mail address (else a
    name) on Azure Pipelines; "" for a bot, for a schedule and where the runner names no person. `dispatched`: a person
    started or repeated this run on purpose, and answers for it; False for a run that a push or a merge started.
    `unreviewed`: the workflow that runs may be the pull request's own version.
    """

    runner: str = ""
    event: str = ""
    head_branch: str = ""
    head_sha: str = ""
    pull_request: int | None = None
    foreign: bool = False
    before: str = ""
    after: str = ""
    run_url: str = ""
    status_context: str = ""
    actor: str = ""
    dispatched: bool = False
    unreviewed: bool = False


def read_file(path: str) -> str:
    """Return the text of a file of the runner. Raises OSError, and ValueError for more than EVENT_LIMIT bytes."""
    with Path(path).open("rb") as file:
        content = file.read(EVENT_LIMIT + 1)
    if len(content) > EVENT_LIMIT:
        raise ValueError(f"it has more than {EVENT_LIMIT} bytes")
    return content.decode("utf-8")


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """What remains after publishing: commands to print, and a warning for each result that the runner does not get."""

    commands: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Values:
    """Checks values of a runner; the `name` of each is for the error.

    `switch` is the variable by which the runner is recognized. All methods raise UsageError.
    """

    switch: str

    @property
    def way_out(self) -> str:
        """The advice with which an error about the runner ends."""
        return f"or clear {self.switch} to run as in a shell"

    def branch(self, name: str, text: str) -> str:
        """Return a branch, without `refs/heads/`."""
        branch = text.removeprefix(HEADS)
        return branch if _BRANCH.fullmatch(branch) else self.refuse(name, text)

    def sha(self, name: str, text: str) -> str:
        """Return a commit's id."""
        return text if _SHA.fullmatch(text) and text.strip("0") else self.refuse(name, text)

    def sha_or_none(self, name: str, text: str) -> str:
        """Return a commit's id, "" for none."""
        # A branch that was just made, or is deleted, has zeros for the commit it lacks.
        return self.sha(name, text) if text.strip("0") else ""

    def number(self, name: str, text: str) -> int:
        """Return the number of a pull request."""
        return int(text) if re.fullmatch(r"[1-9][0-9]{0,17}", text) else self.refuse(name, text)

    def person(self, name: str, text: str) -> str:
        """Return the name of a person, "" for none."""
        return text if text.isprintable() and len(text) <= 256 else self.refuse(name, text)

    def refuse(self, name: str, value: object) -> NoReturn:
        """Raise the error for a value that is not valid."""
        raise UsageError(
            f"{name} is {untrusted.quoted(value)}, which is not valid: run with the runner's own variables and event, "
            f"{self.way_out}"
        )
