"""Which forge says what changed in the repository that an application is built from, and who may get the token."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from gitops_promotion.core.sources import Difference
from gitops_promotion.providers import SourceQuery, registry
from gitops_promotion.providers.choose import remote_host
from gitops_promotion.providers.facts import Forge


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Reads what changed in other repositories. The token goes to the forge of the remote alone."""

    forge: Forge
    url: str = field(repr=False)
    api_url: str
    token: Callable[[], str] = field(repr=False)
    environ: Mapping[str, str] = field(repr=False)

    def difference(
        self, repository: str, old: str, new: str, *, limit: int, left: Callable[[], float]
    ) -> Difference | None:
        """Return what `new` has and `old` does not have, at most `limit` commits; None where no forge can be asked.

        `repository` is its address in a browser, `left` gives the seconds that are left.
        Raises ProviderError, UsageError.
        """
        is_own = self.forge.read_commits is not None and is_on_same_forge(repository, self.url)
        forge = self.forge if is_own else self._other_forge(repository)
        if forge is None or forge.read_commits is None:
            return None
        return forge.read_commits(
            SourceQuery(
                repository=repository,
                old=old,
                new=new,
                limit=limit,
                left=left,
                token=self.token if is_own else str,
                api_url=self.api_url if is_own else "",
                environ=self.environ,
            )
        )

    def _other_forge(self, repository: str) -> Forge | None:
        """Return the forge that claims the host of another repository; None for no forge or several."""
        host = remote_host(repository)
        claimants = [forge for forge in registry.forges() if host and forge.claims(host, self.environ)]
        return claimants[0] if len(claimants) == 1 else None


def is_on_same_forge(repository: str, url: str) -> bool:
    """Return True if a token for the remote `url` may go to the forge of an address in a browser.

    The host is the same, and the port where the remote has one for the web; without TLS only if the remote has none.
    """
    host = remote_host(url)
    page, remote = urlsplit(repository), urlsplit(url if "://" in url else "")
    if not host or (page.hostname or "").rstrip(".") != host.removeprefix("ssh.") or page.username or page.password:
        return False
    is_web = remote.scheme.lower() in ("http", "https")
    if page.scheme == "http" and remote.scheme.lower() != "http":
        return False
    return page.port == (remote.port if is_web else None)
