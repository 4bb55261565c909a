"""The formats of git: object ids, refs, paths and pathspecs, its log and raw diffs."""

import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from gitops_promotion.core.commits import Commit, CommitHeader, EntryKind, FileChange
from gitops_promotion.core.markers.spelling import MANIFEST_PATTERNS, is_manifest
from gitops_promotion.core.untrusted import quoted
from gitops_promotion.errors import GitError

LOG_FORMAT = "%H%x00%P%x00%ae%x00%ce%x00%an%x00%cn%x00%ct%x00%B%x00"
KINDS: Mapping[str, EntryKind] = {"120000": "symlink", "160000": "submodule"}
"""Kinds of entry by git's mode; all other modes are files."""
FOLDER = "40000"
"""git's mode of a folder."""
GLOB = ":(glob)"
SHA = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_BLANKS = " \t\n\r"
_TIME = re.compile(rf"[{_BLANKS}]*([0-9]+)[{_BLANKS}]*[+-][0-9]")
_BAD_REF = re.compile(r"[\x00-\x20~^:?*\[\\\x7f]|\.\.|@\{|//|/\.|\.lock(?:/|$)|[/.]$")


class TreeLine(NamedTuple):
    """One line of a tree: its mode and its name as they are written, and the object's id."""

    mode: bytes
    name: bytes
    id: bytes

    @property
    def is_folder(self) -> bool:
        """Whether the line is a folder's."""
        return read_mode(self.mode) == FOLDER


def read_tree(content: bytes, id_size: int) -> list[TreeLine]:
    """Read a tree object; `id_size` are the bytes of an object id. Raises GitError for a damaged one."""
    lines = [TreeLine(*line) for line in re.findall(rb"([^ ]*) ([^\0]*)\0(.{%d})" % id_size, content, re.DOTALL)]
    if sum(len(line.mode) + len(line.name) + 2 + id_size for line in lines) != len(content):
        raise GitError("a tree of the repository is damaged: `git fsck` names it, repair it")
    return lines


@lru_cache(maxsize=64)
def read_mode(digits: bytes) -> str:
    """Return a mode as git reads it: trees of other programs have zeros before it, or other permissions.

    As `canon_mode` of git does (https://github.com/git/git/blob/v2.10.5/cache.h), and so merges and check-outs. Raises
    GitError for what is no mode.
    """
    if not re.fullmatch(rb"[0-7]{1,7}", digits):
        raise GitError(
            f"a tree of the repository has the malformed mode {digits!r:.40}: `git fsck` names it, repair it"
        )
    mode = int(digits, 8)
    if stat.S_ISREG(mode):
        return "100755" if mode & stat.S_IXUSR else "100644"
    if stat.S_ISLNK(mode):
        return "120000"
    return FOLDER if stat.S_ISDIR(mode) else "160000"


def read_log(raw: str, boundary: frozenset[str]) -> Iterator[Commit]:
    """Read the output of `git log` with LOG_FORMAT; the parents of commits in `boundary` are cut off."""
    fields = iter(raw.split("\0"))
    sha = next(fields)
    while sha:
        parents, author_email, committer_email, author, committer, seconds, message, _ = (
            next(fields) for _ in range(8)
        )
        changes = []
        following = next(fields, "")
        while following.startswith((":", "\n:")):
            changes.append(read_change(following, next(fields)))
            following = next(fields, "")
        complete = sha not in boundary
        yield Commit(
            sha=sha,
            parents=tuple(parents.split()),
            author_email=author_email,
            committer_email=committer_email,
            message=message,
            changes=tuple(changes) if complete else (),
            complete=complete,
            author=author,
            committer=committer,
            committed_at=read_seconds(seconds),
        )
        sha = following


def read_commit(content: bytes) -> CommitHeader:
    """Read a commit object, also one with fields that are not known here."""
    head, _, message = content.decode(errors="surrogateescape").partition("\n\n")
    lines = head.split("\n")
    author = read_person(lines, "author")
    return CommitHeader(
        parents=tuple(line.removeprefix("parent ") for line in lines if line.startswith("parent ")),
        author=author.name,
        author_email=author.email,
        message=message,
    )


