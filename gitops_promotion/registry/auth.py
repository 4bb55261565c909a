"""How a registry wants requests to be signed: its challenge, and the service that gives tokens.

The challenge is that of RFC 9110, 11.6.1; the tokens are those of
https://distribution.github.io/distribution/spec/auth/token/ and .../auth/oauth/.
"""

import json
import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gitops_promotion.bounded_http import Signature
from gitops_promotion.registry.credentials import Credentials

_SCHEME = re.compile(r"\s*([A-Za-z]+)(?:\s+|\Z)")
_PARAMETER = re.compile(r'\s*([A-Za-z_]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s",]+))\s*(?:,|\Z)')
_CLIENT = "gitops-promotion"
# Characters of a token.
_MAX_TOKEN = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """What a registry demands: `bearer`, a token of the service at `realm`, or `basic`; "" for something else."""

    scheme: str = ""
    realm: str = ""
    service: str = ""
    scope: str = ""


def read_challenge(header: str) -> Challenge:
    """Return the challenge in `WWW-Authenticate`, the first one where there are several."""
    match = _SCHEME.match(header[:4000])
    if not match:
        return Challenge()
    fields: dict[str, str] = {}
    position = match.end()
    while parameter := _PARAMETER.match(header[:4000], position):
        name, in_quotes, bare = parameter.groups()
        fields.setdefault(name.lower(), bare or re.sub(r"\\(.)", r"\1", in_quotes or ""))
        position = parameter.end()
    scheme = match[1].lower()
    return Challenge(
        scheme=scheme if scheme in ("bearer", "basic") else "",
        realm=fields.get("realm", ""),
        service=fields.get("service", ""),
        scope=fields.get("scope", ""),
    )


def basic(credentials: Credentials) -> str:
    """Return the header of a user with a password, "" for nobody."""
    if not credentials.password:
        return ""
    return f"Basic {b64encode(f'{credentials.user}:{credentials.password}'.encode()).decode()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRequest:
    """The request that gets a token: `form` is sent with POST; without one it is a GET with `query`."""

    query: Mapping[str, str]
    form: Mapping[str, str]
    signature: Signature


def token_request(challenge: Challenge, credentials: Credentials, scope: str) -> TokenRequest:
    """Return the request to `challenge.realm`; `scope` is what is wanted where the challenge names nothing."""
    parameters = {"service": challenge.service, "scope": challenge.scope or scope}
    fields = {name: text for name, text in parameters.items() if text}
    if credentials.identity_token:
        form = {"grant_type": "refresh_token", "refresh_token": credentials.identity_token, "client_id": _CLIENT}
        return TokenRequest(query={}, form={**form, **fields}, signature=Signature())
    return TokenRequest(query=fields, form={}, signature=Signature(basic(credentials)))


def read_token(content: bytes) -> str:
    """Return the token in an answer, "" where there is none that can stand in a header."""
    try:
        document: Any = json.loads(content)
    except (ValueError, RecursionError):
        return ""
    if not isinstance(document, dict):
        return ""
    for name in ("token", "access_token"):
        token = document.get(name)
        if isinstance(token, str) and 0 < len(token) <= _MAX_TOKEN and token.isascii() and token.isprintable():
            return token
    return ""
