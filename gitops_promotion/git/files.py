"""The files of commits: found by a marker, read, and laid out on disk."""

import hashlib
import re
import tempfile
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path

from gitops_promotion.core.commits import LFS_POINTER, FileChange
from gitops_promotion.core.markers.spelling import is_manifest, line_words
from gitops_promotion.errors import GitError
from gitops_promotion.git.advice import first_line
from gitops_promotion.git.entries import Entries
from gitops_promotion.git.formats import GLOB, full_sha, manifest_specs, read_changes
from gitops_promotion.git.objects import Objects
from gitops_promotion.git.private_repository import PrivateRepository, temporary_files
from gitops_promotion.git.tree import Tree

SYMLINK = "120000"
_WITH_PATHSPECS = {"GIT_LITERAL_PATHSPECS": "0"}
# git's threads wait for each other at every object: eight of them need twice the processor time of one.
_ONE_THREAD = "--threads=1"
# Files with an ending below a folder, at any depth, as `MANIFEST_PATTERNS` makes them.
_ENDING_BELOW = re.compile(re.escape(GLOB) + r"((?:[^*?\[\\:]+/)?)\*\*/(\*[^*?\[\\/]+)")
_KIND_NAMES = {"symlink": "a symbolic link", "submodule": "a submodule"}


