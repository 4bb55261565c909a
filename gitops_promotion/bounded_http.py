"""HTTP requests that always end: each has a limit for its total time and for the size of its answer."""

import logging
import re
import threading
import time
import zlib
from queue import Empty, SimpleQueue
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from urllib3.exceptions import HTTPError

from gitops_promotion.core import durations, untrusted
from gitops_promotion.errors import ProviderError

TIMEOUT = 30.0
"""Seconds that one request may take, from the connection to the last byte of the answer."""
ANSWER_LIMIT = 16 * 1024 * 1024
"""Bytes of one answer, after decompression."""

# Bytes of one read.
_CHUNK = 64 * 1024
_log = logging.getLogger(__name__)


class TooLargeError(ProviderError):
    """An answer is larger than the adapter's limit. A request for less data may succeed."""


class Signature(AuthBase):
    """Sets the Authorization header of each request to one value, or removes the header for an empty value.

    Without such an object, `requests` uses a password from `~/.netrc`, even where the header is set, and sends it to
    the targets of redirects too.
    """

    def __init__(self, value: str = "") -> None:
        """Keep the value."""
        self._value = value

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Return the signed request."""
        request.headers.pop("Authorization", None)
        if self._value:
            request.headers["Authorization"] = self._value
        return request


def _log_request(request: requests.PreparedRequest, result: str, start: float) -> None:
    """Log a request for `--verbose`: its method and address, the status or what went wrong, and the time it took."""
    if not _log.isEnabledFor(logging.DEBUG):
        return
    address = untrusted.line(re.sub(r"//[^/@]*@", "//", request.url or ""))
    _log.debug("%s %s %s %.0f ms", request.method, address, result, (time.monotonic() - start) * 1000)


class BoundedAdapter(HTTPAdapter):
    """Sends requests that end: within `seconds` in all, with an answer of at most `limit` bytes.

    The time-out of `requests` starts again with each byte, so a server that drips bytes would hold a run for ever; and
    its decompression has no limit. The session must refuse redirects.
    """

    def __init__(self, *, seconds: float = TIMEOUT, limit: int = ANSWER_LIMIT) -> None:
        """Make an adapter for `requests.Session.mount`."""
        super().__init__()
        self._seconds = seconds
        self._limit = limit

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        """Return the answer, read whole. Raises requests' exceptions, ProviderError for an answer that is too large."""
        request.headers["Accept-Encoding"] = "gzip"
        result: SimpleQueue[requests.Response | BaseException] = SimpleQueue()

        def work() -> None:
            try:
                result.put(self._answer(request, *args, **kwargs))
            except BaseException as error:  # noqa: BLE001  raised by the thread that waits
                result.put(error)

        # A read can only be abandoned in a separate thread; the inner time-out closes its socket later.
        start = time.monotonic()
        threading.Thread(target=work, daemon=True).start()
        try:
            response = result.get(timeout=self._seconds)
        except Empty:
            _log_request(request, "no answer", start)
            raise requests.ReadTimeout(
                f"no whole answer within {durations.shown(self._seconds)}", request=request
            ) from None
        if isinstance(response, BaseException):
            _log_request(request, type(response).__name__, start)
            raise response
        _log_request(request, str(response.status_code), start)
        return response

    def _answer(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        arguments = dict(zip(("stream", "timeout", "verify", "cert", "proxies"), args, strict=False)) | kwargs
        response = super().send(request, **(arguments | {"stream": True, "timeout": self._seconds}))
        try:
            body = read_bounded(response.raw, response.headers.get("Content-Encoding", ""), self._limit)
        except HTTPError as error:
            response.close()
            raise requests.ConnectionError(error, request=request) from error
        except ProviderError as error:
            response.close()
            raise type(error)(f"the answer of {_site(request.url)} {error}") from None
        # As `requests` does once it has read the body.
        response._content = body
        response._content_consumed = True
        # Without an encoding, `requests` would try all encodings on the whole body.
        response.encoding = response.encoding or "utf-8"
        return response


def _site(url: object) -> str:
    site = re.match(r"(https?://)(?:[^/?#]*@)?([^/?#]*)", str(url))
    return untrusted.line(site[1] + site[2]) if site else "the server"


def read_bounded(raw: Any, encoding: str, limit: int) -> bytes:
    """Return the body of an answer of urllib3.

    Raises TooLargeError for more than `limit` bytes, HTTPError for damaged compression, ProviderError for an unknown
    encoding.
    """
    body = bytearray()
    inflate = _inflater(encoding)
    while chunk := raw.read(_CHUNK, decode_content=False):
        # One byte more than allowed shows that the body is too large.
        try:
            body += inflate.decompress(chunk, limit + 1 - len(body)) if inflate else chunk
        except zlib.error as error:
            raise HTTPError(f"the compressed answer is damaged ({error})") from error
        if len(body) > limit:
            raise TooLargeError(f"has more than {limit // 1024} KiB: check the remote's address and --api-url")
    if inflate and body and not inflate.eof:
        raise HTTPError("the compressed answer ends early")
    return bytes(body)


def _inflater(encoding: str) -> Any:
    match encoding.strip().lower():
        case "" | "identity":
            return None
        case "gzip" | "x-gzip":
            return zlib.decompressobj(16 + zlib.MAX_WBITS)
        case "deflate":
            return zlib.decompressobj()
    raise ProviderError(f"is compressed in a way nobody asked for ({untrusted.quoted(encoding)}): check for a proxy")
