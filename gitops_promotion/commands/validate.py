"""`validate`: the files of the working tree against the configuration, without a remote."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from gitops_promotion.core import checks, config, holds
from gitops_promotion.core.checks import Findings
from gitops_promotion.git.worktree import WorkingTree


def validate(folder: Path, *, environ: Mapping[str, str], trust: bool = False, strict: bool = False) -> Findings:
    """Return what is wrong with the repository that a folder is in. Raises GitError.

    `trust` accepts a repository of another user; `strict` makes warnings count as errors.
    """
    tree = WorkingTree.find(folder, environ, trust=trust)
    irregular = tree.irregular((config.FILE, holds.FILE))
    contents = tree.yaml_files()
    return checks.check(checks.Tree(contents=contents, irregular=irregular, now=datetime.now(UTC)), strict=strict)
