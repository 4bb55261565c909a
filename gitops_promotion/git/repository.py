"""A repository and its one remote: files of a commit, its history, and new commits."""

import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from itertools import combinations
from pathlib import Path
from typing import Self

from gitops_promotion.core.commits import Commit, FileChange, Merge, Refs, RefUpdate
from gitops_promotion.core.markers.spelling import is_manifest, line_words
from gitops_promotion.errors import GitError, RefGoneError
from gitops_promotion.git.checkout import Checkout, Setting
from gitops_promotion.git.environment import NO_CONFIG, SAFE, as_environment, private_environment
from gitops_promotion.git.formats import (
    GLOB,
    LOG_FORMAT,
    SHA,
    file_text,
    full_ref,
    full_sha,
    is_relative,
    manifest_specs,
    read_change,
    read_log,
)
from gitops_promotion.git.identity import Identity, signers
from gitops_promotion.git.objects import Objects
from gitops_promotion.git.process import Runner, first_line
from gitops_promotion.git.remote import Remote
from gitops_promotion.git.tree import Tree

DEPTH = 100
"""Commits of history fetched into a shallow repository: a gate looks at no more (DESIGN 7)."""

_EVERYTHING = 0x7FFFFFFF  # git's own "infinite depth"; unlike --unshallow no error where nothing is missing


