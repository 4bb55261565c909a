"""The forges that are installed: found by entry point, loaded when their name is needed."""

import logging
import sys
from collections.abc import Callable
from functools import cache
from importlib.metadata import EntryPoint, EntryPoints, entry_points
from typing import cast

from gitops_promotion.core.untrusted import line, quoted
from gitops_promotion.errors import ProviderError, UsageError
from gitops_promotion.providers import Connect, Connection, FindToken, Provider, TokenQuery
from gitops_promotion.providers.facts import Forge

FORGES = "gitops_promotion.forges"
"""The entry point group in which every forge, built in or not, names its `Forge`."""

PROVIDERS = "gitops_promotion.providers"
"""The entry point group of a forge without facts: it names a `Connect`."""

TOKENS = "gitops_promotion.tokens"
"""The entry point group in which a forge without facts may name its `FindToken`, under the same name."""

# These are found without metadata of the package too, which an older editable install lacks.
_BUILT_IN = {
    "azdo": "gitops_promotion.providers.azure_devops.facts:FORGE",
    "github": "gitops_promotion.providers.github.facts:FORGE",
    "local": "gitops_promotion.providers.local.facts:FORGE",
}

_log = logging.getLogger(__name__)


def names() -> list[str]:
    """Return the names of all forges that `--provider` takes, in alphabetical order."""
    return sorted({point.name for group in (FORGES, PROVIDERS) for point in _installed(group)} | set(_BUILT_IN))


def forges() -> list[Forge]:
    """Return the facts of every forge that registers them; one that cannot be loaded is named in a warning."""
    loaded = []
    for name in sorted({point.name for point in _installed(FORGES)} | set(_BUILT_IN)):
        try:
            loaded.append(forge(name))
        except (ProviderError, UsageError) as error:
            _log.warning("%s", error)
    return loaded


def forge(name: str) -> Forge:
    """Return the facts of one forge.

    Raises UsageError for a name that nobody or two packages register, ProviderError for one that cannot be loaded.
    """
    if points := _points(FORGES, name):
        return cast("Forge", _load(name, points))
    if points := _points(PROVIDERS, name):
        tokens = _points(TOKENS, name)

        def connect(connection: Connection) -> Provider:
            return cast("Connect", _load(name, points))(connection)

        def token(query: TokenQuery) -> Callable[[], str]:
            return cast("FindToken", _load(name, tokens))(query)

        return Forge(name=name, connect=connect, token=token if tokens else None)
    raise _unknown(name)


def require(name: str) -> None:
    """Raise UsageError if no forge has this name, unless it is "". Nothing of a forge is imported."""
    if name and name not in names():
        raise _unknown(name)


def _unknown(name: str) -> UsageError:
    return UsageError(f"there is no provider {quoted(name)}: choose one of those installed ({', '.join(names())})")


def connect(name: str, connection: Connection) -> Provider:
    """Return the provider of a forge; only its own adapter, hence its SDK, is imported.

    Raises UsageError for an unknown name, ProviderError for one that cannot be imported.
    """
    try:
        return forge(name).connect(connection)
    except ImportError as error:
        raise _cannot_load(name, error) from error


def _installed(group: str) -> EntryPoints:
    return _scan(group, tuple(sys.path))


@cache
def _scan(group: str, _path: tuple[str, ...]) -> EntryPoints:
    # This opens files of every installed package, which takes milliseconds, and a verb asks several times.
    return entry_points(group=group)


def _points(group: str, name: str) -> list[EntryPoint]:
    points = [point for point in _installed(group) if point.name == name]
    built_in = _BUILT_IN.get(name) if group == FORGES else None
    if built_in and all(point.value != built_in for point in points):
        points.append(EntryPoint(name=name, value=built_in, group=FORGES))
    return points


def _load(name: str, points: list[EntryPoint]) -> object:
    if len(points) > 1:
        # Whichever came first would get the token.
        packages = " and ".join(sorted(point.dist.name if point.dist else point.value for point in points))
        raise UsageError(f"provider {quoted(name)} is registered by {packages}: uninstall one of them")
    try:
        return cast("object", points[0].load())
    except (ImportError, AttributeError) as error:
        raise _cannot_load(name, error) from error


def _cannot_load(name: str, error: Exception) -> ProviderError:
    return ProviderError(
        f"provider {quoted(name)} cannot be loaded ({line(str(error))}): install its dependencies, or choose another "
        "with --provider"
    )
