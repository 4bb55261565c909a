"""Names of features, and the names and hosts of a feature's copy."""

import re

from gitops_promotion.core.untrusted import quoted
from gitops_promotion.errors import ManifestError, UsageError

FEATURE_LABEL = "gitops-promotion.xenit.io/feature"
"""The label that identifies copies, as in version 1."""

LIMIT = 63
"""The most characters of a label's value, of a Service's name and of one part of a host (RFC 1123)."""

_HOST_LIMIT = 253
# The label controller-revision-hash of a StatefulSet's pods is its name and a hash of up to eleven characters
# (https://github.com/kubernetes/kubernetes/issues/64023).
_LIMITS = {"StatefulSet": 52}


def clean(text: str) -> str:
    """Return a feature's name as version 1 makes it: only letters, digits and `-`, in lower case.

    See B37 in docs/migrating.md. Raises UsageError if the result cannot be a name, a label's value and part of a host.
    """
    name = re.sub(r"[^a-zA-Z0-9-]+", "", text).lower()
    origin = "" if name == text else f" (from {quoted(text)})"
    if not name:
        raise UsageError(f"feature {quoted(text)} has no letter or digit: choose a name such as pr-123")
    if name.startswith("-") or name.endswith("-"):
        raise UsageError(f"feature {quoted(name)}{origin} begins or ends with '-': choose a name such as pr-123")
    if len(name) > LIMIT:
        raise UsageError(
            f"feature {quoted(name)}{origin} has {len(name)} characters, a part of a host at most {LIMIT}: choose a "
            "shorter name"
        )
    return name


def suffixed(text: str, feature: str, *, subject: str, kind: str = "") -> str:
    """Return `<text>-<feature>`, a name or label value of a copy; `subject` is its owner, for the message.

    Raises ManifestError if it is too long.
    """
    name = f"{text}-{feature}"
    limit = _LIMITS.get(kind, LIMIT)
    if len(name) > limit:
        raise ManifestError(
            f"{subject} would be {name!r} in the copy, {len(name)} characters of at most {limit}: choose a name of at "
            f"most {max(limit - len(text) - 1, 0)} characters for the feature"
        )
    return name


def feature_host(host: str, feature: str) -> str:
    """Return `<feature>.<host>`; in a wildcard the feature replaces the star (docs/migrating.md, B37).

    Raises ManifestError if it is too long.
    """
    name = f"{feature}.{host.removeprefix('*.')}"
    if len(name) > _HOST_LIMIT:
        raise ManifestError(
            f"the host {name!r} has {len(name)} characters of at most {_HOST_LIMIT}: choose a shorter name for the "
            "feature"
        )
    return name
