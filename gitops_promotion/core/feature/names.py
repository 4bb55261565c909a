"""Names of features, and what they make of names, labels and hosts of others."""

import re

from gitops_promotion.core.untrusted import quoted
from gitops_promotion.errors import ManifestError, UsageError

FEATURE_LABEL = "gitops-promotion.xenit.io/feature"
"""The label by which copies are known: the predecessor's."""

LIMIT = 63
"""Characters of a label's value, of a Service's name and of one part of a host (RFC 1123)."""

_HOST_LIMIT = 253
# A StatefulSet's pods carry its name and a hash of up to eleven characters as a label's value.
_LIMITS = {"StatefulSet": 52}


def clean(text: str) -> str:
    """Return the feature's name as the predecessor makes it: `[^a-zA-Z0-9-]` removed, in lower case (B37).

    Raises UsageError for what cannot become a name, a label's value and a part of a host.
    """
    name = re.sub(r"[^a-zA-Z0-9-]+", "", text).lower()
    removed = "" if name == text else f" (of {quoted(text)} that is left)"
    if not name:
        raise UsageError(f"feature {quoted(text)} has no letter or digit: give it a name such as pr-123")
    if name.startswith("-") or name.endswith("-"):
        raise UsageError(f"feature {quoted(name)}{removed} begins or ends with '-': name it otherwise, such as pr-123")
    if len(name) > LIMIT:
        raise UsageError(f"feature {quoted(name)}{removed} has {len(name)} characters, at most {LIMIT} fit into a host")
    return name


def suffixed(text: str, feature: str, *, what: str, kind: str = "") -> str:
    """Return `<text>-<feature>`, the name or label value of a copy. Raises ManifestError if it is too long."""
    longer = f"{text}-{feature}"
    limit = _LIMITS.get(kind, LIMIT)
    if len(longer) > limit:
        raise ManifestError(
            f"{what} would be {longer!r} in the copy, {len(longer)} characters where {limit} fit: give the feature a "
            f"name of at most {max(limit - len(text) - 1, 0)}"
        )
    return longer


def feature_host(host: str, feature: str) -> str:
    """Return `<feature>.<host>`; a wildcard's star gives way to the feature (B37). Raises ManifestError if too long."""
    longer = f"{feature}.{host.removeprefix('*.')}"
    if len(longer) > _HOST_LIMIT:
        raise ManifestError(f"the host {longer!r} has {len(longer)} characters, at most {_HOST_LIMIT} are allowed")
    return longer
