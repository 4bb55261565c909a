"""Sends requests to GitHub: signs and repeats them, translates failures. Only this module loads PyGithub."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast
from urllib.parse import urlsplit

import requests

from gitops_promotion.bounded_http import TIMEOUT, BoundedAdapter
from gitops_promotion.core import durations, untrusted
from gitops_promotion.errors import AuthError, ProviderError, TransientError
from gitops_promotion.partial_import import without_init
from gitops_promotion.providers.github.address import Address
from gitops_promotion.providers.github.answers import items
from gitops_promotion.providers.http import (
    PAGES,
    RefusedError,
    Repeats,
    retry_after,
    until_reset,
)

if TYPE_CHECKING:
    from github.Auth import Auth

# `github/__init__.py` loads a class for each kind of object that GitHub knows: half of the time, and none is used here.
with without_init("github"):
    from github.Requester import HTTPSRequestsConnectionClass, Requester, RequestsResponse

PAGE = 100
"""Items of a page: the most GitHub gives."""
SECONDARY_LIMIT = 60.0
"""Seconds to wait after a secondary rate limit that names no time (GitHub's own advice)."""

_SSO = re.compile(r"url=(https://[^\s;,]{1,300})")
# What PyGithub raises for an answer of an unexpected shape.
_SHAPE_ERRORS = (ArithmeticError, AssertionError, AttributeError, LookupError, RuntimeError, TypeError)
T = TypeVar("T")


class Signer(Protocol):
    """What PyGithub asks of an authentication (github.Auth.Auth)."""

    def authentication(self, headers: dict[str, Any]) -> None:
        """Add the header that signs a request."""

    def mask_authentication(self, headers: dict[str, Any]) -> None:
        """Replace that header, for logs."""


class TokenSigner:
    """Signs each request with the token that `source` gives at that moment."""

    def __init__(self, source: Callable[[], str]) -> None:
        """Keep the source of tokens."""
        self._source = source

    def authentication(self, headers: dict[str, Any]) -> None:
        """Add the token, as GitHub's own clients write it."""
        headers["Authorization"] = f"token {self._source()}"

    def mask_authentication(self, headers: dict[str, Any]) -> None:
        """Replace the token."""
        headers["Authorization"] = "(removed)"


def app_auth(app: str, key: str) -> Signer:
    """Return the signer of a GitHub App. Raises ValueError, with nothing of the key in it, if it cannot sign."""
    # Only this needs the class, and with it `cryptography`.
    with without_init("github"):
        from github.Auth import AppAuth

    try:
        auth = AppAuth(app, key)
        auth.create_jwt()
    except Exception as error:  # noqa: BLE001  whatever the cryptography raises for a damaged key
        raise ValueError(type(error).__name__) from None
    return auth


class _Connection(HTTPSRequestsConnectionClass):
    """PyGithub's connection to one host, with bounded requests, which go to no other host."""

    def __init__(self, api: str) -> None:
        site = urlsplit(api)
        super().__init__(site.hostname or "", site.port, timeout=int(TIMEOUT))
        self.protocol = site.scheme
        self.port = site.port or (443 if site.scheme == "https" else 80)
        # Any value keeps a .netrc from winning over the token.
        self.session.auth = _as_it_is
        self.session.mount(f"{site.scheme}://", BoundedAdapter())

    def getresponse(self) -> RequestsResponse:
        """Return the answer. Raises TransientError for a 202 to a GET, ProviderError for a redirect.

        PyGithub would follow a 301 and ask again after a 202, both without end.
        """
        response = super().getresponse()
        if response.status == 202 and self.verb == "GET":
            raise TransientError(f"{self.protocol}://{self.host} is still working on an answer: run again")
        if response.status in (301, 302, 303, 307, 308):
            place = untrusted.line(str(response.headers.get("location", "")))
            raise ProviderError(
                f"{self.protocol}://{self.host} redirects to {place or 'another address'}: put the repository's "
                "present address in with `git remote set-url`, or check --api-url"
            )
        return response


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


class Api:
    """Sends requests to one repository's API; translates failures into this program's errors, and repeats requests."""

    def __init__(
        self,
        address: Address,
        auth: Signer,
        *,
        now: Callable[[], datetime],
        sleep: Callable[[float], None],
        unauthorized: Callable[[str, Mapping[str, str]], AuthError] | None = None,
    ) -> None:
        """Send nothing yet. `unauthorized` makes the error of an answer 401, from its reason and headers."""
        self._requester = Requester(
            auth=cast("Auth", auth),
            base_url=address.api,
            timeout=int(TIMEOUT),
            user_agent="gitops-promotion",
            per_page=PAGE,
            verify=True,
            # Its own retry repeats writes, and its pauses add up (docs/facts/forges.md).
            retry=None,
            pool_size=None,
            seconds_between_requests=None,
            seconds_between_writes=None,
        )
        self._connection = _Connection(address.api)
        self._address = address
        self._now = now
        self._repeats = Repeats(sleep)
        self._unauthorized = unauthorized or self._token_rejected

    def rest(
        self,
        verb: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        needs: str = "",
        parameters: Mapping[str, object] | None = None,
        find_made: Callable[[], Any] | None = None,
    ) -> tuple[Any, Mapping[str, str]]:
        """Return the JSON and the headers of an answer; `needs` is the permission to name if one is missing.

        `find_made` is asked before the request is repeated: it returns the JSON of what an earlier try has made, None
        if there is nothing.
        """

        def find_answer() -> tuple[Any, Mapping[str, str]] | None:
            made = find_made() if find_made else None
            return None if made is None else (made, {})

        return self._send(lambda: self._once(verb, path, body, needs, parameters), find_answer)

    def pages(self, path: str, parameters: Mapping[str, object], *, needs: str) -> Iterator[Any]:
        """Yield the items of all pages of a list. Raises ProviderError for more than PAGES pages."""
        for page in range(1, PAGES + 1):
            query = {**parameters, "per_page": PAGE, "page": page}
            document, headers = self.rest("GET", path, needs=needs, parameters=query)
            yield from items(document)
            # The server's address of the next page is not used: only that there is one counts.
            if 'rel="next"' not in headers.get("link", ""):
                return
        raise ProviderError(f"{self._address.repository} has more than {PAGES * PAGE} of {path}: close old ones")

    def graphql(self, query: str, variables: Mapping[str, object], *, needs: str = "") -> Mapping[str, Any]:
        """Return the data of a GraphQL request. Raises AuthError, TransientError, ProviderError, as REST does."""
        body = {"query": query, "variables": dict(variables)}

        def request_once() -> Mapping[str, Any]:
            document, headers = self._once("POST", self._requester.graphql_url, body, needs)
            if isinstance(document, dict) and (errors := document.get("errors")):
                raise self._failure(404 if _is_not_found(errors) else 400, headers, document, needs)
            data = document.get("data") if isinstance(document, dict) else None
            if not isinstance(data, dict):
                raise TransientError(f"{self._address.api} sent an answer without data: run again")
            return data

        return self._send(request_once)

    def _once(
        self,
        verb: str,
        url: str,
        body: Mapping[str, Any] | None,
        needs: str,
        parameters: Mapping[str, object] | None = None,
    ) -> tuple[Any, Mapping[str, str]]:
        status, headers, text = self._requester.requestJson(
            verb, url, parameters=dict(parameters or {}), input=body, cnx=self._connection
        )
        headers = {str(name).lower(): str(value) for name, value in headers.items()}
        try:
            document = json.loads(text) if text else None
        except ValueError:
            if status < 400:
                raise
            document = None
        if status >= 400:
            raise self._failure(status, headers, document, needs)
        return document, headers

    def _send(self, request_once: Callable[[], T], find_made: Callable[[], T | None] | None = None) -> T:
        def translated() -> T:
            try:
                return request_once()
            except ProviderError:
                raise
            except OSError as error:  # the exceptions of requests are OSErrors
                raise self._unreachable(error) from error
            except (ValueError, RecursionError) as error:  # half a JSON document, or a bottomless one
                raise TransientError(f"{self._address.api} sent an unreadable answer: run again") from error
            except _SHAPE_ERRORS as error:
                # PyGithub takes the shape of answers for granted.
                raise ProviderError(
                    f"{self._address.api} does not answer as GitHub's API does ({type(error).__name__}): "
                    "check --api-url and the remote's address"
                ) from error

        return self._repeats(translated, find_made)

    def _unreachable(self, error: OSError) -> ProviderError:
        if type(error).__name__ == "SSLError":
            return ProviderError(
                f"the certificate of {self._address.api} is not trusted: set REQUESTS_CA_BUNDLE to your CA's "
                "certificate file"
            )
        problem = (
            f"did not answer within {durations.shown(TIMEOUT)}"
            if "Timeout" in type(error).__name__
            else "cannot be reached, or closed the connection"
        )
        return TransientError(
            f"{self._address.api} {problem} ({type(error).__name__}): check the network and run again"
        )

    def _failure(self, status: int, headers: Mapping[str, str], document: object, needs: str) -> ProviderError:
        """Return the error for a refused request; `document` is the JSON of the answer, None for any other answer."""
        reason, kinds = _reason(document)
        repository = self._address.repository
        if status == 401:
            return self._unauthorized(reason, headers)
        if status in (403, 429) or "RATE_LIMITED" in kinds:
            seconds = self._rate_limit(headers, reason, status, kinds)
            if seconds is not None:
                return TransientError(
                    f"GitHub's rate limit for {repository} is used up ({reason}): run again in "
                    f"{durations.shown(seconds)}",
                    retry_after=seconds,
                )
        if status == 403 or not kinds.isdisjoint({"FORBIDDEN", "INSUFFICIENT_SCOPES"}):
            return AuthError(_forbidden(repository, reason, headers, needs))
        if status >= 500 or status == 408 or "Something went wrong while executing your query" in reason:
            return TransientError(
                f"{self._address.api} failed ({status} {reason}): run again",
                retry_after=retry_after(headers, self._now),
            )
        return RefusedError(
            f"GitHub refused for {repository}: {reason} ({status}); check the token's rights there and run again",
            status=status,
            reason=reason,
        )

    def _token_rejected(self, reason: str, _headers: Mapping[str, str]) -> AuthError:
        return AuthError(
            f"{self._address.api} does not accept the token ({reason}): it is wrong, expired or another server's; "
            "check --token, GITOPS_PROMOTION_TOKEN or GITHUB_TOKEN"
        )

    def _rate_limit(self, headers: Mapping[str, str], reason: str, status: int, kinds: set[str]) -> float | None:
        """Return the seconds to wait; None if it is no rate limit."""
        if (seconds := retry_after(headers, self._now)) is not None:
            return seconds
        if headers.get("x-ratelimit-remaining") == "0":
            seconds = until_reset(headers, self._now)
        if seconds is not None:
            return seconds
        is_limit = status == 429 or "RATE_LIMITED" in kinds or "rate limit" in reason.lower()
        return SECONDARY_LIMIT if is_limit else None


def _is_not_found(errors: object) -> bool:
    only = errors[0] if isinstance(errors, list) and len(errors) == 1 else None
    return isinstance(only, dict) and only.get("type") == "NOT_FOUND"


def _forbidden(repository: str, reason: str, headers: Mapping[str, str], needs: str) -> str:
    """Return the message about the missing permission, as exactly as GitHub's headers allow."""
    if "required" in headers.get("x-github-sso", "") or "SAML" in reason:
        url = _SSO.search(headers.get("x-github-sso", ""))
        next_step = f"at {untrusted.line(url[1])}" if url else "with `Configure SSO` beside the token in your settings"
        return (
            f"the organisation of {repository} demands that the token is authorized for its single sign-on: "
            f"do that {next_step}"
        )
    permissions = untrusted.line(headers.get("x-accepted-github-permissions", "").replace("=", ": ")) or needs
    if permissions:
        return f"the token may not do that on {repository} ({reason}): give it the permission {permissions}"
    scopes = untrusted.line(headers.get("x-accepted-oauth-scopes", "")) or "repo"
    return f"the token may not do that on {repository} ({reason}): give it the scope {scopes}"


def _reason(document: object) -> tuple[str, set[str]]:
    """Return the reason of a refusal, as one short line, and the types of the GraphQL errors in it."""
    texts: list[object] = []
    kinds: set[str] = set()
    if isinstance(document, dict):
        texts.append(document.get("message"))
        errors = document.get("errors")
        for error in errors if isinstance(errors, list) else ():
            if isinstance(error, dict):
                texts.append(error.get("message") or f"{error.get('field', '')} {error.get('code', '')}".strip())
                kinds.add(str(error.get("type", "")))
            else:
                texts.append(error)
    reason = "; ".join(dict.fromkeys(text for text in texts if isinstance(text, str) and text))
    return untrusted.line(reason or "no reason given"), kinds
