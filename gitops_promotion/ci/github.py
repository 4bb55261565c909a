"""GitHub Actions: its variables, its event file, and the files and commands it reads."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Self

from gitops_promotion.ci.context import HEADS, CIContext, Level, Published, Values
from gitops_promotion.core.untrusted import quoted
from gitops_promotion.errors import Fault, UsageError

NAME = "github"
OBEYS = re.compile(r"(?:\A|[\r\n])\s*:(?=:)|#(?=#\[)")
"""`::command::` at the start of a line, blanks aside, and the older `##[command]` anywhere in it."""
INPUTS_ADVICE = (
    ", or run it on a repository_dispatch (client_payload) or workflow_dispatch (inputs) that names group, app and tag"
)

_SWITCH = "GITHUB_ACTIONS"
_VALUES = Values(_SWITCH)
_PULL_REQUEST_EVENTS = (
    "pull_request",
    "pull_request_target",
    "pull_request_review",
    "pull_request_review_comment",
)
OUTPUT_LIMIT = 400_000
"""Characters of an output: a job's outputs may have 1 MB, of which two bytes are counted for each."""

# The part of a dispatch's payload with the sender's values.
_DISPATCHES = {"repository_dispatch": "client_payload", "workflow_dispatch": "inputs"}
_INPUTS = ("group", "app", "tag")


def here(environ: Mapping[str, str]) -> bool:
    """Return True on GitHub Actions."""
    return environ.get(_SWITCH) == "true"


def context(environ: Mapping[str, str], read: Callable[[str], str]) -> CIContext:
    """Return the subject of the run. Raises UsageError."""
    is_dispatch = environ.get("GITHUB_EVENT_NAME", "") in _DISPATCHES
    is_repeated = environ.get("GITHUB_RUN_ATTEMPT", "1") not in ("", "1")
    return replace(_event_context(environ, read), actor=_actor(environ), dispatched=is_dispatch or is_repeated)


def _actor(environ: Mapping[str, str]) -> str:
    """Return the person who started, or re-ran, this run."""
    # A schedule names the last editor of its cron line, who started nothing.
    if environ.get("GITHUB_EVENT_NAME") == "schedule":
        return ""
    login = _VALUES.person("GITHUB_TRIGGERING_ACTOR", environ.get("GITHUB_TRIGGERING_ACTOR", ""))
    return "" if login.endswith("[bot]") else login


def _event_context(environ: Mapping[str, str], read: Callable[[str], str]) -> CIContext:
    event = environ.get("GITHUB_EVENT_NAME", "")
    url = ""
    if environ.get("GITHUB_REPOSITORY") and environ.get("GITHUB_RUN_ID"):
        server = environ.get("GITHUB_SERVER_URL", "https://github.com").rstrip("/")
        url = f"{server}/{environ['GITHUB_REPOSITORY']}/actions/runs/{environ['GITHUB_RUN_ID']}"
    if event in _PULL_REQUEST_EVENTS:
        payload = _Payload.load(environ, read)
        head = payload.text("pull_request", "head", "repo", "full_name", optional=True)
        return CIContext(
            runner=NAME,
            event="pull_request",
            head_branch=payload.branch("pull_request", "head", "ref"),
            head_sha=payload.sha("pull_request", "head", "sha"),
            pull_request=payload.number("pull_request", "number"),
            # A deleted fork has no repository.
            foreign=head != payload.text("pull_request", "base", "repo", "full_name"),
            run_url=url,
            # https://docs.github.com/en/actions/reference/workflows-and-actions/events-that-trigger-workflows
            unreviewed=event != "pull_request_target",
        )
    if event == "workflow_run" and (number := _Payload.load(environ, read).reviewed()) is not None:
        # The head is read from the forge: what the event has of it is as old as the review.
        return CIContext(runner=NAME, event="pull_request", pull_request=number, run_url=url)
    if event == "merge_group":
        payload = _Payload.load(environ, read)
        head_sha = payload.sha("merge_group", "head_sha")
        return CIContext(
            runner=NAME,
            event=event,
            head_branch=payload.branch("merge_group", "head_ref"),
            head_sha=head_sha,
            before=payload.sha("merge_group", "base_sha"),
            after=head_sha,
            run_url=url,
            unreviewed=True,
        )
    if event == "push":
        payload = _Payload.load(environ, read)
        on_branch = payload.text("ref").startswith(HEADS)
        before, after = payload.sha_or_none("before"), payload.sha_or_none("after")
        ranged = on_branch and before and after
        return CIContext(
            runner=NAME,
            event=event,
            head_branch=payload.branch("ref") if on_branch else "",
            head_sha=after,
            before=before if ranged else "",
            after=after if ranged else "",
            run_url=url,
        )
    ref = environ.get("GITHUB_REF", "")
    return CIContext(
        runner=NAME,
        event=event,
        status_context=_Payload.load(environ, read).text("context") if event == "status" else "",
        head_branch=_VALUES.branch("GITHUB_REF", ref) if ref.startswith(HEADS) else "",
        head_sha=_VALUES.sha_or_none("GITHUB_SHA", environ.get("GITHUB_SHA", "")),
        run_url=url,
    )


