"""Commits that GitHub makes and signs itself.

It signs those that an App or a workflow's GITHUB_TOKEN makes by its API, if they name neither author nor committer
(https://docs.github.com/en/authentication/managing-commit-signature-verification/about-commit-signature-verification#signature-verification-for-bots).
The mutation `createCommitOnBranch` signs for every token, but it moves a branch without a lease on the base, knows one
parent only, and gives every file the mode 100644.
"""

import hashlib
from typing import Any

from gitops_promotion.core import untrusted
from gitops_promotion.core.commits import MadeCommit, NewCommit, NewFile
from gitops_promotion.errors import AuthError, ProviderError
from gitops_promotion.providers.github.answers import field, sha
from gitops_promotion.providers.github.api import Api
from gitops_promotion.providers.http import RefusedError

_NEEDS = "contents: write"


def make_commit(api: Api, path: str, commit: NewCommit) -> MadeCommit:
    """Make a commit in the repository at `path` of the API; no ref changes. Raises ProviderError, AuthError.

    Two requests: one for the tree with the files that differ, one for the commit.
    """
    body = {"base_tree": commit.base_tree, "tree": [_entry(file) for file in commit.files]}
    tree = field(_create(api, f"{path}/git/trees", body), str, "sha")
    if tree != commit.tree:
        raise ProviderError(
            f"GitHub made the tree {untrusted.line(tree)} where {commit.tree} was meant: run again, or let git sign "
            "(docs/signed-commits.md)"
        )
    body = {"message": commit.message, "tree": tree, "parents": list(commit.parents)}
    response = _create(api, f"{path}/git/commits", body)
    verification = field(response, dict, "verification")
    if not field(verification, bool, "verified"):
        reason = untrusted.line(str(verification.get("reason", "")))
        raise AuthError(
            f"GitHub does not sign for this token ({reason}): use the token of an App or a workflow's GITHUB_TOKEN, or "
            "remove `commitSigning: forge` (docs/signed-commits.md)"
        )
    return MadeCommit(sha=sha(response, "sha"), content=_content(sha(response, "sha"), verification))


def _create(api: Api, path: str, body: dict[str, Any]) -> Any:
    try:
        return api.rest("POST", path, body, needs=_NEEDS)[0]
    except RefusedError as error:
        raise ProviderError(
            f"GitHub makes no commit ({error.reason}): give the token the permission {_NEEDS}, and run again"
        ) from error


def _entry(file: NewFile) -> dict[str, Any]:
    if file.content is None:
        return {"path": file.path, "mode": "100644", "type": "blob", "sha": None}
    try:
        file.path.encode()
        content = file.content.decode()
    except UnicodeError:
        raise ProviderError(
            f"GitHub makes no commit with {untrusted.quoted(file.path)}, which is not UTF-8: let git sign "
            "(docs/signed-commits.md)"
        ) from None
    return {"path": file.path, "mode": file.mode, "type": "blob", "content": content}


def _content(commit: str, verification: dict[str, Any]) -> bytes | None:
    """Return the bytes of the commit: what was signed, with the signature in its header; None if they do not fit."""
    payload, signature = (str(verification.get(name) or "") for name in ("payload", "signature"))
    head, _, message = payload.partition("\n\n")
    for text in (signature, signature.rstrip("\n"), f"{signature}\n"):
        header = "gpgsig " + text.replace("\n", "\n ")
        content = f"{head}\n{header}\n\n{message}".encode(errors="replace")
        data = b"commit %d\0%s" % (len(content), content)
        if hashlib.sha1(data, usedforsecurity=False).hexdigest() == commit:
            return content
    return None
