"""The forges: one Protocol, found by entry point; each adapter keeps its SDK to itself."""

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Protocol, cast
from urllib.parse import urlsplit

from gitops_promotion.core.commits import Store
from gitops_promotion.core.forge import AutoMerge, CommitStatus, Draft, HeadState, PullRequest, Review
from gitops_promotion.errors import ProviderError, TransientError, UsageError

if TYPE_CHECKING:
    from tenacity import RetryCallState, Retrying

_log = logging.getLogger(__name__)

ENTRY_POINTS = "gitops_promotion.providers"
"""The entry point group in which every provider, built in or not, names its `Connect`."""

TOKENS = "gitops_promotion.tokens"
"""The entry point group in which a provider may name its `FindToken`, under the same name."""

ATTEMPTS = 5
PATIENCE = 300.0
"""Seconds that one call may spend waiting between its attempts; a forge that wants more gets its error shown."""


class Provider(Protocol):
    """A forge in neutral words. Only this repository's own branches count, never a fork's.

    Every method raises AuthError, TransientError (after its retries) or ProviderError, and nothing of an SDK; `local`,
    whose forge is git, raises GitError too.
    """

    publishes: bool
    """True where a verdict must be published as a status for a pull request to merge (`local`)."""

    def pull_request(self, number: int) -> PullRequest:
        """Return one pull request whole. Raises ProviderError if there is none of that number."""

    def pull_requests(self, *, head: str) -> list[PullRequest]:
        """Return those from the branch `head`, open and closed, newest first."""

    def open_promotions(self) -> list[PullRequest]:
        """Return all open ones whose branch is one of this tool's, all pages."""

    def open_pull_request(self, draft: Draft) -> PullRequest:
        """Create or update the one open pull request from `draft.head`; none comes out armed for an older head."""

    def close_pull_request(self, pull_request: PullRequest) -> PullRequest:
        """Close it unmerged; its branch stays."""

    def set_auto_merge(self, pull_request: PullRequest, enabled: bool) -> AutoMerge:
        """Arm it for exactly `pull_request.head_sha`, or disarm it.

        `merged` where arming merged it at once, `clean` where nothing is required and it was not merged, `moved` where
        it changed in between, `refused` with the reason.
        """

    def merge(self, pull_request: PullRequest) -> AutoMerge:
        """Merge it now, at exactly `pull_request.head_sha`: `merged`, or `refused` with what to do."""

    def head_state(self, pull_request: PullRequest) -> HeadState:
        """Return what blocks the head of an open pull request until the branch gets a new head; read anew each time."""

    def statuses(self, shas: Sequence[str]) -> dict[str, list[CommitStatus]]:
        """Return the newest status per context of each commit, all pages, in as few requests as the forge allows."""

    def set_status(self, sha: str, status: CommitStatus) -> None:
        """Publish a status on a commit."""

    def reviews(self, number: int) -> list[Review]:
        """Return the review of each person that counts now, bound to its commit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """All that a provider may use of the world outside; what it does not need it leaves alone.

    `url` is the remote's, `token` gives the one to use now ("" where there is none), `author` is who acts where the
    forge cannot tell by itself, `nonce` makes a text that was never made before. `api_url` is --api-url; the last three
    are the configuration's `mergeMethod` and `checkRunApps` and what its promotion branches begin with.
    """

    store: Store
    url: str = field(repr=False)
    token: Callable[[], str] = field(repr=False)
    author: str
    environ: Mapping[str, str] = field(repr=False)
    now: Callable[[], datetime]
    sleep: Callable[[float], None]
    nonce: Callable[[], str]
    api_url: str = ""
    merge_method: str = ""
    check_run_apps: tuple[str, ...] = ()
    branch_prefix: str = "promote/"


class Connect(Protocol):
    """What an entry point names: a function from a connection to a provider, without a request yet."""

    def __call__(self, connection: Connection) -> Provider:
        """Return the provider. Raises UsageError if the remote's URL or the environment lacks something it needs."""


def connect(name: str, connection: Connection) -> Provider:
    """Return the provider registered under `name`; only its own module, hence its SDK, is imported.

    Raises UsageError for an unknown name, ProviderError for one that cannot be imported.
    """
    found = list(entry_points(group=ENTRY_POINTS))
    mine = [point for point in found if point.name == name]
    if not mine:
        names = ", ".join(sorted({point.name for point in found})) or "none, is the package installed?"
        raise UsageError(f"there is no provider {name!r}: choose one of those installed ({names})")
    return cast("Connect", _load(name, mine))(connection)


def _load(name: str, points: Sequence[EntryPoint]) -> object:
    if len(points) > 1:
        # Two packages under one name: whichever comes first would get the token.
        packages = " and ".join(sorted(point.dist.name if point.dist else point.value for point in points))
        raise UsageError(f"provider {name!r} is registered by {packages}: uninstall one of them")
    try:
        return cast("object", points[0].load())
    except (ImportError, AttributeError) as error:
        raise ProviderError(
            f"provider {name!r} cannot be loaded ({error}): install what it needs, or choose another with --provider"
        ) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenWish:
    """What a token is looked for with where none was given: the remote's URL, --api-url and the environment."""

    url: str = field(repr=False)
    api_url: str
    environ: Mapping[str, str] = field(repr=False)
    now: Callable[[], datetime]
    sleep: Callable[[float], None]


