"""No CI system: nothing is known of a run, and nobody takes its results."""

import re
from collections.abc import Callable, Mapping

from gitops_promotion.ci.context import CIContext, Level, Published
from gitops_promotion.errors import Fault

NAME = ""
OUTPUT_LIMIT = 400_000
OBEYS = re.compile(r"(?!)")
INPUTS_ADVICE = (
    ", or run it on a repository_dispatch (client_payload) or workflow_dispatch (inputs) that names group, app and tag"
)


def here(environ: Mapping[str, str]) -> bool:
    """Return True: the last row of RUNNERS."""
    del environ
    return True


def context(environ: Mapping[str, str], read: Callable[[str], str]) -> CIContext:
    """Return the context of a shell."""
    del environ, read
    return CIContext()


def inputs(environ: Mapping[str, str], read: Callable[[str], str]) -> dict[str, str]:
    """Return no inputs."""
    del environ, read
    return {}


def annotation(level: Level, title: str, text: str, fault: Fault | None = None) -> str:
    """Return no command."""
    del level, title, text, fault
    return ""


def conceal(secret: str) -> str:
    """Return no command."""
    del secret
    return ""


def publish(
    environ: Mapping[str, str], *, outputs: Mapping[str, str], summary: str, nonce: Callable[[], str]
) -> Published:
    """Publish nothing."""
    del environ, outputs, summary, nonce
    return Published()
