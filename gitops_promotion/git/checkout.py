"""The user's repository: where it is, what it is set to, and what the private one borrows of it."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from gitops_promotion.errors import GitError
from gitops_promotion.git.environment import as_environment, inherited
from gitops_promotion.git.formats import SHA, file_text, quote
from gitops_promotion.git.process import Runner, advice, find_repository


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One line of git's configuration, and whose it is."""

    scope: str
    key: str
    value: str

    @property
    def own(self) -> bool:
        """Whether the repository itself says so, not the person or the machine."""
        return self.scope in ("local", "worktree")


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkout:
    """Where the user's repository is; `root` is where its relative addresses start."""

    root: Path
    git_dir: Path
    common_dir: Path

    @classmethod
    def find(cls, path: Path, environ: Mapping[str, str]) -> Self:
        """Find the repository that `path` is in. Raises GitError."""
        root, git_dir = find_repository(path, environ)
        try:
            common_dir = git_dir / os.fsdecode((git_dir / "commondir").read_bytes()).rstrip("\r\n")
        except OSError:
            common_dir = git_dir
        return cls(root=root if root.is_dir() else git_dir, git_dir=git_dir, common_dir=common_dir)

    def head(self) -> tuple[str | None, str | None]:
        """Return commit and branch that are checked out; None for no commit yet, and for detached."""
        text = file_text(self.git_dir / "HEAD")
        if not text.startswith("ref: "):
            return (text if SHA.fullmatch(text) else None), None
        ref = text.removeprefix("ref: ")
        packed = re.search(rf"^([0-9a-f]+) {re.escape(ref)}$", file_text(self.common_dir / "packed-refs"), re.MULTILINE)
        text = file_text(self.common_dir / ref) or (packed[1] if packed else "")
        return (text if SHA.fullmatch(text) else None), ref.removeprefix("refs/heads/")

    def settings(self, runner: Runner, environ: Mapping[str, str], *, trust: bool) -> list[Setting]:
        """Read the configuration that git sees here, included files and all. Raises GitError."""
        extra = [("safe.directory", os.path.realpath(path)) for path in (self.root, self.git_dir)] if trust else []
        # git itself must find the folder: told where it is, it would not check whose it is.
        unset = ("GIT_DIR", "GIT_WORK_TREE", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY", "GIT_CONFIG")
        plain = {**environ, **as_environment(inherited(environ) + extra), "LC_ALL": "C"}
        listed = runner.run(["config", "--list", "-z", "--show-scope", "--includes"], plain, unset=unset)
        fields = listed.stdout.decode(errors="surrogateescape").split("\0")
        settings = []
        for scope, text in zip(fields[::2], fields[1::2], strict=False):
            key, newline, value = text.partition("\n")
            settings.append(Setting(scope=scope, key=key, value=value if newline else "true"))
        if listed.status or not any(setting.own for setting in settings):
            # `git config` passes silently over a repository it may not read; this one says why.
            asked = runner.run(["rev-parse", "--git-dir"], plain, unset=unset)
            if asked.status or listed.status:
                raise GitError(f"cannot read the repository {self.root}: {advice(asked.stderr + listed.stderr)}")
        return settings

    def borrow(self, settings: Sequence[Setting], private: Path) -> bool:
        """Lay out the private repository over this one's objects; True if its history is not whole.

        A partial clone lends nothing: its missing objects would count as had. What is needed is fetched instead.
        """
        extensions = {setting.key: setting.value for setting in settings if setting.own}
        partial = "extensions.partialclone" in extensions or any(
            re.fullmatch(r"remote\..*\.promisor", key, re.DOTALL) for key in extensions
        )
        sha256_objects = extensions.get("extensions.objectformat", "sha1") == "sha256"
        for folder in ("objects/info", "refs/promotion"):
            (private / folder).mkdir(parents=True)
        (private / "HEAD").write_text("ref: refs/heads/none\n")
        (private / "config").write_text(
            f"[core]\n\trepositoryformatversion = {int(sha256_objects)}\n\tbare = true\n"
            + ("[extensions]\n\tobjectFormat = sha256\n" if sha256_objects else "")
        )
        if partial:
            return True
        (private / "objects/info/alternates").write_bytes(quote(str(self.common_dir.resolve() / "objects")) + b"\n")
        head = self.head()[0]
        if head:  # a detached commit that no ref of the checkout names is still worth offering when fetching
            (private / "refs/promotion/head").write_text(head + "\n")
        shallow = file_text(self.common_dir / "shallow")
        if shallow:
            (private / "shallow").write_text(shallow + "\n")
        return bool(shallow)
