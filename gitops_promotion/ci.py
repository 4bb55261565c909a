"""The runner: which event, branch, commits and pull request a run is about, and where its results go.

Only the runner's own variables and its event file are read, as arguments. What a pull request brings (its branch's
name, its commits) is somebody else's text: checked here, an authority nowhere.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NoReturn, Self
from urllib.parse import quote

from gitops_promotion.errors import UsageError

Runner = Literal["github", "azure", ""]
Level = Literal["error", "warning", "notice"]

_SHA = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
# The characters git-check-ref-format forbids; no more, for a branch may be a person's.
_BRANCH = re.compile(r"[^\x00-\x20\x7f~^:?*\[\\]+")
_HEADS = "refs/heads/"
_PULL_REQUEST_EVENTS = (
    "pull_request",
    "pull_request_target",
    "pull_request_review",
    "pull_request_review_comment",
)
_AS_IN_A_SHELL = "or clear GITHUB_ACTIONS and TF_BUILD to run as in a shell"
MERGE_QUEUE = "gh-readonly-queue/"
"""What the branches of GitHub's merge groups begin with; the branch they go into comes next."""

# Where a dispatch keeps what its sender says.
_DISPATCHES = {"repository_dispatch": "client_payload", "workflow_dispatch": "inputs"}
_WISHES = ("group", "app", "tag")
_AZURE_EVENTS = {"pullrequest": "pull_request", "individualci": "push", "batchedci": "push"}


@dataclass(frozen=True, slots=True, kw_only=True)
class CIContext:
    """What a run is about; "" and None where the runner does not say, which in a shell is everything.

    `event` is `push`, `pull_request`, `merge_group` or another word of the runner's own. `head_branch` is the branch
    pushed to or the pull request's own, without `refs/heads/`, "" for a tag; `head_sha` is its commit, never the
    runner's temporary merge (B20). `before` and `after` are a push's or a merge group's range, both or neither.
    `foreign`: the pull request comes from another repository, so its branch is none of ours (B25). `status_context`
    names the commit status whose arrival is the event.
    """

    runner: Runner = ""
    event: str = ""
    head_branch: str = ""
    head_sha: str = ""
    pull_request: int | None = None
    foreign: bool = False
    before: str = ""
    after: str = ""
    run_url: str = ""
    status_context: str = ""


def runner(environ: Mapping[str, str]) -> Runner:
    """Return which CI system runs this, "" for none."""
    if environ.get("GITHUB_ACTIONS") == "true":
        return "github"
    return "azure" if environ.get("TF_BUILD", "").lower() == "true" else ""


def context(environ: Mapping[str, str], read: Callable[[str], str]) -> CIContext:
    """Return what the runner says; `read` gives the text of a file (GitHub's event).

    Raises UsageError for an event file that is missing or malformed, and for values that cannot be what they claim.
    """
    match runner(environ):
        case "github":
            return _github(environ, read)
        case "azure":
            return _azure(environ)
    return CIContext()


def wishes(environ: Mapping[str, str], read: Callable[[str], str]) -> dict[str, str]:
    """Return those of `group`, `app` and `tag` that the sender of a dispatch event named (issue 3).

    They come from the `client_payload` of GitHub's `repository_dispatch` or the `inputs` of its `workflow_dispatch`;
    all other events name none. Raises UsageError for an event file that cannot be read and for values that are no
    strings.
    """
    where = _DISPATCHES.get(environ.get("GITHUB_EVENT_NAME", ""))
    if where is None or runner(environ) != "github":
        return {}
    payload = _Payload.load(environ, read)
    found = {name: payload.wish(where, name) for name in _WISHES}
    return {name: text for name, text in found.items() if text}


def annotation(environ: Mapping[str, str], level: Level, title: str, text: str) -> str:
    """Return the line by which the runner shows a text on the run's page, "" where it has no such thing."""
    if runner(environ) != "github":
        return ""
    return f"::{level} title={_escaped(title, ':,')}::{_escaped(text)}"


def _escaped(text: str, more: str = "") -> str:
    # The percent sign comes first: `%0A` in a text must not come out as the end of a line.
    for character in "%\r\n" + more:
        text = text.replace(character, f"%{ord(character):02X}")
    return text


def publish(
    environ: Mapping[str, str], *, outputs: Mapping[str, str], summary: str, nonce: Callable[[], str]
) -> list[str]:
    """Append outputs and a Markdown summary to the runner's files; returns a warning for each it does not get.

    `nonce` makes a text that nobody can guess: it ends a value, so that no value can end itself and begin another.
    """
    if runner(environ) != "github":
        return []
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
    return warnings


def _github(environ: Mapping[str, str], read: Callable[[str], str]) -> CIContext:
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
        on_branch = payload.text("ref").startswith(_HEADS)
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
        head_branch=_branch("GITHUB_REF", ref) if ref.startswith(_HEADS) else "",
        head_sha=_sha_or_none("GITHUB_SHA", environ.get("GITHUB_SHA", "")),
        run_url=url,
    )


