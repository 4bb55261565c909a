"""The models of Azure DevOps' own client, imported as the provider does it: without a folder below anybody's HOME."""

from types import ModuleType

from gitops_promotion.providers.azure_devops import api


def load() -> tuple[ModuleType, ...]:
    """Return what every service shares, and the models of Git, locations, policies and permissions."""
    api._sdk()
    from msrest.universal_http.requests import ClientRetryPolicy

    # Every client searches this list a thousand times when it is made, which is most of the time of a test.
    ClientRetryPolicy.safe_codes = frozenset(ClientRetryPolicy.safe_codes)  # type: ignore[assignment]  # a list there

    from azure.devops import _models
    from azure.devops.v7_0.git import models as git
    from azure.devops.v7_1.location import models as location
    from azure.devops.v7_1.policy import models as policy
    from azure.devops.v7_1.security import models as security

    return _models, git, location, policy, security
