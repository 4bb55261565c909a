"""What all adapters share: repeating requests, waiting, and checking the fields of answers."""

import logging
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception_type

from gitops_promotion.core import durations, untrusted
from gitops_promotion.core.forge import PullRequest
from gitops_promotion.errors import AuthError, OutdatedError, ProviderError, TransientError, UsageError
from gitops_promotion.providers import Connection

ATTEMPTS = 5
"""How often one call is made at most."""
PATIENCE = 300.0
"""Seconds that one call may spend waiting between its attempts; a forge that wants more gets its error shown."""
NAME_LIMIT = 1024
"""Characters of the name of a branch; a forge allows fewer."""
PAUSES = (1.0, 2.0, 4.0, 8.0)
"""Seconds between looks at a state that a forge computes some time after a push."""
PAGES = 100
"""The most pages of one list: more of them mean that the server is faulty."""

_SHA = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_log = logging.getLogger(__name__)
T = TypeVar("T")


class RefusedError(ProviderError):
    """The forge understood a request and refused it.

    `status` is that of HTTP, `reason` the forge's own words, `kind` its name for the error where it has one.
    """

    def __init__(self, message: str, *, status: int, reason: str, kind: str = "") -> None:
        """Keep status, reason and kind beside the message."""
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.kind = kind


# -- repeating and waiting


def retrying(sleep: Callable[[float], None]) -> Retrying:
    """Return a caller, `call(function, *args)`, that repeats after TransientError and after nothing else.

    Waits 1, 2, 4 and 8 seconds, or `retry_after` of the error, and logs it; after ATTEMPTS calls, or where the waiting
    would exceed PATIENCE, the last error is raised. An adapter raises TransientError only for requests that are safe to
    repeat.
    """

    def wait(state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        seconds = error.retry_after if isinstance(error, TransientError) else None
        return 2.0 ** (state.attempt_number - 1) if seconds is None else max(0.0, seconds)

    def stop(state: RetryCallState) -> bool:
        return state.attempt_number >= ATTEMPTS or state.idle_for + state.upcoming_sleep > PATIENCE

    def announce(state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        _log.warning("%s; trying again in %s", error, durations.shown(state.upcoming_sleep))

    return Retrying(
        sleep=sleep,
        wait=wait,
        stop=stop,
        retry=retry_if_exception_type(TransientError),
        before_sleep=announce,
        reraise=True,
    )


class Repeats:
    """Sends requests again after TransientError, as `retrying` does.

    One that must not have its effect twice is sent again only after a look for what the earlier one has made, since an
    answer may be lost after its effect.
    """

    def __init__(self, sleep: Callable[[float], None]) -> None:
        """Send nothing yet; `sleep` takes the pauses."""
        self._retry = retrying(sleep)
        self._is_looking = False

    def __call__(self, send_once: Callable[[], T], find_made: Callable[[], T | None] | None = None) -> T:
        """Return the answer of a request. Raises what `send_once` and `find_made` raise.

        `find_made` returns the answer that an earlier try would have had, None if it made nothing. Its own requests are
        sent once each: a look that fails counts as a try, and nothing is sent after it until a look succeeds.
        """
        if self._is_looking:
            return send_once()
        is_repeat = False

        def look_and_send() -> T:
            nonlocal is_repeat
            if is_repeat and find_made is not None and (made := self._look(find_made)) is not None:
                return made
            is_repeat = True
            return send_once()

        return self._retry(look_and_send)

    def _look(self, find_made: Callable[[], T | None]) -> T | None:
        self._is_looking = True
        try:
            return find_made()
        finally:
            self._is_looking = False


def retry_after(headers: Mapping[str, str], now: Callable[[], datetime]) -> float | None:
    """Return the seconds that `Retry-After` (RFC 9110, 10.2.3) asks for, None where it asks for nothing.

    `headers` have their names in lower case.
    """
    text = headers.get("retry-after", "").strip()
    if re.fullmatch(r"[0-9]{1,9}(?:\.[0-9]{1,9})?", text):
        return float(text)
    try:
        time = parsedate_to_datetime(text)
    except (TypeError, ValueError, OverflowError):
        return None
    return max(0.0, (zoned(time) - now()).total_seconds())


def until_reset(headers: Mapping[str, str], now: Callable[[], datetime]) -> float | None:
    """Return the seconds until `X-RateLimit-Reset` (seconds since 1970), None without one."""
    reset = re.fullmatch(r"([0-9]{1,12})(?:\.[0-9]{1,9})?", headers.get("x-ratelimit-reset", ""))
    # One second more: the header counts whole seconds, and clocks differ.
    return max(0.0, float(reset[1]) - now().timestamp()) + 1 if reset else None


# -- tokens and fields


def required_token(connection: Connection, missing: str) -> Callable[[], str]:
    """Return the function that gives the connection's token when a request needs it.

    It raises AuthError with the text `missing` where there is no token.
    """

    def token() -> str:
        text = connection.token()
        if not text:
            raise AuthError(missing)
        return text

    return token


def checked(value: object, kind: type[T], name: str, forge: str) -> T:
    """Return the value of a field called `name`. Raises ProviderError if it is absent or of another type."""
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise ProviderError(
            f"the answer of {forge} has no {name} that can be read: check the remote's address and --api-url, and run "
            "again"
        )
    return value


def items(value: object, forge: str) -> list[Any]:
    """Return the items of a list that may be null. Raises ProviderError for anything else."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise ProviderError(
            f"the answer of {forge} has no list where there should be one: check the remote's address and --api-url"
        )
    return value


def wait_for_head(
    pull_request: PullRequest,
    head_sha: str,
    *,
    read: Callable[[int], PullRequest],
    branch_sha: Callable[[str], str | None],
    sleep: Callable[[float], None],
) -> PullRequest:
    """Return a pull request as soon as it shows the pushed head, which it does some time after the branch.

    `read` reads it again, by its number; `branch_sha` returns the commit of a branch now. Raises OutdatedError if it
    does not show the head in time, and at once if the branch itself has moved on.
    """
    for pause in (*PAUSES, None):
        if pull_request.head_sha == head_sha:
            return pull_request
        if pause is None or branch_sha(pull_request.head) != head_sha:
            break
        sleep(pause)
        pull_request = read(pull_request.number)
    raise OutdatedError(f"pull request #{pull_request.number} is at {pull_request.head_sha}, not at {head_sha}")


def branch_name(value: object, name: str, forge: str) -> str:
    """Return the name of a branch. Raises ProviderError if it is absent or longer than a name can be."""
    text = checked(value, str, name, forge)
    return checked(text if len(text) <= NAME_LIMIT else None, str, name, forge)


def text_or_empty(value: object) -> str:
    """Return a text that may be null or absent, "" then (docs/migrating.md, B15)."""
    return value if isinstance(value, str) else ""


def zoned(time: datetime) -> datetime:
    """Return a time with its zone; UTC where it has none."""
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def full_sha(sha: str) -> str:
    """Return the full id of a commit, which can be nothing else in a path or query. Raises UsageError."""
    if not is_full_sha(sha):
        raise UsageError(f"{untrusted.quoted(sha)} is not the full id of a commit: write all its hex digits")
    return sha


def is_full_sha(text: str) -> bool:
    """Return True for the full id of a commit."""
    return _SHA.fullmatch(text) is not None
