"""All errors of the program and their exit codes.

The text of an error is one line: the problem, its place and the next step. The command line catches errors in one
place; docs/exit-codes.md lists the exit codes.
"""

from collections.abc import Iterable
from typing import Literal, NamedTuple, Self


class Fault(NamedTuple):
    """One thing that is wrong in a file. `line` counts from 1; 0 stands for the whole file."""

    path: str
    line: int
    text: str

    def __str__(self) -> str:
        """Return `path:line: text`."""
        return f"{self.path}:{self.line}: {self.text}" if self.line else f"{self.path}: {self.text}"


class PromotionError(Exception):
    """Base of all errors that the program raises itself; `exit_code` is the exit code of the process.

    `faults` are the lines of files that must change, () for errors that are not about a file.
    """

    exit_code = 1
    faults: tuple[Fault, ...] = ()

    def add(self, fact: str) -> None:
        """Put a fact at the end of the text: what is different now although the run failed."""
        self.args = (f"{self}; {fact}", *self.args[1:])


class FileError(PromotionError):
    """A file of the repository cannot be used as it is."""

    exit_code = 2

    def __init__(self, message: str = "", *, faults: Iterable[Fault] = ()) -> None:
        """Keep the faults; without a message they are the text, one a line."""
        self.faults = tuple(faults)
        super().__init__(message or "\n".join(map(str, self.faults)))

    @classmethod
    def at(cls, path: str, line: int, text: str) -> Self:
        """Return the error for one fault."""
        return cls(faults=(Fault(path, line, text),))


class UsageError(PromotionError):
    """An option, a name or a tag is not valid."""

    exit_code = 2


class ConfigError(FileError):
    """The configuration file is missing or not valid; the text has one `path:line: problem` a line."""


class ManifestError(FileError):
    """No manifest has a marker of the application, or a manifest with its marker cannot be edited."""


class ForeignCommitsError(PromotionError):
    """A promotion branch has commits of a person, which the program does not overwrite."""

    exit_code = 2


class KustomizeError(PromotionError):
    """kustomize is not installed, or it cannot build an environment, or the result is not the intended one."""

    exit_code = 2


class BuildError(KustomizeError):
    """kustomize cannot build an environment; `reason` is the one that kustomize gives."""

    def __init__(self, message: str, reason: str) -> None:
        """Keep the reason beside the message."""
        super().__init__(message)
        self.reason = reason


class RestrictedError(BuildError):
    """A kustomization names a file outside its own folder."""


class GitError(PromotionError):
    """git failed, or the repository or its remote cannot be used."""

    exit_code = 5


class SigningError(GitError):
    """A commit cannot be signed, and was not made."""


class StorageError(PromotionError):
    """The disk has no room for a file, or no folder takes temporary files."""

    exit_code = 5


class LeaseLostError(GitError):
    """The remote changed since it was read, and nothing was done. Read the remote and decide again (core/races.py).

    `fact` is the text without its next step.
    """

    def __init__(self, fact: str, *, next_step: str = "run again") -> None:
        """Make the text from the fact and the next step, which a reader needs where nothing decides again."""
        super().__init__(f"{fact}: {next_step}")
        self.fact = fact


class LockedError(LeaseLostError):
    """The remote has a lock file for a ref: of a writer that is at work, or of one that was killed."""


RefusalKind = Literal["force", "delete", "ref-in-the-way", "hook", "protected", "quota", "other"]


class RefusedPushError(GitError):
    """The server refuses a push, and would refuse it again: the push changed nothing.

    `kind` is the reason: it allows no forced push or no deletion, a branch is in the way of the new one's name, a hook
    declined, the branch is protected, or there is no space left.
    """

    def __init__(self, message: str, *, kind: RefusalKind) -> None:
        """Keep the kind beside the message."""
        super().__init__(message)
        self.kind: RefusalKind = kind


class RefGoneError(LeaseLostError):
    """A remote ref was deleted since it was listed."""


class NotAdvertisedError(RefGoneError):
    """The remote gives a commit by its id only while a ref names it, and none does (any more)."""


class ProviderError(PromotionError):
    """The forge refused a request, or its response cannot be used."""

    exit_code = 6


class NoPullRequestError(ProviderError):
    """The forge has no pull request of the number that was asked for."""

    exit_code = 2


class OutdatedError(ProviderError, LeaseLostError):
    """The forge refuses what was right for an earlier state: a pull request was merged, a branch deleted."""


class ChannelError(PromotionError):
    """A channel for notifications cannot be reached, or refuses a message. The text never contains its address."""

    exit_code = 6


class AuthError(ProviderError):
    """The forge, or git over HTTP, rejects the token, or the token lacks a permission."""


class TransientError(ProviderError):
    """A failure that may pass; `retry_after` is the pause in seconds that the forge asks for before the next try."""

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class RegistryError(PromotionError):
    """The registry of an image gives no answer, denies access, or its answer cannot be used."""

    exit_code = 6


class NoImageError(PromotionError):
    """The registry says that an image is not there."""

    exit_code = 2


class TemplateError(PromotionError):
    """A template of the configuration gives no text; `line` is its line, from 1."""

    exit_code = 2

    def __init__(self, message: str, *, line: int) -> None:
        """Keep the line beside the message."""
        super().__init__(message)
        self.line = line
