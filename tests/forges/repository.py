"""The git half of a forge: a bare repository with the merges that a forge makes."""

import itertools
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal, Self

from tests.support import refs
from tests.support.objects import Commit, Signature
from tests.support.repositories import Remote

Method = Literal["merge", "squash", "rebase"]

ENVIRON = {
    "PATH": os.environ["PATH"],
    "HOME": "/nonexistent",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
}
"""The server's own environment: nothing of the person's who runs the tests."""

FORGE = ("Forge", "noreply@forge.test")
"""Who commits what the forge itself merges."""

CONFIG = {
    "http.receivepack": "true",
    # As the forges: any object may be asked for by its id, and blobless clones work.
    "uploadpack.allowAnySHA1InWant": "true",
    "uploadpack.allowFilter": "true",
    # Refs of pull requests are the forge's own.
    "receive.hideRefs": "refs/pull/",
    "gc.auto": "0",
    "receive.autogc": "false",
    # Objects that are files of their own are read without a process.
    "receive.unpackLimit": "10000",
    "fastimport.unpackLimit": "10000",
}

GITHUB_REFUSAL = "error: GH006: Protected branch update failed for $1."
# Refuses what `protected` lists, in the forge's own words; its own updates do not pass here.
UPDATE_HOOK = """#!/bin/sh
grep -qxF "$1" protected 2>/dev/null || exit 0
echo "{refusal}" >&2
exit 1
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One path of a diff as a forge lists it."""

    path: str
    status: Literal["added", "removed", "modified"]
    blob: str
    additions: int
    deletions: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository(Remote):
    """A bare repository; every change of a ref names what it replaces, as concurrent pushes go on meanwhile."""

    _changes: dict[tuple[str, str], list[Change]] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def make(cls, path: Path, files: Mapping[str, str | bytes], branch: str, *, refusal: str = GITHUB_REFUSAL) -> Self:
        """Make the repository of a forge, with one commit if there are files."""
        repository = cls.create(path, ENVIRON, files, branch=branch)
        with (path / "config").open("a") as config:
            for key, value in CONFIG.items():
                section, name = key.split(".")
                config.write(f"[{section}]\n\t{name} = {value}\n")
        hook = path / "hooks" / "update"
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(UPDATE_HOOK.format(refusal=refusal))
        hook.chmod(0o755)
        return repository

    def protect(self, branches: set[str]) -> None:
        """Refuse pushes to these branches; what the forge and this class do itself is not held to it."""
        (self.path / "protected").write_text("".join(f"refs/heads/{branch}\n" for branch in sorted(branches)))

    def commits(self, newest: str, *, without: str = "", since: str = "", until: str = "") -> list[Commit]:
        """Return a commit and its ancestors as `git log` lists them, newest first.

        Leaves out `without` and its ancestors, and commits that are older or newer than a time.
        """
        known = self.sha(without) if without else ""
        return [
            commit
            for commit in self.objects.log(self.sha(newest), without=known)
            if (not since or commit.committer.when >= datetime.fromisoformat(since))
            and (not until or commit.committer.when <= datetime.fromisoformat(until))
        ]

    def contents(self, sha: str) -> dict[str, str]:
        """Return the ids of the files and folders at the root of a commit, by name."""
        objects = self.objects
        return {os.fsdecode(name): entry for name, (_, entry) in objects.entries(objects.commit(sha).tree).items()}

    def brought(self, old: str, new: str) -> frozenset[str]:
        """Return the commits that a branch gets when it moves."""
        objects = self.objects
        return objects.ancestors(new) - objects.ancestors(old)

    def one_commit(self, revision: str) -> Commit | None:
        """Read one commit; None for anything that is none."""
        if revision.startswith("-") or not self.has(revision):
            return None
        sha, objects = self.sha(revision), self.objects
        return objects.commit(sha) if objects.read(sha)[0] == "commit" else None

    def is_ancestor(self, older: str, newer: str) -> bool:
        return older in self.objects.ancestors(newer)

    def changes(self, base: str, head: str) -> list[Change]:
        """List what a pull request changes: from the merge base to its head."""
        if (base, head) not in self._changes:
            self._changes[base, head] = self._find_changes(base, head)
        return self._changes[base, head]

    def _find_changes(self, base: str, head: str) -> list[Change]:
        start = self.objects.merge_base(base, head) or self.git("merge-base", base, head)
        listed = self.git("diff-tree", "-r", "-z", "--no-renames", "--raw", "--numstat", start, head).split("\0")
        # First mode, ids and status of each path, path by path, then its numbers.
        pairs = zip(listed[::2], listed[1::2], strict=False)
        raw = list(itertools.takewhile(lambda pair: pair[0].startswith(":"), pairs))
        numbers = (line.split("\t", 2) for line in listed[2 * len(raw) :] if line)
        counts = {path: (added, removed) for added, removed, path in numbers}
        found = []
        for fields, path in raw:
            _, _, old, new, letter = fields.split()
            added, removed = (0 if count == "-" else int(count) for count in counts[path])
            status: Literal["added", "removed", "modified"] = "modified"
            if letter in "AD":
                status = "added" if letter == "A" else "removed"
            blob = old if letter == "D" else new
            found.append(Change(path=path, status=status, blob=blob, additions=added, deletions=removed))
        return found

    def merge(
        self, method: Method, base: str, head: str, *, message: str, author: tuple[str, str], when: datetime
    ) -> str | None:
        """Make the commits of a merge of `head` into `base` and return the new tip; None if they conflict.

        `message` is of the one commit that `merge` and `squash` make; rebased commits keep theirs and their authors.
        """
        if method == "rebase":
            return self._rebased(base, head, when)
        tree = self._merged_tree(base, head)
        parents = (base, head) if method == "merge" else (base,)
        return tree and self._write_commit(tree, parents, message, Signature.of(author, when), when)

    def move(self, branch: str, new: str | None, expected: str | None) -> bool:
        """Update, create or delete a branch if it is still what it was; False if somebody was quicker."""
        ref = f"refs/heads/{branch}"
        if new:
            return refs.change(self.path, ref, new, expected)
        deleted = refs.delete(self.path, ref, expected) if expected else None
        if deleted is not None:
            return deleted
        command = ["git", "update-ref", "-d", ref, expected or "0" * 40]
        return subprocess.run(command, cwd=self.path, env=dict(self.environ), capture_output=True).returncode == 0

    def _merged_tree(self, base: str, head: str) -> str | None:
        objects = self.objects
        if start := objects.merge_base(base, head):
            tree = objects.merge_trees(*(objects.commit(sha).tree for sha in (start, base, head)))
            if tree:
                return tree
        command = ["git", "merge-tree", "--write-tree", "--no-messages", base, head]
        done = subprocess.run(command, cwd=self.path, env=dict(self.environ), capture_output=True, check=False)
        assert done.returncode in (0, 1), done.stderr
        return None if done.returncode else done.stdout.decode().strip()

    def _rebased(self, base: str, head: str, when: datetime) -> str | None:
        objects, tip, anybody = self.objects, base, Signature.of(FORGE, when)
        for sha in self.git("rev-list", "--reverse", "--no-merges", "--topo-order", f"{base}..{head}").split():
            commit = objects.commit(sha)
            # merge-tree takes its merge base from history: give the three trees one that says cherry-pick.
            origin = self._write_commit(objects.commit(commit.parents[0]).tree, (), "", anybody, when)
            ours = self._write_commit(objects.commit(tip).tree, (origin,), "", anybody, when)
            theirs = self._write_commit(commit.tree, (origin,), "", anybody, when)
            tree = self._merged_tree(ours, theirs)
            if tree is None:
                return None
            tip = self._write_commit(tree, (tip,), commit.message, commit.author, when)
        return tip

    def _write_commit(
        self, tree: str, parents: tuple[str, ...], message: str, author: Signature, when: datetime
    ) -> str:
        return self.objects.write_commit(tree, parents, f"{message}\n", author, Signature.of(FORGE, when))
