"""Sends requests to Azure DevOps: signs and repeats them, translates failures. Only this module loads its client."""

import logging
import os
import re
import tempfile
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache
from types import SimpleNamespace
from typing import Any, Literal
from urllib.parse import urlsplit

from gitops_promotion.bounded_http import TIMEOUT, BoundedAdapter
from gitops_promotion.core import durations, untrusted
from gitops_promotion.core.authorization import authorization
from gitops_promotion.errors import AuthError, ProviderError, TransientError
from gitops_promotion.providers.azure_devops.address import Address
from gitops_promotion.providers.azure_devops.answers import items, text
from gitops_promotion.providers.http import (
    PATIENCE,
    RefusedError,
    Repeats,
    retry_after,
    until_reset,
)

LIMIT_WAIT = 60.0
"""Seconds to wait after a rate limit that names no time."""
SCOPES = "Code (Read & write) and Pull request threads (Read & write)"

_HIDDEN = ("GitRepositoryNotFoundException", "ProjectDoesNotExistException", "ProjectDoesNotExistWithNameException")
_RIGHTS = re.compile(r"Permission|Unauthorized|AccessDenied|AccessCheck|Security", re.IGNORECASE)
_PERMISSION = re.compile(r"You need the Git '([A-Za-z ]{1,60})' permission")
# The names of permissions on the page where they are given.
_PAGE_NAMES = {
    "GenericContribute": "Contribute",
    "PullRequestContribute": "Contribute to pull requests",
    "CreateBranch": "Create branch",
    "ForcePush": "Force push (rewrite history, delete branches and tags)",
}
# The marks of the pages on which people sign in: in the title of a page, or in the address of a redirect.
_SIGN_IN = re.compile(r"<title>[^<]{0,200}\b(?:sign|log)[ -]?in\b", re.IGNORECASE)
_SIGN_IN_ADDRESS = re.compile(r"sign_?in|login|vssps", re.IGNORECASE)
_REDIRECTS = (301, 302, 303, 307, 308)
_log = logging.getLogger(__name__)


@cache
def _sdk() -> SimpleNamespace:
    """Import the client, which makes a folder for a cache when it is imported: a temporary one, removed at once."""
    configured = os.environ.get("AZURE_DEVOPS_CACHE_DIR")
    with tempfile.TemporaryDirectory(prefix="gitops-promotion-") as folder:
        os.environ["AZURE_DEVOPS_CACHE_DIR"] = folder
        try:
            from azure.devops import _file_cache as files
            from azure.devops.client import Client
            from azure.devops.released.git.git_client import GitClient
            from azure.devops.v7_0.git import models
            from azure.devops.v7_1.identity.identity_client import IdentityClient
            from azure.devops.v7_1.location.location_client import LocationClient
            from azure.devops.v7_1.policy.policy_client import PolicyClient
            from azure.devops.v7_1.security import models as security_models
            from azure.devops.v7_1.security.security_client import SecurityClient
            from msrest.exceptions import ClientException
        except ImportError as error:
            reason = untrusted.line(str(error))
            raise ProviderError(
                f"the client library of Azure DevOps cannot be imported ({reason}): install `azure-devops` and "
                "`msrest` for this Python, or use the container image (docs/decisions/0022-the-way-off-msrest.md)"
            ) from error
        finally:
            del os.environ["AZURE_DEVOPS_CACHE_DIR"]
            if configured is not None:
                os.environ["AZURE_DEVOPS_CACHE_DIR"] = configured
    for cached in (files.OPTIONS_CACHE, files.RESOURCE_CACHE):
        # Without the name of a file nothing is written; in memory the cache saves a look-up of each client.
        cached.file_name = ""
    return SimpleNamespace(
        git=GitClient,
        identity=IdentityClient,
        location=LocationClient,
        policy=PolicyClient,
        security=SecurityClient,
        models=models,
        security_models=security_models,
        error=ClientException,
        cache=files.OPTIONS_CACHE,
        locations=Client._locations_cache,
    )


