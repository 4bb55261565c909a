"""The git half of a forge: a bare repository with the merges a forge makes, and git's own server program before it."""

import gzip
import os
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal, Self

from tests.conftest import Remote
from tests.forges.faults import Request, Response

Method = Literal["merge", "squash", "rebase"]

ENVIRON = {
    "PATH": os.environ["PATH"],
    "HOME": "/nonexistent",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_AUTHOR_NAME": "Forge",
    "GIT_AUTHOR_EMAIL": "noreply@forge.test",
    "GIT_COMMITTER_NAME": "Forge",
    "GIT_COMMITTER_EMAIL": "noreply@forge.test",
}
"""The server's own environment: nothing of the person's who runs the tests."""

CONFIG = {
    "http.receivepack": "true",
    # As the forges: any object may be asked for by its id, and blobless clones work.
    "uploadpack.allowAnySHA1InWant": "true",
    "uploadpack.allowFilter": "true",
    # Refs of pull requests are the forge's own.
    "receive.hideRefs": "refs/pull/",
    "gc.auto": "0",
    "receive.autogc": "false",
}

GITHUB_REFUSAL = "error: GH006: Protected branch update failed for $1."
# Refuses what `protected` lists, in the forge's own words; its own updates do not pass here.
UPDATE_HOOK = """#!/bin/sh
grep -qxF "$1" protected 2>/dev/null || exit 0
echo "{refusal}" >&2
exit 1
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """One commit with what an API shows of it."""

    sha: str
    tree: str
    parents: tuple[str, ...]
    author: tuple[str, str, datetime]
    committer: tuple[str, str, datetime]
    message: str

    @property
    def subject(self) -> str:
        return self.message.partition("\n")[0]


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

    @classmethod
    def create(
        cls, path: Path, files: Mapping[str, str | bytes], branch: str, *, refusal: str = GITHUB_REFUSAL
    ) -> Self:
        path.parent.mkdir(parents=True, exist_ok=True)
        command = ["git", "init", "--quiet", "--bare", f"--initial-branch={branch}", str(path)]
        subprocess.run(command, env=ENVIRON, check=True, capture_output=True)
        with (path / "config").open("a") as config:
            for key, value in CONFIG.items():
                section, name = key.split(".")
                config.write(f"[{section}]\n\t{name} = {value}\n")
        hook = path / "hooks" / "update"
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(UPDATE_HOOK.format(refusal=refusal))
        hook.chmod(0o755)
        repository = cls(path=path, environ=ENVIRON)
        if files:
            repository.commit(files, "Start", branch=branch)
        return repository

    def protect(self, branches: set[str]) -> None:
        """Refuse pushes to these branches; what the forge and this class do itself is not held to it."""
        (self.path / "protected").write_text("".join(f"refs/heads/{branch}\n" for branch in sorted(branches)))

    def branches(self) -> dict[str, str]:
        """All branches with their commits, read as git keeps them: a forge looks at them with every request."""
        found = {}
        packed = self.path / "packed-refs"
        for line in packed.read_text().splitlines() if packed.exists() else ():
            sha, _, ref = line.partition(" ")
            if ref.startswith("refs/heads/"):
                found[ref.removeprefix("refs/heads/")] = sha
        heads = str(self.path / "refs" / "heads")
        for folder, _, names in os.walk(heads):
            for name in names:
                path = f"{folder}/{name}"
                # A push that goes on meanwhile writes beside the ref, and may delete it.
                with suppress(FileNotFoundError), open(path, encoding="utf-8") as file:  # noqa: PTH123  thrice as fast
                    if not name.endswith(".lock") and (sha := file.read().strip()):
                        found[path[len(heads) + 1 :]] = sha
        return dict(sorted(found.items()))

    def commits(self, revisions: str, *options: str) -> list[Commit]:
        """Read commits as `git log` lists them, newest first."""
        form = "%H%x00%T%x00%P%x00%an%x00%ae%x00%aI%x00%cn%x00%ce%x00%cI%x00%B%x00%x01"
        listed = self.git("log", f"--format={form}", *options, revisions, "--")
        found = []
        for record in listed.split("\x00\x01")[:-1]:
            sha, tree, parents, *rest = record.lstrip("\n").split("\x00")
            author = (rest[0], rest[1], datetime.fromisoformat(rest[2]))
            committer = (rest[3], rest[4], datetime.fromisoformat(rest[5]))
            message = rest[6].rstrip("\n")
            found.append(
                Commit(
                    sha=sha,
                    tree=tree,
                    parents=tuple(parents.split()),
                    author=author,
                    committer=committer,
                    message=message,
                )
            )
        return found

    def one_commit(self, revision: str) -> Commit | None:
        """Read one commit; None for anything that is none."""
        if revision.startswith("-") or not self.has(f"{revision}^{{commit}}"):
            return None
        return self.commits(revision, "--max-count=1")[0]

    def is_ancestor(self, older: str, newer: str) -> bool:
        return self._succeeds("merge-base", "--is-ancestor", older, newer)

    def changes(self, base: str, head: str) -> list[Change]:
        """List what a pull request changes: from the merge base to its head."""
        start = self.git("merge-base", base, head)
        raw = self.git("diff-tree", "-r", "-z", "--no-renames", start, head).split("\0")
        numbers = self.git("diff-tree", "-r", "-z", "--no-renames", "--numstat", start, head).split("\0")
        counts = {path: (added, removed) for added, removed, path in (line.split("\t", 2) for line in numbers if line)}
        found = []
        for fields, path in zip(raw[::2], raw[1::2], strict=False):
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
        return tree and self._commit_tree(tree, parents, message, (*author, when), when)

    def move(self, branch: str, new: str | None, expected: str | None) -> bool:
        """Update, create or delete a branch if it is still what it was; False if somebody was quicker."""
        arguments = ("-d", f"refs/heads/{branch}") if new is None else (f"refs/heads/{branch}", new)
        return self._succeeds("update-ref", *arguments, expected or "0" * 40)

    def _merged_tree(self, base: str, head: str) -> str | None:
        command = ["git", "merge-tree", "--write-tree", "--no-messages", base, head]
        done = subprocess.run(command, cwd=self.path, env=dict(self.environ), capture_output=True, check=False)
        assert done.returncode in (0, 1), done.stderr
        return None if done.returncode else done.stdout.decode().strip()

    def _rebased(self, base: str, head: str, when: datetime) -> str | None:
        tip = base
        for commit in reversed(self.commits(f"{base}..{head}", "--no-merges", "--topo-order")):
            # merge-tree takes its merge base from history: give the three trees one that says cherry-pick.
            anyone = ("Forge", "noreply@forge.test", when)
            origin = self._commit_tree(f"{commit.parents[0]}^{{tree}}", (), "", anyone, when)
            ours = self._commit_tree(f"{tip}^{{tree}}", (origin,), "", anyone, when)
            theirs = self._commit_tree(commit.tree, (origin,), "", anyone, when)
            tree = self._merged_tree(ours, theirs)
            if tree is None:
                return None
            tip = self._commit_tree(tree, (tip,), commit.message, commit.author, when)
        return tip

    def _commit_tree(
        self, tree: str, parents: tuple[str, ...], message: str, author: tuple[str, str, datetime], when: datetime
    ) -> str:
        name, email, at = author
        environ = {
            **self.environ,
            "GIT_AUTHOR_NAME": name,
            "GIT_AUTHOR_EMAIL": email,
            "GIT_AUTHOR_DATE": at.isoformat(),
            "GIT_COMMITTER_DATE": when.isoformat(),
        }
        options = [word for parent in parents for word in ("-p", parent)]
        command = ["git", "commit-tree", self.sha(tree), *options]
        data = f"{message}\n".encode()
        done = subprocess.run(command, cwd=self.path, env=environ, input=data, capture_output=True, check=True)
        return done.stdout.decode().strip()

    def _succeeds(self, *arguments: str) -> bool:
        command = ["git", *arguments]
        return subprocess.run(command, cwd=self.path, env=dict(self.environ), capture_output=True).returncode == 0


def serve_git(root: Path, request: Request, user: str) -> Response:
    """Answer a request of git's smart HTTP for the repositories below `root`; who may do what was decided before.

    What git's own `http-backend` does, without its process before each of the real ones (gitprotocol-http).
    """
    service = request.query.get("service") or request.path.rpartition("/")[2]
    asks = request.method == "GET"
    folder = root / request.path.strip("/").removesuffix("/info/refs" if asks else f"/{service}")
    if service not in ("git-upload-pack", "git-receive-pack") or not (folder / "HEAD").exists():
        return Response(status=404, headers={"Content-Type": "text/plain"}, body=b"Not Found\n")
    protocol = request.headers.get("git-protocol", "")
    environ = {**ENVIRON, "GIT_PROTOCOL": protocol, "REMOTE_USER": user}
    command = [
        "git",
        service.removeprefix("git-"),
        "--stateless-rpc",
        *(["--advertise-refs"] if asks else []),
        str(folder),
    ]
    body = request.body
    if request.headers.get("content-encoding") == "gzip":
        body = gzip.decompress(body)
    # What fails says so in its output, as `http-backend` hands it on.
    done = subprocess.run(command, input=body, env=environ, capture_output=True, check=False)
    kind, head = "advertisement" if asks else "result", b""
    if asks and not (service == "git-upload-pack" and "version=2" in protocol):
        line = f"# service={service}\n"
        head = f"{len(line) + 4:04x}{line}0000".encode()
    headers = {"Content-Type": f"application/x-{service}-{kind}", "Cache-Control": "no-cache"}
    return Response(status=200, headers=headers, body=head + done.stdout)
