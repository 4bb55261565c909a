"""The files of the working tree that git tracks or would track, as they are on the disk."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from stat import S_ISREG
from typing import Self

from gitops_promotion.core.untrusted import line
from gitops_promotion.errors import GitError, UsageError
from gitops_promotion.git.checkout import Checkout
from gitops_promotion.git.environment import discovery_environment
from gitops_promotion.git.formats import file_text
from gitops_promotion.git.process import Runner
from gitops_promotion.git.remote import remote_name

_ENDINGS = (".yaml", ".yml")
_NAMES = ("Kustomization",)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkingTree:
    """The top folder of a repository, the address of its remote ("" without one), and its default branch.

    The default branch is that of the last fetch, else the one that is checked out.
    """

    root: Path
    url: str
    default_branch: str
    _environ: Mapping[str, str] = field(repr=False)

    @classmethod
    def find(cls, folder: Path, environ: Mapping[str, str], *, trust: bool = False) -> Self:
        """Find the repository that a folder is in.

        Raises UsageError if the folder does not exist, GitError; a bare repository has no working tree.

        `trust` accepts a repository of another user.
        """
        if not os.path.isdir(folder):  # noqa: PTH112  Path.is_dir raises OSError for a name that is too long
            raise UsageError(f"{folder} is no folder: name a folder of the repository with --sourcedir")
        checkout = Checkout.find(Runner(folder.resolve()), environ, trust=trust)
        if checkout.root == checkout.git_dir:
            raise GitError(
                f"{checkout.root} is a bare repository, which has no files: name a clone of it with --sourcedir"
            )
        try:
            name = remote_name(checkout.settings, None)
        except GitError:
            name = ""
        urls = [setting.value for setting in checkout.settings if setting.key == f"remote.{name}.url"]
        remote_head = file_text(checkout.common_dir / "refs" / "remotes" / name / "HEAD")
        branch = remote_head.removeprefix(f"ref: refs/remotes/{name}/") if remote_head.startswith("ref: ") else ""
        return cls(
            root=checkout.root,
            url=next(iter(urls), ""),
            default_branch=branch or checkout.head()[1] or "main",
            _environ=discovery_environment(environ, trust=trust),
        )

    def yaml_files(self) -> dict[str, bytes]:
        """Return the contents of the YAML files by path, `/` between folders.

        Links, submodules and what git ignores are left out. Raises GitError.
        """
        contents: dict[str, bytes] = {}
        for path in self.files():
            if path.lower().endswith(_ENDINGS) or path.rpartition("/")[2] in _NAMES:
                file = self.root / path
                try:
                    if S_ISREG(file.lstat().st_mode):
                        contents[path] = file.read_bytes()
                except FileNotFoundError:
                    continue  # It is deleted and not committed yet.
                except OSError as error:
                    raise GitError(f"{file} cannot be read ({error.strerror}): make it readable") from None
        return contents

    def irregular(self, paths: Iterable[str]) -> dict[str, str]:
        """Return those of the paths that are symbolic links or folders, with the kind of each, such as `a folder`."""
        links = {path: "a symbolic link" for path in paths if (self.root / path).is_symlink()}
        return {path: "a folder" for path in paths if (self.root / path).is_dir()} | links

    def files(self) -> list[str]:
        """Return the paths of all files that git tracks or would track. Raises GitError."""
        command = ["ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate"]
        output = Runner(self.root).run(command, self._environ)
        if output.status:
            raise GitError(f"git ls-files failed: {line(output.stderr)}: run it in {self.root} to see why")
        return [path for path in output.stdout.decode(errors="surrogateescape").split("\0") if path]


def yaml_files_where_readable(folder: Path, environ: Mapping[str, str]) -> dict[str, bytes]:
    """Return the YAML files of the working tree that a folder is in; none if git cannot read it, or it is bare."""
    try:
        return WorkingTree.find(folder, environ, trust=True).yaml_files()
    except GitError:
        return {}
