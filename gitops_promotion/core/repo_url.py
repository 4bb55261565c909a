"""The address of a repository that is used without a checkout: which kinds are accepted, and why others are not.

The kinds of addresses that git knows: https://git-scm.com/docs/git-fetch#_git_urls
"""

import ipaddress
import re
from urllib.parse import urlsplit

LIMIT = 1000
"""The most characters of an address."""

_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,38}")
# As in an address of ssh that scp has too: git@github.com:owner/name.git, or git@[::1]:name.git.
_SCP = re.compile(r"(?:(?P<user>[^@/:]+)@)?(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_][A-Za-z0-9._-]*):(?P<path>.+)")
_HOST = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*|[0-9A-Fa-f:.]+")
_KINDS = "an address of https or ssh, or a path"


def repo_url_problem(url: str) -> str:
    """Return the problem with an address and the next step, "" for none.

    Accepted are https, http to this machine, ssh, file and paths. The answer never repeats more of the address than its
    scheme, since the rest may have a secret in it.
    """
    if len(url) > LIMIT:
        return f"has more than {LIMIT} characters: give {_KINDS}"
    if not url or not url.isprintable():
        return f"has a character that no address has: give {_KINDS}"
    if url.startswith("-"):
        return f"begins with a dash, which git would take for an option: give {_KINDS}"
    scheme, separator, _ = url.partition("://")
    if separator and "/" not in scheme and "::" not in scheme:
        return _of_url(url, scheme)
    if is_path(url):
        return ""
    match = _SCP.fullmatch(url)
    if not match or match["path"].startswith(":"):
        return f"names a transport that is not allowed: give {_KINDS}"
    if "@" in match["path"].partition("/")[0]:
        return _PASSWORD
    return _of_user(match["user"])


_PASSWORD = "has a password in it, which others can read: leave it out, and set GITOPS_PROMOTION_TOKEN"  # noqa: S105


def _of_user(user: str | None) -> str:
    if user is None or _USER.fullmatch(user):
        return ""
    return "has a user that is no plain name, or may be a token: leave it out, and set GITOPS_PROMOTION_TOKEN"


def _of_url(url: str, scheme: str) -> str:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return f"is malformed: give {_KINDS}"
    userinfo, at, _ = parts.netloc.rpartition("@")
    if ":" in userinfo:
        return _PASSWORD
    if problem := _of_user(userinfo if at else None):
        return problem
    if scheme == "file":
        return "" if host in ("", "localhost") and parts.path else "names another machine: give a path of this one"
    if scheme not in ("https", "http", "ssh"):
        return f"names the transport {scheme[:20]!r}, which is not allowed: give {_KINDS}"
    if not _HOST.fullmatch(host):
        return f"has no host that can be used: give {_KINDS}"
    if scheme == "http" and not is_loopback(host):
        return "uses http, which everybody on the way can read: use https"
    if parts.query or parts.fragment:
        return "has a ? or a #, after which a secret may stand: leave out what follows"
    return ""


def is_path(url: str) -> bool:
    """Return True for the path of a folder: it has no colon before its first slash."""
    return ":" not in url.partition("/")[0]


def is_loopback(host: str) -> bool:
    """Return True for the names and addresses of this machine."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
