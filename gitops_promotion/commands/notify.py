"""`notify --test`: sends a sample to one channel."""

from collections.abc import Mapping

from gitops_promotion.core.model import Outcome
from gitops_promotion.workflow.notifying import send_sample
from gitops_promotion.workflow.run import Run


def notify(run: Run, *, name: str, environ: Mapping[str, str]) -> list[Outcome]:
    """Return the outcome of sending a sample to a channel; nothing is recorded.

    Raises UsageError for an unknown channel and a missing variable, ChannelError, ConfigError, GitError.
    """
    return send_sample(run, name, environ=environ)
