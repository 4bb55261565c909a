"""A commit's tree laid out in a temporary folder, for programs that read files."""

import posixpath
from collections.abc import Mapping
from pathlib import Path

from gitops_promotion.errors import GitError
from gitops_promotion.git.formats import check_path


class Tree:
    """Files on disk as a commit has them, and as edits would leave them.

    Symlinks lead nowhere but inside; one that would lead out is not there at all.
    """

    def __init__(self, root: Path, files: Mapping[str, tuple[str, bytes]]) -> None:
        """Lay out files, each with git's mode and its content, below an empty folder. Raises GitError."""
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
            place = root / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
        for path in links:
            target = self._target(path, links)
            if target is not None:
                place = root / path
                place.parent.mkdir(parents=True, exist_ok=True)
                place.symlink_to(posixpath.relpath(target, posixpath.dirname(path) or "."))

    @property
    def files(self) -> Mapping[str, bytes]:
        """The contents of the commit's files, links left out."""
        return self._files

    def below(self, folder: str) -> dict[str, bytes]:
        """Return the contents of the commit's files below a folder, links left out."""
        return {path: content for path, content in self._files.items() if path.startswith(f"{folder}/")}

    def apply(self, edits: Mapping[str, bytes | None]) -> None:
        """Make the files what edits of the commit's tree give; edits of the call before are undone. Raises GitError."""
        for path in self._edited - edits.keys():
            self._put(path, self._files.get(path))
        for path, content in edits.items():
            self._put(path, content)
        self._edited = set(edits)

    def _put(self, path: str, content: bytes | None) -> None:
        check_path(path)
        place = self.root / path
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            if place.is_symlink() or place.parent.resolve() != (self.root.resolve() / path).parent:
                raise GitError(
                    f"cannot write {path}: it leads through a symbolic link; replace that by what it leads to"
                )
            if content is None:
                place.unlink(missing_ok=True)
            else:
                place.write_bytes(content)
        except OSError as error:
            raise GitError(f"cannot write {path}: {error.strerror}: move what is in its way by hand") from error

    def _target(self, path: str, links: Mapping[str, str]) -> str | None:
        """Return where a link leads in the end, from the root; None if that is outside or nothing."""
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
