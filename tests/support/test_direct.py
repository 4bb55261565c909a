"""A request that is answered without a connection has the answer, the log and the effects of one that has one."""

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from gitops_promotion.bounded_http import BoundedAdapter
from tests.forges.faults import Fault, Request, Response, reset, server_error, truncated
from tests.forges.server import Server
from tests.support import direct


def echo(request: Request) -> Response:
    """Say what came in: in the body, or with a status that the path asks for."""
    seen = {
        "method": request.method,
        "path": request.path,
        "query": dict(request.query),
        "headers": dict(request.headers),
        "body": request.body.decode(),
    }
    status = int(request.path.rpartition("/")[2] or 200)
    body = b"" if status == 204 else json.dumps(seen).encode()
    headers = {"Content-Type": "application/json", "Link": '<http://other.test>; rel="next"'}
    return Response(status=status, headers=headers, body=body)


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(echo, lambda _: "rest") as server:
        yield server


@pytest.fixture
def connections(server: Server, monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """The connections that the server gets."""
    found: list[object] = []
    meet = server.meet

    def count(connection: Any) -> None:
        found.append(connection)
        meet(connection)

    monkeypatch.setattr(server, "meet", count)
    return found


def ask(server: Server, method: str, target: str, **options: Any) -> object:
    """Send a request; returns all that the client and the log see of it."""
    with requests.Session() as session:
        session.trust_env = False
        try:
            answer = session.request(method, f"{server.url}{target}", timeout=10, allow_redirects=False, **options)
        except requests.RequestException as error:
            seen: object = type(error)
        else:
            headers = {name: value for name, value in answer.headers.items() if name != "Date"}
            assert answer.headers["Date"].endswith("GMT")
            seen = answer.status_code, answer.reason, headers, answer.content, answer.text, answer.url
        request = server.requests.pop()
        request.number = 0
        return seen, request


@pytest.mark.parametrize(
    ("method", "target", "options"),
    [
        ("GET", "/", {}),
        ("GET", "/a b/%C3%A9/200?q=%20+x&q=2&empty=", {"params": {"more": "é/?"}}),
        ("GET", "/404", {"headers": {"X-Own": "padded  "}}),
        ("GET", "/302", {}),
        ("DELETE", "/204", {}),
        ("OPTIONS", "/200", {"auth": ("user", "secret")}),
        ("POST", "/201", {"json": {"text": "é"}}),
        ("POST", "/201", {"data": "é".encode()}),  # text: requests 2.31 counts its characters
        ("POST", "/200", {"data": b""}),
        ("PATCH", "/200", {"data": {"form": "a&b"}}),
        ("PUT", "/500", {"data": b"bytes"}),
    ],
)
def test_all_that_can_be_seen_is_the_same(
    method: str, target: str, options: dict[str, Any], server: Server, connections: list[object], monkeypatch: Any
) -> None:
    by_http = ask(server, method, target, **options)
    assert len(connections) == 1
    monkeypatch.setattr(direct, "on", True)
    assert ask(server, method, target, **options) == by_http
    assert len(connections) == 1


@pytest.mark.parametrize("fault", [reset(), reset(done=True), truncated()], ids=lambda fault: fault.name)
def test_a_fault_that_is_asked_for_meanwhile_is_the_same(fault: Fault, server: Server, monkeypatch: Any) -> None:
    server.watch = lambda: server.faults.add(fault)
    by_http = ask(server, "GET", "/200")
    monkeypatch.setattr(direct, "on", True)
    assert ask(server, "GET", "/200") == by_http


@pytest.mark.parametrize(
    ("on", "faults", "here"),
    [(True, (), True), (True, (server_error(),), False), (False, (), False)],
    ids=["without a connection", "a fault", "by http"],
)
def test_a_bounded_request_takes_a_thread_with_its_connection_alone(
    on: bool, faults: tuple[Fault, ...], here: bool, server: Server, monkeypatch: Any
) -> None:
    monkeypatch.setattr(direct, "on", on)
    for fault in faults:
        server.faults.add(fault)
    threads: list[threading.Thread] = []

    class Noting(BoundedAdapter):
        def _answer(self, *args: Any, **kwargs: Any) -> requests.Response:
            threads.append(threading.current_thread())
            return super()._answer(*args, **kwargs)

    with requests.Session() as session:
        session.mount("http://", Noting())
        assert session.get(f"{server.url}/200", timeout=10).status_code == (502 if faults else 200)
    assert (threads == [threading.current_thread()]) is here


@pytest.mark.parametrize(
    "options",
    [
        {"data": iter([b"one", b"two"])},
        {"headers": {"X-Own": "é".encode("latin-1")}},
    ],
    ids=["chunks", "bytes in a header"],
)
def test_what_only_http_can_say_goes_by_it(
    options: dict[str, Any], server: Server, connections: list[object], monkeypatch: Any
) -> None:
    monkeypatch.setattr(direct, "on", True)
    ask(server, "POST", "/200", **options)
    assert len(connections) == 1


def test_a_fault_that_is_asked_for_is_met_by_http(server: Server, connections: list[object], monkeypatch: Any) -> None:
    monkeypatch.setattr(direct, "on", True)
    server.faults.add(reset())
    seen: Any = ask(server, "GET", "/200")
    assert seen[0] is requests.ConnectionError
    assert len(connections) == 1


def test_a_proxy_is_asked_and_a_closed_server_does_not_answer(server: Server, monkeypatch: Any) -> None:
    monkeypatch.setattr(direct, "on", True)
    with Server(lambda _: Response(status=418), lambda _: "rest") as proxy:
        answer = requests.get(f"{server.url}/200", proxies={"http": proxy.url}, timeout=10)
    assert answer.status_code == 418
    assert server.requests == []
    with pytest.raises(requests.ConnectionError):
        requests.get(proxy.url, timeout=10)
