"""New commits: their files, who makes them, and their signatures."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from gitops_promotion.core.commits import MadeCommit, Merge, NewCommit, NewFile
from gitops_promotion.errors import GitError
from gitops_promotion.git.checkout import Setting
from gitops_promotion.git.entries import Entries
from gitops_promotion.git.fetched import Fetched
from gitops_promotion.git.identity import Authorship, Identity
from gitops_promotion.git.identity import authorship as authorship_of
from gitops_promotion.git.merges import Merges
from gitops_promotion.git.new_tree import write_file_tree, write_tree
from gitops_promotion.git.objects import Objects
from gitops_promotion.git.private_repository import PrivateRepository
from gitops_promotion.git.signing import Signer


class Commits:
    """Makes commits. Methods raise GitError, and SigningError for a commit that cannot be signed."""

    identity: Identity | None = None
    """Author and committer; None: as git's environment and configuration say, else DEFAULT_IDENTITY."""
    signs: bool = True
    """Whether commits are signed where git's configuration asks for it."""

    def __init__(
        self,
        private: PrivateRepository,
        objects: Objects,
        entries: Entries,
        fetched: Fetched,
        merges: Merges,
        settings: Sequence[Setting],
        environ: Mapping[str, str],
        clock: Callable[[], datetime],
    ) -> None:
        self._objects = objects
        self._entries = entries
        self._fetched = fetched
        self._merges = merges
        self._environ = environ
        self._settings = settings
        self._clock = clock
        self._signer = Signer(private, environ, settings)

    def authorship(self) -> Authorship:
        """Return author, committer and time of a commit that is made now."""
        return authorship_of(self.identity, self._environ, self._settings, int(self._clock().timestamp()))

    def edit(self, parents: Sequence[str], edits: Mapping[str, bytes | None], message: str) -> str:
        """Make a commit of the first parent's files with these edits, and return it."""
        tree = write_tree(self._objects, self._entries, parents[0], edits)
        return self._commit_tree(tree, parents, message, sign=True)

    def merge(self, base: str, head: str, message: str, *, trial: bool = False) -> Merge:
        """Make a merge commit with `base` as its first parent; none if it would change no file or has conflicts.

        The commit of a `trial` is not signed.
        """
        tree, paths = self._merges.merge(base, head)
        if paths:
            return Merge(sha=None, conflicts=paths)
        if tree == self._objects.tree(base):
            return Merge(sha=base)
        return Merge(sha=self._commit_tree(tree, (base, head), message, sign=not trial))

    def record(self, name: str, content: bytes, message: str) -> str:
        """Make a commit without parents and with one file, and return it."""
        return self._commit_tree(write_file_tree(self._objects, name, content), (), message, sign=True)

    def remake(self, sha: str, edits: Mapping[str, bytes | None], make: Callable[[NewCommit], MadeCommit]) -> str:
        """Let a forge make the commit `sha` again, which has these edits, and return the forge's commit.

        The bytes of the forge's answer are checked by the commit's id; without them the commit is fetched. Raises
        GitError if it is not the commit that was asked for.
        """
        header = self._objects.headers([sha])[sha]
        base = header.parents[0]
        changes = self._merges.diff(base, sha)
        request = NewCommit(
            tree=self._objects.tree(sha),
            base_tree=self._objects.tree(base),
            parents=header.parents,
            message=header.message,
            files=tuple(NewFile(path=c.path, mode=c.new_mode, content=edits[c.path]) for c in changes),
        )
        made_commit = make(request)
        if made_commit.content is None or self._objects.write("commit", made_commit.content) != made_commit.sha:
            self._fetched.commit(made_commit.sha)
        made_header = self._objects.headers([made_commit.sha]).get(made_commit.sha)
        if made_header is None:
            raise GitError(
                f"the commit {made_commit.sha} that the forge made cannot be fetched: run again, or let git sign"
            )
        tree = self._objects.tree(made_commit.sha)
        actual = (tree, made_header.parents, made_header.message.strip())
        if actual != (request.tree, request.parents, request.message.strip()):
            raise GitError(
                f"the forge's commit {made_commit.sha} is not the one it was asked for: run again, or let git sign"
            )
        return made_commit.sha

    def _commit_tree(self, tree: str, parents: Sequence[str], message: str, *, sign: bool) -> str:
        authorship = self.authorship()
        if sign and self.are_signed():
            return self._commit_signed_tree(tree, parents, message, authorship)
        return self._objects.commit(tree, parents, message, authorship)

    def are_signed(self) -> bool:
        """Return True if commits are signed."""
        return self.signs and self._signer.is_wanted()

    def _commit_signed_tree(self, tree: str, parents: Sequence[str], message: str, authorship: Authorship) -> str:
        return self._signer.commit_tree(tree, parents, message, authorship)
