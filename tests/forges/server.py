"""HTTP on loopback: reads requests, keeps the log, lets faults happen. What the answers are is a forge's own affair."""

import http.client
import io
import itertools
import socket
import struct
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self
from urllib.parse import parse_qsl, unquote, urlsplit

from tests.forges.faults import Fault, Faults, Kind, Request, Response
from tests.support import direct, served

SECRETS = {"authorization", "private-token", "cookie"}
"""Headers that the log leaves out."""


class _Listener(ThreadingHTTPServer):
    """Ends at once. `serve_forever` looks up from time to time, and `shutdown` waits for that: long for each test."""

    daemon_threads = False
    _ended = False

    def listen(self) -> None:
        while not self._ended:
            self.handle_request()

    def end(self) -> None:
        self._ended = True
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", self.server_port)).close()

    def verify_request(self, *_: object) -> bool:
        return not self._ended


class Server:
    """Runs `answer` for each request, in a thread of its own, until it is closed."""

    def __init__(self, answer: Callable[[Request], Response], kind: Callable[[str], Kind]) -> None:
        self.faults = Faults()
        self.requests: list[Request] = []
        self.watch: Callable[[], object] = lambda: None
        self._numbers = itertools.count(1)
        self._answer = answer
        self._kind = kind
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._connections: set[socket.socket] = set()
        handler = type("Bound", (_Handler,), {"owner": self})
        self._http = _Listener(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(target=self._http.listen)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        served.open_server(self.url, self.serve, self.faults)
        direct.prepare()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        served.close_server(self.url)
        self._closing.set()
        self._http.end()
        self._thread.join()
        with self._lock:
            for connection in self._connections:
                # A client that keeps its connection would keep our thread.
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        self._http.server_close()

    def meet(self, connection: socket.socket) -> None:
        with self._lock:
            self._connections.add(connection)

    def leave(self, connection: socket.socket) -> None:
        with self._lock:
            self._connections.discard(connection)

    def serve(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> tuple[Response, Fault | None]:
        """Log one request and return its answer with the fault that the sending of it has to play."""
        parts = urlsplit(target)
        shown = {name: value for name, value in headers.items() if name not in SECRETS}
        kind = self._kind(parts.path)
        with self._lock:
            request = Request(
                number=next(self._numbers),
                kind=kind,
                method=method,
                path=unquote(parts.path) if kind != "git" else parts.path,
                query=dict(parse_qsl(parts.query, keep_blank_values=True)),
                headers=shown,
                body=body,
            )
            self.requests.append(request)
        self.watch()
        fault = self.faults.take(request)
        request.fault = fault.name if fault else ""
        if fault and fault.seconds:
            self._closing.wait(fault.seconds)
        whole = replace(request, headers=headers)
        response = Response(status=0)
        if fault is None or fault.done:
            response = self._answer(whole)
        if fault:
            response = fault.spoil(response)
        request.actor = whole.actor
        request.status = 0 if fault and fault.act == "reset" else response.status
        request.sent = len(response.body)
        return response, fault


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    # With the default of unbuffered writes each line of a reply is a packet, and the last ones wait 40 ms.
    wbufsize = -1
    owner: Server

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the name is http.server's
        pass

    def setup(self) -> None:
        super().setup()
        self.owner.meet(self.connection)

    def finish(self) -> None:
        self.owner.leave(self.connection)
        with suppress(OSError):
            super().finish()

    def handle(self) -> None:
        with suppress(ConnectionError):
            super().handle()

    def do_OPTIONS(self) -> None:
        self._serve()

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_PUT(self) -> None:
        self._serve()

    def do_PATCH(self) -> None:
        self._serve()

    def do_DELETE(self) -> None:
        self._serve()

    def _serve(self) -> None:
        # A header that was sent twice is shown twice.
        headers = {name.lower(): ", ".join(self.headers.get_all(name, [])) for name in self.headers}
        response, fault = self.owner.serve(self.command, self.path, headers, self._read())
        if fault and fault.act == "reset":
            # No lingering, and closed here, before the server would say goodbye: the client sees a reset, not an end.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            self.wfile.close()
            self.rfile.close()
            self.connection.close()
            # For http.server, which would flush it once more.
            self.wfile = io.BytesIO()
            return
        self.send_response_only(response.status, http.client.responses.get(response.status, "Unknown"))
        if "Date" not in response.headers:
            self.send_header("Date", self.date_time_string())
        for name, value in response.headers.items():
            self.send_header(name, value)
        if response.status != 204:
            self.send_header("Content-Length", str(len(response.body)))
        self.end_headers()
        if fault and fault.act == "truncated":
            self.wfile.write(response.body[: len(response.body) // 2])
            self.close_connection = True
        else:
            self.wfile.write(response.body)
        self.wfile.flush()

    def _read(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        chunks = []
        while size := int(self.rfile.readline(), 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)
