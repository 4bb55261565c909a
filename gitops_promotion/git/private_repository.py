"""The private repository that all further commands run in, with objects that it borrows from the user's repository.

docs/decisions/0002-private-object-store.md gives the reasons.
"""

import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from gitops_promotion.errors import GitError
from gitops_promotion.git.advice import LOCAL_STEP, advice
from gitops_promotion.git.checkout import Checkout
from gitops_promotion.git.environment import local_environment
from gitops_promotion.git.formats import file_text, quote
from gitops_promotion.git.process import Runner


class PrivateRepository:
    """A temporary bare repository over the objects of a checkout. Remove it at the end."""

    folder: Path
    environ: Mapping[str, str]
    """The environment of commands that do not reach the remote."""
    whole: bool
    """Whether the borrowed history was complete when the repository was made."""
    partial: bool
    """Whether the checkout is a partial clone: contents of files are fetched here too when they are needed."""
    head: str
    """The commit that is checked out, with all its files; "" without one, and in a partial clone."""
    object_format: str
    """The hash function of object ids, `sha1` or `sha256`."""

    def __init__(self, checkout: Checkout, runner: Runner, environ: Mapping[str, str]) -> None:
        """Make the repository. Raises GitError if there is no space for it."""
        self.runner = runner
        with temporary_files():
            self.folder = Path(tempfile.mkdtemp(prefix="gitops-promotion-"))
        self.environ = local_environment(environ, self.folder)
        settings = _own_settings(checkout)
        self.object_format = settings.get("extensions.objectformat", "sha1")
        self.partial = "extensions.partialclone" in settings or any(
            re.fullmatch(r"remote\..*\.promisor", key, re.DOTALL) for key in settings
        )
        self.head = "" if self.partial else checkout.head()[0] or ""
        try:
            with temporary_files():
                self.whole = self._lay_out(checkout)
        except BaseException:
            self.remove()
            raise

    def _lay_out(self, checkout: Checkout) -> bool:
        """Write the repository's own files; returns whether its history is complete.

        No object of a partial clone is borrowed: the server would not send the objects that the clone left out.
        Fetching brings them instead.
        """
        folder, sha256_objects = self.folder, self.object_format == "sha256"
        for name in ("objects/info", "refs/promotion"):
            (folder / name).mkdir(parents=True)
        (folder / "HEAD").write_text("ref: refs/heads/none\n")
        (folder / "config").write_text(
            f"[core]\n\trepositoryformatversion = {int(sha256_objects)}\n\tbare = true\n"
            + ("[extensions]\n\tobjectFormat = sha256\n" if sha256_objects else "")
        )
        if self.partial:
            return False
        (folder / "objects/info/alternates").write_bytes(quote(str(checkout.common_dir.resolve() / "objects")) + b"\n")
        if self.head:  # A detached commit may have no ref in the checkout, and is still worth offering when fetching.
            (folder / "refs/promotion/head").write_text(self.head + "\n")
        shallow = file_text(checkout.common_dir / "shallow")
        if shallow:
            (folder / "shallow").write_text(shallow + "\n")
        return not shallow

    def git(self, *arguments: str, stdin: bytes = b"", variables: Mapping[str, str] | None = None) -> bytes:
        """Run a command that does not reach the remote and return its output. Raises GitError if it fails."""
        result = self.runner.run(arguments, {**self.environ, **(variables or {})}, stdin)
        if result.status:
            raise GitError(f"git {arguments[0]} failed: {advice(result.stderr, LOCAL_STEP)}")
        return result.stdout

    def lines(self, *arguments: str) -> Sequence[str]:
        """Run a command as `git` does and return the lines of its output."""
        return self.git(*arguments).decode(errors="surrogateescape").splitlines()

    def cut_off(self) -> frozenset[str]:
        """Return the commits whose parents are cut off."""
        return frozenset(file_text(self.folder / "shallow").split())

    def remove(self) -> None:
        """Delete the repository."""
        shutil.rmtree(self.folder, ignore_errors=True)


@contextmanager
def temporary_files() -> Iterator[None]:
    """Raise GitError where a temporary file cannot be written."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        raise GitError(
            f"cannot write temporary files ({reason}): free space there, or set TMPDIR to another folder"
        ) from error


def _own_settings(checkout: Checkout) -> dict[str, str]:
    return {setting.key: setting.value for setting in checkout.settings if setting.is_of_repository}
