"""The environment variables of a git command: for one that stays on this machine, and for one that reaches the remote.

Both are made of names that are known to be harmless. The caller's environment also holds tokens, the private key of an
App, and variables of git that would lead it to another repository or change its output.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from gitops_promotion.core.secrets import is_secret
from gitops_promotion.core.untrusted import quoted
from gitops_promotion.errors import GitError

SAFE = (
    ("core.hooksPath", "/dev/null"),
    ("core.fsmonitor", "false"),
    ("core.attributesFile", "/dev/null"),
    ("protocol.ext.allow", "never"),
    # A server without push options refuses a push that has some.
    ("push.pushOption", ""),
    ("gc.auto", "0"),
    ("maintenance.auto", "false"),
)

# With a token no program is asked for another one, and traces that are switched on show no header.
NO_PROMPT = {
    "GIT_ASKPASS": "",
    "GIT_TRACE_REDACT": "1",
    "GIT_TRACE2_CONFIG_PARAMS": "none",
    "GIT_TRACE2_ENV_VARS": "none",
}

_LOCAL = re.compile(r"PATH|HOME|TMPDIR|TEMP|TMP|(?:LD|DYLD)_LIBRARY_PATH|DEVELOPER_DIR|GIT_EXEC_PATH|GIT_TRACE\w*")
_DISCOVERY = re.compile(
    rf"{_LOCAL.pattern}|XDG_CONFIG_HOME|USER|LOGNAME|GIT_DISCOVERY_ACROSS_FILESYSTEM|GIT_CONFIG_(?:GLOBAL|SYSTEM|NOSYSTEM"
    r"|COUNT|PARAMETERS|(?:KEY|VALUE)_\d+)"
)
# A command that reaches the remote may run ssh, a credential helper or a proxy command, each with its own variables. So
# all variables that are not git's are passed on, except for private keys and the channels of notifications. Settings of
# the caller (GIT_CONFIG_COUNT) are passed by `as_environment`.
_TRANSPORT = re.compile(
    r"(?!GIT_|GITOPS_PROMOTION_NOTIFY_).*|GIT_(?:SSH\w*|ASKPASS|PROXY_\w+|SSL_\w+|HTTP_\w+|CURL_\w+|TRACE\w*|ALLOW_PROTOCOL|PROTOCOL_FROM_USER"
    r"|EXEC_PATH|CONFIG_(?:GLOBAL|SYSTEM|NOSYSTEM))",
    re.DOTALL,
)
# No settings but these: a person's `log.follow` or `color.ui=always` changes no answer.
_NO_CONFIG = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}


# Digits of GIT_CONFIG_COUNT that are read.
_COUNT_DIGITS = 9
# https://docs.sigstore.dev/cosign/signing/gitsign/ signs with it.
_OWN_IDENTITY = "ACTIONS_ID_TOKEN_REQUEST_TOKEN"


def discovery_environment(environ: Mapping[str, str], *, trust: bool) -> dict[str, str]:
    """Return the environment of commands that find and read the user's repository.

    With `trust` the repository may belong to another user.
    """
    variables = {name: value for name, value in environ.items() if _DISCOVERY.fullmatch(name)}
    trusted = [("safe.directory", "*")] if trust else []
    return {**variables, **as_environment([*inherited(environ), *trusted]), "LC_ALL": "C", "LANGUAGE": "C"}


def local_environment(environ: Mapping[str, str], private: Path) -> dict[str, str]:
    """Return the environment of commands that stay in the private repository."""
    variables = {name: value for name, value in environ.items() if _LOCAL.fullmatch(name)}
    return {**variables, **_inside(private), **_NO_CONFIG, **as_environment(SAFE)}


def transport_environment(environ: Mapping[str, str], private: Path) -> dict[str, str]:
    """Return the environment of commands of the private repository that reach the remote."""
    variables = {
        name: value
        for name, value in environ.items()
        if _TRANSPORT.fullmatch(name) and not _is_private_key(name, value)
    }
    return {**variables, **_inside(private)}


def signing_environment(
    environ: Mapping[str, str], private: Path, settings: Sequence[tuple[str, str]]
) -> dict[str, str]:
    """Return the environment of a command that signs a commit in the private repository, with these settings alone.

    The program that signs is the person's, and may need any variable, such as that of an agent. It gets no variable
    with a secret, except the one with which a job of GitHub asks for its own identity (`id-token: write`).
    """
    variables = {
        name: value
        for name, value in transport_environment(environ, private).items()
        if name == _OWN_IDENTITY or not is_secret(name, value)
    }
    return {**variables, **_NO_CONFIG, **as_environment([*SAFE, *settings])}


def as_environment(settings: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Write settings as git reads them from its environment: unlike arguments no other user can see them."""
    variables = {"GIT_CONFIG_COUNT": str(len(settings))}
    for index, (key, value) in enumerate(settings):
        variables[f"GIT_CONFIG_KEY_{index}"] = key
        variables[f"GIT_CONFIG_VALUE_{index}"] = value
    return variables


def inherited(environ: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return the settings that are in the caller's environment already. Raises GitError if git could not read them."""
    count = environ.get("GIT_CONFIG_COUNT", "") or "0"
    if not (count.isascii() and count.isdigit()):
        raise GitError(f"GIT_CONFIG_COUNT is {quoted(count)}, which is not a number: unset it or correct it")
    settings = []
    for index in range(int(count[:_COUNT_DIGITS])):
        key, value = (environ.get(f"GIT_CONFIG_{part}_{index}") for part in ("KEY", "VALUE"))
        if key is None or value is None:
            raise GitError(
                f"GIT_CONFIG_COUNT is {quoted(count)}, but GIT_CONFIG_KEY_{index} or GIT_CONFIG_VALUE_{index} is "
                "missing: set both, or correct the count"
            )
        settings.append((key, value))
    return settings


def _inside(private: Path) -> dict[str, str]:
    folder = str(private)
    return {
        "GIT_DIR": folder,
        "GIT_COMMON_DIR": folder,
        "GIT_WORK_TREE": folder,
        "GIT_INDEX_FILE": f"{folder}/index",
        "GIT_OBJECT_DIRECTORY": f"{folder}/objects",
        "GIT_GRAFT_FILE": f"{folder}/grafts",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_LITERAL_PATHSPECS": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "LANGUAGE": "C",
        "LC_ALL": "C",
    }


def _is_private_key(name: str, value: str) -> bool:
    return "PRIVATE_KEY" in name.upper() or "PRIVATE KEY-----" in value
