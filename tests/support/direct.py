"""Requests of the library `requests` to a forge of this process, answered without a connection.

The thread that bounds the time of a request is spared with it. Faults that were asked for, proxies, what http cannot
send, and everything where `processes.spare` did not ask for this, still go by http. `test_direct.py` compares both.
"""

import http.client
import io
import threading
from collections.abc import Mapping
from email.utils import formatdate
from functools import cache
from types import SimpleNamespace
from typing import Any

from tests.support import served

on = False
"""Whether `requests` passes connections by."""


@cache
def prepare() -> None:
    """Let `requests` look here first, from now on."""
    import requests  # here: it takes as long as a hundred answers
    from requests.adapters import HTTPAdapter
    from urllib3 import HTTPResponse

    from gitops_promotion import bounded_http

    by_http, bounded = HTTPAdapter.send, bounded_http.BoundedAdapter.send

    def send(self: HTTPAdapter, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        server = on and _server_of(request, *args, **kwargs)
        if not server:
            return by_http(self, request, *args, **kwargs)
        body = request.body or b""
        answer, fault = server[0](
            str(request.method),
            request.path_url,
            {"host": str(request.url).split("/")[2]} | _headers(request.headers),
            body.encode() if isinstance(body, str) else body,
        )
        # A fault that was asked for when this request came in.
        act = fault.act if fault else ""
        if act == "reset":
            raise requests.ConnectionError(ConnectionResetError("Connection reset by peer"), request=request)
        headers = {"Date": formatdate(usegmt=True)} | dict(answer.headers)
        if answer.status != 204:
            headers["Content-Length"] = str(len(answer.body))
        raw = HTTPResponse(
            io.BytesIO(answer.body[: len(answer.body) // 2] if act == "truncated" else answer.body),
            headers=headers,
            status=answer.status,
            version=11,
            reason=http.client.responses.get(answer.status, "Unknown"),
            preload_content=False,
            decode_content=False,
            enforce_content_length=True,
            request_method=request.method,
        )
        return self.build_response(request, raw)

    def send_bounded(self: Any, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        before, _now.here = _now.here, bool(on and _server_of(request, *args, **kwargs))
        try:
            return bounded(self, request, *args, **kwargs)
        finally:
            _now.here = before

    HTTPAdapter.send = send  # type: ignore[method-assign]  # for the sessions of the SDKs too
    bounded_http.BoundedAdapter.send = send_bounded  # type: ignore[method-assign]  # it starts the thread
    vars(bounded_http)["threading"] = SimpleNamespace(Thread=_Thread)


class _Now(threading.local):
    here = False
    """Whether this thread sends a request that needs no connection, and so no thread that could be abandoned."""


_now = _Now()


class _Thread(threading.Thread):
    def start(self) -> None:
        if _now.here:
            self.run()
        else:
            super().start()


def _server_of(request: Any, *args: object, proxies: Mapping[str, str] | None = None, **_: object) -> Any:
    """Return a server of this process that answers a request as it would by http; None for all others."""
    found = served.find(request.url)
    can_answer = (
        found
        and not found[1].pending
        # Positional arguments may be the proxies.
        and not args
        and not any((proxies or {}).values())
        and isinstance(request.body, bytes | str | None)
        and "Transfer-Encoding" not in request.headers
        and all(isinstance(value, str) and value.isascii() for value in request.headers.values())
    )
    return found if can_answer else None


def _headers(headers: Mapping[str, Any]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}
