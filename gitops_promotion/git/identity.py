"""Who commits are by: what was asked for, else what git's environment and configuration say."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gitops_promotion.git.checkout import Setting


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who a commit is by."""

    name: str
    email: str


DEFAULT_IDENTITY = Identity(name="gitops-promotion", email="gitops-promotion@users.noreply.invalid")


def signers(
    identity: Identity | None, environ: Mapping[str, str], settings: Sequence[Setting]
) -> list[tuple[str, Identity]]:
    """Return author and committer: `identity`, else as git finds them, else the default."""
    if identity:
        return [(role, _clean(identity)) for role in ("author", "committer")]
    values = {setting.key: setting.value for setting in settings}
    found = []
    for role in ("author", "committer"):
        name, email = (
            environ.get(f"GIT_{role.upper()}_{part.upper()}")
            or values.get(f"{role}.{part}")
            or values.get(f"user.{part}")
            or getattr(DEFAULT_IDENTITY, part)
            for part in ("name", "email")
        )
        found.append((role, _clean(Identity(name=name, email=email))))
    return found


def _clean(identity: Identity) -> Identity:
    """Without the characters that mean something in a commit's header."""
    name, email = (re.sub(r"[<>\x00-\x1f\x7f]", "", text).strip() for text in (identity.name, identity.email))
    return Identity(name=name or DEFAULT_IDENTITY.name, email=email or DEFAULT_IDENTITY.email)