def read_whole_commit(sha: str, content: bytes) -> Commit:
    """Read a commit object with its people and its time, as `read_log` does; without its changes."""
    header = read_commit(content)
    committer = read_person(content.partition(b"\n\n")[0].decode(errors="surrogateescape").split("\n"), "committer")
    return Commit(
        sha=sha,
        parents=header.parents,
        author_email=header.author_email,
        committer_email=committer.email,
        message=header.message,
        changes=(),
        complete=True,
        author=header.author,
        committer=committer.name,
        committed_at=read_seconds(committer.seconds),
    )


class Person(NamedTuple):
    """The person and the time of a line in a commit object, as they are written."""

    name: str = ""
    email: str = ""
    seconds: str = ""


def read_person(lines: Sequence[str], role: str) -> Person:
    """Return the `author` or `committer` that `git log` shows of a commit with these lines: the last of several.

    The name ends at the first `<`, the address at the first `>` behind it, and the time follows the last `>`: see
    `split_ident_line` in https://github.com/git/git/blob/v2.39.5/ident.c.
    """
    line = next((line for line in reversed(lines) if line.startswith(f"{role} ")), "").removeprefix(f"{role} ")
    name, opening, mail_part = line.partition("<")
    email, closing, _ = mail_part.partition(">")
    if not (opening and closing):
        return Person()
    time = _TIME.match(mail_part.rpartition(">")[2])
    return Person(name.rstrip(_BLANKS), email, time[1] if time else "")


def read_seconds(text: str) -> datetime | None:
    """Return the time that git prints as seconds since 1970, None for one that no calendar has."""
    try:
        return datetime.fromtimestamp(int(text), UTC)
    except (ValueError, OverflowError, OSError):
        return None


def read_change(raw: str, path: str) -> FileChange:
    """Read one `:mode mode old new status` of a raw diff."""
    old_mode, new_mode, old, new = raw.strip("\n:").split()[:4]
    return FileChange(
        path=path,
        old=old if old.strip("0") else None,
        new=new if new.strip("0") else None,
        old_kind=KINDS.get(old_mode, "file"),
        new_kind=KINDS.get(new_mode, "file"),
        old_mode=old_mode,
        new_mode=new_mode,
    )


def read_changes(output: bytes) -> list[FileChange]:
    """Read the output of `git diff-tree -z --raw`."""
    fields = output.decode(errors="surrogateescape").split("\0")
    return [read_change(header, path) for header, path in zip(fields[::2], fields[1::2], strict=False)]


def manifest_specs(path: str) -> Iterator[str]:
    """Yield pathspecs for the manifests at or below a literal path; a glob pathspec is one already."""
    if path.startswith(GLOB):
        yield path
        return
    if path:
        if is_manifest(path):
            yield f":(literal){path}"
        path = re.sub(r"([*?\[\\])", r"\\\1", path.rstrip("/")) + "/"
    for name in MANIFEST_PATTERNS:
        yield f":(glob){path}**/{name}"


def quote(path: str) -> bytes:
    """Put a path in C-style quotes, in which git's formats take any path."""
    escaped = path.encode(errors="surrogateescape").replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b"\\n")
    return b'"%s"' % escaped


def file_text(path: Path) -> str:
    """Return the text of a small file without its last line break; "" if it cannot be read."""
    try:
        return path.read_text(errors="surrogateescape").rstrip("\n")
    except OSError:
        return ""


def full_sha(text: str) -> str:
    """Return the text if it is an object id, which git takes for nothing else. Raises GitError."""
    if not SHA.fullmatch(text):
        raise GitError(f"{quoted(text)} is not a full object id: name a commit by its 40 or 64 hex digits")
    return text


def full_ref(text: str) -> str:
    """Return the text if it is a full ref name, which git takes for nothing else in a refspec. Raises GitError."""
    if not text.startswith("refs/") or _BAD_REF.search(text):
        raise GitError(f"{quoted(text)} is not a full ref name: write refs/heads/<branch>")
    return text


def check_path(path: str) -> None:
    """Raise GitError for a path outside the repository or in git's own folder."""
    for part in path.split("/"):
        # File systems of Windows and macOS take more spellings for that folder.
        plain = re.sub(r"[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]", "", part).rstrip(". ").lower()
        if part in ("", ".", "..") or "\0" in part or plain in (".git", "git~1"):
            raise GitError(f"{quoted(path)} cannot be a file of a repository: name one below its top folder")
