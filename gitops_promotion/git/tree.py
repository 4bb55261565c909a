"""The files of a commit in a temporary folder, for programs that read files."""

import posixpath
from collections.abc import Mapping
from pathlib import Path

from gitops_promotion.errors import GitError
from gitops_promotion.git.formats import check_path


class Tree:
    """The files of a commit on disk, and with edits applied.

    A symlink leads to a file inside only; one that would lead out is left out.
    """

    def __init__(self, root: Path, files: Mapping[str, tuple[str, bytes]]) -> None:
        """Write files, each with git's mode and its content, into an empty folder."""
        self.root = root
        self._files: dict[str, bytes] = {}
        self._edited: set[str] = set()
        links: dict[str, str] = {}
        for path, (mode, content) in files.items():
            if not _is_safe(path):
                continue
            if mode == "120000":
                links[path] = content.decode(errors="surrogateescape")
            else:
                self._files[path] = content
        for path, content in self._files.items():
            file = root / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        for path in links:
            target = self._target(path, links)
            if target is not None:
                link = root / path
                link.parent.mkdir(parents=True, exist_ok=True)
                link.symlink_to(posixpath.relpath(target, posixpath.dirname(path) or "."))

    @property
    def files(self) -> Mapping[str, bytes]:
        """The contents of the commit's files, links left out."""
        return self._files

    def below(self, folder: str) -> dict[str, bytes]:
        """Return the contents of the commit's files below a folder, links left out."""
        return {path: content for path, content in self._files.items() if path.startswith(f"{folder}/")}

    def apply(self, edits: Mapping[str, bytes | None]) -> None:
        """Write the commit's files with these edits; the edits of the previous call are undone. Raises GitError."""
        for path in self._edited - edits.keys():
            self._put(path, self._files.get(path))
        for path, content in edits.items():
            self._put(path, content)
        self._edited = set(edits)

    def _put(self, path: str, content: bytes | None) -> None:
        check_path(path)
        file = self.root / path
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            if file.is_symlink() or file.parent.resolve() != (self.root.resolve() / path).parent:
                raise GitError(
                    f"cannot write {path}: it leads through a symbolic link; replace the link with its target"
                )
            if content is None:
                file.unlink(missing_ok=True)
            else:
                file.write_bytes(content)
        except OSError as error:
            raise GitError(
                f"cannot write {path}: {error.strerror}: free space, or move the file that is in the way"
            ) from error

    def _target(self, path: str, links: Mapping[str, str]) -> str | None:
        """Return the file or folder that a link leads to in the end; None if it is outside, or missing."""
        for _ in range(40):
            parts = path.split("/")
            heads = ("/".join(parts[:depth]) for depth in range(1, len(parts) + 1))
            link = next((head for head in heads if head in links), None)
            if link is None:
                return path if self._exists(path) else None
            if links[link].startswith("/"):
                return None
            path = posixpath.normpath(posixpath.join(posixpath.dirname(link), links[link], path[len(link) + 1 :]))
            if path.startswith(".."):
                return None
        return None

    def _exists(self, path: str) -> bool:
        return path in self._files or any(file.startswith(f"{path}/") for file in self._files)


def _is_safe(path: str) -> bool:
    try:
        check_path(path)
    except GitError:
        return False
    return True
