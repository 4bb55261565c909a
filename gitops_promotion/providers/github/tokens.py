"""The environment's token for a repository on GitHub: the workflow's own, or one of a GitHub App."""

from base64 import b64decode
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path

from gitops_promotion.core import durations
from gitops_promotion.core.untrusted import quoted
from gitops_promotion.errors import AuthError, UsageError
from gitops_promotion.providers import Connection, TokenQuery
from gitops_promotion.providers.github.address import Address, split
from gitops_promotion.providers.github.answers import field, time
from gitops_promotion.providers.github.api import Api, app_auth
from gitops_promotion.providers.http import RefusedError

APP_ID = "GITHUB_APP_ID"
APP_KEY = "GITHUB_APP_PRIVATE_KEY"

_SOON = timedelta(minutes=5)
_PEM = "-----BEGIN"
# Seconds that a clock may be wrong without being the likely reason: a JWT is valid for minutes.
_CLOCK_SKEW = 30


def token(query: TokenQuery) -> Callable[[], str]:
    """Return the function that gives the present token, for API and git; "" if the environment has none for this host.

    A GitHub App (GITHUB_APP_ID, GITHUB_APP_PRIVATE_KEY) wins over GITHUB_TOKEN, and that over GH_TOKEN: a merge by the
    workflow's own token starts no workflow (docs/facts/forges.md). No token goes to a host other than GitHub's or the
    configured server. Raises UsageError for an App whose id or key is missing or cannot be used.
    """
    environ = query.environ
    address = Address.parse(query.url, api_url=query.api_url, environ=environ)
    if not _is_home(address, query):
        return str
    app, key = environ.get(APP_ID, "").strip(), environ.get(APP_KEY, "")
    if not app and not key:
        return lambda: next(
            filter(None, (environ.get(name, "").strip() for name in _token_variables(address.host))), ""
        )
    if not app or not key:
        missing = APP_KEY if app else APP_ID
        raise UsageError(f"{missing} is missing: a GitHub App needs its id and its private key, set both or neither")
    return _AppToken(app, _private_key(key), address, query)


def app_permissions(connection: Connection) -> Mapping[str, str] | None:
    """Return the permissions of the App in the environment; None where none is there, or another token is used.

    Raises AuthError, TransientError, ProviderError. GitHub names the permissions of a token to nobody but its App.
    """
    query = TokenQuery(
        url=connection.url,
        api_url=connection.api_url,
        environ=connection.environ,
        now=connection.now,
        sleep=connection.sleep,
    )
    source = token(query)
    is_used = isinstance(source, _AppToken) and connection.token().startswith("ghs_")
    return source.permissions() if isinstance(source, _AppToken) and is_used else None


def _token_variables(host: str) -> tuple[str, ...]:
    """Return the variables that may have a token for a host: those of `gh` after the workflow's own.

    https://cli.github.com/manual/gh_help_environment
    """
    in_cloud = host == "github.com" or host.endswith(".ghe.com")
    variables = ("GH_TOKEN",) if in_cloud else ("GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN")
    return ("GITHUB_TOKEN", *variables)


def _is_home(address: Address, query: TokenQuery) -> bool:
    """Return True if the environment's token was made for this host."""
    if query.api_url and split(query.api_url)[1] == address.host:
        return True
    if server := query.environ.get("GITHUB_SERVER_URL", ""):
        return split(server)[1] == address.host
    return address.host == "github.com" or address.host.endswith(".ghe.com")


def _private_key(value: str) -> str:
    """Return the PEM: given as such (line ends may be escaped), in base64, or as the path of a file with either."""
    if pem := _pem(value):
        return pem
    try:
        content = Path(value.strip()).read_text(encoding="utf-8")
    except (OSError, ValueError):
        content = ""
    if pem := _pem(content):
        return pem
    # Not even part of the value is shown: it may be a key after all, damaged.
    raise UsageError(
        f"{APP_KEY} is neither a private key in PEM (or base64 of one) nor a file that holds one: download one from "
        "the App's settings"
    )


def _pem(text: str) -> str:
    """Return the PEM in a text, "" if there is none."""
    if _PEM in text:
        return text.replace("\\n", "\n")
    try:
        decoded = b64decode("".join(text.split()), validate=True).decode()
    except ValueError:
        return ""
    return decoded if _PEM in decoded else ""


class _AppToken:
    """Gives an App's token for one repository; a new one shortly before the old one's hour is over."""

    def __init__(self, app: str, key: str, address: Address, query: TokenQuery) -> None:
        try:
            auth = app_auth(app, key)
        except ValueError as error:
            raise UsageError(
                f"{APP_KEY} cannot sign ({error}): download a new private key from the App's settings"
            ) from None
        self._app = app
        self._api = Api(address, auth, now=query.now, sleep=query.sleep, unauthorized=self._rejected)
        self._address = address
        self._now = query.now
        self._token = ""
        self._expires = datetime.min.replace(tzinfo=UTC)

    def __call__(self) -> str:
        """Return a token that is good for five minutes at least. Raises AuthError, TransientError, ProviderError."""
        if self._now() + _SOON >= self._expires:
            data, _ = self._api.rest(
                "POST",
                f"/app/installations/{self._installation()}/access_tokens",
                {"repositories": [self._address.name]},
            )
            self._token = field(data, str, "token")
            self._expires = time(data, "expires_at") or self._expires
        return self._token

    def permissions(self) -> Mapping[str, str]:
        """Return the permissions that the App has there. Raises AuthError, TransientError, ProviderError."""
        return {str(name): str(level) for name, level in field(self._read_installation(), dict, "permissions").items()}

    def _installation(self) -> int:
        return field(self._read_installation(), int, "id")

    def _read_installation(self) -> object:
        repository = self._address.repository
        try:
            data: object = self._api.rest("GET", f"/repos/{repository}/installation")[0]
        except RefusedError as error:
            if error.status != 404:
                raise
            # GitHub gives this answer for the id of an App that does not exist there.
            if "integration not found" in error.reason.lower():
                raise self._rejected(error.reason, {}) from None
            raise AuthError(
                f"GitHub App {quoted(self._app)} is not installed on {repository}: install it there, from the App's "
                "settings"
            ) from None
        return data

    def _rejected(self, reason: str, headers: Mapping[str, str]) -> AuthError:
        """Return the error for a JWT that GitHub does not accept."""
        machine_time = self._now()
        clock = f"this machine's clock says {machine_time.isoformat(timespec='seconds')}"
        try:
            ahead = (machine_time - parsedate_to_datetime(headers.get("date", ""))).total_seconds()
        except (TypeError, ValueError, OverflowError):
            ahead = 0.0
        if abs(ahead) >= _CLOCK_SKEW:
            clock += f", {durations.shown(abs(ahead))} {'ahead of' if ahead > 0 else 'behind'} GitHub's: set it"
        return AuthError(
            f"{self._address.api} does not accept the JWT of GitHub App {quoted(self._app)} ({reason}): check that "
            f"{APP_ID} and {APP_KEY} belong to the same App of this server, and the time: {clock}"
        )
