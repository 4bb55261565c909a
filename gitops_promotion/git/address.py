"""The address of a remote, and the settings that reach it without its password in an argument of a program.

For a remote on the web git starts a helper program with the address as an argument, which other users of the machine
can read. So the address is given without user and password, and a credential helper gives these where the server asks
for them.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import unquote, urlsplit

from gitops_promotion.core.authorization import authorization
from gitops_promotion.core.secrets import masked
from gitops_promotion.errors import GitError

_WEB = re.compile(r"https?://")
# Shorter values of a query are not tokens, and masking them would damage other text.
_SECRET = 8
_PASSWORD = re.compile(r"[A-Za-z0-9+.-]+://[^/@:]*:([^/@]+)@")
# git runs it with the shell; {number} tells the variables of several addresses apart.
_HELPER = (
    '!f() {{ test "$1" = get && printf "username=%s\\npassword=%s\\n" "$GITOPS_PROMOTION_USER_{number}" '
    '"$GITOPS_PROMOTION_PASSWORD_{number}"; }}; f'
)
NO_HELPER = ("credential.helper", "")
"""The setting that resets the credential helpers before it."""

Settings = list[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """An address as git gets it, and the user and password that were taken out of it."""

    text: str
    user: str = ""
    password: str = ""
    secrets: tuple[str, ...] = ()
    """The password in all its forms, and the values of a query."""

    @classmethod
    def parse(cls, address: str, keys: Iterable[str] = ()) -> Self:
        """Read the address of a remote. Raises GitError if it is an invalid web address.

        A user without a password stays in the address where one of the `keys` of settings has it too: such a setting
        is for addresses with this user only.
        """
        if not _WEB.match(address):
            # git gives the address of another kind to ssh as it is; a password in it must not be shown.
            password = match[1] if (match := _PASSWORD.match(address)) else ""
            return cls(text=address, secrets=(password, unquote(password)) if password else ())
        try:
            parts = urlsplit(address)
        except ValueError as error:
            raise _malformed(str(error)) from error
        userinfo, _, host = parts.netloc.rpartition("@")
        raw_user, _, raw_password = userinfo.partition(":")
        user, password = unquote(raw_user), unquote(raw_password)
        if not (user + password).isprintable():
            raise _malformed("its user or password has a control character")
        if user and not password and any(f"//{userinfo}@" in key for key in keys):
            host = parts.netloc
        header = authorization(password, user=user).partition(" ")[2]
        secrets = [raw_password, password, header] if password else []
        for value in (pair.partition("=")[2] for pair in parts.query.split("&")):
            secrets += [value, unquote(value)] if len(value) >= _SECRET else []
        return cls(text=parts._replace(netloc=host).geturl(), user=user, password=password, secrets=tuple(secrets))

    @property
    def web(self) -> bool:
        """Whether it is an address of http or https."""
        return bool(_WEB.match(self.text))

    @property
    def _origin(self) -> str:
        parts = urlsplit(self.text)
        return f"{parts.scheme}://{parts.netloc}"

    def shown(self, root: Path) -> str:
        """Return the address for messages: without a user, and a relative path made absolute."""
        if self.web:
            parts = urlsplit(self.text)
            query = "..." if parts.query else ""
            return parts._replace(netloc=parts.netloc.rpartition("@")[2], query=query).geturl()
        local = "://" not in self.text and ":" not in self.text.partition("/")[0]
        return str((root / self.text).resolve()) if local else masked(self.text, self.secrets)

    def with_credentials(self, number: int) -> tuple[Settings, dict[str, str]]:
        """Return the settings and variables that give the server the address's own user and password.

        `number` tells the variables of several addresses apart.
        """
        if not self.password:
            return ([(f"credential.{self._origin}.username", self.user)] if self.user else []), {}
        variables = {
            f"GITOPS_PROMOTION_USER_{number}": self.user,
            f"GITOPS_PROMOTION_PASSWORD_{number}": self.password,
        }
        return [(f"credential.{self._origin}.helper", _HELPER.format(number=number))], variables

    def with_header(self, authorization: str) -> Settings:
        """Return the settings that send an Authorization header to this address only, not to the target of a redirect.

        The key is the whole address: no key is more specific, so no setting of a checkout step overrides it. The empty
        value removes the header that such a step has set. Credential helpers are reset: none may replace the token.
        """
        header = f"http.{self.text}.extraHeader"
        return [
            (header, ""),
            (header, f"Authorization: {authorization}"),
            (f"http.{self.text}.followRedirects", "false"),
            NO_HELPER,
        ]

    def as_it_is(self) -> Settings:
        """Return the settings that keep `insteadOf` rules from changing the address: the longest rule wins."""
        return [(f"url.{self.text}.insteadOf", self.text)] if self.web else []


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The `url.<base>.insteadOf` and `pushInsteadOf` rules of git's configuration: (prefix, base) each."""

    rules: tuple[tuple[str, str], ...]
    push_rules: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, settings: Iterable[tuple[str, str]]) -> Self:
        """Return the rules among settings."""
        rules: dict[str, list[tuple[str, str]]] = {"insteadof": [], "pushinsteadof": []}
        for key, prefix in settings:
            if match := re.fullmatch(r"url\.(.*)\.((?:push)?insteadof)", key, re.DOTALL):
                rules[match[2]].append((prefix, match[1]))
        return cls(rules=tuple(rules["insteadof"]), push_rules=tuple(rules["pushinsteadof"]))

    def apply(self, url: str) -> str:
        """Return the address that git fetches from."""
        return _rewritten(url, self.rules) or url

    def push_urls(self, url: str) -> list[str]:
        """Return the address that git pushes to instead of the one that it fetches from, if there is one."""
        push_url = _rewritten(url, self.push_rules)
        return [push_url] if push_url else []


def _rewritten(url: str, rules: Iterable[tuple[str, str]]) -> str | None:
    matching = [(len(prefix), base + url[len(prefix) :]) for prefix, base in rules if url.startswith(prefix)]
    return max(matching, key=lambda match: match[0])[1] if matching else None


def _malformed(reason: str) -> GitError:
    return GitError(f"the remote's address is malformed ({reason}): correct it with `git remote set-url`")
