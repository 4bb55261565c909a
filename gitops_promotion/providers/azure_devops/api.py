"""Requests to Azure DevOps: signed, sent, repeated, every failure in our own words. Only importer of its client."""

import os
import re
import tempfile
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache
from types import SimpleNamespace
from typing import Any, Literal
from urllib.parse import urlsplit

from gitops_promotion.core import untrusted
from gitops_promotion.core.authorization import authorization
from gitops_promotion.errors import AuthError, ProviderError, TransientError
from gitops_promotion.providers import TokenQuery
from gitops_promotion.providers.azure_devops.address import Address, organisation, split
from gitops_promotion.providers.azure_devops.answers import optional
from gitops_promotion.providers.http import PATIENCE, retrying

TIMEOUT = 30
"""Seconds one request may take."""
LIMIT_WAIT = 60.0
"""Seconds to wait after a rate limit that names no time."""
SCOPES = "Code (Read & write) and Pull request threads (Read & write)"

_HIDDEN = ("GitRepositoryNotFoundException", "ProjectDoesNotExistException", "ProjectDoesNotExistWithNameException")
_RIGHTS = re.compile(r"Permission|Unauthorized|AccessDenied|AccessCheck|Security", re.IGNORECASE)
_PERMISSION = re.compile(r"You need the Git '([A-Za-z ]{1,60})' permission")
# What Azure DevOps calls its permissions on the page where they are given.
_PAGE_NAMES = {
    "GenericContribute": "Contribute",
    "PullRequestContribute": "Contribute to pull requests",
    "CreateBranch": "Create branch",
    "ForcePush": "Force push (rewrite history, delete branches and tags)",
}


def token(query: TokenQuery) -> Callable[[], str]:
    """Return what gives the token to use now, for API and git alike; "" where the environment has none for this host.

    AZURE_DEVOPS_EXT_PAT wins, as somebody chose it; SYSTEM_ACCESSTOKEN is the job's own, good for the organisation
    (the server) that the job runs in, and goes there only (B10).
    """
    address = Address.parse(query.url, api_url=query.api_url, environ=query.environ)

    def value(name: str) -> str:
        # A macro of a variable that does not exist is passed on as it was written.
        text = query.environ.get(name, "").strip()
        return "" if text.startswith("$(") else text

    here = value("SYSTEM_COLLECTIONURI")
    own = address.in_cloud or address.host in {split(here).host, split(query.api_url).host}
    found = value("AZURE_DEVOPS_EXT_PAT") if own else ""
    if not found and (_same_home(address, here) if here else own):
        found = value("SYSTEM_ACCESSTOKEN")
    return lambda: found


def _same_home(address: Address, collection: str) -> bool:
    if address.in_cloud:
        return organisation(address.collection) == organisation(collection) != ""
    return split(collection).host == address.host


class RefusedError(ProviderError):
    """Azure DevOps understood and said no: `status` of HTTP, `kind` its name for the error, `said` its own words."""

    def __init__(self, message: str, *, status: int, kind: str, said: str) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.said = said


@cache
def _sdk() -> SimpleNamespace:
    """Import the client. It makes a folder for a cache while it is imported; ours is gone at once, and none is kept."""
    kept = os.environ.get("AZURE_DEVOPS_CACHE_DIR")
    with tempfile.TemporaryDirectory(prefix="gitops-promotion-") as folder:
        os.environ["AZURE_DEVOPS_CACHE_DIR"] = folder
        try:
            from azure.devops import _file_cache as files
            from azure.devops.client import Client
            from azure.devops.released.git.git_client import GitClient
            from azure.devops.v7_0.git import models
            from azure.devops.v7_1.location.location_client import LocationClient
            from azure.devops.v7_1.policy.policy_client import PolicyClient
            from msrest.exceptions import ClientException
        finally:
            del os.environ["AZURE_DEVOPS_CACHE_DIR"]
            if kept is not None:
                os.environ["AZURE_DEVOPS_CACHE_DIR"] = kept
    for cached in (files.OPTIONS_CACHE, files.RESOURCE_CACHE):
        # Without a name nothing is written; in memory it saves each client's look-up.
        cached.file_name = ""
    return SimpleNamespace(
        git=GitClient,
        location=LocationClient,
        policy=PolicyClient,
        models=models,
        error=ClientException,
        cache=files.OPTIONS_CACHE,
        locations=Client._locations_cache,
    )


