"""The refs and commits of the remote that are here, and how much of their history."""

import os
from collections.abc import Collection, Iterable, Sequence
from hashlib import sha256
from itertools import combinations

from gitops_promotion.errors import GitError, NotAdvertisedError, RefGoneError
from gitops_promotion.git.advice import first_line
from gitops_promotion.git.formats import SHA, file_text, full_ref, full_sha
from gitops_promotion.git.objects import Objects
from gitops_promotion.git.private_repository import PrivateRepository
from gitops_promotion.git.remote import Remote

DEPTH = 100
"""Commits of history that are fetched into a shallow repository at first; a gate needs fewer in most cases."""

NEWEST = 32
"""How many commits before another one are read one by one, which is cheaper than starting git."""

_EVERYTHING = 0x7FFFFFFF  # git's own "infinite depth"; unlike --unshallow no error where nothing is missing


class Fetched:
    """Fetches refs and commits, and more of a history that is cut off. Methods raise GitError and AuthError."""

    shallow: bool
    """Whether history may be cut off here."""

    def __init__(
        self, private: PrivateRepository, objects: Objects, remote: Remote, *, depth: int, cached: bool
    ) -> None:
        """Prepare to fetch `depth` commits at first where history is cut off.

        With `cached`, commits that are here from a cache are fetched all the same, so that more of their history can be
        fetched later.
        """
        self.shallow = not private.whole
        self._private = private
        self._objects = objects
        self._remote = remote
        self._tips: dict[str, str] = {}
        self._first_depth = self._depth = depth
        self._cached = cached
        self._gives_tips_alone = False
        self._head = private.head
        self._newest_before: dict[str, frozenset[str]] = {}
        if private.partial:
            objects.fetch_blobs = self._blobs

    def refs(self, refs: Iterable[str], depth: int | None) -> dict[str, str]:
        """Fetch refs by their full names; returns the object of each. Raises RefGoneError if one is gone."""
        targets = {ref: f"refs/promotion/{sha256(os.fsencode(full_ref(ref))).hexdigest()}" for ref in refs}
        if not targets:
            return {}
        self._depth = max(self._depth, depth or self._first_depth)
        self._fetch([f"+{ref}:{target}" for ref, target in targets.items()])
        fetched = {ref: file_text(self._private.folder / target) for ref, target in targets.items()}
        self._tips.update(fetched)
        return fetched

    def is_checked_out(self, sha: str) -> bool:
        """Return True if a commit is checked out, or among the newest before that; it then counts as fetched.

        Each of them is here with its files. CI checks out the tip of the default branch, or the merge of a pull request
        into it. A promotion branch that is merged is a parent of the merge.
        """
        if sha == self._head:
            is_here = self._objects.has(sha)
        else:
            is_here = bool(self._head) and sha in self.newest_before(self._head)
        if not is_here:
            return False
        self._tips[sha] = sha
        return True

    def newest_before(self, commit: str) -> frozenset[str]:
        """Return a commit and the newest before it, about NEWEST in all, as far as they are here with their files."""
        if commit not in self._newest_before:
            newest: set[str] = set()
            pending = [commit]
            cut_off = self._private.cut_off()
            while pending and len(newest) < NEWEST:
                headers = self._objects.headers(pending[:NEWEST])
                newest |= headers.keys()
                parents = (parent for sha, header in headers.items() if sha not in cut_off for parent in header.parents)
                pending = [parent for parent in dict.fromkeys(parents) if parent not in newest]
            self._newest_before[commit] = frozenset(newest)
        return self._newest_before[commit]

    def commit(self, sha: str) -> bool:
        """Fetch a commit; returns False if neither this repository nor the remote has it."""
        if not SHA.fullmatch(sha) or not sha.strip("0"):
            return False
        if not self._objects.has(sha) or (self._cached and sha not in self._tips.values()):
            try:
                self._fetch([f"+{sha}:refs/promotion/{sha}"])
            except RefGoneError:
                return False
            self._tips[sha] = sha
        return self._objects.has(sha)

    def commits(self, shas: Collection[str]) -> set[str]:
        """Fetch commits, in one go if the remote has all of them; returns those that are here then."""
        missing = [sha for sha in shas if SHA.fullmatch(sha) and sha.strip("0") and not self._objects.has(sha)]
        if len(missing) > 1:
            try:
                self._fetch([f"+{sha}:refs/promotion/{sha}" for sha in missing])
            except RefGoneError:
                pass
            else:
                self._tips |= {sha: sha for sha in missing}
        return {sha for sha in shas if self.commit(sha)}

    @property
    def newest(self) -> str:
        """The latest commit of the ref that was fetched first, "" before any fetch."""
        return next(iter(self._tips.values()), "")

    @property
    def depth(self) -> int:
        """How many commits of history were asked for."""
        return self._depth

    def deepen(self, depth: int) -> bool:
        """Fetch `depth` commits of history of all that was fetched; returns False if the remote has no more.

        Raises NotAdvertisedError if the remote gives only the tips of its refs, and a commit that was fetched is no tip
        any more; that commit is not asked for again.
        """
        if not self.shallow or not self._tips:
            return False
        before = self._private.cut_off()
        self._depth = max(self._depth, depth)
        try:
            self._fetch(sorted(set(self._tips.values())))
        except NotAdvertisedError:
            self._gives_tips_alone = True
            remote_shas = set(self._remote.refs("refs/*").shas.values())
            self._tips = {name: sha for name, sha in self._tips.items() if sha in remote_shas}
            raise
        return self._private.cut_off() != before

    def deepen_further(self) -> bool:
        """Fetch several times as much history as before; returns False if the remote has no more."""
        return self.deepen(_deeper(self._depth))

    def _fetch(self, refspecs: Iterable[str]) -> None:
        # A depth would cut off a history that is complete.
        self._remote.fetch(refspecs, self._depth if self.shallow else None)
        self.shallow = self.shallow and bool(self._private.cut_off())

    def _blobs(self, shas: Sequence[str]) -> None:
        """Fetch blobs; if the server gives no single blobs, fetch all blobs of the commits that are here."""
        try:
            self._remote.fetch_blobs(shas)
        except RefGoneError:
            if not self._remote.filters:
                raise
            self._remote.stop_filtering("does not give single files")
            self._remote.fetch(sorted(set(self._tips.values())), self._depth, refetch=True)

    # -- certain answers about two commits

    def merge_bases(self, first: str, second: str) -> list[str]:
        """Return all merge bases of two commits, none if they have no common history."""
        command = ["merge-base", "--all", full_sha(first), full_sha(second)]
        result = self._private.runner.run(command, self._private.environ)
        if result.status > 1:
            raise GitError(f"git merge-base failed: {first_line(result.stderr)}")
        return result.stdout.decode().split()

    def settle(self, first: str, second: str) -> None:
        """Fetch history until no cut can change the common history of two commits.

        A cut matters only between a commit and the common history, where it could hide a newer merge base: a pull
        request of more than DEPTH commits would be compared with the wrong one.
        """
        depth = self._depth
        while self.shallow:
            between = self._private.lines("rev-list", f"{full_sha(first)}...{full_sha(second)}", "--")
            if self._private.cut_off().isdisjoint(between):
                return
            if depth >= _EVERYTHING:
                lack = "gives the tips of its refs alone" if self._gives_tips_alone else "has no more of it"
                raise GitError(
                    f"the history between {first} and {second} is cut off here and the remote {lack}: check out with "
                    "full history (fetch-depth: 0)"
                )
            depth = _deeper(depth)
            self.deepen(depth)

    def settle_merge(self, base: str, head: str) -> None:
        """Fetch history until no cut can change the result of a merge.

        Git merges several merge bases with each other first, so that the history between them counts too.
        """
        boundary = None
        while self.shallow and boundary != self._private.cut_off():
            boundary = self._private.cut_off()
            settled: set[frozenset[str]] = set()
            pending = {frozenset((base, head))}
            while pending:
                pair = pending.pop()
                settled.add(pair)
                first, second = min(pair), max(pair)
                self.settle(first, second)
                pending |= {frozenset(bases) for bases in combinations(self.merge_bases(first, second), 2)} - settled


def _deeper(depth: int) -> int:
    """Return how many commits to fetch next, where that many were not enough."""
    return max(DEPTH, depth * 4) if depth < 16 * DEPTH else _EVERYTHING
