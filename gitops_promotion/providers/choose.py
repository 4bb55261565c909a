"""Which forge a remote belongs to: from the options, the configuration, the remote and the registered facts."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from gitops_promotion.core.untrusted import quoted
from gitops_promotion.errors import UsageError
from gitops_promotion.providers import TokenQuery, registry
from gitops_promotion.providers.facts import GIT_USER, Forge


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The name of a forge and, for people, the reason it was chosen."""

    name: str
    reason: str


def choose(url: str, *, option: str, configured: str, environ: Mapping[str, str]) -> Choice:
    """Choose by `--provider`, else the configuration, else the remote's URL; "" stands for an absent one.

    Raises UsageError where no forge or more than one claims the remote: a token must not travel to a host on a guess.
    """
    if option:
        return Choice(name=option, reason="--provider")
    if configured:
        return Choice(name=configured, reason="provider: in the configuration")
    host = remote_host(url)
    claimants = [] if host == "" else [forge for forge in registry.forges() if forge.claims(host, environ)]
    if len(claimants) == 1:
        return Choice(name=claimants[0].name, reason=f"the remote is {f'on {host}' if host else 'a path'}")
    subject = f"the host {quoted(host)} of the remote" if host else "the remote's URL"
    problem = "does not say which forge it is"
    if claimants:
        problem = f"is claimed by {' and '.join(forge.name for forge in claimants)}"
    raise UsageError(
        f"{subject} {problem}: choose --provider {_either(registry.names())} (or `provider:` in the configuration)"
    )


def _forge_before_configuration(url: str, *, option: str, environ: Mapping[str, str]) -> Forge | None:
    """Return the facts of the remote's forge; None where only the configuration names it, which git must fetch."""
    try:
        return registry.forge(choose(url, option=option, configured="", environ=environ).name)
    except UsageError:
        return None


def find_token(query: TokenQuery, *, option: str) -> Callable[[], str]:
    """Return the function that gives the environment's token for this remote; `option` is --provider.

    Where only the configuration knows which forge it is, it gives "": no token travels on a guess.
    """
    forge = _forge_before_configuration(query.url, option=option, environ=query.environ)
    return forge.token(query) if forge and forge.token else str


def git_user(url: str, *, option: str, environ: Mapping[str, str]) -> str:
    """Return the user name with which git sends a token to this remote."""
    forge = _forge_before_configuration(url, option=option, environ=environ)
    return forge.git_user if forge else GIT_USER


def _either(names: list[str]) -> str:
    return f"{', '.join(names[:-1])} or {names[-1]}" if len(names) > 1 else "".join(names)


def remote_host(url: str) -> str | None:
    """Return the lower-case host of a remote as git reads it; None for a path, "" where the host is uncertain."""
    if re.match(r"[A-Za-z0-9][A-Za-z0-9+.-]*::", url):
        return ""
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", url):
        if url[:7].lower() == "file://":
            return None
        # urlsplit drops tabs and line ends and curl reads a backslash its own way: no two readings of one host.
        if re.search(r"[\x00-\x20\\]", url):
            return ""
        try:
            return (urlsplit(url).hostname or "").lower().rstrip(".")
        except ValueError:
            return ""
    # git-clone(1), "GIT URLS": `host:path` only if no slash comes before the colon.
    scp = re.match(r"(?:[^/:]*@)?(\[[^\]/]*\]|[^/:]+):", url)
    if scp:
        return scp[1].strip("[]").lower().rstrip(".")
    return None if url else ""
