"""Markers that several environments claim. That is an error: a promotion into one would change the others unseen."""

from collections.abc import Iterable

from gitops_promotion.core.layout import Layout, MarkerName
from gitops_promotion.core.names import Site


def conflict_of(layout: Layout, name: MarkerName, claims: Iterable[Site]) -> str:
    """Return the error that several environments claim one marker, with the keys to change; "" if at most one does."""
    environments = dict.fromkeys(site.environment for site in claims)
    if len(environments) < 2:
        return ""
    owners = [f"{e} ({layout.path_key(e)}, {layout.marker_key(e)})" for e in environments]
    quantity = "both" if len(owners) == 2 else "all"
    return (
        f"{' and '.join(owners)} {quantity} claim the marker {name}: make the path or the marker of one of them "
        "more specific"
    )