class Repository:
    """A repository and its one remote. Close it, or use it in a `with`.

    Commits are named by full object id. Paths are as git has them, `/` between folders; bytes that are no UTF-8 are
    surrogate escapes. Methods raise GitError; those that talk to the remote also AuthError.
    """

    url: str
    """The remote's address, a relative path made absolute; never with the user or password of a web address."""
    head: str | None
    """The commit that is checked out; None before the first one."""
    head_branch: str | None
    """The branch that is checked out; None where HEAD is detached."""
    shallow: bool
    """Whether history may be cut off here."""
    identity: Identity | None
    """Who commits are by; None: who git's environment and configuration say, else DEFAULT_IDENTITY."""

    def __init__(
        self,
        *,
        runner: Runner,
        private: Path,
        environ: Mapping[str, str],
        settings: Sequence[Setting],
        remote: Remote,
        head: tuple[str | None, str | None],
        shallow: bool,
        identity: Identity | None,
        clock: Callable[[], datetime],
    ) -> None:
        self.url = remote.url
        self.head, self.head_branch = head
        self.shallow = shallow
        self.identity = identity
        self._clock = clock
        self._runner = runner
        self._private = private
        self._settings = settings
        self._remote = remote
        self._environ = environ
        self._local = {**environ, **NO_CONFIG, **as_environment(SAFE)}
        self._objects = Objects(runner, self._local)
        self._tips: dict[str, str] = {}
        self._depth = DEPTH

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
        identity: Identity | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> Self:
        """Open the repository that `path` is in, and its remote: the one named, else `origin`, else the only one.

        `token` is for fetch, push and ls-remote over http; without one the repository's own credentials are left
        alone. A function is asked with the remote's address before each of them, for a token may expire meanwhile.
        `user` is the user name that goes with the token where the remote's address has none.
        `trust` accepts a folder that belongs to somebody else, which is right in CI's containers only.
        """
        checkout = Checkout.find(path, environ)
        runner = Runner(checkout.root)
        settings = checkout.settings(runner, environ, trust=trust)
        try:
            private = Path(tempfile.mkdtemp(prefix="gitops-promotion-"))
        except OSError as error:
            raise GitError(
                f"cannot make a temporary folder ({error}): set TMPDIR to one that can be written"
            ) from error
        try:
            head = checkout.head()
            shallow = checkout.borrow(settings, private)
            home = private_environment(environ, private)
            reached = Remote(
                runner=runner,
                environ=home,
                settings=settings,
                root=checkout.root,
                wanted=remote,
                token=token,
                user=user,
            )
        except BaseException:
            shutil.rmtree(private, ignore_errors=True)
            raise
        return cls(
            runner=runner,
            private=private,
            environ=home,
            settings=settings,
            remote=reached,
            head=head,
            shallow=shallow,
            identity=identity,
            clock=clock,
        )

    def close(self) -> None:
        """End git's processes and remove the private repository."""
        self._objects.stop()
        shutil.rmtree(self._private, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def author(self) -> str:
        """The name that commits are signed with."""
        return self._signers()[0][1].name

    @property
    def commands(self) -> int:
        """How many git commands were started so far."""
        return self._runner.count

    # -- the remote

    def refs(self, *patterns: str) -> Refs:
        """Ask the remote for its default branch and for the refs that match (`git ls-remote` patterns)."""
        return self._remote.refs(*patterns)

    def fetch(self, *refs: str, depth: int | None = None) -> dict[str, str]:
        """Bring these refs (full names) here and return the object of each, as fetched.

        Only where history is cut off already does `depth` (default DEPTH) count: elsewhere it would cut it.
        """
        if not refs:
            return {}
        targets = {ref: f"refs/promotion/{sha256(os.fsencode(full_ref(ref))).hexdigest()}" for ref in refs}
        self._depth = max(self._depth, depth or DEPTH)
        self._fetch([f"+{ref}:{target}" for ref, target in targets.items()])
        fetched = {ref: file_text(self._private / target) for ref, target in targets.items()}
        self._tips.update(fetched)
        return fetched

    def _fetch(self, refspecs: Iterable[str]) -> None:
        self._remote.fetch(refspecs, self._depth if self.shallow else None)
        self.shallow = self.shallow and bool(self._boundary())

    def fetch_commit(self, sha: str) -> bool:
        """Make one commit available, say an event's; False if neither this repository nor the remote has it."""
        if not SHA.fullmatch(sha) or not sha.strip("0"):
            return False
        if not self.has(sha):
            try:
                self._fetch([f"+{sha}:refs/promotion/{sha}"])
            except RefGoneError:
                return False
            self._tips[sha] = sha
        return self.has(sha)

    def deepen(self, depth: int) -> bool:
        """Fetch `depth` commits of history of all that was fetched; False if no more is to be had."""
        if not self.shallow or not self._tips:
            return False
        before = self._boundary()
        self._depth = max(self._depth, depth)
        self._fetch(sorted(set(self._tips.values())))
        return self._boundary() != before

    def push(self, updates: Sequence[RefUpdate]) -> None:
        """Change all refs or none.

        Raises LeaseLostError if a ref is not what was expected, or is up to date already, which means that another
        writer did the same (docs/facts/forges.md); RefusedPushError if the server does not allow the push. git leaves
        a ref that is up to date out of the push: several updates that belong together need contents that no other
        writer can make (a nonce).
        """
        self._remote.push(updates)

    # -- files of commits

    def has(self, sha: str) -> bool:
        """Tell whether a commit is here."""
        return bool(SHA.fullmatch(sha)) and self._objects.ask("info", sha)[0] == "commit"

    def message(self, commit: str) -> str:
        """Return a commit's message; "" if the commit is not here."""
        kind, content = self._objects.ask("contents", full_sha(commit))
        return content.partition(b"\n\n")[2].decode(errors="surrogateescape") if kind == "commit" else ""

    def grep(self, commit: str, names: Sequence[str], paths: Sequence[str] = ()) -> list[str]:
        """Return the manifests, links left out, with a line that may hold a marker of these names.

        `names` are `group:app`; without names, a marker of any application counts. `paths` are literal files or
        folders, or git's pathspecs that begin with `:(glob)`. `commit` may be a tree.
        """
        expression: list[str] = []
        for words in line_words(names):
            alternatives = [argument for word in words for argument in ("--or", "-e", word)][1:]
            expression += ["--and", "(", *alternatives, ")"]
        specs = [spec for path in paths or ("",) for spec in manifest_specs(path)]
        done = self._runner.run(
            ["grep", "-z", "-l", "-a", "-F", "--no-color", *expression[1:], full_sha(commit), "--", *specs],
            self._local | {"GIT_LITERAL_PATHSPECS": "0"},
        )
        # It goes on over a blob it cannot read, and a file passed over in silence is never promoted.
        if done.status > 1 or re.search(r"^(?:error|fatal):", done.stderr, re.MULTILINE):
            raise GitError(f"git grep failed: {first_line(done.stderr)}")
        names = done.stdout.decode(errors="surrogateescape").split("\0")[:-1]
        return sorted(path for path in (name.partition(":")[2] for name in names) if is_manifest(path))

    def read(self, commit: str, paths: Iterable[str]) -> dict[str, bytes]:
        """Return the contents of files of a commit or tree; what is missing, or a folder, is left out."""
        if self._objects.ask("info", full_sha(commit))[0] not in ("commit", "tree"):
            raise GitError(f"commit {commit} is not in this repository: fetch it first")
        found = {path: self._objects.ask("contents", f"{commit}:{path}") for path in paths if not is_relative(path)}
        return {path: content for path, (kind, content) in found.items() if kind == "blob"}

    def read_objects(self, shas: Sequence[str]) -> dict[str, bytes]:
        """Return the contents of blobs. Raises GitError if one is not here."""
        found = {}
        for sha in shas:
            kind, content = self._objects.ask("contents", full_sha(sha))
            if kind != "blob":
                raise GitError(f"object {sha} is no file of this repository: fetch it first")
            found[sha] = content
        return found

    def lay_out(self, commit: str) -> Tree:
        """Write a commit's files to a temporary folder, which goes when this repository is closed."""
        listed = self._git("ls-tree", "-r", "-z", full_sha(commit)).decode(errors="surrogateescape")
        folder = Path(tempfile.mkdtemp(prefix="tree-", dir=self._private))
        return Tree(folder, self._objects.files(listed.split("\0")[:-1]))

    # -- history

    def diff_trees(self, old: str, new: str) -> list[FileChange]:
        """Return the paths that differ between two commits or trees, links and submodules included.

        Renames are not detected: a renamed file is a deletion and an addition.
        """
        raw = self._git("diff-tree", "-r", "-z", "--raw", "--no-abbrev", "--no-renames", full_sha(old), full_sha(new))
        fields = raw.decode(errors="surrogateescape").split("\0")
        return [read_change(header, path) for header, path in zip(fields[::2], fields[1::2], strict=False)]

    def diff_from_merge_base(self, base: str, head: str) -> tuple[str, list[FileChange]]:
        """Return the merge base of two commits and what `head` changed since.

        History that is cut off is fetched until the answer is certain. Of several merge bases the changes since any
        count, so that a criss-cross history hides none. Raises GitError if the two have no common history.
        """
        self._settle(base, head)
        bases = self._merge_bases(base, head)
        if not bases:
            raise GitError(f"{head} and {base} have no common history: rebase the branch on the default branch")
        changes: dict[str, FileChange] = {}
        for found in reversed(bases):
            changes |= {change.path: change for change in self.diff_trees(found, head)}
        return bases[0], [changes[path] for path in sorted(changes)]

    def history(self, tip: str, paths: Sequence[str], limit: int) -> list[Commit]:
        """Return the newest `limit` first-parent commits, newest first, each with its changes to `paths`.

        `paths` are literal files or folders, or git's pathspecs that begin with `:(glob)`.
        """
        specs = [path if path.startswith(GLOB) else f":(literal){path}" for path in paths]
        return self._log("--first-parent", "--sparse", f"--max-count={limit}", full_sha(tip), "--", *specs)

    def last_change(self, tip: str, path: str) -> datetime | None:
        """Return when the newest first-parent commit of `tip` that changed a path, or something below it, was made.

        None if none did. A commit whose parents are cut off looks as if it had made every file: more history is
        fetched until the answer is certain (B38).
        """
        while True:
            asked = ("--first-parent", "--max-count=1", "--format=%H %ct", full_sha(tip), "--", path)
            sha, _, seconds = self._git("log", *asked).decode().strip().partition(" ")
            if not sha:
                return None
            if sha not in self._boundary():
                return datetime.fromtimestamp(int(seconds), UTC)
            if not self.deepen(_deeper(self._depth)):
                raise GitError(
                    f"when {path} was changed last is not in the history here, and the remote has no more of it: check "
                    "out with full history (fetch-depth: 0)"
                )

    def commits(self, exclude: str, include: str) -> list[Commit]:
        """Return the commits of `include` that `exclude` has not, newest first, changes against the first parent."""
        self._settle(exclude, include)
        return self._log("--topo-order", f"{full_sha(exclude)}..{full_sha(include)}", "--")

    def brought_by(self, tip: str, head: str) -> str | None:
        """Return the first-parent commit of `tip` that brought `head` in, `head` itself where it is one of them.

        None if `tip` has it not, or one of the two is not to be had. History that is cut off is fetched until the
        answer is certain.
        """
        if not self.fetch_commit(tip):
            return None
        # Whole history has all that the tip contains.
        if not (self.fetch_commit(head) if self.shallow else self.has(head)):
            return None
        self._settle(tip, head)
        # Git mixes up --first-parent with --ancestry-path once a branch of several commits was merged.
        listed = self._git("rev-list", "--ancestry-path", "--parents", f"{head}..{tip}", "--").decode().splitlines()
        first_parents = {sha: parents[0] for sha, *parents in map(str.split, listed)}
        if not first_parents and tip != head:
            return None
        descendants = {head, *first_parents}
        found = tip
        while found != head and first_parents[found] in descendants:
            found = first_parents[found]
        return found

    def _log(self, *arguments: str) -> list[Commit]:
        options = ["--raw", "-z", "--no-abbrev", "--no-renames", "--diff-merges=first-parent"]
        raw = self._git("log", *options, f"--format={LOG_FORMAT}", *arguments, environ={"GIT_LITERAL_PATHSPECS": "0"})
        return list(read_log(raw.decode(errors="surrogateescape"), self._boundary()))

    def _boundary(self) -> frozenset[str]:
        """Return the commits whose parents are cut off."""
        return frozenset(file_text(self._private / "shallow").split())

    def _settle(self, one: str, other: str) -> None:
        """Fetch history until no cut can change what the two have in common.

        A cut matters only between a tip and the common history, and there it could hide a newer merge base: a pull
        request of more than DEPTH commits would be compared with the wrong one.
        """
        depth = self._depth
        while self.shallow:
            between = self._git("rev-list", f"{full_sha(one)}...{full_sha(other)}", "--").decode().split()
            if self._boundary().isdisjoint(between):
                return
            if depth >= _EVERYTHING:
                raise GitError(
                    f"the history between {one} and {other} is cut off here and the remote has no more of it: "
                    "check out with full history (fetch-depth: 0)"
                )
            depth = _deeper(depth)
            self.deepen(depth)

    # -- new objects

    def commit(
        self, base: str, edits: Mapping[str, bytes | None], message: str, *, on_top_of: str | None = None
    ) -> str:
        """Make a commit on `base` with these files written, or deleted (None), and return it.

        With `on_top_of`, another commit that was fetched, it is a merge of the two: a branch at `on_top_of` moves to it
        without a forced push. Its files are those of `base` with the edits, and nothing of `on_top_of`; `base` is its
        first parent, and so the merge base with any descendant of `base`. A forge that merges by rebasing would replay
        the commits of `on_top_of`.

        Files keep their mode, new ones are 100644. Raises GitError if a path leads through a symlink or would
        replace anything but a file.
        """
        parents = (base, on_top_of) if on_top_of else (base,)
        return self._objects.commit(parents, edits, message, self._signers(), self._seconds())

    def merge_result(self, tip: str, head: str) -> str | None:
        """Return the tree that a merge of `head` into `tip` would have, None if they conflict.

        Renames count as in `git merge`: a file that one side renames takes the other side's change with it. History
        that is cut off is fetched until the answer is certain. Raises GitError if the two have no common history.
        """
        tree, conflicting_paths = self._merged(tip, head)
        return None if conflicting_paths else tree

    def conflicts(self, ours: str, theirs: str) -> tuple[str, ...]:
        """Return the paths that stand in the way of merging two commits; () if it is clean."""
        return self._merged(ours, theirs)[1]

    def merge(self, base: str, head: str, message: str) -> Merge:
        """Make a merge commit with `base` as its first parent, or name the conflicts."""
        tree, paths = self._merged(base, head)
        if paths:
            return Merge(sha=None, conflicts=paths)
        return Merge(sha=self._objects.commit_tree(tree, (base, head), message, self._signers(), self._seconds()))

    def is_plain_merge(self, sha: str, ours: str, theirs: str) -> bool:
        """Return True if a commit holds exactly what merging its two parents gives by itself: nobody added to it."""
        tree, paths = self._merged(ours, theirs)
        return not paths and tree == self._git("rev-parse", "--verify", f"{full_sha(sha)}^{{tree}}").decode().strip()

    def _merged(self, ours: str, theirs: str) -> tuple[str, tuple[str, ...]]:
        self._settle_merge(ours, theirs)
        return self._objects.merge_trees(ours, theirs)

    def _settle_merge(self, ours: str, theirs: str) -> None:
        """Fetch history until no cut can change the result of a merge.

        Git merges several merge bases with each other first, so that the history between them counts too.
        """
        boundary = None
        while self.shallow and boundary != self._boundary():
            boundary = self._boundary()
            settled: set[frozenset[str]] = set()
            pending = {frozenset((ours, theirs))}
            while pending:
                pair = pending.pop()
                settled.add(pair)
                one, other = min(pair), max(pair)
                self._settle(one, other)
                pending |= {frozenset(two) for two in combinations(self._merge_bases(one, other), 2)} - settled

    def _merge_bases(self, one: str, other: str) -> list[str]:
        """Return all merge bases of two commits, none if they have no common history."""
        done = self._runner.run(["merge-base", "--all", full_sha(one), full_sha(other)], self._local)
        if done.status > 1:
            raise GitError(f"git merge-base failed: {first_line(done.stderr)}")
        return done.stdout.decode().split()

    def write_blob(self, content: bytes) -> str:
        """Store a blob here and return its object id; only a push makes it known to others."""
        return self._git("hash-object", "-w", "--stdin", stdin=content).decode().strip()

    def _seconds(self) -> int:
        return int(self._clock().timestamp())

    def _signers(self) -> list[tuple[str, Identity]]:
        return signers(self.identity, self._environ, self._settings)

    # -- running git

    def _git(self, *arguments: str, stdin: bytes = b"", environ: Mapping[str, str] | None = None) -> bytes:
        done = self._runner.run(arguments, self._local | dict(environ or {}), stdin)
        if done.status:
            raise self._remote.failure(arguments[0], done.stderr)
        return done.stdout


def _deeper(depth: int) -> int:
    """Return how many commits to fetch next, where that many were not enough."""
    return depth * 4 if depth < 16 * DEPTH else _EVERYTHING