class Files:
    """Reads files of commits. Methods raise GitError."""

    def __init__(self, private: PrivateRepository, objects: Objects) -> None:
        self._private = private
        self._objects = objects
        self.entries = Entries(objects)

    def grep(self, commit: str, names: Sequence[str], paths: Sequence[str] = ()) -> list[str]:
        """Return the manifests with a line that may hold a marker of these names (Repository.grep)."""
        expression: list[str] = []
        for words in line_words(names):
            alternatives = [argument for word in words for argument in ("--or", "-e", word)][1:]
            expression += ["--and", "(", *alternatives, ")"]
        specs = [spec for path in paths or ("",) for spec in manifest_specs(path)]
        return self._grep(commit, expression[1:], specs)

    def manifests(self, commit: str) -> list[str]:
        """Return all manifests of a commit by their names."""
        listing = self._private.git("ls-tree", "-r", "-z", "--name-only", "--full-tree", full_sha(commit))
        paths = listing.decode(errors="surrogateescape").split("\0")[:-1]
        return [path for path in paths if is_manifest(path)]

    def unreadable(self, commit: str, pathspecs: Sequence[str]) -> dict[str, str]:
        """Return the manifests that are not regular files, with the kind of each, such as `a symbolic link`.

        A folder that is a link or a submodule stands for the manifests in it.
        """
        changes = self._matching(commit, pathspecs)
        folders = {folder for pathspec in pathspecs for folder in _fixed_folders(pathspec)}
        kinds: dict[str, str] = {change.path: change.new_kind for change in changes}
        kinds |= {path: entry.kind for path, entry in self.entries.find(commit, folders).items()}
        names = {path: _KIND_NAMES[kind] for path, kind in kinds.items() if kind in _KIND_NAMES}
        pointers = self._grep(commit, ["-e", LFS_POINTER.decode()], pathspecs)
        return names | dict.fromkeys(pointers, "a pointer to a large file (Git LFS)")

    def _matching(self, commit: str, pathspecs: Sequence[str]) -> list[FileChange]:
        """Return the entries of a commit that pathspecs match, each as an addition."""
        empty_tree = hashlib.new(self._private.object_format, b"tree 0\0", usedforsecurity=False).hexdigest()
        options = ["-r", "-z", "--raw", "--no-abbrev", "--no-renames"]
        command = ["diff-tree", *options, empty_tree, full_sha(commit), "--", *pathspecs]
        return read_changes(self._private.git(*command, variables=_WITH_PATHSPECS))

    def _bring(self, commit: str, pathspecs: Sequence[str]) -> None:
        """In a partial clone, fetch the files that pathspecs match, all at once."""
        if self._objects.fetch_blobs:
            self._objects.bring(filter(None, (change.new_file for change in self._matching(commit, pathspecs))))

    def _grep(self, commit: str, expression: Sequence[str], pathspecs: Sequence[str]) -> list[str]:
        self._bring(commit, pathspecs)
        options = ["-z", "-l", "-a", "-F", "--no-color", _ONE_THREAD]
        command = ["grep", *options, *expression, full_sha(commit), "--", *map(_quick, pathspecs)]
        result = self._private.runner.run(command, {**self._private.environ, **_WITH_PATHSPECS})
        # git goes on after a blob that it cannot read; a file that is silently left out would never be promoted.
        if result.status > 1 or re.search(r"^(?:error|fatal):", result.stderr, re.MULTILINE):
            raise GitError(f"git grep failed: {first_line(result.stderr)}")
        matches = result.stdout.decode(errors="surrogateescape").split("\0")[:-1]
        return sorted(path for path in (match.partition(":")[2] for match in matches) if is_manifest(path))

    def has_files(self, commit: str, paths: Sequence[str]) -> bool:
        """Return True if a commit has a file with content that git's pathspecs match."""
        self._bring(commit, paths)
        result = self._private.runner.run(
            ["grep", "-q", "-a", "-F", "-e", "", full_sha(commit), "--", *paths],
            {**self._private.environ, "GIT_LITERAL_PATHSPECS": "0"},
        )
        if result.status > 1:
            raise GitError(f"git grep failed: {first_line(result.stderr)}")
        return result.status == 0

    def read(self, commit: str, paths: Iterable[str]) -> dict[str, bytes]:
        """Return the contents of files of a commit or tree; paths that are folders or do not exist are left out."""
        if self._objects.kind(commit) not in ("commit", "tree"):
            raise GitError(f"commit {commit} is not in this repository: fetch it first")
        entries = self.entries.find(commit, paths)
        blobs = {path: entry.sha for path, entry in entries.items() if entry.kind in ("file", "symlink")}
        return dict(zip(blobs, self._objects.read(list(blobs.values()), "blob"), strict=True))

    def irregular(self, commit: str, paths: Iterable[str]) -> dict[str, str]:
        """Return those of the paths that are not regular files, with the kind of each, such as `a folder`."""
        entries = self.entries.find(commit, paths)
        names: dict[str, str] = {**_KIND_NAMES, "folder": "a folder"}
        return {path: names[entry.kind] for path, entry in entries.items() if entry.kind in names}

    def links_beside(self, commit: str, paths: Iterable[str]) -> dict[str, str]:
        """Return the manifests in the folders of these paths that are symbolic links, with the paths they lead to."""
        links = self.entries.links_beside(commit, paths)
        return {path: target for path, target in links.items() if is_manifest(path)}

    def read_blobs(self, shas: Sequence[str]) -> dict[str, bytes]:
        """Return the contents of blobs. Raises GitError if one is not here."""
        return dict(zip(shas, self._objects.read([full_sha(sha) for sha in shas], "blob"), strict=True))

    def listing(self, commit: str) -> tuple[dict[str, str], dict[str, str]]:
        """Return the blobs of all files of a commit or tree by path, and the targets of its symbolic links."""
        blobs = self._blobs(commit)
        links = {path: sha for path, mode, sha in blobs if mode == SYMLINK}
        targets = self._objects.read(list(links.values()), "blob")
        return (
            {path: sha for path, mode, sha in blobs if mode != SYMLINK},
            {path: target.decode(errors="surrogateescape") for path, target in zip(links, targets, strict=True)},
        )

    def _blobs(self, commit: str) -> list[tuple[str, str, str]]:
        listing = self._private.git("ls-tree", "-r", "-z", full_sha(commit)).decode(errors="surrogateescape")
        rows = [
            (*entry.split(), path) for entry, _, path in (line.partition("\t") for line in listing.split("\0")[:-1])
        ]
        return [(path, mode, sha) for mode, kind, sha, path in rows if kind == "blob"]

    def lay_out(self, commit: str, only: Collection[str] | None = None) -> Tree:
        """Write a commit's files to a temporary folder, which is deleted with the private repository.

        `only` are the paths of the files to write, beside all links.
        """
        blobs = [blob for blob in self._blobs(commit) if only is None or blob[0] in only or blob[1] == SYMLINK]
        contents = self._objects.read([sha for _, _, sha in blobs], "blob")
        files = {path: (mode, content) for (path, mode, _), content in zip(blobs, contents, strict=True)}
        with temporary_files():
            return Tree(Path(tempfile.mkdtemp(prefix="tree-", dir=self._private.folder)), files)


def _quick(pathspec: str) -> str:
    """Return a faster pathspec for the same manifests: with one `*` before an ending, git compares only the ending."""
    simple = _ENDING_BELOW.fullmatch(pathspec)
    return f"{simple[1]}{simple[2]}" if simple else pathspec


def _fixed_folders(pathspec: str) -> Iterator[str]:
    """Yield the folders at the beginning of a pathspec, up to the first one with a wildcard."""
    folders = re.split(r"[*?\[\\]", pathspec.removeprefix(GLOB))[0].split("/")[:-1]
    for depth in range(1, len(folders) + 1):
        yield "/".join(folders[:depth])
