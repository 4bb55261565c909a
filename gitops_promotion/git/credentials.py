"""The password that git's own credential helpers have stored for a host."""

import re
from collections.abc import Mapping

from gitops_promotion.errors import GitError
from gitops_promotion.git.process import Runner

# The protocol of credential helpers is lines of text: a host must not bring a line break.
_HOST = re.compile(r"[A-Za-z0-9.-]+(?::[0-9]{1,5})?")
_SILENT = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "",
    "SSH_ASKPASS": "",
    "GCM_INTERACTIVE": "never",
    "LC_ALL": "C",
    "LANGUAGE": "C",
}


_SECRETS = re.compile(
    r"GIT_.*|GITOPS_PROMOTION_.*|.*(?:TOKEN|SECRET|PASSW|PRIVATE_?KEY).*|(?:.*_)?PAT(?:_.*)?", re.IGNORECASE | re.DOTALL
)


def without_secrets(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that a helper needs: all but git's own and those that hold secrets."""
    return {name: value for name, value in environ.items() if not _SECRETS.fullmatch(name)}


def stored_password(runner: Runner, host: str, environ: Mapping[str, str]) -> str:
    """Return what git would use as the password for https on a host, "" for none; nobody is asked."""
    if not _HOST.fullmatch(host):
        return ""
    question = f"protocol=https\nhost={host}\n\n".encode()
    try:
        result = runner.run(["credential", "fill"], {**without_secrets(environ), **_SILENT}, question)
    except GitError:
        return ""
    password = re.search(rb"^password=(.*)$", result.stdout, re.MULTILINE)
    return password[1].decode(errors="replace") if password and not result.status else ""
