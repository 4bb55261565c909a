"""The runner: which event, branch, commits and pull request a run is about, and where its results go.

Only the runner's own variables and its event file are read, as arguments. What a pull request brings (its branch's
name, its commits) is somebody else's text: checked here, an authority nowhere.
"""

from collections.abc import Callable, Mapping
from typing import Protocol

from gitops_promotion.ci import azure, github
from gitops_promotion.ci.values import CIContext, Level, Published, Runner
from gitops_promotion.errors import Fault

__all__ = [
    "MERGE_QUEUE",
    "CIContext",
    "Published",
    "annotation",
    "conceal",
    "context",
    "output_limit",
    "publish",
    "runner",
    "wishes",
]

MERGE_QUEUE = "gh-readonly-queue/"
"""What the branches of GitHub's merge groups begin with; the branch they go into comes next."""


class Listener(Protocol):
    """A runner that takes results; each is a module of this package."""

    OUTPUT_LIMIT: int

    def annotation(self, level: Level, title: str, text: str, fault: Fault | None = None) -> str:
        """Return the command that shows a text on the run's page, at a line of a file; "" without such a command."""

    def conceal(self, secret: str) -> str:
        """Return the command after which the runner masks a text in its log."""

    def publish(
        self, environ: Mapping[str, str], *, outputs: Mapping[str, str], summary: str, nonce: Callable[[], str]
    ) -> Published:
        """Hand it outputs and a Markdown summary."""


_LISTENERS: Mapping[Runner, Listener] = {"github": github, "azure": azure}


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
            return github.context(environ, read)
        case "azure":
            return azure.context(environ)
    return CIContext()


def wishes(environ: Mapping[str, str], read: Callable[[str], str]) -> dict[str, str]:
    """Return those of `group`, `app` and `tag` that the sender of a dispatch event named (issue 3).

    They come from the `client_payload` of GitHub's `repository_dispatch` or the `inputs` of its `workflow_dispatch`;
    all other events name none. Raises UsageError for an event file that cannot be read and for values that are no
    strings.
    """
    return github.wishes(environ, read) if runner(environ) == "github" else {}


def annotation(environ: Mapping[str, str], level: Level, title: str, text: str, fault: Fault | None = None) -> str:
    """Return the command by which the runner shows a text on the run's page, "" if it has no such command.

    With a fault the text is shown at its file and line.
    """
    listener = _LISTENERS.get(runner(environ))
    return listener.annotation(level, title, text, fault) if listener else ""


def conceal(environ: Mapping[str, str], secret: str) -> str:
    """Return the command after which the runner masks a secret in its log, "" where it has no such thing."""
    listener = _LISTENERS.get(runner(environ))
    return listener.conceal(secret) if listener else ""


def output_limit(environ: Mapping[str, str]) -> int:
    """Return how many characters an output may have."""
    return (_LISTENERS.get(runner(environ)) or github).OUTPUT_LIMIT


def publish(
    environ: Mapping[str, str], *, outputs: Mapping[str, str], summary: str, nonce: Callable[[], str]
) -> Published:
    """Hand the runner outputs and a Markdown summary: by its files, and by commands that remain to be printed.

    `nonce` makes a text that nobody can guess: it ends a value, so that no value can end itself and begin another.
    """
    listener = _LISTENERS.get(runner(environ))
    return listener.publish(environ, outputs=outputs, summary=summary, nonce=nonce) if listener else Published()
