"""`validate`: the files of the working tree against the configuration, without a remote."""

from collections.abc import Mapping
from pathlib import Path

from gitops_promotion.core import checks
from gitops_promotion.core.checks import Findings
from gitops_promotion.git.worktree import find_root, read_yaml_files


def validate(folder: Path, *, environ: Mapping[str, str], trust: bool = False, strict: bool = False) -> Findings:
    """Return what is wrong with the repository that a folder is in. Raises GitError.

    `trust` accepts a repository of another user; `strict` makes warnings count as errors.
    """
    root = find_root(folder, environ, trust=trust)
    contents = read_yaml_files(root, environ, trust=trust)
    return checks.check(checks.Tree(contents=contents), strict=strict)
