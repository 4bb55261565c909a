"""`set-tag`: set a tag in files of the working tree, with no git and no forge."""

import errno
import os
import stat
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

from gitops_promotion.core import diff, markers
from gitops_promotion.core.markers.scan import is_manifest
from gitops_promotion.core.model import Outcome
from gitops_promotion.core.names import check_name
from gitops_promotion.core.tags import Tag
from gitops_promotion.errors import ManifestError, UsageError


def set_tag(
    paths: Sequence[Path], *, group: str, app: str, tag: str, image: str = "", dry_run: bool = False
) -> Outcome:
    """Set `tag` (`1.2.3` or `1.2.3@sha256:...`) where the application's markers say, in files and folders.

    The outcome is updated, unchanged, or planned for a dry run. All edits are known before the first file is written.
    Raises UsageError for names, tags and paths that cannot be used, and ManifestError if there is no marker or a file
    cannot be read, edited or written.
    """
    check_name("group", group)
    check_name("application", app)
    wanted = Tag.parse(tag)
    files = _read(paths)
    where = ", ".join(str(path) for path in paths)
    edited = markers.set_tag(files, group=group, app=app, tag=wanted, image=image, where=where)
    if edited.edits and not dry_run:
        _write(edited.edits, files)
    return Outcome(
        result="unchanged" if not edited.edits else "planned" if dry_run else "updated",
        message=", ".join(edited.edits) or "its markers hold the tag already",
        group=group,
        app=app,
        tag=str(wanted),
        previous_tag=edited.previous,
        warnings=edited.warnings,
        diff=diff.unified(files, edited.edits),
    )


def _read(paths: Sequence[Path]) -> dict[str, bytes]:
    """Return the contents of all files, each once, by the name it was found under first."""
    files: dict[str, bytes] = {}
    seen: set[str] = set()
    try:
        for path in (found for given in paths for found in _found(given)):
            real = os.path.realpath(path)
            if real not in seen:
                seen.add(real)
                files[str(path)] = path.read_bytes()
    except OSError as error:
        what = f"{error.filename}: cannot be read: {error.strerror}"
        raise ManifestError(f"{what}: make it readable or name other paths") from None
    return files


def _found(given: Path) -> Iterator[Path]:
    """Yield a file given by name, or a folder's manifests; links in it are not followed, git's own files not read."""
    if given.is_symlink() and not given.is_dir():
        raise UsageError(f"{given} is a symbolic link: name the file it points to")
    if given.is_file():
        yield given
        return
    if not given.is_dir():
        raise UsageError(f"{given} is neither a file nor a folder: name one that exists")
    for folder, folders, names in os.walk(given, onerror=_raise):
        folders[:] = sorted(name for name in folders if name != ".git")
        for name in sorted(names):
            path = Path(folder, name)
            if is_manifest(name) and stat.S_ISREG(path.lstat().st_mode):
                yield path


def _raise(error: OSError) -> None:
    # os.walk passes over folders it cannot read unless told otherwise; a marker there would be missed in silence.
    raise error


def _write(edits: Mapping[str, bytes], before: Mapping[str, bytes]) -> None:
    """Replace all files or none, as far as a file system can.

    Each new content is complete on disk, and each file kept under a second name, before the first is replaced. If one
    cannot be, or the run is interrupted, those that were come back.
    """
    with ExitStack() as cleanup, ExitStack() as undo:
        ready: list[tuple[Path, str, Path | None]] = []
        for path, content in edits.items():
            try:
                new = _beside(Path(path), content, cleanup)
                # What is replaced last need not come back.
                old = _kept(Path(path), before[path], new, cleanup) if len(ready) + 1 < len(edits) else None
            except OSError as error:
                raise _unwritable(path, error) from None
            ready.append((new, path, old))
        for new, path, old in ready:
            if old:
                # Before it is replaced, since an interrupt may come between the two.
                undo.callback(_restore, path, old, new)
            try:
                new.replace(path)
            except OSError as error:
                raise _unwritable(path, error) from None
        undo.pop_all()


def _beside(path: Path, content: bytes, cleanup: ExitStack) -> Path:
    """Write the content to a file beside `path`, of the same mode and owner, that goes away unless it is renamed."""
    before = path.stat()
    if not os.access(path, os.W_OK):
        # Renaming over it would work, but its mode says that somebody does not want it changed.
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    descriptor, name = tempfile.mkstemp(prefix=".set-tag-", dir=path.parent)
    cleanup.callback(Path(name).unlink, missing_ok=True)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(descriptor)
        with suppress(PermissionError):
            os.fchown(descriptor, before.st_uid, before.st_gid)
        os.fchmod(descriptor, stat.S_IMODE(before.st_mode))
    return Path(name)


def _kept(path: Path, content: bytes, new: Path, cleanup: ExitStack) -> Path:
    """Keep the file itself under a second name; where the file system has no links, a copy of it."""
    old = new.with_name(f"{new.name}.old")
    try:
        old.hardlink_to(path)
    except OSError:
        return _beside(path, content, cleanup)
    cleanup.callback(old.unlink, missing_ok=True)
    return old


def _restore(path: str, old: Path, new: Path) -> None:
    if new.exists():
        return  # It was not replaced.
    try:
        old.replace(path)
    except OSError as error:
        what = f"{path}: holds the new tag and cannot be restored: {error.strerror}"
        raise ManifestError(f"{what}: set its tag back by hand") from error


def _unwritable(path: str, error: OSError) -> ManifestError:
    return ManifestError(f"{path}: cannot be written: {error.strerror}: make the file and its folder writable")
