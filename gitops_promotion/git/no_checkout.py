"""A repository that is given by its address: an empty temporary checkout takes the place of a real one."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gitops_promotion.core.repo_url import is_path, repo_url_problem
from gitops_promotion.errors import UsageError
from gitops_promotion.git.cache import Cache
from gitops_promotion.git.private_repository import temporary_files

_CONFIG = """[core]
	repositoryformatversion = 0
	bare = false
[remote "origin"]
	url = "{url}"
	promisor = true
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoCheckout:
    """A repository by its address, and the folder of the caches, if there is one."""

    url: str
    cache_dir: Path | None = None

    DEPTH = 1
    """Commits of history that are fetched at first; a verb that needs more asks for them."""

    def __post_init__(self) -> None:
        """Check the address, and begin a relative path at the current folder. Raises UsageError."""
        if problem := repo_url_problem(self.url):
            raise UsageError(f"--repo {problem}")
        if is_path(self.url):
            object.__setattr__(self, "url", str(Path(self.url).absolute()))

    @property
    def cache(self) -> Cache | None:
        """The cache of this repository."""
        return Cache(self.cache_dir.absolute(), self.url) if self.cache_dir else None

    @contextmanager
    def checkout(self) -> Iterator[Path]:
        """Yield a temporary checkout with this remote, no commit, and the settings of a partial clone."""
        with temporary_files():
            folder = Path(tempfile.mkdtemp(prefix="gitops-promotion-"))
        try:
            with temporary_files():
                for name in ("objects", "refs"):
                    (folder / ".git" / name).mkdir(parents=True)
                (folder / ".git/HEAD").write_text("ref: refs/heads/none\n")
                url = self.url.replace("\\", "\\\\").replace('"', '\\"')
                (folder / ".git/config").write_text(_CONFIG.format(url=url), errors="surrogateescape")
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
