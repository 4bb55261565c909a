"""The environment's token for a repository on Azure DevOps; imports no SDK."""

from collections.abc import Callable

from gitops_promotion.providers import TokenQuery
from gitops_promotion.providers.azure_devops.address import Address, organisation, split


def token(query: TokenQuery) -> Callable[[], str]:
    """Return the function that gives the present token, for API and git; "" if the environment has none for this host.

    AZURE_DEVOPS_EXT_PAT wins, since somebody chose it; SYSTEM_ACCESSTOKEN is the job's own, good for the organisation
    (the server) that the job runs in, and goes there only (docs/migrating.md, B10).
    """
    address = Address.parse(query.url, api_url=query.api_url, environ=query.environ)

    def value(variable: str) -> str:
        # The agent leaves a macro as it was written if the variable does not exist.
        text = query.environ.get(variable, "").strip()
        return "" if text.startswith("$(") else text

    collection = value("SYSTEM_COLLECTIONURI")
    is_own = address.in_cloud or address.host in {split(collection).host, split(query.api_url).host}
    secret = value("AZURE_DEVOPS_EXT_PAT") if is_own else ""
    if not secret and (_same_home(address, collection) if collection else is_own):
        secret = value("SYSTEM_ACCESSTOKEN")
    return lambda: secret


def _same_home(address: Address, collection: str) -> bool:
    if address.in_cloud:
        return organisation(address.collection) == organisation(collection) != ""
    return split(collection).host == address.host
