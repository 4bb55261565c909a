"""Values of the configuration: which texts each kind of value accepts.

A problem is a text with the fault and the accepted values, "" if there is no fault.
"""

import re

from gitops_promotion.core.names import check_name
from gitops_promotion.core.untrusted import quoted
from gitops_promotion.errors import UsageError

_SECONDS = (86400.0, 3600.0, 60.0, 1.0, 0.001)
_DURATION = re.compile("".join(rf"(?:([0-9]{{1,9}}(?:\.[0-9]{{1,3}})?){unit})?" for unit in ("d", "h", "m", "s", "ms")))
_LONGEST = 366 * 86400.0
_LABEL = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)")
_SLUG = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,98}[A-Za-z0-9])?")
# No quotes, comments or line breaks: it becomes a header of a mail.
_ADDRESS = re.compile(r"[A-Za-z0-9._%+'-]{1,64}@[A-Za-z0-9.-]{1,253}")
_LABEL_PREFIX = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?")


def duration(text: str) -> float:
    """Read `30s`, `5m`, `1h30m`, `7d`, `250ms` or `0` as seconds. Raises UsageError.

    A number without a unit is refused: the Go tool read `5` as nanoseconds (docs/migrating.md, B19).
    """
    if text == "0":
        return 0.0
    match = _DURATION.fullmatch(text)
    if not text or not match:
        unit = f"{quoted(text)} has no unit" if re.fullmatch(r"[0-9]+", text) else f"{quoted(text)} is not a duration"
        raise UsageError(f"{unit}: write it as 30s, 5m, 1h30m or 7d")
    seconds = sum(float(number or 0) * unit for number, unit in zip(match.groups(), _SECONDS, strict=True))
    if seconds > _LONGEST:
        raise UsageError(f"{quoted(text)} is too long: use at most 366d")
    return seconds


def duration_problem(text: str) -> str:
    """Return the problem with a duration, "" for a good one."""
    try:
        duration(text)
    except UsageError as error:
        return str(error)
    return ""


def name_problem(noun: str, text: str) -> str:
    """Return the problem with a name; `noun` names the kind of thing."""
    try:
        check_name(noun, text)
    except UsageError as error:
        return str(error)
    return ""


def identity_problem(text: str) -> str:
    """Return the problem with a name or an e-mail address of a commit's author."""
    if not text.isprintable() or set("<>") & set(text) or not any(map(str.isalnum, text)):
        return "git takes one line with a letter or digit and without < and >"
    return ""


def login_problem(text: str) -> str:
    """Return the problem with a user's login."""
    # Azure DevOps has e-mail addresses and names with blanks for it.
    return "" if text.isprintable() and text == text.strip() and len(text) <= 256 else "write one line, a user's login"


def address_problem(text: str) -> str:
    """Return the problem with a mail address."""
    return "" if _ADDRESS.fullmatch(text) else "write a mail address, such as ops@example.com"


def slug_problem(text: str) -> str:
    """Return the problem with the slug of a GitHub App."""
    return "" if _SLUG.fullmatch(text) else "write an app's slug, as in its address: github.com/apps/SLUG"


def label_problem(text: str) -> str:
    """Return the problem with the value of a Kubernetes label."""
    return "" if _LABEL.fullmatch(text) else "not a Kubernetes label value (letters, digits, ._- and at most 63)"


def is_label_key(text: str) -> bool:
    """Return True if the text can be the key of a Kubernetes label."""
    prefix, slash, name = text.rpartition("/")
    return bool(_LABEL.fullmatch(name) and (not slash or _LABEL_PREFIX.fullmatch(prefix)))
