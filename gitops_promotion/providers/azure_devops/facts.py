"""The facts of Azure DevOps Services and Azure DevOps Server."""

from collections.abc import Callable, Mapping

from gitops_promotion.errors import UsageError
from gitops_promotion.providers import Connection, Provider, TokenQuery
from gitops_promotion.providers.azure_devops.address import Address, is_cloud
from gitops_promotion.providers.choose import remote_host
from gitops_promotion.providers.facts import Forge


def claims(host: str | None, environ: Mapping[str, str]) -> bool:
    """Claim Microsoft's own hosts and the server of an Azure Pipelines job."""
    if not host:
        return False
    return is_cloud(host) or host == remote_host(environ.get("SYSTEM_COLLECTIONURI", ""))


def page(url: str, number: int) -> str:
    """Return the address of a pull request's page, "" for a remote that names no repository."""
    try:
        return Address.parse(url, api_url="", environ={}).page(number)
    except UsageError:
        return ""


def connect(connection: Connection) -> Provider:
    """Return the provider of the remote's repository. Raises UsageError; sends nothing yet."""
    from gitops_promotion.providers.azure_devops import provider

    return provider.connect(connection)


def token(query: TokenQuery) -> Callable[[], str]:
    """Return the function that gives the environment's token. Raises UsageError."""
    from gitops_promotion.providers.azure_devops import tokens

    return tokens.token(query)


FORGE = Forge(
    name="azdo",
    connect=connect,
    token=token,
    claims=claims,
    title_limit=400,
    body_limit=4000,
    page=page,
    asks_groups=True,
    name_length=1,
)
