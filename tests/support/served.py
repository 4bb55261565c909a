"""The servers of the forges in this process, for clients of this process that need no http.

A request still passes the server: its log, its faults, who may do what, and what follows from it.
"""

import itertools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from tests.support.plain import FAULTS, NotPlainError, check

KEY = "x-act"
"""The header that names what is to be done in place of git."""

Serve = Callable[[str, str, Mapping[str, str], bytes], Any]


class Faults(Protocol):
    @property
    def pending(self) -> int: ...

    @property
    def pending_of_git(self) -> int: ...


_servers: dict[str, tuple[Serve, Faults]] = {}
_acts: dict[str, Callable[[Path], object]] = {}
_numbers = itertools.count()


def open_server(url: str, serve: Serve, faults: Faults) -> None:
    """Let `ask` find a server."""
    _servers[url] = serve, faults


def close_server(url: str) -> None:
    _servers.pop(url, None)


def find(url: str) -> tuple[Serve, Faults] | None:
    """Return the server of an address, if it is one of this process."""
    parts = urlsplit(url)
    return _servers.get(f"{parts.scheme}://{parts.netloc}")


def act_of(headers: Mapping[str, str]) -> Callable[[Path], object] | None:
    """Return what a request wants done with the folder of the repository; None for one that came by http."""
    return _acts.pop(headers.get(KEY, ""), None)


def ask(
    url: str, authorization: str, service: str, *, method: str = "POST", act: Callable[[Path], object] = lambda _: None
) -> None:
    """Send a request of git's for a repository. Raises NotPlainError if it is not done."""
    parts = urlsplit(url)
    found = find(url)
    check(found is not None)
    assert found
    serve, faults = found
    check(not faults.pending_of_git)
    raised: list[Exception] = []

    def do(folder: Path) -> None:
        try:
            act(folder)
        except FAULTS as error:
            raised.append(error)

    key = str(next(_numbers))
    _acts[key] = do
    headers = {"authorization": authorization, "git-protocol": "version=2", KEY: key}
    target = f"{parts.path}/info/refs?service=git-{service}" if method == "GET" else f"{parts.path}/git-{service}"
    response, _ = serve(method, target, headers, b"")
    done = _acts.pop(key, None) is None
    if raised or not done or response.status != 200:
        raise NotPlainError
