"""Sends a message by HTTP. No redirect is followed, and no address gets into a log."""

import hashlib
import hmac
import json
import logging
import math
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from gitops_promotion.core import untrusted
from gitops_promotion.core.notifications.channels import Access
from gitops_promotion.core.notifications.messages import BODIES
from gitops_promotion.core.notifications.news import News
from gitops_promotion.core.repo_url import is_loopback
from gitops_promotion.errors import ChannelError
from gitops_promotion.notify.failures import PassingError

if TYPE_CHECKING:
    import requests

SIGNATURE = "X-Gitops-Promotion-Signature"
"""The header with `sha256=` and the HMAC-SHA256 of the body in hexadecimal digits."""

_LOGGERS = ("urllib3.connectionpool", "urllib3.connection", "urllib3.response", "urllib3.util.retry", "requests")
# Bytes of an answer that are read.
_ANSWER = 1024
# Characters of an answer that an error shows.
_SHOWN = 100


def send(access: Access, news: News, seconds: float) -> str:
    """Post one message; returns "". Raises ChannelError, as PassingError where a second try makes sense."""
    import requests

    require_safe(access)
    body = json.dumps(BODIES[access.channel.type](news, access.channel)).encode()
    headers = {"Content-Type": "application/json", "User-Agent": "gitops-promotion"}
    if access.channel.type == "webhook" and access.secret:
        headers[SIGNATURE] = signature(body, access.secret)
    try:
        with requests.post(
            access.url,
            data=body,
            headers=headers,
            auth=_authorization(access.url),
            timeout=seconds,
            allow_redirects=False,
            stream=True,
        ) as response:
            _check(response)
    except requests.Timeout:
        raise PassingError("it did not answer in time") from None
    except requests.exceptions.SSLError:
        raise ChannelError("its certificate is not one that this machine trusts") from None
    except requests.ConnectionError:
        raise PassingError("it cannot be reached") from None
    except (requests.RequestException, ValueError, UnicodeError):
        raise ChannelError(f"{access.channel.variable} has no address that can be used: copy it again") from None
    return ""


def require_safe(access: Access) -> None:
    """Raise ChannelError unless the address is one of https or of this machine: others must not read a message."""
    variable = access.channel.variable
    try:
        parts = urlsplit(access.url)
        host = parts.hostname or ""
    except ValueError:
        raise ChannelError(f"{variable} has no address that can be read: copy it again") from None
    if parts.scheme not in ("http", "https") or not host or not access.url.isascii():
        raise ChannelError(f"{variable} has no https address: copy it again")
    if parts.scheme == "http" and not is_loopback(host):
        raise ChannelError(f"{variable} has an http address, in which everybody on the way can read: use https")


def signature(body: bytes, secret: str) -> str:
    """Return the value of the header SIGNATURE."""
    return f"sha256={hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}"


def _authorization(url: str) -> "requests.auth.AuthBase":
    """Return what signs with user and password of the address; without them no `.netrc` file is read instead."""
    import requests

    class NoAuthorization(requests.auth.AuthBase):
        def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
            return request

    parts = urlsplit(url)
    if not parts.username and not parts.password:
        return NoAuthorization()
    return requests.auth.HTTPBasicAuth(unquote(parts.username or ""), unquote(parts.password or ""))


def _check(response: "requests.Response") -> None:
    """Raise ChannelError unless the answer accepts the message."""
    status = response.status_code
    if 300 <= status < 400:
        raise ChannelError(
            f"it answered {status}, which leads elsewhere: no redirect is followed, give the new address"
        )
    content = _beginning(response)
    if status == 429 or status >= 500:
        raise PassingError(f"it answered {status}", retry_after=_retry_after(response.headers.get("Retry-After")))
    if not 200 <= status < 300:
        reason = "" if _is_page(content) else untrusted.line(content.decode(errors="replace").strip(), _SHOWN)
        raise ChannelError(f"it answered {status}{reason and f' ({reason})'}")
    # A login page answers 200 to everything.
    if _is_page(content):
        raise ChannelError(f"it answered {status} with a page for people: this is not the address of a webhook")


def _beginning(response: "requests.Response") -> bytes:
    """Return the beginning of the answer, b"" if it never comes: the status counts in any case."""
    from urllib3.exceptions import HTTPError

    try:
        return response.raw.read(_ANSWER, decode_content=True) or b""
    except (HTTPError, OSError):
        return b""


def _is_page(content: bytes) -> bool:
    return content.lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith((b"<!doctype html", b"<html"))


def _retry_after(text: str | None) -> float | None:
    try:
        seconds = float(text or "")
    except ValueError:
        return None
    return max(0.0, seconds) if math.isfinite(seconds) else None


def quieten(threads: str) -> None:
    """Keep the HTTP library from logging in the threads whose names begin with this text: it logs addresses.

    At the level DEBUG it logs every path, and at WARNING the address of an answer with headers that it cannot read.
    """

    def is_shown(record: logging.LogRecord) -> bool:
        return not (record.threadName or "").startswith(threads)

    is_shown.__qualname__ = quieten.__qualname__
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        if not any(getattr(item, "__qualname__", "") == quieten.__qualname__ for item in logger.filters):
            logger.addFilter(is_shown)