class _Signed:
    """Signs the requests to one collection, nobody else's, and notes how each was answered."""

    def __init__(self, collection: str, source: Callable[[], str]) -> None:
        self.status = 0
        self.headers: Mapping[str, str] = {}
        self._collection = collection
        self._source = source

    def signed_session(self, session: Any) -> None:
        """Sign each request of a session when it is sent; as the session's own way, so that no .netrc comes before."""
        session.auth = self

    def __call__(self, request: Any) -> Any:
        """Sign one request. Raises ProviderError for one that the server's own words would send elsewhere (B10)."""
        self.status, self.headers = 0, {}
        if urlsplit(request.url)[:2] != urlsplit(self._collection)[:2]:
            raise ProviderError(
                f"the server of {self._collection} sends requests elsewhere: check the remote's address and --api-url"
            )
        request.headers["Authorization"] = authorization(self._source())
        request.register_hook("response", self._note)
        return request

    def _note(self, response: Any, *_: object, **__: object) -> None:
        # Read at once: the client leaves some answers unread, and their connections open.
        _ = response.content
        self.status = response.status_code
        self.headers = {str(name).lower(): str(value) for name, value in response.headers.items()}


class Api:
    """Sends requests; the one funnel from what the client and its libraries raise to our errors, and the one retry.

    Each client is made for the collection itself, and not for what the server's ResourceAreas name, so that the token
    goes to the remote's own host whatever an answer says.
    """

    def __init__(
        self,
        address: Address,
        source: Callable[[], str],
        *,
        now: Callable[[], datetime],
        sleep: Callable[[float], None],
    ) -> None:
        self._sdk = _sdk()
        # Where resources are is the answer of one server at one time.
        self._sdk.cache.data = {}
        self._sdk.locations.clear()
        self._address = address
        self._now = now
        self._sleep = sleep
        self._retry = retrying(sleep)
        self._signed = _Signed(address.collection, source)
        self._pause = 0.0

    @property
    def models(self) -> Any:
        """The client's own models, of which requests are made."""
        return self._sdk.models

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers of the last answer, by their names in lower case."""
        return self._signed.headers

    def client(self, kind: Literal["git", "location", "policy"]) -> Any:
        """Make one of the clients."""
        client = getattr(self._sdk, kind)(self._address.collection, self._signed)
        client.config.add_user_agent("gitops-promotion")
        client.config.connection.timeout = TIMEOUT
        # A sign-in page is an answer, and no place to take the token to.
        client.config.redirect_policy.allow = False
        # msrest repeats three times by itself, and so would we.
        client.config.retry_policy.retries = 0
        client.config.retry_policy.policy.status_forcelist = []
        return client

    def listed(self, found: object) -> list[Any]:
        """Return the items of an answer. Raises ProviderError."""
        if not isinstance(found, list):
            raise ProviderError(
                f"{self._address.collection} does not answer as Azure DevOps does (no list): check the remote's "
                "address and --api-url"
            )
        return found

    def send(self, function: Callable[..., Any], *arguments: object, **options: object) -> Any:
        """Call the client, and again while that can help. Raises AuthError, TransientError, ProviderError."""

        def translated() -> Any:
            if self._pause:
                pause, self._pause = self._pause, 0.0
                self._sleep(pause)
            self._signed.status, self._signed.headers = 0, {}
            try:
                found = function(*arguments, **options)
            except ProviderError:
                raise
            except (self._sdk.error, OSError) as error:  # what requests raises while a body is read is an OSError
                raise self._failure(error) from error
            except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
                # The client takes the shape of answers for granted.
                raise self._failure(error) from error
            if self._is_page():
                raise self._no_token()
            # It asks to be left alone for a while before it refuses (docs: Rate and usage limits).
            self._pause = min(_after(self._signed.headers) or 0.0, PATIENCE)
            return found

        return self._retry(translated)

    def _is_page(self) -> bool:
        """Return True if people, not programs, are asked to sign in: how Azure DevOps refuses some tokens."""
        status, headers = self._signed.status, self._signed.headers
        return status in (203, 301, 302, 303, 307) or (
            200 <= status < 300 and "text/html" in headers.get("content-type", "")
        )

    def _no_token(self) -> AuthError:
        return AuthError(
            f"authentication failed at {self._address.collection}: the token is wrong, expired or another "
            f"organisation's; it needs the scopes {SCOPES}: check --token, GITOPS_PROMOTION_TOKEN, "
            "AZURE_DEVOPS_EXT_PAT or SYSTEM_ACCESSTOKEN"
        )

    def _failure(self, error: Exception) -> ProviderError:
        status, headers, where = self._signed.status, self._signed.headers, self._address.collection
        # `msrest` says what it caught, in its own attribute.
        inner = getattr(error, "inner_exception", None) or error
        kind, said = optional(error, "type_key"), untrusted.line(optional(error, "message")) or "no reason given"
        if status == 0:
            return self._unreachable(inner)
        if status == 401 or self._is_page():
            return self._no_token()
        if status == 429 or (status == 503 and _after(headers) is not None):
            wait = self._limited(headers)
            return TransientError(f"the rate limit of {where} is used up: run again in {wait:.0f} s", retry_after=wait)
        if status >= 500 or status == 408:
            return TransientError(f"{where} failed ({status}): run again", retry_after=_after(headers))
        if "is not registered" in str(inner):
            return ProviderError(f"{where} is too old: it lacks what Azure DevOps Server 2020 and the cloud have")
        if status < 400:
            if isinstance(inner, OSError):
                return self._unreachable(inner)
            return TransientError(f"{where} sent an unreadable answer ({type(inner).__name__}): run again")
        if "json" in headers.get("content-type", "") and not hasattr(error, "type_key"):
            # A refusal that cannot be read may be of what was done before: only its reason tells.
            return TransientError(f"{where} sent an unreadable refusal ({status}): run again")
        return self._refusal(status, kind, said)

    def _refusal(self, status: int, kind: str, said: str) -> ProviderError:
        name = self._address.name
        if needed := _PERMISSION.search(said):
            wish = _PAGE_NAMES.get(needed[1], needed[1])
            return AuthError(
                f"the token may not do that on {name} ({said}): give its user the permission {wish!r} on the "
                "repository (Project settings, Repositories, Security)"
            )
        if kind == "HostNotFoundException":
            return ProviderError(
                f"there is no collection {self._address.collection} ({said}): check the remote's address and --api-url"
            )
        if kind in _HIDDEN:
            # git has just read it, so it is there.
            return AuthError(
                f"the token does not see {name} at {self._address.collection} ({said}): give it access to this "
                f"project, with the scopes {SCOPES}"
            )
        # It also answers 403 to what the state of a pull request or a policy does not let anybody do.
        if status == 403 and (not kind or _RIGHTS.search(kind)):
            return AuthError(f"the token may not do that on {name} ({said}): it needs the scopes {SCOPES}")
        return RefusedError(
            f"Azure DevOps refused for {name}: {said} ({status}); check what the token may do there and run again",
            status=status,
            kind=kind,
            said=said,
        )

    def _unreachable(self, error: object) -> ProviderError:
        name, where = type(error).__name__, self._address.collection
        if name == "SSLError":
            return ProviderError(
                f"the certificate of {where} is not trusted: name your authority's file in REQUESTS_CA_BUNDLE"
            )
        if not isinstance(error, OSError) and not isinstance(error, self._sdk.error):
            return ProviderError(
                f"{where} does not answer as Azure DevOps does ({name}): check the remote's address and --api-url"
            )
        what = "answered too late" if "Timeout" in name else "cannot be reached or broke off"
        return TransientError(f"{where} {what} ({name}): check the network and run again")

    def _limited(self, headers: Mapping[str, str]) -> float:
        """Return the seconds to wait."""
        if (wish := _after(headers)) is not None:
            return wish
        reset = re.fullmatch(r"([0-9]{1,12})(?:\.[0-9]+)?", headers.get("x-ratelimit-reset", ""))
        if reset:
            # One second more: it counts in whole ones, and clocks differ.
            return max(0.0, float(reset[1]) - self._now().timestamp()) + 1
        return LIMIT_WAIT


def _after(headers: Mapping[str, str]) -> float | None:
    wish = headers.get("retry-after", "")
    return float(wish) if re.fullmatch(r"[0-9]{1,9}(?:\.[0-9]+)?", wish) else None
