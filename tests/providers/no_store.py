"""The store for a provider that has no need of one."""

from gitops_promotion.core.commits import Commit, Merge, Refs


class NoStore:
    """A store that no provider may touch while it connects, and one of a forge never."""

    def refs(self, *patterns: str) -> Refs:
        raise NotImplementedError

    def fetch(self, *refs: str) -> dict[str, str]:
        raise NotImplementedError

    def fetch_commit(self, sha: str) -> bool:
        raise NotImplementedError

    def read_objects(self, shas: object) -> dict[str, bytes]:
        raise NotImplementedError

    def write_blob(self, content: bytes) -> str:
        raise NotImplementedError

    def merge(self, base: str, head: str, message: str) -> Merge:
        raise NotImplementedError

    def try_merge(self, base: str, head: str) -> Merge:
        raise NotImplementedError

    def brought_by(self, tip: str, head: str) -> str | None:
        raise NotImplementedError

    def commits(self, exclude: str, include: str) -> list[Commit]:
        raise NotImplementedError

    def push(self, updates: object) -> None:
        raise NotImplementedError
