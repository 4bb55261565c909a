"""The user's repository: its place, its settings and its HEAD. Nothing is written to it."""

import os.path
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from gitops_promotion.errors import GitError
from gitops_promotion.git.advice import advice
from gitops_promotion.git.environment import discovery_environment
from gitops_promotion.git.formats import SHA, file_text
from gitops_promotion.git.process import Runner


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One line of git's configuration, with the scope that it is from."""

    scope: str
    key: str
    value: str

    @property
    def is_of_repository(self) -> bool:
        """Whether it is a setting of the repository itself, not of the person or the machine."""
        return self.scope in ("local", "worktree")


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkout:
    """The folders and settings of the user's repository; a relative address of a remote starts at `root`."""

    root: Path
    git_dir: Path
    common_dir: Path
    settings: tuple[Setting, ...]

    @classmethod
    def find(cls, runner: Runner, environ: Mapping[str, str], *, trust: bool) -> Self:
        """Find the repository that the runner's folder is in, and read the configuration that git sees there.

        `trust` accepts a repository of another user. Raises GitError.
        """
        root, git_dir = _locate(runner.folder)
        variables = discovery_environment(environ, trust=trust)
        # git itself must find the folder: if it is told the folder, it does not check the owner.
        config = runner.run(["config", "--list", "-z", "--show-scope", "--includes"], variables)
        settings = _read_settings(config.stdout)
        if config.status or not any(setting.is_of_repository for setting in settings):
            # `git config` silently ignores a repository that it must not read; `rev-parse` gives the reason.
            access = runner.run(["rev-parse", "--git-dir"], variables)
            if access.status or config.status:
                raise GitError(f"cannot read the repository {root}: {advice(access.stderr + config.stderr)}")
        common_dir = git_dir / (file_text(git_dir / "commondir") or ".")
        return cls(root=root, git_dir=git_dir, common_dir=common_dir, settings=settings)

    def file(self, path: str) -> bytes | None:
        """Return a file of the working tree, None if it has none of that path."""
        if self.root == self.git_dir:
            return None
        try:
            return (self.root / path).read_bytes()
        except OSError:
            return None

    def head(self) -> tuple[str | None, str | None]:
        """Return commit and branch that are checked out; None for no commit yet, and for a detached HEAD."""
        text = file_text(self.git_dir / "HEAD")
        if not text.startswith("ref: "):
            return (text if SHA.fullmatch(text) else None), None
        ref = text.removeprefix("ref: ")
        packed = re.search(rf"^([0-9a-f]+) {re.escape(ref)}$", file_text(self.common_dir / "packed-refs"), re.MULTILINE)
        text = file_text(self.common_dir / ref) or (packed[1] if packed else "")
        return (text if SHA.fullmatch(text) else None), ref.removeprefix("refs/heads/")


def _locate(folder: Path) -> tuple[Path, Path]:
    """Return top folder and git folder of the repository that a folder is in; the same for a bare one."""
    for parent in (folder, *folder.parents):
        # A worktree or a submodule has a file there.
        link = file_text(parent / ".git").removeprefix("gitdir: ")
        git_dir = parent / (link or ".git")
        if _is_git_dir(git_dir):
            return parent, git_dir
        if _is_git_dir(parent):
            return parent, parent
    raise GitError(f"{folder} is in no git repository: go into a clone or name one with --sourcedir")


def _is_git_dir(folder: Path) -> bool:
    def exists(name: str) -> bool:
        return os.path.lexists(folder / name)

    return exists("HEAD") and (exists("commondir") or (exists("objects") and exists("refs")))


def _read_settings(config: bytes) -> tuple[Setting, ...]:
    fields = config.decode(errors="surrogateescape").split("\0")
    settings = []
    for scope, text in zip(fields[::2], fields[1::2], strict=False):
        key, newline, value = text.partition("\n")
        settings.append(Setting(scope=scope, key=key, value=value if newline else "true"))
    return tuple(settings)
