"""A repository and its one remote: files of a commit, its history, and new commits."""

import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Self

from gitops_promotion.core.commits import (
    Commit,
    CommitHeader,
    FileChange,
    MadeCommit,
    Merge,
    NewCommit,
    Refs,
    RefUpdate,
)
from gitops_promotion.errors import UsageError
from gitops_promotion.git.cache import Cache
from gitops_promotion.git.checkout import Checkout
from gitops_promotion.git.commits import Commits
from gitops_promotion.git.credentials import stored_password
from gitops_promotion.git.environment import transport_environment
from gitops_promotion.git.fetched import DEPTH, Fetched
from gitops_promotion.git.files import Files
from gitops_promotion.git.history import History
from gitops_promotion.git.identity import Identity
from gitops_promotion.git.merges import Merges
from gitops_promotion.git.no_checkout import NoCheckout
from gitops_promotion.git.objects import Objects
from gitops_promotion.git.private_repository import PrivateRepository
from gitops_promotion.git.process import Runner
from gitops_promotion.git.remote import Remote, server_settings
from gitops_promotion.git.tree import Tree
from gitops_promotion.git.worktree import yaml_files_where_readable


class Repository:
    """A repository and its one remote. Close it, or use it in a `with`.

    Commits are named by full object id. Paths are as git has them, `/` between folders; bytes that are no UTF-8 are
    surrogate escapes. Methods raise GitError. Those that reach the remote also raise AuthError; so do those that need
    more history than a shallow clone has.
    """

    url: str
    """The remote's address, a relative path made absolute; without the user and password of a web address."""
    head: str | None
    """The commit that is checked out; None before the first one."""
    head_branch: str | None
    """The branch that is checked out; None where HEAD is detached."""

    def __init__(
        self,
        *,
        checkout: Checkout,
        private: PrivateRepository,
        remote: Remote,
        environ: Mapping[str, str],
        clock: Callable[[], datetime],
        depth: int,
        cache: Cache | None,
    ) -> None:
        """Take over the private repository; `open` makes one."""
        self.url = remote.url
        self.head, self.head_branch = checkout.head()
        self._environ = environ
        self._private = private
        self._remote = remote
        self._checkout = checkout
        self._objects = Objects(private)
        self._files = Files(private, self._objects)
        self._cache = cache
        cached = cache.lend(private) if cache else 0
        self._fetched = Fetched(private, self._objects, remote, depth=max(depth, cached), cached=bool(cached))
        entries = self._files.entries
        self._history = History(private, self._objects, entries, self._fetched)
        self._merges = Merges(private, self._objects, entries, self._fetched)
        settings = checkout.settings
        self._new = Commits(private, self._objects, entries, self._fetched, self._merges, settings, environ, clock)

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        token: str | Callable[[str], str] = "",
        user: str | Callable[[str], str] = "git",
        environ: Mapping[str, str],
        trust: bool = False,
        remote: str | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        no_checkout: NoCheckout | None = None,
        tell: Callable[[str], None] = lambda _: None,
    ) -> Self:
        """Open the repository that `path` is in, and its remote: the one named, else `origin`, else the only one.

        `token` is for fetch, push and ls-remote over http; without one the repository's own credentials are left
        alone. A function is asked with the remote's address before each of them, since a token may expire meanwhile.
        `user` is the user name that goes with the token where the remote's address has none. `trust` accepts a folder
        of another user, which is right in the containers of a CI system only. `tell` is told if the server of a partial
        clone cannot leave out the contents of files. `no_checkout` is set where `path` is its empty checkout.
        """
        if not os.path.exists(path):  # noqa: PTH110  Path.exists raises OSError for a name that is too long
            raise UsageError(f"{path} does not exist: name a folder of the repository with --sourcedir")
        runner = Runner(path.resolve())
        checkout = Checkout.find(runner, environ, trust=trust)
        # A relative address of a remote starts at the top folder.
        runner.folder = checkout.root
        private = PrivateRepository(checkout, runner, environ)
        try:
            remote_side = Remote(
                runner=runner,
                environ=transport_environment(environ, private.folder),
                settings=checkout.settings,
                root=checkout.root,
                name=remote,
                token=token,
                user=user,
                partial=private.partial,
                tell=tell,
            )
            return cls(
                checkout=checkout,
                private=private,
                remote=remote_side,
                environ=environ,
                clock=clock,
                depth=no_checkout.DEPTH if no_checkout else DEPTH,
                cache=no_checkout.cache if no_checkout else None,
            )
        except BaseException:
            private.remove()
            raise

    def close(self) -> None:
        """End git's processes and remove the private repository."""
        self._objects.stop()
        if self._cache and self._fetched.newest:
            self._cache.keep(self._private, self._fetched.newest, self._fetched.depth)
        self._cache = None
        self._private.remove()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def author(self) -> str:
        """The name of the author of new commits."""
        return self._new.authorship().author.name

    @property
    def shallow(self) -> bool:
        """Whether history may be cut off here."""
        return self._fetched.shallow

    @property
    def boundary(self) -> frozenset[str]:
        """The commits whose parents are cut off here; they change whenever more history is fetched."""
        return self._private.cut_off()

    @property
    def commands(self) -> int:
        """The number of git commands that were started so far."""
        return self._private.runner.count

    # -- the remote

    def refs(self, *patterns: str) -> Refs:
        """Ask the remote for its default branch and for the refs that match (`git ls-remote` patterns)."""
        return self._remote.refs(*patterns)

    def fetch(self, *refs: str, depth: int | None = None) -> dict[str, str]:
        """Fetch refs by their full names and return the object of each. Raises RefGoneError if one is deleted.

        `depth`, by default DEPTH, counts only where history is cut off already: elsewhere it would cut it off.
        """
        return self._fetched.refs(refs, depth)

    def is_checked_out(self, sha: str) -> bool:
        """Return True if a commit need not be fetched: it is checked out, or among the newest before that commit."""
        return self._fetched.is_checked_out(sha)

    def fetch_commit(self, sha: str) -> bool:
        """Fetch one commit, such as an event's; returns False if neither this repository nor the remote has it."""
        return self._fetched.commit(sha)

    def fetch_commits(self, shas: Collection[str]) -> set[str]:
        """Fetch commits; returns those that this repository has then."""
        return self._fetched.commits(shas)

    def deepen(self, depth: int) -> bool:
        """Fetch `depth` commits of history of all that was fetched; returns False if the remote has no more."""
        return self._fetched.deepen(depth)

    def push(self, updates: Sequence[RefUpdate], *, unchanged: Mapping[str, str] = MappingProxyType({})) -> None:
        """Change all refs or none, and only while the `unchanged` refs are at these commits.

        Raises LeaseLostError if a ref is not at the expected commit, or is up to date, which means that another
        writer did the same (docs/facts/forges.md); RefusedPushError if the server does not allow the push. git leaves
        a ref that is up to date out of the push: several updates that belong together need contents that no other
        writer can make (a nonce).
        """
        self._remote.push(updates, unchanged)

    # -- files of the checkout, only for messages

    @property
    def remote_name(self) -> str:
        """The name of the remote in the user's repository."""
        return self._remote.name

    def checked_out(self, path: str) -> bytes | None:
        """Return a file of the working tree, None if it has none of that path."""
        return self._checkout.file(path)

    def checked_out_yaml(self) -> dict[str, bytes]:
        """Return the YAML files of the working tree; none of a bare repository, or where they cannot be read."""
        return yaml_files_where_readable(self._checkout.root, self._environ)

    def server_settings(self) -> dict[str, str] | None:
        """Return the settings of a remote that is a path on this machine, in lower case; None for any other."""
        return server_settings(self.url, self._private)

    @property
    def signs_commits(self) -> bool:
        """True if git's configuration asks for signatures, so that new commits have one."""
        return self._new.are_signed()

    def push_refusal(self, sha: str, branch: str) -> str:
        """Return why the remote takes no new branch at a commit, "" if it would; nothing is pushed."""
        return self._remote.push_refusal(sha, branch)

    def stored_password(self, host: str) -> str:
        """Return the password that git's credential helpers have for https on a host, "" for none."""
        return stored_password(Runner(self._checkout.root), host, self._environ)

    # -- files of commits

    def has(self, sha: str) -> bool:
        """Return True if a commit is here."""
        return self._objects.has(sha)

    def message(self, commit: str) -> str:
        """Return a commit's message; "" if the commit is not here."""
        return self._objects.message(commit)

    def headers(self, commits: Sequence[str]) -> dict[str, CommitHeader]:
        """Return parents, author and message of these commits, as far as they are here; read all at once."""
        return self._objects.headers(commits)

    def grep(self, commit: str, names: Sequence[str], paths: Sequence[str] = ()) -> list[str]:
        """Return the manifests, links left out, with a line that may hold a marker of these names.

        `names` are `group:app`; without names, a marker of any application counts. `paths` are literal files or
        folders, or git's pathspecs that begin with `:(glob)`. `commit` may be a tree.
        """
        return self._files.grep(commit, names, paths)

    def manifests(self, commit: str) -> list[str]:
        """Return the paths of all manifests of a commit, markers or not."""
        return self._files.manifests(commit)

    def unreadable_manifests(self, commit: str, pathspecs: Sequence[str]) -> dict[str, str]:
        """Return the manifests that are not regular files, with the kind of each, such as `a symbolic link`.

        `pathspecs` begin with `:(glob)`.
        """
        return self._files.unreadable(commit, pathspecs)

    def irregular(self, commit: str, paths: Iterable[str]) -> dict[str, str]:
        """Return those of the paths that are not regular files, with the kind of each, such as `a folder`."""
        return self._files.irregular(commit, paths)

    def links_beside(self, commit: str, paths: Iterable[str]) -> dict[str, str]:
        """Return the manifests in the folders of these paths that are symbolic links, with the paths they lead to."""
        return self._files.links_beside(commit, paths)

    def has_files(self, commit: str, paths: Sequence[str]) -> bool:
        """Return True if a commit has a file with content that git's pathspecs match."""
        return self._files.has_files(commit, paths)

    def read(self, commit: str, paths: Iterable[str]) -> dict[str, bytes]:
        """Return the contents of files of a commit or tree; paths that are folders or do not exist are left out."""
        return self._files.read(commit, paths)

    def read_objects(self, shas: Sequence[str]) -> dict[str, bytes]:
        """Return the contents of blobs. Raises GitError if one is not here."""
        return self._files.read_blobs(shas)

    def lay_out(self, commit: str, only: Collection[str] | None = None) -> Tree:
        """Write a commit's files to a temporary folder, which is deleted when this repository is closed.

        `only` are the paths of the files to write, beside all symbolic links.
        """
        return self._files.lay_out(commit, only)

    def listing(self, commit: str) -> tuple[dict[str, str], dict[str, str]]:
        """Return the blobs of all files of a commit or tree by path, and the targets of its symbolic links by path."""
        return self._files.listing(commit)

    # -- history

    def history(self, tip: str, paths: Sequence[str], limit: int, *, root: bool = True) -> list[Commit]:
        """Return the newest `limit` first-parent commits, newest first, each with its changes to `paths`.

        `paths` are literal, or begin with `:(glob)`. Without `root` the very first commit comes without its changes.
        """
        return self._history.first_parents(tip, paths, limit, root=root)

    def last_change(self, tip: str, path: str) -> datetime | None:
        """Return the time of the newest first-parent commit of `tip` that changed a path or something below it."""
        return self._history.last_change(tip, path)

    def commits(self, exclude: str, include: str) -> list[Commit]:
        """Return the commits that only `include` has, newest first, with their changes against the first parent."""
        return self._history.between(exclude, include)

    def brought_by(self, tip: str, head: str) -> str | None:
        """Return the first-parent commit of `tip` that brought `head` in, `head` itself where it is one of them.

        None if `tip` does not contain it, or if one of the two cannot be fetched.
        """
        return self._history.brought_by(tip, head)

    # -- differences and merges, which raise GitError for two commits without a common history

    def diff_trees(self, old: str, new: str) -> list[FileChange]:
        """Return the paths that differ between two commits or trees, links and submodules included.

        Renames are not detected: a renamed file is a deletion and an addition.
        """
        return self._merges.diff(old, new)

    def diff_from_merge_base(self, base: str, head: str) -> tuple[str, list[FileChange]]:
        """Return the merge base of two commits, and the changes of `head` since then.

        If there are several, the changes since any of them count, so that a criss-cross history hides none.
        """
        return self._merges.diff_from_base(base, head)

    def merge_result(self, tip: str, head: str) -> str | None:
        """Return the tree that a merge of `head` into `tip` would have, None if they conflict.

        Renames count as in `git merge`: a file that one side renames takes the other side's change with it.
        """
        tree, conflicting_paths = self._merges.merge(tip, head)
        return None if conflicting_paths else tree

    def conflicts(self, base: str, head: str) -> tuple[str, ...]:
        """Return the paths that conflict in a merge of two commits; () if it is clean."""
        return self._merges.merge(base, head)[1]

    def is_plain_merge(self, sha: str, base: str, head: str) -> bool:
        """Return True if the files of a merge commit are those that git merges from its parents, with nothing added."""
        return self._merges.is_plain(sha, base, head)

    # -- new objects

    def set_commits(self, *, author: Identity | None, signed: bool) -> None:
        """Set the author of new commits (None: as git's configuration says), and whether git may sign them."""
        self._new.identity = author
        self._new.signs = signed

    def commit(
        self, base: str, edits: Mapping[str, bytes | None], message: str, *, on_top_of: str | None = None
    ) -> str:
        """Make a commit on `base` with these files written, or deleted (None), and return it.

        With `on_top_of`, another commit that was fetched, it is a merge of the two: a branch at `on_top_of` moves to it
        without a forced push. Its files are those of `base` with the edits, and nothing of `on_top_of`; `base` is its
        first parent, and so the merge base with any descendant of `base`. A forge that merges by rebasing would replay
        the commits of `on_top_of`.

        Files keep their mode, new ones are 100644. Raises GitError if a path leads through a symlink or would
        replace anything but a file, SigningError if git's configuration wants a signature and there is none.
        """
        return self._new.edit((base, on_top_of) if on_top_of else (base,), edits, message)

    def remake(self, sha: str, edits: Mapping[str, bytes | None], make: Callable[[NewCommit], MadeCommit]) -> str:
        """Let a forge make a commit with these edits again, and return its commit. Raises GitError if it differs."""
        return self._new.remake(sha, edits, make)

    def merge(self, base: str, head: str, message: str) -> Merge:
        """Make a merge commit with `base` as its first parent; none if it would change no file or has conflicts."""
        return self._new.merge(base, head, message)

    def try_merge(self, base: str, head: str) -> Merge:
        """Merge as `merge` does, only to look at the result: the commit is never signed."""
        return self._new.merge(base, head, "Merge\n", trial=True)

    def write_blob(self, content: bytes) -> str:
        """Store a blob here and return its object id; only a push makes it known to others."""
        return self._objects.write_blob(content)

    def write_record(self, name: str, content: bytes, message: str) -> str:
        """Make a commit without parents and with one file, and return it; only a push makes it known to others."""
        return self._new.record(name, content, message)
