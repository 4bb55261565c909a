"""The token that a person's own programs have stored for the host of the remote: that of the forge's CLI, and git's."""

import shutil
import subprocess
from collections.abc import Callable, Mapping

from gitops_promotion.git import Repository
from gitops_promotion.git.credentials import without_secrets
from gitops_promotion.providers.choose import remote_host
from gitops_promotion.providers.facts import Forge

# Seconds that a program may take to print a token.
_SECONDS = 10


def find_stored_token(
    facts: Forge, repository: Repository, environ: Mapping[str, str], tell: Callable[[str], None], *, api_url: str = ""
) -> str:
    """Return the token, "" for none; `tell` is given the sentence that says whose it is.

    It is for the API of the remote's own host, and asked for in a shell alone: a job has the token that it is given.
    """
    host = remote_host(repository.url)
    if not host or not facts.claims(host, environ):
        return ""
    host = facts.login_host(host)
    if api_url and remote_host(api_url) not in (host, f"api.{host}"):
        return ""
    printed = _output_of([*facts.login_program, host], environ) if facts.login_program else ""
    token = printed or repository.stored_password(host)
    # Anything else is a message, or could end a header.
    if not (token.isascii() and token.isprintable()) or " " in token:
        return ""
    if token:
        source = " ".join(facts.login_program[:3]) if printed else "git's credential helper"
        tell(f"using the token of {source} for {host}")
    return token


def _output_of(command: list[str], environ: Mapping[str, str]) -> str:
    """Return what a program prints, "" where it is not installed or fails."""
    program = shutil.which(command[0], path=environ.get("PATH", ""))
    if program is None:
        return ""
    try:
        variables = without_secrets(environ)
        printed = subprocess.run(
            [program, *command[1:]], env=variables, capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError):
        return ""
    return "" if printed.returncode else printed.stdout.strip()