class _Signed:
    """Signs the requests to one collection and to no other server; keeps status and headers of the last answer."""

    def __init__(self, collection: str, source: Callable[[], str]) -> None:
        self._collection = collection
        self._source = source
        self._adapter = BoundedAdapter()
        self.forget()

    def forget(self) -> None:
        """Forget the last request and its answer."""
        self.url = ""
        self.status = 0
        self.headers: Mapping[str, str] = {}
        self.page = ""

    def signed_session(self, session: Any) -> None:
        """Bound the requests of a session, and sign each when it is sent: as its own `auth`, so that no .netrc wins."""
        session.mount("https://", self._adapter)
        session.mount("http://", self._adapter)
        session.auth = self

    def __call__(self, request: Any) -> Any:
        """Sign one request. Raises ProviderError for one that the server has directed to another host.

        See B10 in docs/migrating.md.
        """
        self.forget()
        self.url = request.url
        if urlsplit(request.url)[:2] != urlsplit(self._collection)[:2]:
            raise ProviderError(
                f"{self._collection} directs requests to another host: check the remote's address and --api-url"
            )
        request.headers["Authorization"] = authorization(self._source())
        request.register_hook("response", self._keep)
        return request

    def _keep(self, response: Any, *_: object, **__: object) -> None:
        self.status = response.status_code
        self.headers = {str(name).lower(): str(value) for name, value in response.headers.items()}
        if "text/html" in self.headers.get("content-type", ""):
            self.page = response.content[:10_000].decode(errors="replace")

    @property
    def is_outside(self) -> bool:
        """True if the last request left the collection: the client looks above it for an API that it lacks."""
        return not f"{self.url}/".lower().startswith(f"{self._collection}/".lower())

    @property
    def is_sign_in(self) -> bool:
        """True if the answer asks a person to sign in: this is how Azure DevOps refuses some tokens."""
        if self.status in _REDIRECTS:
            return bool(_SIGN_IN_ADDRESS.search(self.headers.get("location", "")))
        return self.status == 203 or bool(200 <= self.status < 300 and _SIGN_IN.search(self.page))

    @property
    def is_page(self) -> bool:
        """True if the answer is a page for people, which no answer of the API is."""
        is_html = "text/html" in self.headers.get("content-type", "")
        return self.status in _REDIRECTS or (is_html and (200 <= self.status < 300 or self.status in (404, 405, 410)))


