"""The history of commits: who changed what, and since when."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from gitops_promotion.core.commits import Commit
from gitops_promotion.errors import GitError
from gitops_promotion.git.entries import Entries
from gitops_promotion.git.environment import SAFE, as_environment
from gitops_promotion.git.fetched import Fetched
from gitops_promotion.git.formats import GLOB, LOG_FORMAT, full_sha, read_log, read_whole_commit
from gitops_promotion.git.objects import Objects
from gitops_promotion.git.private_repository import PrivateRepository

MOST_COMMITS = 100_000
"""The most commits of a branch that are read, of those that the default branch does not have."""
_NO_ROOT = (("log.showRoot", "false"),)


class History:
    """Reads history. Methods raise GitError, and AuthError where history that is cut off must be fetched."""

    def __init__(self, private: PrivateRepository, objects: Objects, entries: Entries, fetched: Fetched) -> None:
        self._private = private
        self._objects = objects
        self._entries = entries
        self._fetched = fetched

    def first_parents(self, tip: str, paths: Sequence[str], limit: int, *, root: bool) -> list[Commit]:
        """Return the newest `limit` first-parent commits, newest first, each with its changes to `paths`.

        Without `root` the very first commit comes without its changes: it may have added every file there is.
        """
        specs = [path if path.startswith(GLOB) else f":(literal){path}" for path in paths]
        options = ["--first-parent", "--sparse", f"--max-count={limit}"]
        return self._log(*options, full_sha(tip), "--", *specs, settings=() if root else _NO_ROOT)

    def between(self, exclude: str, include: str) -> list[Commit]:
        """Return the commits of `include` that `exclude` does not have, newest first.

        Each has its changes against its first parent. Raises GitError for more than MOST_COMMITS.
        """
        if commit := self._child(exclude, include):
            return [commit]
        if include in self._fetched.newest_before(exclude):
            return []
        self._fetched.settle(exclude, include)
        count_option = f"--max-count={MOST_COMMITS + 1}"
        commits = self._log("--topo-order", count_option, f"{full_sha(exclude)}..{full_sha(include)}", "--")
        if len(commits) > MOST_COMMITS:
            raise GitError(
                f"{include} has more than {MOST_COMMITS} commits that {exclude} has not: is it a branch of another "
                "history? Create it again from the default branch"
            )
        return commits

    def _child(self, parent: str, sha: str) -> Commit | None:
        """Return the commit as `git log` shows it, if this is its only parent, else None. No history has to be read."""
        if not self._objects.is_child(sha, parent):
            return None
        [content] = self._objects.read([sha], "commit")
        commit = read_whole_commit(sha, content)
        return replace(commit, changes=tuple(self._entries.diff(parent, sha))) if commit.parents == (parent,) else None

    def last_change(self, tip: str, path: str) -> datetime | None:
        """Return the time of the newest first-parent commit of `tip` that changed a path or something below it.

        None if there is no such commit. A commit whose parents are cut off looks as if it had made every file: more
        history is fetched until the answer is certain (docs/migrating.md, B38).
        """
        command = ("log", "--first-parent", "--max-count=1", "--format=%H %ct", full_sha(tip), "--", path)
        while True:
            sha, _, seconds = self._private.git(*command).decode().strip().partition(" ")
            if not sha:
                return None
            if sha not in self._private.cut_off():
                return datetime.fromtimestamp(int(seconds), UTC)
            if not self._fetched.deepen_further():
                raise GitError(
                    f"the last change of {path} is not in the history here, and the remote has no more of it: check "
                    "out with full history (fetch-depth: 0)"
                )

    def brought_by(self, tip: str, head: str) -> str | None:
        """Return the first-parent commit of `tip` that brought `head` in, `head` itself where it is one of them.

        None if `tip` does not contain it, or if one of the two cannot be fetched. History that is cut off is fetched
        until the answer is certain.
        """
        if not self._fetched.commit(tip):
            return None
        # A complete history has all that the tip contains.
        if not (self._fetched.commit(head) if self._fetched.shallow else self._objects.has(head)):
            return None
        self._fetched.settle(tip, head)
        # git mixes up --first-parent with --ancestry-path once a branch of several commits was merged.
        lines = self._private.lines("rev-list", "--ancestry-path", "--parents", f"{head}..{tip}", "--")
        first_parents = {sha: parents[0] for sha, *parents in map(str.split, lines)}
        if not first_parents and tip != head:
            return None
        descendants = {head, *first_parents}
        commit = tip
        while commit != head and first_parents[commit] in descendants:
            commit = first_parents[commit]
        return commit

    def _log(self, *arguments: str, settings: Sequence[tuple[str, str]] = ()) -> list[Commit]:
        options = ["--raw", "-z", "--no-abbrev", "--no-renames", "--diff-merges=first-parent"]
        command = ("log", *options, f"--format={LOG_FORMAT}", *arguments)
        variables = {"GIT_LITERAL_PATHSPECS": "0", **as_environment([*SAFE, *settings])}
        output = self._private.git(*command, variables=variables)
        return list(read_log(output.decode(errors="surrogateescape"), self._private.cut_off()))
