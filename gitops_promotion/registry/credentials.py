"""The user's credentials for registries, from the configuration of docker.

The keys are those of https://docs.docker.com/reference/cli/docker/login/. The names of credential helpers come from
the user's configuration alone: no file of the repository can have a program started.
"""

import base64
import binascii
import json
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gitops_promotion.core.images import DOCKER_HUB

_HUB_KEY = "https://index.docker.io/v1/"
_HELPER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,100}")
# Bytes of docker's configuration that are read.
_MAX_BYTES = 1 << 20
# A helper needs the variables of its cloud, such as AWS_SECRET_ACCESS_KEY, and none of the forge's or of other tools.
_NOT_FOR_HELPERS = re.compile(
    r"(?!AWS_|AZURE_(?!DEVOPS)|GOOGLE_|DOCKER_)"
    r"(?:GIT_.*|GITOPS_PROMOTION_.*|.*(?:TOKEN|SECRET|PASSW|PRIVATE_?KEY).*|(?:.*_)?PAT(?:_.*)?)",
    re.IGNORECASE | re.DOTALL,
)
_PRIVATE_KEY = "PRIVATE KEY-----"
# docker-credential-helpers gives an identity token this name.
_TOKEN_USER = "<token>"  # noqa: S105  the name of a user


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """A user with a password, or an identity token in place of the password; all "" for nobody."""

    user: str = ""
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)

    def __bool__(self) -> bool:
        return bool(self.password or self.identity_token)

    @property
    def secrets(self) -> tuple[str, ...]:
        """What no log may show."""
        return tuple(filter(None, (self.password, self.identity_token)))


NOBODY = Credentials()
"""No credentials."""


def find_credentials(host: str, environ: Mapping[str, str], *, seconds: Callable[[], float]) -> Credentials:
    """Return the credentials for a registry, NOBODY where the user has none that can be read.

    `seconds` gives the time that a helper may take.
    """
    config = _configuration(environ)
    key = _HUB_KEY if host == DOCKER_HUB else host
    helpers = config.get("credHelpers")
    helper = _text(helpers.get(key) or helpers.get(host)) if isinstance(helpers, dict) else ""
    if helper := helper or _text(config.get("credsStore")):
        credentials = _ask_helper(helper, key, environ, seconds())
        if credentials:
            return credentials
    return _stored(config.get("auths"), host)


def _configuration(environ: Mapping[str, str]) -> dict[str, Any]:
    home = environ.get("HOME", "")
    folder = environ.get("DOCKER_CONFIG", "") or (f"{home}/.docker" if home else "")
    if not folder:
        return {}
    try:
        with Path(folder, "config.json").open("rb") as file:
            config = json.loads(file.read(_MAX_BYTES))
    except (OSError, ValueError, RecursionError):
        return {}
    return config if isinstance(config, dict) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _stored(auths: object, host: str) -> Credentials:
    """Return the credentials in the file, whose keys are hosts, with or without scheme and path."""
    names = ("docker.io", "index.docker.io", DOCKER_HUB) if host == DOCKER_HUB else (host,)
    for key, entry in auths.items() if isinstance(auths, dict) else ():
        if re.sub(r"\A[a-z]+://", "", str(key)).partition("/")[0].lower() not in names or not isinstance(entry, dict):
            continue
        user, password = _text(entry.get("username")), _text(entry.get("password"))
        try:
            decoded = base64.b64decode(_text(entry.get("auth")), validate=True).decode()
        except (binascii.Error, UnicodeDecodeError, ValueError):
            decoded = ""
        if ":" in decoded:
            user, _, password = decoded.rstrip("\0").partition(":")
        if credentials := Credentials(user=user, password=password, identity_token=_text(entry.get("identitytoken"))):
            return credentials
    return NOBODY


def _ask_helper(name: str, key: str, environ: Mapping[str, str], seconds: float) -> Credentials:
    path = environ.get("PATH", "")
    program = shutil.which(f"docker-credential-{name}", path=path) if _HELPER.fullmatch(name) and path else None
    if program is None:
        return NOBODY
    variables = {
        name: value
        for name, value in environ.items()
        if not _NOT_FOR_HELPERS.fullmatch(name) and _PRIVATE_KEY not in value
    }
    try:
        result = subprocess.run(
            [program, "get"], input=key.encode(), capture_output=True, env=variables, timeout=seconds, check=False
        )
        document = json.loads(result.stdout) if result.returncode == 0 else None
    except (OSError, ValueError, RecursionError, subprocess.TimeoutExpired):
        return NOBODY
    if not isinstance(document, dict):
        return NOBODY
    user, secret = _text(document.get("Username")), _text(document.get("Secret"))
    return Credentials(identity_token=secret) if user == _TOKEN_USER else Credentials(user=user, password=secret)
