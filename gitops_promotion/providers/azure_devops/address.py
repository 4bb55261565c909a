"""Reads a remote's URL: its repository on Azure DevOps, and the address of its collection's API."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self
from urllib.parse import quote, unquote, urlsplit

from gitops_promotion.errors import UsageError

CLOUD = "dev.azure.com"
OLD_CLOUD = ".visualstudio.com"
_SSH = ("ssh.dev.azure.com", f"vs-ssh{OLD_CLOUD}")
# Characters that no project or repository may have in its name; the client would take braces for a template.
_NOT_IN_NAMES = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|#{}]')
_MARKERS = ("_git", "_ssh")


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A repository, its project, and the collection (in the cloud: the organisation) by the URL of its API.

    `collection` has no final slash and is percent-encoded; the names are as people write them.
    """

    host: str
    collection: str
    project: str
    repository: str

    @classmethod
    def parse(cls, url: str, *, api_url: str, environ: Mapping[str, str]) -> Self:
        """Read every form of a remote's URL (docs/facts/forges.md): https, ssh, short, old, and of own servers.

        `api_url` is the collection's URL. Without it the runner's SYSTEM_COLLECTIONURI tells the virtual directory from
        the collection, if it is that server's. See B10 and B31 in docs/migrating.md. Raises UsageError.
        """
        parts = split(url)
        collection = check_api(api_url) if api_url else _collection_of_runner(parts.host, environ)
        repository = (_in_cloud(parts) or _on_server(parts, collection)) if parts.names else None
        if repository is None:
            raise UsageError(
                "the remote's URL names no repository on Azure DevOps: it should be like "
                "https://dev.azure.com/ORGANISATION/PROJECT/_git/REPOSITORY, or https://HOST/COLLECTION/PROJECT/_git/"
                "REPOSITORY on a server of your own; correct it with `git remote set-url`, or give --api-url "
                "https://HOST/COLLECTION"
            )
        read_collection, project, name = repository
        return cls(
            host=parts.host, collection=collection if api_url else read_collection, project=project, repository=name
        )

    @property
    def name(self) -> str:
        """`project/repository`, as people write it."""
        return f"{self.project}/{self.repository}"

    @property
    def in_cloud(self) -> bool:
        """True on Microsoft's own hosts."""
        return is_cloud(self.host)

    @property
    def directory(self) -> Self:
        """The same repository, with the collection's address on the server that knows people and groups.

        https://learn.microsoft.com/rest/api/azure/devops/ims/identities/read-identities
        """
        site = re.fullmatch(
            r"https://(?:dev\.azure\.com/([^/]+)|([a-z0-9-]+)\.visualstudio\.com(?:/DefaultCollection)?)",
            self.collection,
            re.IGNORECASE,
        )
        if site is None:
            return self
        address = f"https://vssps.{CLOUD}/{site[1]}" if site[1] else f"https://{site[2]}.vssps{OLD_CLOUD}"
        return replace(self, collection=address)

    def page(self, number: int) -> str:
        """Return the address of a pull request's page."""
        return f"{self.collection}/{_path(self.project)}/_git/{_path(self.repository)}/pullrequest/{number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """A remote's URL taken apart: `port` is `:1` of a web address or "", `names` are decoded; all empty if unusable."""

    scheme: str = ""
    user: str = ""
    host: str = ""
    port: str = ""
    names: tuple[str, ...] = ()


def split(url: str) -> Parts:
    """Take a remote's URL apart as git reads it."""
    if re.search(r"[\x00-\x1f\x7f\\]", url):
        return Parts()
    if scheme_match := re.match(r"(https?|ssh)://", url, re.IGNORECASE):
        try:
            parts = urlsplit(url)
            port = f":{parts.port}" if parts.port and scheme_match[1].lower() != "ssh" else ""
        except ValueError:
            return Parts()
        user, host, path = parts.username or "", parts.hostname or "", parts.path
        scheme = parts.scheme
    elif "://" not in url and (scp := re.fullmatch(r"(?:([^/:@]*)@)?([A-Za-z0-9.-]+):(.+)", url)):
        scheme, user, host, port, path = "ssh", scp[1] or "", scp[2], "", scp[3]
    else:
        return Parts()
    names = tuple(unquote(name) for name in path.strip("/").split("/")) if path.strip("/") else ()
    if any(not _is_name(name) for name in names):
        return Parts()
    return Parts(scheme=scheme, user=unquote(user), host=host.lower().rstrip("."), port=port, names=names)


def is_cloud(host: str) -> bool:
    """Return True for Microsoft's own hosts."""
    return host in (CLOUD, *_SSH) or host.endswith(OLD_CLOUD)


