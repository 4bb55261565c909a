"""Requests to GitHub: signed, sent, repeated, and every failure in our own words. The only importer of PyGithub."""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import github
from github import Auth, GithubException

from gitops_promotion.core import untrusted
from gitops_promotion.errors import AuthError, ProviderError, TransientError, UsageError
from gitops_promotion.providers import TokenQuery
from gitops_promotion.providers.github.address import Address, split
from gitops_promotion.providers.github.answers import get, listed, readable, time_of
from gitops_promotion.providers.http import retrying

TIMEOUT = 30
"""Seconds one request may take."""
PAGE = 100
"""Items of a page: the most GitHub gives."""
PAGES = 100
"""Pages of one answer; more is no repository but a server gone wrong."""
SECONDARY_LIMIT = 60.0
"""Seconds to wait after a secondary rate limit that names no time (GitHub's own advice)."""

_SOON = timedelta(minutes=5)
_SSO = re.compile(r"url=(https://[^\s;,]+)")
T = TypeVar("T")


def token(query: TokenQuery) -> Callable[[], str]:
    """Return what gives the token to use now, for API and git alike; "" where the environment has none for this host.

    A GitHub App (GITHUB_APP_ID, GITHUB_APP_PRIVATE_KEY) wins over GITHUB_TOKEN: what the workflow's own token merges
    starts no workflow (FORGES). Neither goes to a host that is not GitHub's or the configured one's.
    """
    environ = query.environ
    address = Address.parse(query.url, api_url=query.api_url, environ=environ)
    if not _is_home(address, query):
        return str
    app, key = environ.get("GITHUB_APP_ID", "").strip(), environ.get("GITHUB_APP_PRIVATE_KEY", "")
    if not app and not key:
        return lambda: environ.get("GITHUB_TOKEN", "").strip()
    if not app or not key:
        missing = "GITHUB_APP_PRIVATE_KEY" if app else "GITHUB_APP_ID"
        raise UsageError(f"{missing} is missing: a GitHub App needs its id and its private key, set both or neither")
    return _AppToken(app, _private_key(key), address, query)


def _is_home(address: Address, query: TokenQuery) -> bool:
    """Return True if the environment's token was made for this host."""
    if query.api_url and split(query.api_url)[1] == address.host:
        return True
    if server := query.environ.get("GITHUB_SERVER_URL", ""):
        return split(server)[1] == address.host
    return address.host == "github.com" or address.host.endswith(".ghe.com")


def _private_key(text: str) -> str:
    """Return the PEM, given as such (its line ends may be escaped) or as the path of a file."""
    if "-----BEGIN" not in text:
        try:
            text = Path(text.strip()).read_text(encoding="utf-8")
        except (OSError, ValueError):
            # Not even part of it is shown: it may be a key after all, damaged.
            text = ""
    text = text.replace("\\n", "\n")
    if "-----BEGIN" not in text:
        raise UsageError(
            "GITHUB_APP_PRIVATE_KEY is neither a private key in PEM nor a file that holds one: download one from the "
            "App's settings"
        )
    return text


class _AppToken:
    """Gives an App's token for one repository; a new one shortly before the old one's hour is over."""

    def __init__(self, app: str, key: str, address: Address, query: TokenQuery) -> None:
        try:
            auth = Auth.AppAuth(app, key)
            auth.create_jwt()
        except Exception as error:  # noqa: BLE001  whatever the cryptography says of a damaged key
            raise UsageError(
                f"GITHUB_APP_PRIVATE_KEY cannot sign ({type(error).__name__}): download a new private key from the "
                "App's settings"
            ) from None
        self._api = Api(address, auth, now=query.now, sleep=query.sleep)
        self._address = address
        self._now = query.now
        self._token = ""
        self._expires = datetime.min.replace(tzinfo=UTC)

    def __call__(self) -> str:
        """Return a token that is good for five minutes at least. Raises AuthError, TransientError, ProviderError."""
        if self._now() + _SOON >= self._expires:
            where = self._address.repository
            try:
                found, _ = self._api.rest("GET", f"/repos/{where}/installation")
            except RefusedError as error:
                if error.status != 404:
                    raise
                raise AuthError(
                    f"the GitHub App is not installed on {where}: install it there, from the App's settings"
                ) from None
            made, _ = self._api.rest(
                "POST",
                f"/app/installations/{get(found, int, 'id')}/access_tokens",
                {"repositories": [self._address.name]},
            )
            self._token = get(made, str, "token")
            self._expires = time_of(made, "expires_at") or self._expires
        return self._token


