"""All errors of the program and their exit codes.

An error's text is one line that says what went wrong, where, and what to do next. `cli.main` is the only place that
catches them; the exit codes are those of `docs/exit-codes.md`.
"""


class PromotionError(Exception):
    """Any failure this program names itself; `exit_code` is what the process ends with."""

    exit_code = 1


class UsageError(PromotionError):
    """A flag, name or tag that cannot be used as given."""

    exit_code = 2


class ConfigError(PromotionError):
    """The configuration file is missing or wrong; the text carries one `file:line: what` a line."""

    exit_code = 2


class ManifestError(PromotionError):
    """A manifest carries this application's marker but cannot be edited, or carries none; names file and line."""

    exit_code = 2


class ForeignCommitsError(PromotionError):
    """A promotion branch holds commits of a person, which are never overwritten."""

    exit_code = 2


class KustomizeError(PromotionError):
    """There is no kustomize, or the environment does not build, or not as intended."""

    exit_code = 2


class BuildError(KustomizeError):
    """kustomize does not build an environment; `said` is its reason alone."""

    def __init__(self, message: str, said: str) -> None:
        """Keep both."""
        super().__init__(message)
        self.said = said


class RestrictedError(BuildError):
    """A kustomization names a file that is not below its own folder."""


class GitError(PromotionError):
    """Git failed, or the repository or its remote cannot be used."""

    exit_code = 5


class LeaseLostError(GitError):
    """A remote ref moved since it was read: nothing of the push arrived; read again and decide anew."""


class ProviderError(PromotionError):
    """The forge refused or answered with something unusable."""

    exit_code = 6


class AuthError(ProviderError):
    """The forge, or git over HTTP, does not accept the token, or the token lacks a permission."""


class TransientError(ProviderError):
    """The forge failed in a way that passes; `retry_after` seconds are its own wish, if it gave one."""

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after
