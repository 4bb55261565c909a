"""The facts of a plain git remote, which keeps pull requests as refs."""

from collections.abc import Mapping

from gitops_promotion.providers import Connection, Provider
from gitops_promotion.providers.facts import Forge


def claims(host: str | None, _environ: Mapping[str, str]) -> bool:
    """Claim a remote that is a path: nothing is written to a host without `--provider local`."""
    return host is None


def connect(connection: Connection) -> Provider:
    """Return the provider that keeps everything in the connection's own remote."""
    from gitops_promotion.providers.local import provider

    return provider.connect(connection)


def page(_url: str, number: int) -> str:
    """Return the command that shows a pull request, which stands in for its page."""
    return f"gitops-promotion local show {number}"


FORGE = Forge(
    name="local", connect=connect, claims=claims, title_limit=256, page=page, trusts_names=True, name_length=0
)
