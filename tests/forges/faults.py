"""What goes wrong on demand: which request is hit, and what becomes of its answer.

    github.faults.add(server_error(502), method="POST", path=r"/pulls$")      the next such request only
    github.faults.add(reset(done=True), number=3)                             the third request from now on
    github.faults.add(secondary_limit(retry_after=7), kind="graphql", times=2)

A fault with `done=True` lets the request take effect first and spoils only the answer: the case in which a client that
repeats its request must not do things twice.
"""

import json
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal
from urllib.parse import urlencode

Kind = Literal["git", "rest", "graphql"]


@dataclass(kw_only=True)
class Request:
    """One request as it came in. Those of the log have no Authorization header; `status` is 0 where none was sent.

    `sent` is the size of the answer's body in bytes.
    """

    number: int
    kind: Kind
    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    actor: str = ""
    status: int = 0
    sent: int = 0
    fault: str = ""

    @property
    def target(self) -> str:
        """Path and query as the client wrote them, in one way of writing."""
        return f"{self.path}?{urlencode(self.query)}" if self.query else self.path

    @property
    def json(self) -> object:
        """The body as JSON, None where there is none."""
        return json.loads(self.body) if self.body else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """One answer; `headers` may repeat no name."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


def reply(status: int, value: object = None, headers: Mapping[str, str] | None = None) -> Response:
    """Return an answer in JSON; without a value it has no body."""
    shown = {"Content-Type": "application/json; charset=utf-8"} | dict(headers or {})
    return Response(status=status, headers=shown, body=b"" if value is None else json.dumps(value).encode())


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What happens instead of, or after, the answer."""

    act: Literal["answer", "reset", "slow", "malformed", "truncated"]
    name: str
    answer: Response | None = None
    seconds: float = 0.0
    done: bool = False

    def spoil(self, response: Response) -> Response:
        """Return what is sent in place of a good answer."""
        if self.act == "malformed":
            return replace(response, body=b"<html>" + response.body[: len(response.body) // 2])
        return self.answer or response


def server_error(status: int = 502, *, done: bool = False) -> Fault:
    """The proxy's page, which is not JSON."""
    page = Response(status=status, headers={"Content-Type": "text/html"}, body=b"<html><title>Unicorn!</title></html>")
    return Fault(act="answer", name=f"{status}", answer=page, done=done)


def reset(*, done: bool = False) -> Fault:
    """The connection breaks before an answer."""
    return Fault(act="reset", name="reset", done=done)


def slow(seconds: float) -> Fault:
    """The answer comes late; closing the server ends the wait."""
    return Fault(act="slow", name=f"slow {seconds}", seconds=seconds, done=True)


def malformed(*, done: bool = True) -> Fault:
    """An answer that says it is JSON and is not."""
    return Fault(act="malformed", name="malformed", done=done)


def truncated(*, done: bool = True) -> Fault:
    """The connection ends in the middle of the answer."""
    return Fault(act="truncated", name="truncated", done=done)


def refusal(status: int, message: str, headers: Mapping[str, str] | None = None) -> Fault:
    """Any refusal in GitHub's form."""
    value = {"message": message, "documentation_url": "https://docs.github.com/rest", "status": str(status)}
    return Fault(act="answer", name=f"{status} {message}", answer=reply(status, value, headers))


def primary_limit(*, reset_at: int, status: int = 403) -> Fault:
    """The hour's requests are used up until `reset_at` (seconds since the epoch)."""
    headers = {"X-RateLimit-Limit": "5000", "X-RateLimit-Remaining": "0", "X-RateLimit-Used": "5000"}
    headers |= {"X-RateLimit-Reset": str(reset_at), "X-RateLimit-Resource": "core"}
    return refusal(status, "API rate limit exceeded for user ID 1.", headers)


def secondary_limit(*, retry_after: int | None = 60, status: int = 403) -> Fault:
    """Too many requests at once; GitHub does not always say how long to wait."""
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    message = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."
    return refusal(status, message, headers)


def bad_credentials() -> Fault:
    """401, as for a token that was revoked."""
    return refusal(401, "Bad credentials")


def forbidden(*, permissions: str = "pull_requests=write") -> Fault:
    """403, as for an App's or a workflow's token that lacks a permission."""
    headers = {"X-Accepted-GitHub-Permissions": permissions}
    return refusal(403, "Resource not accessible by integration", headers)


def sso(*, url: str = "https://github.com/orgs/acme/sso?authorization_request=A1") -> Fault:
    """403, as for a personal token that was not authorized for the organization's single sign-on."""
    message = (
        "Resource protected by organization SAML enforcement. You must grant your Personal Access token access to "
        "this organization."
    )
    return refusal(403, message, {"X-GitHub-SSO": f"required; url={url}"})


def not_found() -> Fault:
    """404, also GitHub's answer for a private repository that the token may not see."""
    return refusal(404, "Not Found", {"X-OAuth-Scopes": "", "X-Accepted-OAuth-Scopes": "repo"})


@dataclass(kw_only=True)
class _Planned:
    fault: Fault
    kind: Kind | Literal["api", "any"]
    method: str
    path: str
    body: str
    skip: int
    times: int

    def hits(self, request: Request) -> bool:
        if self.kind not in (request.kind, "any") and not (self.kind == "api" and request.kind != "git"):
            return False
        return (
            self.method in ("", request.method)
            and re.search(self.path, request.path) is not None
            and re.search(self.body, request.body.decode(errors="replace")) is not None
        )


class Faults:
    """The faults that are still to come, in the order they were added; one request meets at most one of them."""

    def __init__(self) -> None:
        self._planned: list[_Planned] = []
        self._lock = threading.Lock()

    def add(
        self,
        fault: Fault,
        *,
        kind: Kind | Literal["api", "any"] = "api",
        method: str = "",
        path: str = "",
        body: str = "",
        number: int = 1,
        times: int = 1,
    ) -> None:
        """Hit `times` requests that match, from the `number`-th match on; `path` and `body` are searched for.

        `kind` "api" is REST and GraphQL, "any" is git's own requests too.
        """
        planned = _Planned(fault=fault, kind=kind, method=method, path=path, body=body, skip=number - 1, times=times)
        with self._lock:
            self._planned.append(planned)

    def clear(self) -> None:
        """Forget those that have not happened."""
        with self._lock:
            self._planned.clear()

    @property
    def pending(self) -> int:
        """How many are still to come: a test that means to have met its fault asserts 0."""
        return sum(planned.times for planned in self._planned)

    @property
    def pending_of_git(self) -> int:
        """How many of them a request of git can meet."""
        return sum(planned.times for planned in self._planned if planned.kind in ("git", "any"))

    def take(self, request: Request) -> Fault | None:
        """Return the fault of this request, if it has one."""
        with self._lock:
            chosen = None
            for planned in self._planned:
                if not planned.hits(request):
                    continue
                if planned.skip:
                    planned.skip -= 1
                elif chosen is None and planned.times:
                    planned.times -= 1
                    chosen = planned.fault
            self._planned = [planned for planned in self._planned if planned.times]
            return chosen