def organisation(url: str) -> str:
    """Return the organisation in the cloud of a collection's URL, in lower case; "" for anything else."""
    parts = split(url)
    if parts.host == CLOUD:
        return parts.names[0].lower() if parts.names else ""
    return parts.host.removesuffix(OLD_CLOUD) if parts.host.endswith(OLD_CLOUD) else ""


def _is_name(name: str) -> bool:
    return bool(name.strip(". ")) and not _NOT_IN_NAMES.search(name) and len(name) <= 256


def _path(*names: str) -> str:
    return "/".join(quote(name, safe="") for name in names)


def _in_cloud(parts: Parts) -> tuple[str, str, str] | None:
    """Return collection, project and repository of a remote on Microsoft's hosts."""
    names = parts.names
    if parts.host in _SSH and len(names) == 4 and names[0].lower() == "v3":
        # An ssh address does not contain its web address; the service has these two.
        organisation_, project, repository = names[1:]
        is_old = parts.host != _SSH[0]
        collection = f"https://{organisation_}{OLD_CLOUD}" if is_old else f"https://{CLOUD}/{_path(organisation_)}"
        return (collection, project, repository) if _is_organisation(organisation_) else None
    if parts.host == _SSH[1] and _is_organisation(parts.user):
        return _named(f"https://{parts.user.lower()}{OLD_CLOUD}", _without_default(names))
    if parts.host == CLOUD and _is_organisation(names[0]):
        return _named(f"https://{CLOUD}/{_path(names[0])}", names[1:])
    if parts.host.endswith(OLD_CLOUD) and parts.host not in _SSH:
        return _named(f"https://{parts.host}", _without_default(names))
    return None


def _on_server(parts: Parts, collection: str) -> tuple[str, str, str] | None:
    """Return collection, project and repository of a remote on a server of one's own."""
    if not parts.host or is_cloud(parts.host):
        return None
    scheme = "https" if parts.scheme == "ssh" else parts.scheme
    site = f"{scheme}://{parts.host}{parts.port}"
    if collection:
        prefix = split(collection).names
        if tuple(map(str.lower, parts.names[: len(prefix)])) == tuple(map(str.lower, prefix)):
            return _named(collection.rstrip("/"), parts.names[len(prefix) :])
    at = next((parts.names.index(marker) for marker in _MARKERS if marker in parts.names), 0)
    # A virtual directory, a collection, a project that may be absent: `tfs` used to be the default directory.
    depth = {1: 1, 2: 2 if parts.names[0].lower() == "tfs" else 1, 3: 2}.get(at, 0)
    return _named(f"{site}/{_path(*parts.names[:depth])}", parts.names[depth:]) if depth else None


def _named(collection: str, names: Sequence[str]) -> tuple[str, str, str] | None:
    """Read `project/_git/repository`, or `_git/repository` where the project has the repository's name."""
    # The addresses of partial clones have these parts in between.
    names = [name for name in names if name not in ("_full", "_optimized")]
    if len(names) == 2 and names[0] in _MARKERS:
        return collection, names[1], names[1]
    if len(names) == 3 and names[1] in _MARKERS and names[0] not in _MARKERS:
        return collection, names[0], names[2]
    return None


def _without_default(names: Sequence[str]) -> Sequence[str]:
    """Drop the collection that the old hosts have in some addresses: there is only one."""
    return names[1:] if names[:1] and names[0].lower() == "defaultcollection" else names


def _is_organisation(name: str) -> bool:
    return re.fullmatch(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,62}[A-Za-z0-9])?", name) is not None


def _collection_of_runner(host: str, environ: Mapping[str, str]) -> str:
    """Return SYSTEM_COLLECTIONURI if it is on the remote's host: any other host would get the token.

    See B10 in docs/migrating.md.
    """
    collection = environ.get("SYSTEM_COLLECTIONURI", "")
    return check_api(collection) if host and split(collection).host == host else ""


def check_api(text: str) -> str:
    """Return a collection's URL without its final slash. Raises UsageError for anything else."""
    shape = r"https?://[A-Za-z0-9.-]+(?::[0-9]+)?(?:/[A-Za-z0-9._~%/-]*)?"
    if not re.fullmatch(shape, text) or not split(text).host:
        raise UsageError(
            "the collection's address should be like https://HOST/COLLECTION: correct --api-url or SYSTEM_COLLECTIONURI"
        )
    # The client sends the address in lower case up to the path, and its requests are compared with this one.
    site = re.match(r"https?://[^/]*", text)
    return (text.replace(site[0], site[0].lower(), 1) if site else text).rstrip("/")
