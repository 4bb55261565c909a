"""Files of the working tree that get new contents: all of them or none, as far as a file system can."""

import errno
import os
import stat
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from pathlib import Path

from gitops_promotion.errors import ManifestError


def replace_files(edits: Mapping[str, bytes], originals: Mapping[str, bytes]) -> None:
    """Replace all files or none, as far as a file system can.

    Before the first file is replaced, all new contents are on disk, and each original has a second name. If a file
    cannot be replaced, or the run is interrupted, the originals are restored. Raises ManifestError.
    """
    with ExitStack() as cleanup, ExitStack() as undo:
        replacements: list[tuple[Path, str, Path | None]] = []
        for path, content in edits.items():
            try:
                new = _write_beside(Path(path), content, cleanup)
                # The file that is replaced last never needs to be restored.
                is_last = len(replacements) + 1 == len(edits)
                backup = None if is_last else _back_up(Path(path), originals[path], new, cleanup)
            except OSError as error:
                raise _unwritable(path, error) from None
            replacements.append((new, path, backup))
        for new, path, backup in replacements:
            if backup:
                # Register before the file is replaced: an interrupt may come between the two.
                undo.callback(_restore, path, backup, new)
            try:
                new.replace(path)
            except OSError as error:
                raise _unwritable(path, error) from None
        undo.pop_all()


def _write_beside(path: Path, content: bytes, cleanup: ExitStack) -> Path:
    """Write the content beside `path`, with its mode and owner; `cleanup` removes the file unless it is renamed."""
    status = path.stat()
    if not os.access(path, os.W_OK):
        # A rename over the file would work, but its mode says that its owner does not want it to change.
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    descriptor, name = tempfile.mkstemp(prefix=".gitops-promotion-", dir=path.parent)
    cleanup.callback(Path(name).unlink, missing_ok=True)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(descriptor)
        with suppress(PermissionError):
            os.fchown(descriptor, status.st_uid, status.st_gid)
        os.fchmod(descriptor, stat.S_IMODE(status.st_mode))
    return Path(name)


def _back_up(path: Path, content: bytes, new: Path, cleanup: ExitStack) -> Path:
    """Return a second name of the file; where the file system has no hard links, a copy of it."""
    backup = new.with_name(f"{new.name}.old")
    try:
        backup.hardlink_to(path)
    except OSError:
        return _write_beside(path, content, cleanup)
    cleanup.callback(backup.unlink, missing_ok=True)
    return backup


def _restore(path: str, backup: Path, new: Path) -> None:
    if new.exists():
        return  # The file was not replaced.
    try:
        backup.replace(path)
    except OSError as error:
        problem = f"has the new content and cannot be restored: {error.strerror}: set it back by hand"
        raise ManifestError.at(path, 0, problem) from error


def _unwritable(path: str, error: OSError) -> ManifestError:
    return ManifestError.at(path, 0, f"cannot be written: {error.strerror}: make the file and its folder writable")
