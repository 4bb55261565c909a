"""The result of a push, read from git's output: done, lost to another writer, or refused by the server.

The reasons of git's own server: https://github.com/git/git/blob/v2.39.5/builtin/receive-pack.c and, since git 2.50,
`ref_transaction_error_msg` in https://github.com/git/git/blob/v2.50.0/refs.c.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from gitops_promotion.core.commits import RefUpdate
from gitops_promotion.errors import GitError, LeaseLostError, LockedError, RefusalKind, RefusedPushError
from gitops_promotion.git.advice import remote_words

_REFUSALS: tuple[tuple[RefusalKind, re.Pattern[str], str], ...] = (
    (
        "ref-in-the-way",
        # GitHub calls it a directory file conflict.
        re.compile(
            r"exists; cannot create|cannot process .* at the same time|refname conflict|directory.file conflict"
        ),
        "a branch cannot have the name of a folder of another branch: delete or rename the branch in the way, or set "
        "another branchTemplate",
    ),
    (
        "delete",
        re.compile(
            r"deletion (?:of the current branch )?prohibited|denying ref deletion|Cannot delete this|delete protected"
        ),
        "allow deletions of this branch on the server, or delete it by hand",
    ),
    (
        "force",
        re.compile(r"non-fast-forward|Cannot force-push|force push|ForcePush"),
        "allow forced pushes to this branch on the server, or delete the branch by hand and run again",
    ),
    (
        "quota",
        re.compile(
            r"No space left|Out of diskspace|couldn't write '|quota|storage (?:limit|size)|size limit|large files",
            re.IGNORECASE,
        ),
        "free space on the server, or raise its limit",
    ),
    (
        "protected",
        # TF401027 names a permission of Azure DevOps, TF402455 a branch policy.
        re.compile(r"[Pp]rotected branch|rule violations|TF401027|TF402455|currently checked out"),
        "allow this identity to push to this branch",
    ),
    ("hook", re.compile(r"hook declined"), "ask an administrator of the server for the rules of its hook"),
)
_OTHER_WAY_OUT = "ask who may push there"

_RACE = re.compile(
    r"stale info|fetch first|cannot lock ref|failed to lock ref|incorrect old value|already exists"
    r"|reference does not exist"
)
# https://github.com/git/git/blob/v2.39.5/lockfile.c
_LOCK_FILE = re.compile(r"Unable to create '(.+?\.lock)': File exists")
# Reasons that name no cause; git prints the cause on stderr.
_NO_CAUSE = re.compile(r"failed to update ref|atomic (?:push fail|transaction failed)|unpacker error")


@dataclass(frozen=True, slots=True, kw_only=True)
class PushedRef:
    """One line of `git push --porcelain`; `flag` is `!` for a ref that was not changed, `=` for one up to date."""

    flag: str
    ref: str
    reason: str


def read_push(stdout: str) -> list[PushedRef]:
    """Read the output of `git push --porcelain`."""
    rows = (line.split("\t") for line in stdout.split("\n"))
    return [
        PushedRef(flag=row[0], ref=row[1].rpartition(":")[2], reason=row[2])
        for row in rows
        if len(row) == 3 and row[0] in tuple(" +-*!=")
    ]


def push_error(
    url: str, updates: Sequence[RefUpdate], results: Sequence[PushedRef], status: int, stderr: str
) -> GitError | None:
    """Return the error of a push, None where all refs were changed or git names no ref that was not.

    LeaseLostError: a ref is not at the expected commit, or is up to date, which means that another writer did the same.
    LockedError: a ref has a lock file.
    RefusedPushError: the server refuses the push, and would refuse it again.
    """
    if status == 0 and all(result.flag != "=" for result in results):
        return None
    words = remote_words(stderr)
    if status == 0 or "remote ref does not exist" in stderr:
        return _lost(url, [update.ref for update in updates], words)
    if ambiguous := re.search(r"dst refspec (refs/heads/\S+) matches more than one", stderr):
        name = ambiguous[1].removeprefix("refs/heads/")
        message = (
            f"the remote {url} has a branch {ambiguous[1]} beside the branch {name}, and git cannot tell the two apart "
            f"in a push: delete the first with `git push <remote> --delete refs/heads/{ambiguous[1]}`"
        )
        return RefusedPushError(message, kind="ref-in-the-way")
    rejected = [result for result in results if result.flag == "!" and "atomic push fail" not in result.reason]
    if not rejected:
        return None
    causes = [words if _NO_CAUSE.search(result.reason) else result.reason for result in rejected]
    kind, way_out = _refusal("\n".join([*causes, words]), updates)
    if kind == "other" and all(_RACE.search(cause) for cause in causes):
        return _lost(url, [result.ref for result in rejected], words)
    refusals = "; ".join(f"{result.ref} {result.reason.removeprefix('[remote rejected] ')}" for result in rejected)
    return RefusedPushError(f"{url} refused {refusals}{words and f': {words}'}; {way_out}", kind=kind)


def _refusal(text: str, updates: Sequence[RefUpdate]) -> tuple[RefusalKind, str]:
    for kind, pattern, way_out in _REFUSALS:
        if not (match := pattern.search(text)):
            continue
        # The permission to force a push is also the one to delete a branch.
        if match[0] == "ForcePush" and any(update.new is None for update in updates):
            return _REFUSALS[1][0], _REFUSALS[1][2]
        return kind, way_out
    return "other", _OTHER_WAY_OUT


def _lost(url: str, refs: Sequence[str], words: str) -> LeaseLostError:
    if lock_file := _LOCK_FILE.search(words):
        return LockedError(
            f"{', '.join(refs)} at {url} cannot change while the file {lock_file[1]} is there",
            next_step="delete this file on the server if no git command is running there, and run again",
        )
    return LeaseLostError(f"{', '.join(refs)} at {url} moved since it was read{words and f' ({words})'}")