def _azure(environ: Mapping[str, str]) -> CIContext:
    def value(name: str) -> str:
        # A macro of a variable that does not exist is passed on as it was written.
        text = environ.get(name, "")
        return "" if text.startswith("$(") else text

    reason = value("BUILD_REASON").lower()
    url = ""
    if value("SYSTEM_COLLECTIONURI") and value("SYSTEM_TEAMPROJECT") and value("BUILD_BUILDID"):
        project = f"{value('SYSTEM_COLLECTIONURI').rstrip('/')}/{quote(value('SYSTEM_TEAMPROJECT'), safe='')}"
        url = f"{project}/_build/results?buildId={quote(value('BUILD_BUILDID'), safe='')}"
    if source := value("SYSTEM_PULLREQUEST_SOURCEBRANCH"):
        # For a repository on GitHub the id is an internal one, and the number is what people see; Azure Repos has the
        # id only.
        names = ("SYSTEM_PULLREQUEST_PULLREQUESTNUMBER", "SYSTEM_PULLREQUEST_PULLREQUESTID")
        name = next((name for name in names if value(name)), names[1])
        return CIContext(
            runner="azure",
            event="pull_request",
            head_branch=_branch("SYSTEM_PULLREQUEST_SOURCEBRANCH", source),
            head_sha=_sha_or_none("SYSTEM_PULLREQUEST_SOURCECOMMITID", value("SYSTEM_PULLREQUEST_SOURCECOMMITID")),
            pull_request=_number(name, value(name)),
            foreign=value("SYSTEM_PULLREQUEST_ISFORK").lower() == "true",
            run_url=url,
        )
    branch = value("BUILD_SOURCEBRANCH")
    return CIContext(
        runner="azure",
        event=_AZURE_EVENTS.get(reason, reason),
        head_branch=_branch("BUILD_SOURCEBRANCH", branch) if branch.startswith(_HEADS) else "",
        head_sha=_sha_or_none("BUILD_SOURCEVERSION", value("BUILD_SOURCEVERSION")),
        run_url=url,
    )


class _Payload:
    """GitHub's event, read with a clear word for each part that is not what the event's schema says."""

    def __init__(self, path: str, event: Mapping[str, object]) -> None:
        self._path = path
        self._event = event

    @classmethod
    def load(cls, environ: Mapping[str, str], read: Callable[[str], str]) -> Self:
        path = environ.get("GITHUB_EVENT_PATH", "")
        if not path:
            raise UsageError(f"GITHUB_EVENT_PATH is not set: hand it to this step, {_AS_IN_A_SHELL}")
        try:
            event = json.loads(read(path))
        except OSError as error:
            why = error.strerror or type(error).__name__
            raise UsageError(f"event file {path!r} cannot be read ({why}): mount it here, {_AS_IN_A_SHELL}") from None
        except (ValueError, RecursionError):
            raise UsageError(f"event file {path!r} is not JSON: give the runner's own file, {_AS_IN_A_SHELL}") from None
        if not isinstance(event, dict):
            raise UsageError(f"event file {path!r} is not a JSON object: give the runner's own file, {_AS_IN_A_SHELL}")
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
        return found if isinstance(found, str) else _refuse(self._name(keys), found)

    def wish(self, where: str, name: str) -> str:
        """Return a dispatch's value, "" where it has none."""
        values = self._find((where,))
        found = values.get(name) if isinstance(values, dict) else values
        if found is None or isinstance(found, str):
            return found or ""
        # Not made a string here: as a number the tag 1.10 has arrived as 1.1.
        raise UsageError(
            f"{self._name((where, name))} is {_short(found)}, not a string: send it in quotes, or give --{name}"
        )

    def branch(self, *keys: str) -> str:
        return _branch(self._name(keys), self.text(*keys))

    def sha(self, *keys: str) -> str:
        return _sha(self._name(keys), self.text(*keys))

    def sha_or_none(self, *keys: str) -> str:
        return _sha_or_none(self._name(keys), self.text(*keys))

    def number(self, *keys: str) -> int:
        found = self._find(keys)
        return _number(self._name(keys), str(found) if isinstance(found, int) else "")


def _branch(name: str, text: str) -> str:
    branch = text.removeprefix(_HEADS)
    return branch if _BRANCH.fullmatch(branch) else _refuse(name, text)


def _sha(name: str, text: str) -> str:
    return text if _SHA.fullmatch(text) and text.strip("0") else _refuse(name, text)


def _sha_or_none(name: str, text: str) -> str:
    # A branch that was just made, or is gone, has zeros for the commit it lacks.
    return _sha(name, text) if text.strip("0") else ""


def _number(name: str, text: str) -> int:
    return int(text) if re.fullmatch(r"[1-9][0-9]{0,17}", text) else _refuse(name, text)


def _refuse(name: str, found: object) -> NoReturn:
    raise UsageError(
        f"{name} is {_short(found)}, which it cannot be: "
        f"run with the runner's own variables and event, {_AS_IN_A_SHELL}"
    )


def _short(found: object) -> str:
    shown = ascii(found)
    return shown if len(shown) < 100 else shown[:100] + "..."
