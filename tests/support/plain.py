"""What is plain enough to be answered without git."""

import shutil
import zlib

GIT = shutil.which("git")


class NotPlainError(Exception):
    """git itself must answer."""


def check(plain: bool) -> None:
    """Raise NotPlainError for what is not plain."""
    if not plain:
        raise NotPlainError


FAULTS = (NotPlainError, OSError, ValueError, IndexError, KeyError, zlib.error)
"""What stops an answer that is not git's."""
