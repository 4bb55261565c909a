"""The facts of GitHub, GitHub Enterprise Cloud (ghe.com) and GitHub Enterprise Server."""

from collections.abc import Callable, Mapping

from gitops_promotion.core.sources import Difference
from gitops_promotion.errors import UsageError
from gitops_promotion.providers import Connection, Provider, SourceQuery, TokenQuery
from gitops_promotion.providers.choose import remote_host
from gitops_promotion.providers.facts import Forge
from gitops_promotion.providers.github.address import Address, split
from gitops_promotion.providers.github.update_branch import is_update


def claims(host: str | None, environ: Mapping[str, str]) -> bool:
    """Claim github.com, ghe.com and the server of a GitHub runner."""
    # Forgejo and Gitea fill in GITHUB_SERVER_URL too, but answer another API.
    is_gitea = any(environ.get(name) for name in ("GITEA_ACTIONS", "FORGEJO_ACTIONS"))
    server = "" if is_gitea else remote_host(environ.get("GITHUB_SERVER_URL", ""))
    return bool(host) and (host in ("github.com", "ssh.github.com", server) or str(host).endswith(".ghe.com"))


def page(url: str, number: int) -> str:
    """Return the address of a pull request's page, "" for a remote that names no repository."""
    try:
        address = Address.parse(url, api_url="", environ={})
    except UsageError:
        return ""
    scheme, _, port, _ = split(url)
    return f"{'http' if scheme == 'http' else 'https'}://{address.host}{port}/{address.repository}/pull/{number}"


def connect(connection: Connection) -> Provider:
    """Return the provider of the remote's repository. Raises UsageError; sends nothing yet."""
    from gitops_promotion.providers.github import provider

    return provider.connect(connection)


def token(query: TokenQuery) -> Callable[[], str]:
    """Return the function that gives the environment's token. Raises UsageError."""
    from gitops_promotion.providers.github import tokens

    return tokens.token(query)


def read_commits(query: SourceQuery) -> Difference:
    """Return what changed in any repository on GitHub. Raises ProviderError, UsageError."""
    from gitops_promotion.providers.github import sources

    return sources.read_commits(query)


FORGE = Forge(
    name="github",
    connect=connect,
    token=token,
    read_commits=read_commits,
    claims=claims,
    git_user="x-access-token",
    title_limit=256,
    body_limit=65_536,
    is_update=is_update,
    page=page,
    most_discussions=100,  # 50 in one request
    login_program=("gh", "auth", "token", "--hostname"),
    login_host=lambda host: "github.com" if host == "ssh.github.com" else host,
    makes_commits=True,
    queue_prefix="gh-readonly-queue/",
)
