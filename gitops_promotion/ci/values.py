"""What a run is about, and the checks of the texts that say so."""

import re
from dataclasses import dataclass
from typing import Literal, NoReturn

from gitops_promotion.core import untrusted
from gitops_promotion.errors import UsageError

Runner = Literal["github", "azure", ""]
Level = Literal["error", "warning", "notice"]

HEADS = "refs/heads/"
AS_IN_A_SHELL = "or clear GITHUB_ACTIONS and TF_BUILD to run as in a shell"

_SHA = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
# The characters git-check-ref-format forbids; no more, for a branch may be a person's.
_BRANCH = re.compile(r"[^\x00-\x20\x7f~^:?*\[\\]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class CIContext:
    """What a run is about; "" and None where the runner does not say, which in a shell is everything.

    `event` is `push`, `pull_request`, `merge_group` or another word of the runner's own. `head_branch` is the branch
    pushed to or the pull request's own, without `refs/heads/`, "" for a tag; `head_sha` is its commit, never the
    runner's temporary merge (B20). `before` and `after` are a push's or a merge group's range, both or neither.
    `foreign`: the pull request comes from another repository, so its branch is none of ours (B25). `status_context`
    names the commit status whose arrival is the event. `actor` is the person whom the runner names as the one who
    started this run: a login on GitHub, a mail address (else a name) on Azure Pipelines; "" for a bot, for a schedule
    and where the runner names nobody.
    """

    runner: Runner = ""
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """What became of outputs and a summary: commands to print, and a warning for each that the runner does not get."""

    commands: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def branch(name: str, text: str) -> str:
    """Return a branch, without `refs/heads/`; `name` says whose value it is. Raises UsageError."""
    found = text.removeprefix(HEADS)
    return found if _BRANCH.fullmatch(found) else refuse(name, text)


def sha(name: str, text: str) -> str:
    """Return a commit's id. Raises UsageError."""
    return text if _SHA.fullmatch(text) and text.strip("0") else refuse(name, text)


def sha_or_none(name: str, text: str) -> str:
    """Return a commit's id, "" for none. Raises UsageError."""
    # A branch that was just made, or is gone, has zeros for the commit it lacks.
    return sha(name, text) if text.strip("0") else ""


def number(name: str, text: str) -> int:
    """Return the number of a pull request. Raises UsageError."""
    return int(text) if re.fullmatch(r"[1-9][0-9]{0,17}", text) else refuse(name, text)


def person(name: str, text: str) -> str:
    """Return the name of a person, "" for none. Raises UsageError."""
    return text if text.isprintable() and len(text) <= 256 else refuse(name, text)


def refuse(name: str, found: object) -> NoReturn:
    """Raise the UsageError of a value that cannot be what it claims."""
    raise UsageError(
        f"{name} is {untrusted.quoted(found)}, which is not valid: run with the runner's own variables and event, "
        f"{AS_IN_A_SHELL}"
    )