def inputs(environ: Mapping[str, str], read: Callable[[str], str]) -> dict[str, str]:
    """Return those of `group`, `app` and `tag` that the sender of a dispatch event named. Raises UsageError."""
    section = _DISPATCHES.get(environ.get("GITHUB_EVENT_NAME", ""))
    if section is None:
        return {}
    payload = _Payload.load(environ, read)
    values = {key: payload.input(section, key) for key in _INPUTS}
    return {key: text for key, text in values.items() if text}


def conceal(secret: str) -> str:
    """Return the command after which the runner masks a text in its log."""
    return f"::add-mask::{_escaped(secret)}"


def annotation(level: Level, title: str, text: str, fault: Fault | None = None) -> str:
    """Return the command that shows a text on the run's page, and with a fault at its line in the pull request."""
    place = {"file": fault.path, "line": str(fault.line or 1)} if fault else {}
    properties = ",".join(f"{key}={_escaped(value, ':,')}" for key, value in {**place, "title": title}.items())
    return f"::{level} {properties}::{_escaped(text)}"


def _escaped(text: str, also: str = "") -> str:
    # The percent sign comes first: `%0A` in a text must not come out as the end of a line.
    for character in "%\r\n" + also:
        text = text.replace(character, f"%{ord(character):02X}")
    return text


def publish(
    environ: Mapping[str, str], *, outputs: Mapping[str, str], summary: str, nonce: Callable[[], str]
) -> Published:
    """Append outputs and a Markdown summary to the runner's files."""
    delimiter = next(text for text in iter(nonce, "") if not any(text in value for value in outputs.values()))
    lines = (f"{output}<<{delimiter}\n{value}\n{delimiter}\n" for output, value in outputs.items())
    warnings = []
    for variable, content in {"GITHUB_OUTPUT": "".join(lines), "GITHUB_STEP_SUMMARY": summary}.items():
        path = environ.get(variable, "")
        if not path:
            continue
        try:
            with Path(path).open("a", encoding="utf-8", errors="backslashreplace", newline="\n") as file:
                file.write(content)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            warnings.append(f"{variable} {path!r} cannot be written ({reason}): mount the runner's files in this step")
    return Published(warnings=tuple(warnings))


class _Payload:
    """The event of a run, read with a clear error for each part that differs from the event's schema."""

    def __init__(self, path: str, event: Mapping[str, object]) -> None:
        self._path = path
        self._event = event

    @classmethod
    def load(cls, environ: Mapping[str, str], read: Callable[[str], str]) -> Self:
        path = environ.get("GITHUB_EVENT_PATH", "")
        if not path:
            raise UsageError(f"GITHUB_EVENT_PATH is not set: pass it on to this step, {_VALUES.way_out}")
        try:
            event = json.loads(read(path))
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise UsageError(
                f"event file {path!r} cannot be read ({reason}): mount it here, {_VALUES.way_out}"
            ) from None
        except (ValueError, RecursionError):
            raise UsageError(
                f"event file {path!r} is not JSON: give the runner's own file, {_VALUES.way_out}"
            ) from None
        if not isinstance(event, dict):
            raise UsageError(f"event file {path!r} is not a JSON object: give the runner's own file, {_VALUES.way_out}")
        return cls(path, event)

    def _at(self, keys: tuple[str, ...]) -> object:
        value: object = self._event
        for key in keys:
            value = value.get(key) if isinstance(value, dict) else None
        return value

    def _name(self, keys: tuple[str, ...]) -> str:
        return f"{'.'.join(keys)} of the event file {self._path!r}"

    def text(self, *keys: str, optional: bool = False) -> str:
        value = self._at(keys)
        if optional and value is None:
            return ""
        return value if isinstance(value, str) else _VALUES.refuse(self._name(keys), value)

    def input(self, section: str, key: str) -> str:
        """Return the value of a dispatch, "" where it has none. Raises UsageError for one that is not a string."""
        values = self._at((section,))
        value = values.get(key) if isinstance(values, dict) else values
        if value is None or isinstance(value, str):
            return value or ""
        # It is not converted to a string: the tag 1.10, sent as a number, arrives as 1.1.
        raise UsageError(
            f"{self._name((section, key))} is {quoted(value)}, not a string: send it in quotes, or give --{key}"
        )

    def reviewed(self) -> int | None:
        """Return the pull request whose review started the workflow that has run; None for any other run.

        GitHub names no pull request from a fork: https://docs.github.com/en/webhooks/webhook-events-and-payloads#workflow_run
        """
        pulls = self._at(("workflow_run", "pull_requests"))
        number = pulls[0].get("number") if isinstance(pulls, list) and pulls and isinstance(pulls[0], dict) else None
        is_review = self._at(("workflow_run", "event")) == "pull_request_review"
        return number if is_review and type(number) is int and number > 0 else None

    def branch(self, *keys: str) -> str:
        return _VALUES.branch(self._name(keys), self.text(*keys))

    def sha(self, *keys: str) -> str:
        return _VALUES.sha(self._name(keys), self.text(*keys))

    def sha_or_none(self, *keys: str) -> str:
        return _VALUES.sha_or_none(self._name(keys), self.text(*keys))

    def number(self, *keys: str) -> int:
        value = self._at(keys)
        return _VALUES.number(self._name(keys), str(value) if isinstance(value, int) else "")
