"""`set-tag`: set a tag in files of the working tree, without git and without a forge."""

import errno
import os
import stat
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

from gitops_promotion.core import diff, markers
from gitops_promotion.core.markers import is_manifest
from gitops_promotion.core.model import Outcome
from gitops_promotion.core.names import check_name
from gitops_promotion.core.tags import Tag
from gitops_promotion.errors import ManifestError, UsageError


def set_tag(
    paths: Sequence[Path], *, group: str, app: str, tag: str, image: str = "", dry_run: bool = False
) -> Outcome:
    """Set `tag` (`1.2.3` or `1.2.3@sha256:...`) where the application's markers say, in files and folders.

    The outcome is updated, unchanged, or planned for a dry run. All edits are computed before the first file is
    written. Raises UsageError for names, tags and paths that cannot be used, and ManifestError if there is no marker or
    a file cannot be read, edited or written.
    """
    check_name("group", group)
    check_name("application", app)
    new_tag = Tag.parse(tag)
    contents = _read(paths)
    location = ", ".join(str(path) for path in paths)
    edited = markers.set_tag(contents, group=group, app=app, tag=new_tag, image=image, location=location)
    if edited.edits and not dry_run:
        _write(edited.edits, contents)
    return Outcome(
        result="unchanged" if not edited.edits else "planned" if dry_run else "updated",
        message=", ".join(edited.edits) or "its markers hold the tag already",
        group=group,
        app=app,
        tag=str(edited.tag),
        previous_tag=edited.previous,
        warnings=edited.warnings,
        diff=diff.unified(contents, edited.edits),
    )


def _read(paths: Sequence[Path]) -> dict[str, bytes]:
    """Return the contents of all manifests, each once, by the first name that leads to it."""
    contents: dict[str, bytes] = {}
    real_paths: set[str] = set()
    try:
        for path in (manifest for argument in paths for manifest in _manifests(argument)):
            real_path = os.path.realpath(path)
            if real_path not in real_paths:
                real_paths.add(real_path)
                contents[str(path)] = path.read_bytes()
    except OSError as error:
        problem = f"cannot be read: {error.strerror}: make it readable or name other paths"
        raise ManifestError.at(str(error.filename), 0, problem) from None
    return contents


def _manifests(path: Path) -> Iterator[Path]:
    """Yield a file, or the manifests in a folder, without links and without git's own files."""
    if path.is_symlink() and not path.is_dir():
        raise UsageError(f"{path} is a symbolic link: name the file it points to")
    if path.is_file():
        yield path
        return
    if not path.is_dir():
        raise UsageError(f"{path} is neither a file nor a folder: name one that exists")
    for folder, folders, names in os.walk(path, onerror=_raise):
        folders[:] = sorted(name for name in folders if name != ".git")
        for name in sorted(names):
            file = Path(folder, name)
            if is_manifest(name) and stat.S_ISREG(file.lstat().st_mode):
                yield file


def _raise(error: OSError) -> None:
    # Without an error handler os.walk passes over folders that it cannot read, and markers in them would be missed.
    raise error


def _write(edits: Mapping[str, bytes], originals: Mapping[str, bytes]) -> None:
    """Replace all files or none, as far as a file system can.

    Before the first file is replaced, all new contents are on disk, and each original has a second name. If a file
    cannot be replaced, or the run is interrupted, the originals are restored.
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
    descriptor, name = tempfile.mkstemp(prefix=".set-tag-", dir=path.parent)
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
        problem = f"holds the new tag and cannot be restored: {error.strerror}: set its tag back by hand"
        raise ManifestError.at(path, 0, problem) from error


def _unwritable(path: str, error: OSError) -> ManifestError:
    return ManifestError.at(path, 0, f"cannot be written: {error.strerror}: make the file and its folder writable")
