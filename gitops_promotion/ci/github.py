"""GitHub Actions: its variables, its event file, and the files and commands it reads."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Self

from gitops_promotion.ci.values import (
    AS_IN_A_SHELL,
    HEADS,
    CIContext,
    Level,
    Published,
    branch,
    number,
    person,
    refuse,
    sha,
    sha_or_none,
)
from gitops_promotion.core.untrusted import quoted
from gitops_promotion.errors import Fault, UsageError

_PULL_REQUEST_EVENTS = (
    "pull_request",
    "pull_request_target",
    "pull_request_review",
    "pull_request_review_comment",
)
OUTPUT_LIMIT = 400_000
"""Characters of an output: a job's outputs may have 1 MB, of which two bytes are counted for each."""

# Where a dispatch keeps what its sender says.
_DISPATCHES = {"repository_dispatch": "client_payload", "workflow_dispatch": "inputs"}
_WISHES = ("group", "app", "tag")


def context(environ: Mapping[str, str], read: Callable[[str], str]) -> CIContext:
    """Return what the runner says. Raises UsageError."""
    return replace(_event_context(environ, read), actor=_actor(environ))


def _actor(environ: Mapping[str, str]) -> str:
    """Return the person who started, or re-ran, this run."""
    # A schedule names whoever edited its cron line last, who started nothing.
    if environ.get("GITHUB_EVENT_NAME") == "schedule":
        return ""
    login = person("GITHUB_TRIGGERING_ACTOR", environ.get("GITHUB_TRIGGERING_ACTOR", ""))
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
            runner="github",
            event="pull_request",
            head_branch=payload.branch("pull_request", "head", "ref"),
            head_sha=payload.sha("pull_request", "head", "sha"),
            pull_request=payload.number("pull_request", "number"),
            # A fork that was deleted has no repository left: the branch is none of ours either.
            foreign=head != payload.text("pull_request", "base", "repo", "full_name"),
            run_url=url,
        )
    if event == "merge_group":
        payload = _Payload.load(environ, read)
        head_sha = payload.sha("merge_group", "head_sha")
        return CIContext(
            runner="github",
            event=event,
            head_branch=payload.branch("merge_group", "head_ref"),
            head_sha=head_sha,
            before=payload.sha("merge_group", "base_sha"),
            after=head_sha,
            run_url=url,
        )
    if event == "push":
        payload = _Payload.load(environ, read)
        on_branch = payload.text("ref").startswith(HEADS)
        before, after = payload.sha_or_none("before"), payload.sha_or_none("after")
        ranged = on_branch and before and after
        return CIContext(
            runner="github",
            event=event,
            head_branch=payload.branch("ref") if on_branch else "",
            head_sha=after,
            before=before if ranged else "",
            after=after if ranged else "",
            run_url=url,
        )
    ref = environ.get("GITHUB_REF", "")
    return CIContext(
        runner="github",
        event=event,
        status_context=_Payload.load(environ, read).text("context") if event == "status" else "",
        head_branch=branch("GITHUB_REF", ref) if ref.startswith(HEADS) else "",
        head_sha=sha_or_none("GITHUB_SHA", environ.get("GITHUB_SHA", "")),
        run_url=url,
    )


def wishes(environ: Mapping[str, str], read: Callable[[str], str]) -> dict[str, str]:
    """Return those of `group`, `app` and `tag` that the sender of a dispatch event named. Raises UsageError."""
    where = _DISPATCHES.get(environ.get("GITHUB_EVENT_NAME", ""))
    if where is None:
        return {}
    payload = _Payload.load(environ, read)
    found = {name: payload.wish(where, name) for name in _WISHES}
    return {name: text for name, text in found.items() if text}


def conceal(secret: str) -> str:
    """Return the command after which the runner masks a text in its log."""
    return f"::add-mask::{_escaped(secret)}"


