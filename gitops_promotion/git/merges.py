"""Merges: their results, their conflicts, and the changes that they bring."""

from gitops_promotion.core.commits import FileChange
from gitops_promotion.errors import GitError
from gitops_promotion.git.advice import advice
from gitops_promotion.git.entries import Entries
from gitops_promotion.git.fetched import Fetched
from gitops_promotion.git.formats import full_sha
from gitops_promotion.git.objects import Objects
from gitops_promotion.git.private_repository import PrivateRepository


class Merges:
    """Merges commits without a working tree. Methods raise GitError, and AuthError where history must be fetched."""

    def __init__(self, private: PrivateRepository, objects: Objects, entries: Entries, fetched: Fetched) -> None:
        self._private = private
        self._objects = objects
        self._entries = entries
        self._fetched = fetched

    def merge(self, base: str, head: str) -> tuple[str, tuple[str, ...]]:
        """Return the tree of a merge and the paths that conflict, () for a clean one.

        History that is cut off is fetched until the answer is certain.
        """
        if self._objects.is_child(head, base):
            return self._objects.tree(head), ()
        self._fetched.settle_merge(base, head)
        if self._objects.fetch_blobs:
            self._bring_changes(base, head)
        command = ["merge-tree", "--write-tree", "--no-messages", "--name-only", "-z", full_sha(base), full_sha(head)]
        result = self._private.runner.run(command, self._private.environ)
        tree, *names = result.stdout.decode(errors="surrogateescape").split("\0")
        paths = tuple(name for name in names if name)
        if result.status != bool(paths):  # Status 1 means conflicts, and also that git does not know the command.
            raise GitError(f"cannot merge {head} into {base}: {advice(result.stderr)}")
        return tree, paths

    def _bring_changes(self, first: str, second: str) -> None:
        """Fetch the files that either side changed: git compares them to find renames, and merges them."""
        for merge_base in self._fetched.merge_bases(first, second):
            changes = [*self.diff(merge_base, first), *self.diff(merge_base, second)]
            sides = [side for c in changes for side in ((c.old_kind, c.old), (c.new_kind, c.new))]
            self._objects.bring(sha for kind, sha in sides if kind in ("file", "symlink") and sha)

    def is_plain(self, sha: str, base: str, head: str) -> bool:
        """Return True if the files of a merge commit are those that git merges from its parents, with nothing added."""
        tree, paths = self.merge(base, head)
        return not paths and [tree] == self._private.lines("rev-parse", "--verify", f"{full_sha(sha)}^{{tree}}")

    def diff(self, old: str, new: str) -> list[FileChange]:
        """Return the paths that differ between two commits or trees; a rename is a deletion and an addition."""
        return self._entries.diff(full_sha(old), full_sha(new))

    def diff_from_base(self, base: str, head: str) -> tuple[str, list[FileChange]]:
        """Return the merge base of two commits, and the changes of `head` since then.

        If there are several, the changes since any of them count. Raises GitError if the two have no common history.
        """
        if self._objects.is_child(head, base):
            return base, self.diff(base, head)
        self._fetched.settle(base, head)
        merge_bases = self._fetched.merge_bases(base, head)
        if not merge_bases:
            raise GitError(f"{head} and {base} have no common history: rebase the branch on the default branch")
        changes: dict[str, FileChange] = {}
        for merge_base in reversed(merge_bases):
            changes |= {change.path: change for change in self.diff(merge_base, head)}
        return merge_bases[0], [changes[path] for path in sorted(changes)]
