"""The files of the working tree that git tracks or would track, as they are on the disk."""

import os
from collections.abc import Mapping
from pathlib import Path
from stat import S_ISREG

from gitops_promotion.core.untrusted import line
from gitops_promotion.errors import GitError
from gitops_promotion.git.checkout import Checkout
from gitops_promotion.git.environment import discovery_environment
from gitops_promotion.git.process import Runner

_ENDINGS = (".yaml", ".yml")
_NAMES = ("Kustomization",)


def find_root(folder: Path, environ: Mapping[str, str], *, trust: bool = False) -> Path:
    """Return the top folder of the repository that a folder is in. Raises GitError; a bare repository has none."""
    if not os.path.isdir(folder):  # noqa: PTH112  Path.is_dir raises OSError for a name that is too long
        raise GitError(f"{folder} is no folder: name a folder of the repository with --sourcedir")
    checkout = Checkout.find(Runner(folder.resolve()), environ, trust=trust)
    if checkout.root == checkout.git_dir:
        raise GitError(f"{checkout.root} is a bare repository, which has no files: name a clone of it with --sourcedir")
    return checkout.root


def read_yaml_files(root: Path, environ: Mapping[str, str], *, trust: bool = False) -> dict[str, bytes]:
    """Return the contents of the YAML files below the top folder, by path, `/` between folders.

    Links, submodules and what git ignores are left out. Raises GitError.
    """
    listed = Runner(root).run(
        ["ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate"],
        discovery_environment(environ, trust=trust),
    )
    if listed.status:
        raise GitError(f"git ls-files failed: {line(listed.stderr)}: run it in {root} to see why")
    contents: dict[str, bytes] = {}
    for path in listed.stdout.decode(errors="surrogateescape").split("\0"):
        if path.lower().endswith(_ENDINGS) or path.rpartition("/")[2] in _NAMES:
            file = root / path
            try:
                if S_ISREG(file.lstat().st_mode):
                    contents[path] = file.read_bytes()
            except FileNotFoundError:
                continue  # It is deleted and not committed yet.
            except OSError as error:
                raise GitError(f"{file} cannot be read ({error.strerror}): make it readable") from None
    return contents