class FindToken(Protocol):
    """What an entry point of TOKENS names; it is asked before git talks to the remote, hence before a configuration."""

    def __call__(self, wish: TokenWish) -> Callable[[], str]:
        """Return what gives the token for API and git to use now, "" for none. Raises UsageError."""


def find_token(wish: TokenWish, *, option: str) -> Callable[[], str]:
    """Return what gives the environment's token for this remote; `option` is --provider.

    Where only the configuration knows which forge it is, there is none: it cannot be read without git, and no token
    travels on a guess.
    """
    try:
        name = choose(wish.url, option=option, configured="", environ=wish.environ).name
    except UsageError:
        return str
    points = [point for point in entry_points(group=TOKENS) if point.name == name]
    return cast("FindToken", _load(name, points))(wish) if points else str


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The name of a provider and, for people, what it was chosen by."""

    name: str
    reason: str


def choose(url: str, *, option: str, configured: str, environ: Mapping[str, str]) -> Choice:
    """Choose by `--provider`, else the configuration, else the remote's URL (DESIGN 4); "" is a thing not given.

    Raises UsageError where that leaves a guess: a token must not travel to a host on one.
    """
    if option:
        return Choice(name=option, reason="--provider")
    if configured:
        return Choice(name=configured, reason="provider: in the configuration")
    host = _host(url)
    if host is None:
        return Choice(name="local", reason="the remote is a path")
    # Forgejo and Gitea fill in GITHUB_SERVER_URL too, but answer another API.
    other = any(environ.get(name) for name in ("GITEA_ACTIONS", "FORGEJO_ACTIONS"))
    server = None if other else _host(environ.get("GITHUB_SERVER_URL", ""))
    collection = _host(environ.get("SYSTEM_COLLECTIONURI", ""))
    if host and (host in ("github.com", "ssh.github.com", server) or host.endswith(".ghe.com")):
        return Choice(name="github", reason=f"the remote is on {host}")
    if host and (host in ("dev.azure.com", "ssh.dev.azure.com", collection) or host.endswith(".visualstudio.com")):
        return Choice(name="azdo", reason=f"the remote is on {host}")
    where = f"the host {host!r} of the remote" if host else "the remote's URL"
    raise UsageError(
        f"{where} does not say which forge it is: choose --provider github, azdo or local "
        "(or `provider:` in the configuration)"
    )


def _host(url: str) -> str | None:
    """Return the lower-case host of a remote as git reads it; None for a path, "" where there is none to be found."""
    if re.match(r"[A-Za-z0-9][A-Za-z0-9+.-]*::", url):
        return ""
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", url):
        if url[:7].lower() == "file://":
            return None
        # urlsplit drops tabs and line ends and curl reads a backslash its own way: no two readings of one host.
        if re.search(r"[\x00-\x20\\]", url):
            return ""
        try:
            return (urlsplit(url).hostname or "").lower().rstrip(".")
        except ValueError:
            return ""
    # git-clone(1), "GIT URLS": `host:path` only if no slash comes before the colon.
    scp = re.match(r"(?:[^/:]*@)?(\[[^\]/]*\]|[^/:]+):", url)
    if scp:
        return scp[1].strip("[]").lower().rstrip(".")
    return None if url else ""


def retrying(sleep: Callable[[float], None]) -> "Retrying":
    """Return a caller, `call(function, *args)`, that repeats after TransientError and after nothing else.

    Waits 1, 2, 4 and 8 seconds, or what the error's `retry_after` wishes, and logs it; after ATTEMPTS calls, or
    where the waiting would exceed PATIENCE, the last error is raised. An adapter raises TransientError only for what is
    safe to repeat.
    """
    # Here, not above: 28 ms (FORGES, Libraries) that only a forge with a network needs.
    from tenacity import Retrying, retry_if_exception_type

    def wait(state: "RetryCallState") -> float:
        error = state.outcome.exception() if state.outcome else None
        wish = error.retry_after if isinstance(error, TransientError) else None
        return 2.0 ** (state.attempt_number - 1) if wish is None else max(0.0, wish)

    def stop(state: "RetryCallState") -> bool:
        return state.attempt_number >= ATTEMPTS or state.idle_for + state.upcoming_sleep > PATIENCE

    def announce(state: "RetryCallState") -> None:
        error = state.outcome.exception() if state.outcome else None
        _log.warning("%s; trying again in %.0f s", error, state.upcoming_sleep)

    return Retrying(
        sleep=sleep,
        wait=wait,
        stop=stop,
        retry=retry_if_exception_type(TransientError),
        before_sleep=announce,
        reraise=True,
    )