def annotation(level: Level, title: str, text: str, fault: Fault | None = None) -> str:
    """Return the command that shows a text on the run's page, and with a fault at its line in the pull request."""
    place = {"file": fault.path, "line": str(fault.line or 1)} if fault else {}
    properties = ",".join(f"{name}={_escaped(value, ':,')}" for name, value in {**place, "title": title}.items())
    return f"::{level} {properties}::{_escaped(text)}"


def _escaped(text: str, more: str = "") -> str:
    # The percent sign comes first: `%0A` in a text must not come out as the end of a line.
    for character in "%\r\n" + more:
        text = text.replace(character, f"%{ord(character):02X}")
    return text


def publish(
    environ: Mapping[str, str], *, outputs: Mapping[str, str], summary: str, nonce: Callable[[], str]
) -> Published:
    """Append outputs and a Markdown summary to the runner's files."""
    delimiter = next(text for text in iter(nonce, "") if not any(text in value for value in outputs.values()))
    lines = (f"{name}<<{delimiter}\n{value}\n{delimiter}\n" for name, value in outputs.items())
    warnings = []
    for name, content in {"GITHUB_OUTPUT": "".join(lines), "GITHUB_STEP_SUMMARY": summary}.items():
        path = environ.get(name, "")
        if not path:
            continue
        try:
            with Path(path).open("a", encoding="utf-8", errors="backslashreplace", newline="\n") as file:
                file.write(content)
        except OSError as error:
            why = error.strerror or type(error).__name__
            warnings.append(f"{name} {path!r} cannot be written ({why}): mount the runner's files where this runs")
    return Published(warnings=tuple(warnings))


class _Payload:
    """GitHub's event, read with a clear word for each part that is not what the event's schema says."""

    def __init__(self, path: str, event: Mapping[str, object]) -> None:
        self._path = path
        self._event = event

    @classmethod
    def load(cls, environ: Mapping[str, str], read: Callable[[str], str]) -> Self:
        path = environ.get("GITHUB_EVENT_PATH", "")
        if not path:
            raise UsageError(f"GITHUB_EVENT_PATH is not set: hand it to this step, {AS_IN_A_SHELL}")
        try:
            event = json.loads(read(path))
        except OSError as error:
            why = error.strerror or type(error).__name__
            raise UsageError(f"event file {path!r} cannot be read ({why}): mount it here, {AS_IN_A_SHELL}") from None
        except (ValueError, RecursionError):
            raise UsageError(f"event file {path!r} is not JSON: give the runner's own file, {AS_IN_A_SHELL}") from None
        if not isinstance(event, dict):
            raise UsageError(f"event file {path!r} is not a JSON object: give the runner's own file, {AS_IN_A_SHELL}")
        return cls(path, event)

    def _find(self, keys: tuple[str, ...]) -> object:
        found: object = self._event
        for key in keys:
            found = found.get(key) if isinstance(found, dict) else None
        return found

    def _name(self, keys: tuple[str, ...]) -> str:
        return f"{'.'.join(keys)} of the event file {self._path!r}"

    def text(self, *keys: str, optional: bool = False) -> str:
        found = self._find(keys)
        if optional and found is None:
            return ""
        return found if isinstance(found, str) else refuse(self._name(keys), found)

    def wish(self, where: str, name: str) -> str:
        """Return a dispatch's value, "" where it has none."""
        values = self._find((where,))
        found = values.get(name) if isinstance(values, dict) else values
        if found is None or isinstance(found, str):
            return found or ""
        # Not made a string here: as a number the tag 1.10 has arrived as 1.1.
        raise UsageError(
            f"{self._name((where, name))} is {quoted(found)}, not a string: send it in quotes, or give --{name}"
        )

    def branch(self, *keys: str) -> str:
        return branch(self._name(keys), self.text(*keys))

    def sha(self, *keys: str) -> str:
        return sha(self._name(keys), self.text(*keys))

    def sha_or_none(self, *keys: str) -> str:
        return sha_or_none(self._name(keys), self.text(*keys))

    def number(self, *keys: str) -> int:
        found = self._find(keys)
        return number(self._name(keys), str(found) if isinstance(found, int) else "")
