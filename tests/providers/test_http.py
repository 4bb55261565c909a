"""Answers of hostile and broken servers: every request ends, in time and in memory."""

import gzip
import io
import logging
import re
import socket
import threading
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests

from gitops_promotion.bounded_http import BoundedAdapter, read_bounded
from gitops_promotion.errors import ProviderError
from gitops_promotion.providers.http import (
    branch_name,
    checked,
    items,
    retry_after,
    until_reset,
)

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SECONDS = 0.2
Serve = Callable[[socket.socket, threading.Event], None]


@pytest.fixture
def fetch() -> Iterator[Callable[..., requests.Response]]:
    """Return a function that asks a server which answers one connection with `serve`."""
    stop = threading.Event()
    opened: list[socket.socket] = []

    def fetch_from(serve: Serve, *, seconds: float = 10.0, limit: int = 1000) -> requests.Response:
        listening = socket.create_server(("127.0.0.1", 0))
        opened.append(listening)

        def answer() -> None:
            connection, _ = listening.accept()
            opened.append(connection)
            connection.recv(65536)
            try:
                serve(connection, stop)
                connection.close()
            except OSError:
                return

        threading.Thread(target=answer, daemon=True).start()
        session = requests.Session()
        session.mount("http://", BoundedAdapter(seconds=seconds, limit=limit))
        return session.get(f"http://127.0.0.1:{listening.getsockname()[1]}/x", allow_redirects=False)

    yield fetch_from
    stop.set()
    for each in opened:
        each.close()


def once(body: bytes, *headers: str) -> Serve:
    head = "\r\n".join(["HTTP/1.1 200 OK", "Content-Type: application/json", *headers, "Connection: close", "", ""])
    return lambda connection, _: connection.sendall(head.encode() + body)


def drip(start: bytes, drop: bytes) -> Serve:
    def serve(connection: socket.socket, stop: threading.Event) -> None:
        connection.sendall(start)
        while not stop.wait(SECONDS / 10):
            connection.sendall(drop)

    return serve


@pytest.mark.parametrize(
    "body", [once(b"{}"), once(b"{}", "Content-Length: 2"), once(b"2\r\n{}\r\n0\r\n\r\n", "Transfer-Encoding: chunked")]
)
def test_an_answer_of_every_framing_is_read(fetch: Callable[..., requests.Response], body: Serve) -> None:
    assert fetch(body).json() == {}


@pytest.mark.parametrize(
    ("name", "packed"),
    [("gzip", gzip.compress(b'{"a": 1}')), ("deflate", zlib.compress(b'{"a": 1}'))],
    ids=["gzip", "deflate"],
)
def test_a_compressed_answer_is_read(fetch: Callable[..., requests.Response], name: str, packed: bytes) -> None:
    assert fetch(once(packed, f"Content-Encoding: {name}")).json() == {"a": 1}


@pytest.mark.parametrize(
    "serve",
    [
        once(b" " * 1001),
        once(b" " * 1001, "Content-Length: 1001"),
        once(gzip.compress(b" " * 1_000_000), "Content-Encoding: gzip"),
        once(zlib.compress(b" " * 1_000_000), "Content-Encoding: deflate"),
        once(b"3E9\r\n" + b" " * 1001 + b"\r\n0\r\n\r\n", "Transfer-Encoding: chunked"),
    ],
    ids=["endless", "announced", "gzip bomb", "deflate bomb", "chunked"],
)
def test_an_answer_that_is_too_large_is_one_clear_line(fetch: Callable[..., requests.Response], serve: Serve) -> None:
    with pytest.raises(ProviderError, match=r"^the answer of http://127\.0\.0\.1:\d+ has more than 0 KiB: check"):
        fetch(serve)


def test_an_answer_of_exactly_the_limit_is_read(fetch: Callable[..., requests.Response]) -> None:
    assert len(fetch(once(b" " * 1000)).content) == 1000
    assert len(fetch(once(gzip.compress(b" " * 1000), "Content-Encoding: gzip")).content) == 1000


@pytest.mark.parametrize(("count", "length"), [(100, 1), (1, 65_536)], ids=["many", "long"])
def test_headers_have_a_number_and_a_length(fetch: Callable[..., requests.Response], count: int, length: int) -> None:
    with pytest.raises(requests.ConnectionError):
        fetch(once(b"{}", *(f"X-{number}: {'x' * length}" for number in range(count))))


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip"])
def test_an_encoding_that_was_not_asked_for_is_refused(fetch: Callable[..., requests.Response], encoding: str) -> None:
    with pytest.raises(ProviderError, match="is compressed in a way nobody asked for"):
        fetch(once(b"x", f"Content-Encoding: {encoding}"))


