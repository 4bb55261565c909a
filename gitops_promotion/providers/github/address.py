"""Reads a remote's URL: its repository on GitHub, and the API that serves it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

from gitops_promotion.errors import UsageError

_NAME = re.compile(r"[A-Za-z0-9._-]{1,100}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A repository and the API that serves it; `api` has no final slash."""

    host: str
    owner: str
    name: str
    api: str

    @classmethod
    def parse(cls, url: str, *, api_url: str, environ: Mapping[str, str]) -> Self:
        """Read a remote's URL as git does: https://, ssh:// or git@host:, with or without `.git`.

        See B24 in docs/migrating.md. Raises UsageError for anything but an `owner/repository` on a host, and for an
        invalid API address.
        """
        scheme, host, port, path = split(url)
        parts = path.strip("/").removesuffix(".git").split("/")
        if not host or len(parts) != 2 or not all(_NAME.fullmatch(part) and part.strip(".") for part in parts):
            raise UsageError(
                "the remote's URL names no repository on GitHub: it should be like https://HOST/OWNER/REPOSITORY or "
                "git@HOST:OWNER/REPOSITORY; correct it with `git remote set-url`, or choose another --provider"
            )
        # ssh over the https port has a host name of its own.
        host = host.removeprefix("ssh.") if host == "ssh.github.com" else host
        if host == "github.com":
            api = "https://api.github.com"
        elif host.endswith(".ghe.com"):
            api = f"https://api.{host}"
        else:
            api = f"{'http' if scheme == 'http' else 'https'}://{host}{port}/api/v3"
        configured = api_url or _api_of_runner(host, environ)
        return cls(host=host, owner=parts[0], name=parts[1], api=_check_api(configured) if configured else api)

    @property
    def repository(self) -> str:
        """`owner/name`, as people write it."""
        return f"{self.owner}/{self.name}"


def split(url: str) -> tuple[str, str, str, str]:
    """Return scheme, lower-case host, `:port` of a web address or "", and path; all "" without a certain host."""
    if re.search(r"[\x00-\x20\\]", url):
        return "", "", "", ""
    if scheme_match := re.match(r"(https?|ssh|git)://", url, re.IGNORECASE):
        try:
            parts = urlsplit(url)
            port = f":{parts.port}" if parts.port and scheme_match[1].lower().startswith("http") else ""
        except ValueError:
            return "", "", "", ""
        return parts.scheme, (parts.hostname or "").rstrip("."), port, parts.path
    if "://" not in url and (scp := re.fullmatch(r"(?:[^/:@]*@)?([A-Za-z0-9.-]+):(.+)", url)):
        return "ssh", scp[1].lower().rstrip("."), "", scp[2]
    return "", "", "", ""


def _api_of_runner(host: str, environ: Mapping[str, str]) -> str:
    """Return GITHUB_API_URL if it belongs to the remote's host: any other host would get the token.

    See B10 in docs/migrating.md.
    """
    api = environ.get("GITHUB_API_URL", "")
    if not api or any(environ.get(name) for name in ("GITEA_ACTIONS", "FORGEJO_ACTIONS")):
        return ""
    server = environ.get("GITHUB_SERVER_URL", "")
    return api if not server or split(server)[1] == host else ""


def _check_api(text: str) -> str:
    parts = urlsplit(text)
    if not re.fullmatch(r"https?://[A-Za-z0-9.-]+(?::[0-9]+)?(?:/[A-Za-z0-9._/-]*)?", text) or not parts.hostname:
        raise UsageError("the API's address should be like https://HOST/api/v3: correct --api-url or GITHUB_API_URL")
    return text.rstrip("/")