class Given(Auth.Auth):
    """Whatever token is the one to use now."""

    def __init__(self, source: Callable[[], str]) -> None:
        self._source = source

    @property
    def token_type(self) -> str:
        """As GitHub's own clients write it."""
        return "token"

    @property
    def token(self) -> str:
        """Ask for it again each time."""
        return self._source()


class RefusedError(ProviderError):
    """GitHub understood and said no: `status` of HTTP (400 stands for GraphQL's errors), `said` its own words."""

    def __init__(self, message: str, *, status: int, said: str) -> None:
        super().__init__(message)
        self.status = status
        self.said = said


class Api:
    """Sends requests; the one funnel from what PyGithub and its libraries raise to our errors, and the one retry."""

    def __init__(
        self,
        address: Address,
        auth: Auth.Auth,
        *,
        now: Callable[[], datetime],
        sleep: Callable[[float], None],
    ) -> None:
        client = github.Github(
            auth=auth,
            base_url=address.api,
            timeout=TIMEOUT,
            user_agent="gitops-promotion",
            per_page=PAGE,
            # Its own retry repeats writes, and its pauses add up (FORGES, PyGithub).
            retry=None,
            seconds_between_requests=None,
            seconds_between_writes=None,
        )
        self._requester = client.requester
        self._address = address
        self._now = now
        self._retry = retrying(sleep)

    def rest(
        self,
        verb: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        needs: str = "",
        parameters: Mapping[str, object] | None = None,
    ) -> tuple[Any, Mapping[str, str]]:
        """Return the JSON and the headers of an answer; `needs` is the permission to name if one is missing."""

        def once() -> tuple[Any, Mapping[str, str]]:
            headers, data = self._requester.requestJsonAndCheck(
                verb, path, parameters=dict(parameters or {}), input=body
            )
            return readable(data), headers

        return self._send(once, needs)

    def pages(self, path: str, parameters: Mapping[str, object], *, needs: str) -> Iterator[Any]:
        """Return the items of all pages of a list."""
        for page in range(1, PAGES + 1):
            numbered = {**parameters, "per_page": PAGE, "page": page}
            items, headers = self.rest("GET", path, needs=needs, parameters=numbered)
            yield from listed(items)
            # The address of the next page is the server's word: only that there is one is believed.
            if 'rel="next"' not in headers.get("link", ""):
                return
        raise ProviderError(f"{self._address.repository} has more than {PAGES * PAGE} of {path}: close old ones")

    def graphql(self, query: str, variables: Mapping[str, object], *, needs: str = "") -> Mapping[str, Any]:
        """Return the data of a GraphQL request; its errors are raised as those of REST are."""

        def once() -> Mapping[str, Any]:
            _, data = self._requester.graphql_query(query, dict(variables))
            return get(readable(data), dict, "data")

        return self._send(once, needs)

    def _send(self, once: Callable[[], T], needs: str) -> T:
        def translated() -> T:
            try:
                return once()
            except ProviderError:
                raise
            except GithubException as error:
                raise self._failure(error, needs) from error
            except OSError as error:  # what requests raises is one
                raise self._unreachable(error) from error
            except ValueError as error:  # half a JSON document
                raise TransientError(f"{self._address.api} sent an unreadable answer: run again") from error
            except (ArithmeticError, AssertionError, AttributeError, LookupError, RuntimeError, TypeError) as error:
                # PyGithub takes the shape of answers for granted.
                raise ProviderError(
                    f"{self._address.api} does not answer as GitHub's API does ({type(error).__name__}): "
                    "check --api-url and the remote's address"
                ) from error

        return self._retry(translated)

    def _unreachable(self, error: OSError) -> ProviderError:
        if type(error).__name__ == "SSLError":
            return ProviderError(
                f"the certificate of {self._address.api} is not trusted: name your authority's file in "
                "REQUESTS_CA_BUNDLE"
            )
        what = "answered too late" if "Timeout" in type(error).__name__ else "cannot be reached or broke off"
        return TransientError(f"{self._address.api} {what} ({type(error).__name__}): check the network and run again")

    def _failure(self, error: GithubException, needs: str) -> ProviderError:
        headers = {str(key).lower(): str(value) for key, value in (error.headers or {}).items()}
        said, kinds = _words(error.data)
        where = self._address.repository
        status = error.status
        if status == 401:
            return AuthError(
                f"{self._address.api} does not accept the token ({said}): it is wrong, expired or another server's; "
                "check --token, GITOPS_PROMOTION_TOKEN or GITHUB_TOKEN"
            )
        if status in (403, 429) or "RATE_LIMITED" in kinds:
            wait = self._limited(headers, said, status, kinds)
            if wait is not None:
                return TransientError(
                    f"GitHub's rate limit for {where} is used up ({said}): run again in {wait:.0f} s", retry_after=wait
                )
        if status == 403 or not kinds.isdisjoint({"FORBIDDEN", "INSUFFICIENT_SCOPES"}):
            return AuthError(_forbidden(where, said, headers, needs))
        if status >= 500 or status == 408 or "Something went wrong while executing your query" in said:
            return TransientError(
                f"{self._address.api} failed ({status} {said}): run again", retry_after=_after(headers)
            )
        return RefusedError(
            f"GitHub refused for {where}: {said} ({status}); check what the token may do there and run again",
            status=status,
            said=said,
        )

    def _limited(self, headers: Mapping[str, str], said: str, status: int, kinds: set[str]) -> float | None:
        """Return the seconds to wait; None if it is no rate limit."""
        if (wish := _after(headers)) is not None:
            return wish
        reset = re.fullmatch(r"([0-9]{1,12})(?:\.[0-9]+)?", headers.get("x-ratelimit-reset", ""))
        if headers.get("x-ratelimit-remaining") == "0" and reset:
            # One second more: it counts in whole ones, and clocks differ.
            return max(0.0, float(reset[1]) - self._now().timestamp()) + 1
        if status == 429 or "RATE_LIMITED" in kinds or "rate limit" in said.lower():
            return SECONDARY_LIMIT
        return None