class Api:
    """Sends requests to one collection; translates failures into this program's errors, and repeats requests.

    Each client is made for the collection itself, and not for the addresses in the server's ResourceAreas, so that the
    token goes to the remote's own host whatever an answer says.
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
        # The locations of resources are those of one server, and may change: none of an earlier run is kept.
        self._sdk.cache.data = {}
        self._sdk.locations.clear()
        self._address = address
        self._now = now
        self._sleep = sleep
        self._repeats = Repeats(sleep)
        self._signed = _Signed(address.collection, source)
        self._pause = 0.0
        self._patience = PATIENCE

    @property
    def models(self) -> Any:
        """The client's own models, of which requests are made."""
        return self._sdk.models

    @property
    def security_models(self) -> Any:
        """The client's own models of permissions."""
        return self._sdk.security_models

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers of the last answer, by their names in lower case."""
        return self._signed.headers

    def client(self, kind: Literal["git", "identity", "location", "policy", "security"]) -> Any:
        """Make one of the clients."""
        client = getattr(self._sdk, kind)(self._address.collection, self._signed)
        client.config.add_user_agent("gitops-promotion")
        client.config.connection.timeout = TIMEOUT
        # A redirect to a sign-in page is an answer: the token must not be sent there.
        client.config.redirect_policy.allow = False
        # msrest would repeat three times, inside of our own repeating.
        client.config.retry_policy.retries = 0
        client.config.retry_policy.policy.status_forcelist = []
        return client

    def listed(self, result: object) -> list[Any]:
        """Return the items of an answer. Raises ProviderError."""
        return items(result)

    def send(self, function: Callable[..., Any], *arguments: object, **options: object) -> Any:
        """Call the client, and again while that can help. Raises AuthError, TransientError, ProviderError."""
        return self.send_unless_made(lambda: None, function, *arguments, **options)

    def send_unless_made(
        self, find_made: Callable[[], Any], function: Callable[..., Any], *arguments: object, **options: object
    ) -> Any:
        """Call the client as `send` does, but again only after a look.

        `find_made` returns what an earlier try has made, None if there is nothing.
        """

        def translated() -> Any:
            self._take_pause()
            self._signed.forget()
            try:
                result = function(*arguments, **options)
            except ProviderError:
                raise
            except (self._sdk.error, OSError) as error:  # the exceptions of requests are OSErrors
                raise self._failure(error) from error
            except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
                # The client takes the shape of answers for granted.
                raise self._failure(error) from error
            if self._signed.is_sign_in:
                raise self._no_token()
            if self._signed.is_page:
                raise self._web_page()
            # Azure DevOps asks for pauses before it refuses:
            # https://learn.microsoft.com/azure/devops/integrate/concepts/rate-limits
            self._pause = retry_after(self._signed.headers, self._now) or 0.0
            return result

        return self._repeats(translated, find_made)

    def _take_pause(self) -> None:
        """Wait as long as the last answer asked for; all pauses of a run take at most PATIENCE seconds."""
        seconds, self._pause = min(self._pause, self._patience), 0.0
        if seconds > 0:
            self._patience -= seconds
            _log.warning("%s asks for a pause: waiting %s", self._address.collection, durations.shown(seconds))
            self._sleep(seconds)

    def _no_token(self) -> AuthError:
        return AuthError(
            f"authentication failed at {self._address.collection}: the token is wrong, expired or another "
            f"organisation's; it needs the scopes {SCOPES}: check --token, GITOPS_PROMOTION_TOKEN, "
            "AZURE_DEVOPS_EXT_PAT or SYSTEM_ACCESSTOKEN"
        )

    def _web_page(self) -> ProviderError:
        place = self._signed.headers.get("location", "")
        reply = f"redirects to {untrusted.line(place)}" if place else "answers with a web page in place of its API"
        return ProviderError(
            f"{self._address.collection} {reply} ({self._signed.status}): check the remote's address and --api-url, "
            "and that the server is Azure DevOps Server 2020 or newer"
        )

    def _too_old(self) -> ProviderError:
        return ProviderError(
            f"{self._address.collection} lacks an API of Azure DevOps Server 2020: update the server, or check the "
            "remote's address and --api-url"
        )

    def _failure(self, error: Exception) -> ProviderError:
        status, headers, collection = self._signed.status, self._signed.headers, self._address.collection
        # msrest keeps the exception that it caught in an attribute of its own.
        inner = getattr(error, "inner_exception", None) or error
        if "is not registered" in str(inner):
            return self._too_old()
        if status == 0:
            return self._unreachable(inner)
        if self._signed.is_outside and status not in (401, 429) and status < 500:
            return self._too_old()
        if status == 401 or self._signed.is_sign_in:
            return self._no_token()
        if self._signed.is_page:
            return self._web_page()
        if status == 429 or (status == 503 and retry_after(headers, self._now) is not None):
            seconds = self._rate_limit()
            return TransientError(
                f"the rate limit of {collection} is used up: run again in {durations.shown(seconds)}",
                retry_after=seconds,
            )
        if status >= 500 or status == 408:
            return TransientError(
                f"{collection} failed ({status}): run again", retry_after=retry_after(headers, self._now)
            )
        if status < 400:
            if isinstance(inner, OSError):
                return self._unreachable(inner)
            return TransientError(f"{collection} sent an unreadable answer ({type(inner).__name__}): run again")
        if "json" in headers.get("content-type", "") and not hasattr(error, "type_key"):
            # The refusal may mean that an earlier try has succeeded: only its reason would tell.
            return TransientError(f"{collection} sent an unreadable refusal ({status}): run again")
        reason = untrusted.line(text(error, "message")) or "no reason given"
        return self._refusal(status, text(error, "type_key"), reason)

    def _refusal(self, status: int, kind: str, reason: str) -> ProviderError:
        name = self._address.name
        if permission := _PERMISSION.search(reason):
            page_name = _PAGE_NAMES.get(permission[1], permission[1])
            return AuthError(
                f"the token may not do that on {name} ({reason}): give its user the permission {page_name!r} on the "
                "repository (Project settings, Repositories, Security)"
            )
        if kind == "HostNotFoundException":
            return ProviderError(
                f"there is no collection {self._address.collection} ({reason}): check the remote's address and "
                "--api-url"
            )
        if kind in _HIDDEN:
            # git has just read the repository, so it exists.
            return AuthError(
                f"the token does not see {name} at {self._address.collection} ({reason}): give it access to this "
                f"project, with the scopes {SCOPES}"
            )
        # Azure DevOps also answers 403 where the state of a pull request or a policy forbids something to everybody.
        if status == 403 and (not kind or _RIGHTS.search(kind)):
            return AuthError(f"the token may not do that on {name} ({reason}): it needs the scopes {SCOPES}")
        return RefusedError(
            f"Azure DevOps refused for {name}: {reason} ({status}); check the token's rights there and run again",
            status=status,
            kind=kind,
            reason=reason,
        )

    def _unreachable(self, error: object) -> ProviderError:
        kind, collection = type(error).__name__, self._address.collection
        if kind == "SSLError":
            return ProviderError(
                f"the certificate of {collection} is not trusted: set REQUESTS_CA_BUNDLE to your CA's certificate file"
            )
        if not isinstance(error, OSError) and not isinstance(error, self._sdk.error):
            return ProviderError(
                f"{collection} does not answer as Azure DevOps does ({kind}): check the remote's address and --api-url"
            )
        problem = (
            f"did not answer within {durations.shown(TIMEOUT)}"
            if "Timeout" in kind
            else "cannot be reached, or closed the connection"
        )
        return TransientError(f"{collection} {problem} ({kind}): check the network and run again")

    def _rate_limit(self) -> float:
        """Return the seconds to wait after a rate limit."""
        headers = self._signed.headers
        for seconds in (retry_after(headers, self._now), until_reset(headers, self._now)):
            if seconds is not None:
                return seconds
        return LIMIT_WAIT
