"""Failures of a channel; no text of them has the channel's address."""

from gitops_promotion.errors import ChannelError


class PassingError(ChannelError):
    """A failure that may pass before a second try; `retry_after` is the pause in seconds that the channel asks for."""

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        """Keep the pause beside the message."""
        super().__init__(message)
        self.retry_after = retry_after
