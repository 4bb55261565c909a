"""A folder that keeps what was fetched of one remote for the next run, shared by all runs of one person.

A run works in its private repository, with packs of the cache linked into it: the cache may be deleted at any time, and
no run waits for another's network. What a run fetched is added at its end. The lock is held only to link packs.
"""

import errno
import fcntl
import hashlib
import json
import logging
import os
import shutil
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from gitops_promotion.errors import UsageError
from gitops_promotion.git.formats import file_text
from gitops_promotion.git.private_repository import PrivateRepository, temporary_files

_log = logging.getLogger(__name__)

_PACK_FILES = (".pack", ".idx", ".rev", ".promisor")

MAX_PACKS = 100
"""The most packs in a cache. With more it starts anew, since git searches each pack for every object."""


class Cache:
    """The cache of one remote: its packs, and a state that names the last tip, its packs and where history is cut."""

    def __init__(self, cache_dir: Path, url: str) -> None:
        self.folder = cache_dir / hashlib.sha256(os.fsencode(url)).hexdigest()

    def lend(self, private: PrivateRepository) -> int:
        """Link what is kept into an empty private repository; returns how many commits of history it has, 0 for none.

        Raises UsageError for a folder that cannot be used, or that others can use.
        """
        try:
            self._prepare()
            with self._locked(fcntl.LOCK_SH):
                if not (state := self._state()):
                    return 0
                _link(state.packs, self.folder, private.folder / "objects/pack")
        except FileNotFoundError:
            return 0  # It is being deleted.
        except OSError as error:
            raise UsageError(
                f"the cache {self.folder} cannot be used ({error.strerror}): name another folder with --cache-dir"
            ) from error
        with temporary_files():
            if state.cut:
                (private.folder / "shallow").write_text("".join(f"{sha}\n" for sha in state.cut))
            (private.folder / "refs/promotion/cached").write_text(f"{state.tip}\n")
        return state.depth

    def keep(self, private: PrivateRepository, tip: str, depth: int) -> None:
        """Keep all packs of a private repository, with the commit `tip` that was fetched and its history.

        A cache that cannot be written is left alone.
        """
        packs = _packs(private.folder / "objects/pack")
        state = _State(tip=tip, depth=depth, cut=sorted(private.cut_off()), packs=sorted(packs))
        try:
            self._prepare()
            with self._locked(fcntl.LOCK_EX):
                if self._state() == state:
                    return
                if sum(name.endswith(".pack") for name in packs) > MAX_PACKS:
                    packs = set()
                _link(packs, private.folder / "objects/pack", self.folder)
                temporary = self.folder / "state.new"
                temporary.write_text(json.dumps(asdict(state)))
                temporary.replace(self.folder / "state")
                for name in _packs(self.folder) - packs:
                    (self.folder / name).unlink(missing_ok=True)
        except (OSError, UsageError) as error:
            _log.debug("the cache was not written: %s", error)

    def _prepare(self) -> None:
        """Make the folder. Raises UsageError if somebody else can write to it."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = self.folder.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o077:
            raise UsageError(
                f"the cache {self.folder} is not yours alone: delete it, or name another folder with --cache-dir"
            )
        # Whoever may rename the folder can put another one in its place between two steps of a run. `/tmp` is sticky.
        mode = self.folder.parent.stat().st_mode
        if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
            raise UsageError(
                f"everybody may write to {self.folder.parent}, and so replace the cache: take that right away, or name "
                "another folder with --cache-dir"
            )

    @contextmanager
    def _locked(self, kind: int) -> Iterator[None]:
        lock = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(lock, kind)
            yield
        finally:
            os.close(lock)

    def _state(self) -> "_State | None":
        """Return the state; None if it cannot be read, or if one of its packs is gone."""
        try:
            state = _State(**json.loads(file_text(self.folder / "state")))
        except (ValueError, TypeError):
            return None
        return state if set(state.packs) <= _packs(self.folder) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class _State:
    """What the packs have: `depth` commits of the history of `tip`, cut off at `cut`."""

    tip: str
    depth: int
    cut: list[str]
    packs: list[str]


def _packs(folder: Path) -> set[str]:
    return {file.name for file in folder.glob("pack-*") if file.suffix in _PACK_FILES}


def _link(names: Iterable[str], source: Path, target: Path) -> None:
    """Link files, or copy them to another disk; those that are there already stay."""
    target.mkdir(exist_ok=True)
    # git finds a pack by its index, which therefore comes last.
    for name in sorted(names, key=lambda name: name.endswith(".idx")):
        try:
            os.link(source / name, target / name)
        except FileExistsError:
            continue
        except OSError as error:
            if error.errno not in (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP):
                raise
            part = target / f"{name}.part"
            with suppress(FileNotFoundError):
                part.unlink()
            shutil.copyfile(source / name, part)
            part.replace(target / name)
