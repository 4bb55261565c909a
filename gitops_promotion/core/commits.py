"""git's nouns: commits, what they change, refs, trailers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

EntryKind = Literal["file", "symlink", "submodule"]
"""What is at a path of a commit, by git's mode: `file` for 100644 and 100755."""


LFS_POINTER = b"version https://git-lfs.github.com/spec/"
"""The beginning of a file in place of a large one (https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileChange:
    """One path of a diff; `old` and `new` are object ids, None where the path did not or does not exist.

    The id of a submodule is a commit of another repository; the blob of a symlink contains the path that it leads to.
    The modes are git's, such as 100755, and "" where they were not read.
    """

    path: str
    old: str | None
    new: str | None
    old_kind: EntryKind = "file"
    new_kind: EntryKind = "file"
    old_mode: str = field(default="", compare=False)
    new_mode: str = field(default="", compare=False)

    @property
    def old_file(self) -> str | None:
        """The blob of a regular file that was there before, None for anything else."""
        return self.old if self.old_kind == "file" else None

    @property
    def new_file(self) -> str | None:
        """The blob of a regular file that is there now, None for anything else."""
        return self.new if self.new_kind == "file" else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """One commit of a log with what it changed; `complete` is False where a shallow clone hides its parents.

    `author` and `committer` are names, `committed_at` is None where it was not read. All of them are claims of the
    machine that made the commit.
    """

    sha: str
    parents: tuple[str, ...]
    author_email: str
    committer_email: str
    message: str
    changes: tuple[FileChange, ...]
    complete: bool = True
    author: str = ""
    committer: str = ""
    committed_at: datetime | None = None

    @property
    def trailers(self) -> dict[str, str]:
        """The `Key: value` lines of the message's last paragraph."""
        return read_trailers(self.message)


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitHeader:
    """The parents, the author and the message of a commit, without what it changed; `author` is a name."""

    parents: tuple[str, ...]
    author: str
    author_email: str
    message: str

    @property
    def trailers(self) -> dict[str, str]:
        """The `Key: value` lines of the message's last paragraph."""
        return read_trailers(self.message)


def read_time(text: str) -> datetime | None:
    """Return the time in the value of a trailer, None if it is no time in ISO 8601 or has no time zone."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return time if time.tzinfo else None


def read_trailers(message: str) -> dict[str, str]:
    """Return the `Key: value` lines of a commit message's last paragraph."""
    paragraph = message.strip().rpartition("\n\n")[2]
    pairs = (line.partition(": ") for line in paragraph.split("\n"))
    return {key: value.strip() for key, colon, value in pairs if colon}


@dataclass(frozen=True, slots=True, kw_only=True)
class Refs:
    """What the remote answered: its default branch ("" where its HEAD names none) and refs by full name."""

    default_branch: str
    shas: Mapping[str, str]

    def branch(self, name: str) -> str | None:
        """Return the commit of a branch, None if the remote has none of that name."""
        return self.shas.get(f"refs/heads/{name}")


@dataclass(frozen=True, slots=True, kw_only=True)
class RefUpdate:
    """One ref of a push: `new` is its new object, None to delete it; `expected` its present one, None for no ref."""

    ref: str
    new: str | None
    expected: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Merge:
    """A merge that was tried: `sha` is the commit, the base itself if the merge would change no file.

    With conflicts `sha` is None, and `conflicts` names the paths.
    """

    sha: str | None
    conflicts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NewFile:
    """A file of a new commit that differs from the first parent's; `content` is None if the commit deletes it."""

    path: str
    mode: str
    content: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCommit:
    """A commit that a forge is asked to make: `tree` is that of `base_tree`, the first parent's, with these files."""

    tree: str
    base_tree: str
    parents: tuple[str, ...]
    message: str
    files: tuple[NewFile, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeCommit:
    """A commit that a forge has made, with the bytes of the object; None where the forge does not tell them."""

    sha: str
    content: bytes | None


class Store(Protocol):
    """What the `local` provider needs of a repository: refs and objects of its remote, changed by compare-and-swap."""

    def refs(self, *patterns: str) -> Refs:
        """Ask the remote for its refs whose full names match the patterns (as `git ls-remote` does)."""

    def fetch(self, *refs: str) -> dict[str, str]:
        """Bring these refs' objects here; returns the object of each by full name. Raises GitError if one is gone."""

    def fetch_commit(self, sha: str) -> bool:
        """Bring a commit here if it is not here yet; returns False if the remote does not give it."""

    def read_objects(self, shas: Sequence[str]) -> dict[str, bytes]:
        """Return the contents of blobs that were fetched or written before."""

    def write_blob(self, content: bytes) -> str:
        """Store a blob here and return its object id; only a push makes it known to others."""

    def merge(self, base: str, head: str, message: str) -> Merge:
        """Make a merge commit of two commits that were fetched; none if it would change no file or conflicts."""

    def try_merge(self, base: str, head: str) -> Merge:
        """Merge as `merge` does, only to look at the result."""

    def brought_by(self, tip: str, head: str) -> str | None:
        """Return the first-parent commit of `tip` that brought `head` in, `head` itself where it is one of them."""

    def commits(self, exclude: str, include: str) -> list[Commit]:
        """Return the commits of `include` that `exclude` does not have, newest first."""

    def push(self, updates: Sequence[RefUpdate]) -> None:
        """Change all refs or none. Raises LeaseLostError if any is not what was expected or nothing was changed."""