def _after(headers: Mapping[str, str]) -> float | None:
    wish = headers.get("retry-after", "")
    return float(wish) if re.fullmatch(r"[0-9]{1,9}", wish) else None


def _forbidden(where: str, said: str, headers: Mapping[str, str], needs: str) -> str:
    """Say what the token lacks, as exactly as GitHub's headers allow."""
    if "required" in headers.get("x-github-sso", "") or "SAML" in said:
        url = _SSO.search(headers.get("x-github-sso", ""))
        how = f"at {url[1]}" if url else "with `Configure SSO` beside the token in your settings"
        return f"the organisation of {where} wants the token authorized for its single sign-on: do that {how}"
    accepted = headers.get("x-accepted-github-permissions", "").replace("=", ": ")
    if accepted or needs:
        return f"the token may not do that on {where} ({said}): give it the permission {accepted or needs}"
    scopes = headers.get("x-accepted-oauth-scopes", "")
    return f"the token may not do that on {where} ({said}): give it the scope {scopes or 'repo'}"


def _words(data: object) -> tuple[str, set[str]]:
    """Return what an error says, as one line without surprises, and the kinds of GraphQL errors in it."""
    texts, kinds = [], set()
    if isinstance(data, dict):
        texts.append(data.get("message"))
        errors = data.get("errors")
        for each in errors if isinstance(errors, list) else ():
            if isinstance(each, dict):
                texts.append(each.get("message") or f"{each.get('field', '')} {each.get('code', '')}".strip())
                kinds.add(str(each.get("type", "")))
            else:
                texts.append(each)
    said = "; ".join(dict.fromkeys(text for text in texts if isinstance(text, str) and text)) or "no reason given"
    return untrusted.line(said), kinds
