"""Names of groups, applications and environments: the grammar that all of them follow."""

import re

from gitops_promotion.core.untrusted import quoted
from gitops_promotion.errors import UsageError

# One path segment, one ref component and one marker part at once: no slash, colon, blank, `..` or `.lock` end.
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,98}[A-Za-z0-9])?")


def check_name(noun: str, text: str) -> str:
    """Return `text` if it can be a group, application or environment; `noun` says which in the error.

    Raises UsageError.
    """
    if not is_name(text):
        raise UsageError(
            f"{noun} {quoted(text)} is not a valid name: use letters, digits, '.', '_' and '-' (at most 100, "
            "first and last a letter or digit, no '..', no '.lock' end)"
        )
    return text


def is_name(text: str) -> bool:
    """Return True if `check_name` would accept the text."""
    return bool(_NAME.fullmatch(text)) and ".." not in text and not text.endswith(".lock")
