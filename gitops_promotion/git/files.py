"""The files of commits: found by a marker, read, and laid out on disk."""

import re
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from gitops_promotion.core.markers.spelling import is_manifest, line_words
from gitops_promotion.errors import GitError
from gitops_promotion.git.advice import first_line
from gitops_promotion.git.borrowed import PrivateRepository, temporary_files
from gitops_promotion.git.entries import Entries
from gitops_promotion.git.formats import full_sha, manifest_specs
from gitops_promotion.git.objects import Objects
from gitops_promotion.git.tree import Tree


class Files:
    """Reads files of commits. Methods raise GitError."""

    def __init__(self, private: PrivateRepository, objects: Objects) -> None:
        self._private = private
        self._objects = objects
        self._entries = Entries(objects)

    def grep(self, commit: str, names: Sequence[str], paths: Sequence[str] = ()) -> list[str]:
        """Return the manifests with a line that may hold a marker of these names (Repository.grep)."""
        expression: list[str] = []
        for words in line_words(names):
            alternatives = [argument for word in words for argument in ("--or", "-e", word)][1:]
            expression += ["--and", "(", *alternatives, ")"]
        specs = [spec for path in paths or ("",) for spec in manifest_specs(path)]
        result = self._private.runner.run(
            ["grep", "-z", "-l", "-a", "-F", "--no-color", *expression[1:], full_sha(commit), "--", *specs],
            {**self._private.environ, "GIT_LITERAL_PATHSPECS": "0"},
        )
        # git goes on after a blob that it cannot read; a file that is left out in silence is never promoted.
        if result.status > 1 or re.search(r"^(?:error|fatal):", result.stderr, re.MULTILINE):
            raise GitError(f"git grep failed: {first_line(result.stderr)}")
        matches = result.stdout.decode(errors="surrogateescape").split("\0")[:-1]
        return sorted(path for path in (match.partition(":")[2] for match in matches) if is_manifest(path))

    def read(self, commit: str, paths: Iterable[str]) -> dict[str, bytes]:
        """Return the contents of files of a commit or tree; paths of folders, and of nothing, are left out."""
        if self._objects.kind(commit) not in ("commit", "tree"):
            raise GitError(f"commit {commit} is not in this repository: fetch it first")
        entries = self._entries.find(commit, paths)
        blobs = {path: entry.sha for path, entry in entries.items() if entry.kind in ("file", "symlink")}
        return dict(zip(blobs, self._objects.read(list(blobs.values()), "blob"), strict=True))

    def read_blobs(self, shas: Sequence[str]) -> dict[str, bytes]:
        """Return the contents of blobs. Raises GitError if one is not here."""
        return dict(zip(shas, self._objects.read([full_sha(sha) for sha in shas], "blob"), strict=True))

    def lay_out(self, commit: str) -> Tree:
        """Write a commit's files to a temporary folder, which is deleted with the private repository."""
        listing = self._private.git("ls-tree", "-r", "-z", full_sha(commit)).decode(errors="surrogateescape")
        rows = [
            (*entry.split(), path) for entry, _, path in (line.partition("\t") for line in listing.split("\0")[:-1])
        ]
        blobs = [(path, mode, sha) for mode, kind, sha, path in rows if kind == "blob"]
        contents = self._objects.read([sha for _, _, sha in blobs], "blob")
        files = {path: (mode, content) for (path, mode, _), content in zip(blobs, contents, strict=True)}
        with temporary_files():
            return Tree(Path(tempfile.mkdtemp(prefix="tree-", dir=self._private.folder)), files)
