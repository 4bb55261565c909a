"""The author and committer of new commits: as asked for, else as git's environment and configuration say."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gitops_promotion.git.checkout import Setting


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Name and email of a person or a program."""

    name: str
    email: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Authorship:
    """Author, committer and time of a commit, in seconds since 1970."""

    author: Identity
    committer: Identity
    seconds: int

    @property
    def lines(self) -> Sequence[tuple[str, str]]:
        """Role and line of a commit's header."""
        people = (("author", self.author), ("committer", self.committer))
        return [(role, f"{person.name} <{person.email}> {self.seconds} +0000") for role, person in people]

    @property
    def variables(self) -> dict[str, str]:
        """The environment variables that make git write it into a commit."""
        variables: dict[str, str] = {}
        for role, person in (("AUTHOR", self.author), ("COMMITTER", self.committer)):
            variables |= {f"GIT_{role}_NAME": person.name, f"GIT_{role}_EMAIL": person.email}
            variables |= {f"GIT_{role}_DATE": f"@{self.seconds} +0000"}
        return variables


DEFAULT_IDENTITY = Identity(name="gitops-promotion", email="gitops-promotion@users.noreply.invalid")


def authorship(
    identity: Identity | None, environ: Mapping[str, str], settings: Sequence[Setting], seconds: int
) -> Authorship:
    """Return the authorship of `identity`, else of author and committer as git finds them, else of the default."""
    if identity:
        identity = _clean(identity)
        return Authorship(author=identity, committer=identity, seconds=seconds)
    values = {setting.key: setting.value for setting in settings}

    def configured(role: str) -> Identity:
        name, email = (
            environ.get(f"GIT_{role.upper()}_{part.upper()}")
            or values.get(f"{role}.{part}")
            or values.get(f"user.{part}")
            or getattr(DEFAULT_IDENTITY, part)
            for part in ("name", "email")
        )
        return _clean(Identity(name=name, email=email))

    return Authorship(author=configured("author"), committer=configured("committer"), seconds=seconds)


def _clean(identity: Identity) -> Identity:
    """Return an identity without the characters that have a meaning in a commit's header, and without half surrogates.

    Python holds bytes that are not UTF-8 in an environment variable as half surrogates.
    """
    texts = (re.sub(r"[<>\x00-\x1f\x7f]", "", text).strip() for text in (identity.name, identity.email))
    name, email = (re.sub(r"[\ud800-\udfff]", "\ufffd", text) for text in texts)
    return Identity(name=name or DEFAULT_IDENTITY.name, email=email or DEFAULT_IDENTITY.email)
