"""`set-tag`: set a tag in files of the working tree, without git and without a forge."""

import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from gitops_promotion.core import diff, markers
from gitops_promotion.core.markers import is_manifest
from gitops_promotion.core.model import Outcome
from gitops_promotion.core.names import check_name
from gitops_promotion.core.tags import Tag
from gitops_promotion.errors import ManifestError, UsageError
from gitops_promotion.workflow.replacing import replace_files


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
        replace_files(edited.edits, contents)
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
