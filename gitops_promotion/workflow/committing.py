"""The commit of a plan: made here, and signed by git or made again by the forge, as `commitSigning` says."""

from collections.abc import Mapping

from gitops_promotion.errors import ConfigError
from gitops_promotion.providers import MakesCommits
from gitops_promotion.workflow.run import Run


def require_signing(run: Run) -> None:
    """Raise ConfigError if the configuration wants commits of the forge and this forge makes none."""
    if run.tip.config.commit_signing == "forge" and not run.facts.makes_commits:
        raise _makes_none(run)


def make_commit(
    run: Run, base: str, edits: Mapping[str, bytes | None], message: str, *, on_top_of: str | None = None
) -> str:
    """Make a commit as `Repository.commit` does, and return it; no ref changes, here or at the forge.

    Raises SigningError, ConfigError, ProviderError if it would have no signature where it should have one.
    """
    repository = run.tip.repository
    sha = repository.commit(base, edits, message, on_top_of=on_top_of)
    if run.tip.config.commit_signing != "forge":
        return sha
    if not isinstance(run.forge, MakesCommits):
        raise _makes_none(run)
    return repository.remake(sha, edits, run.forge.make_commit)


def _makes_none(run: Run) -> ConfigError:
    text = f"`commitSigning: forge` needs a forge that makes commits, and {run.facts.name} makes none: remove the key"
    return ConfigError.at(run.tip.config_file, 0, f"{text}, and let git sign (docs/signed-commits.md)")
