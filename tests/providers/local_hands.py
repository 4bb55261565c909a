"""What the tests of the `local` provider share: hands on its records, and a repository that a rival gets into."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gitops_promotion.core.commits import Commit, Merge, Refs, RefUpdate
from gitops_promotion.core.forge import OWN_CONTEXT, CommitStatus, Draft, PullRequest
from gitops_promotion.git import Repository
from gitops_promotion.providers.local.records import ROOT

if TYPE_CHECKING:
    from tests.conftest import Remote
    from tests.providers.conftest import LocalForge

HEAD = "promote/webshop-webui"
PASSED = CommitStatus(context=OWN_CONTEXT, state="success")


def draft(head: str, sha: str, *, gated: bool = True, title: str = "Promote") -> Draft:
    return Draft(head=head, head_sha=sha, base="main", title=title, body="", gated=gated)


def propose(forge: "LocalForge", head: str = HEAD, *, gated: bool = True) -> PullRequest:
    sha = forge.push(head, {f"{head}.txt": "1\n"})
    return forge.provider.open_pull_request(draft(head, sha, gated=gated))


def records(remote: "Remote") -> dict[str, Any]:
    """All that the provider keeps in the remote, by ref below its root."""
    listed = remote.git("for-each-ref", "--format=%(refname)", ROOT).splitlines()
    return {ref.removeprefix(ROOT + "/"): json.loads(remote.git("cat-file", "blob", ref)) for ref in listed}


def overwrite(remote: "Remote", ref: str, content: bytes) -> None:
    blob = remote.git("hash-object", "-w", "--stdin", stdin=content)
    remote.git("update-ref", f"{ROOT}/{ref}", blob)


def index_of(found: Mapping[str, Any], head: str) -> str:
    """The ref that lists one branch's pull requests."""
    [ref] = [ref for ref, value in found.items() if "numbers" in value and value["head"] == head]
    return ref


class Interposed:
    """A real repository; `before` and `after` see each push and may do what a rival or a crash would do then.

    `seen` are the first answers to a question for refs, in place of the real ones.
    """

    def __init__(
        self,
        store: Repository,
        *,
        before: Callable[[int], None] = lambda _: None,
        after: Callable[[int], None] = lambda _: None,
        seen: Sequence[Refs] = (),
    ) -> None:
        self.store = store
        self.before = before
        self.after = after
        self.seen = list(seen)
        self.pushes = 0

    def refs(self, *patterns: str) -> Refs:
        return self.seen.pop(0) if self.seen else self.store.refs(*patterns)

    def fetch(self, *refs: str) -> dict[str, str]:
        return self.store.fetch(*refs)

    def fetch_commit(self, sha: str) -> bool:
        return self.store.fetch_commit(sha)

    def read_objects(self, shas: Sequence[str]) -> dict[str, bytes]:
        return self.store.read_objects(shas)

    def write_blob(self, content: bytes) -> str:
        return self.store.write_blob(content)

    def merge(self, base: str, head: str, message: str) -> Merge:
        return self.store.merge(base, head, message)

    def try_merge(self, base: str, head: str) -> Merge:
        return self.store.try_merge(base, head)

    def brought_by(self, tip: str, head: str) -> str | None:
        return self.store.brought_by(tip, head)

    def commits(self, exclude: str, include: str) -> list[Commit]:
        return self.store.commits(exclude, include)

    def push(self, updates: Sequence[RefUpdate]) -> None:
        self.pushes += 1
        self.before(self.pushes)
        self.store.push(updates)
        self.after(self.pushes)