@pytest.mark.parametrize("body", [gzip.compress(b"{}" * 99)[:-9], b"no gzip at all"], ids=["cut off", "no gzip at all"])
def test_a_damaged_compressed_answer_is_a_connection_error(
    fetch: Callable[..., requests.Response], body: bytes
) -> None:
    with pytest.raises(requests.ConnectionError):
        fetch(once(body, "Content-Encoding: gzip"))


@pytest.mark.parametrize(
    ("start", "drop"),
    [
        (b"", b""),
        (b"HTTP/1.1 200 OK\r\n", b"X"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n", b" "),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"0"),
    ],
    ids=["silence", "headers", "body", "chunks"],
)
def test_the_time_out_is_for_the_whole_request(
    fetch: Callable[..., requests.Response], start: bytes, drop: bytes
) -> None:
    with pytest.raises(requests.Timeout):
        fetch(drip(start, drop), seconds=SECONDS)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("7", 7.0),
        ("7.5", 7.5),
        (" 7 ", 7.0),
        ("Sun, 01 Mar 2026 12:01:00 GMT", 60.0),
        ("Sun, 01 Mar 2026 11:00:00 GMT", 0.0),
        ("", None),
        ("soon", None),
        ("-7", None),
        ("9" * 40, None),
        ("Sun, 99 Mar 2026 12:01:00 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(text: str, seconds: float | None) -> None:
    assert retry_after({"retry-after": text}, lambda: NOW) == seconds


def test_a_reset_is_waited_for_one_second_longer() -> None:
    reset = str(int((NOW + timedelta(seconds=30)).timestamp()))
    assert until_reset({"x-ratelimit-reset": reset}, lambda: NOW) == 31
    assert until_reset({"x-ratelimit-reset": "0"}, lambda: NOW) == 1
    assert until_reset({"x-ratelimit-reset": "soon"}, lambda: NOW) is None
    assert until_reset({}, lambda: NOW) is None


@pytest.mark.parametrize("value", [None, "7", True, 7.0, [7]])
def test_a_field_of_another_type_is_one_clear_line(value: object) -> None:
    with pytest.raises(ProviderError, match="the answer of GitHub has no number that can be read"):
        checked(value, int, "number", "GitHub")


@pytest.mark.parametrize("value", [None, 7, "x" * 1025])
def test_a_branch_name_of_another_type_or_without_end_is_one_clear_line(value: object) -> None:
    assert branch_name("x" * 1024, "ref", "GitHub") == "x" * 1024
    with pytest.raises(ProviderError, match="the answer of GitHub has no ref that can be read"):
        branch_name(value, "ref", "GitHub")


@pytest.mark.parametrize("value", [{}, "x", 5, True])
def test_a_list_of_another_type_is_one_clear_line(value: object) -> None:
    assert items(None, "GitHub") == []
    assert items([1], "GitHub") == [1]
    with pytest.raises(ProviderError, match="has no list"):
        items(value, "GitHub")


def test_a_connection_serves_many_requests() -> None:
    ports: list[int] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            ports.append(self.client_address[1])
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with requests.Session() as session:
            session.mount("http://", BoundedAdapter())
            for _ in range(3):
                assert session.get(f"http://127.0.0.1:{server.server_port}/").json() == {}
        server.shutdown()
    assert len(ports) == 3
    assert len(set(ports)) == 1


@pytest.mark.parametrize(("name", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_a_bomb_is_never_inflated_beyond_the_limit(name: str, pack: Callable[[bytes], bytes]) -> None:
    packed = pack(bytes(20_000_000))
    assert len(packed) < 65536
    tracemalloc.start()
    try:
        with pytest.raises(ProviderError, match="has more than 97 KiB"):
            read_bounded(Raw(packed), name, 100_000)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1_000_000


class Raw(io.BytesIO):
    """The body of an answer as urllib3 gives it."""

    def read(self, size: int | None = -1, *, decode_content: bool = False) -> bytes:
        assert not decode_content
        return super().read(size)


def test_a_request_is_logged_with_its_status_and_time(
    fetch: Callable[..., requests.Response], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "gitops_promotion")
    fetch(once(b"{}"))
    with pytest.raises(requests.ReadTimeout):
        fetch(drip(b"HTTP/1.1 200 OK\r\n\r\n", b"x"), seconds=0.2)
    first, second = (r.getMessage() for r in caplog.records if r.name.endswith("bounded_http"))
    assert re.fullmatch(r"GET http://127\.0\.0\.1:\d+/\S* 200 \d+ ms", first)
    assert re.fullmatch(r"GET http://127\.0\.0\.1:\d+/\S* no answer \d+ ms", second)
