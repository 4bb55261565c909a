"""GitHub Apps: a key signs who asks, an installation says where, a short-lived token does the work."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.forges.github_rest import Answer, Call, endpoint, listed
from tests.forges.github_shapes import Shape, time
from tests.forges.github_state import RefusedError, Repo, Token, World

# OpenSSL checks the primes of a key each time that it is read, which takes longer than what the tests do with it.
setattr(jwt.algorithms, "load_pem_private_key", cache(serialization.load_pem_private_key))  # noqa: B010  no type has it


@dataclass(frozen=True, kw_only=True)
class App:
    """An App installed on some repositories of one owner; its only installation has its own number."""

    id: int
    slug: str
    owner: str
    permissions: Mapping[str, str]
    repositories: frozenset[str]
    private_key: str = field(repr=False)
    public_key: str = field(repr=False)

    @property
    def installation(self) -> int:
        return self.id + 1000


@cache
def _keys(slug: str) -> tuple[str, str]:
    """Return the private and the public key of the App of this name: the making of one takes a tenth of a second."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return private.decode(), public.decode()


def make_app(world: World, slug: str, *, permissions: Mapping[str, str], repositories: frozenset[str]) -> App:
    private_key, public_key = _keys(slug)
    number = world.apps.setdefault(slug, len(world.apps) + 1)
    owner = min(repositories).partition("/")[0]
    app = App(
        id=number,
        slug=slug,
        owner=owner,
        permissions=permissions,
        repositories=repositories,
        private_key=private_key,
        public_key=public_key,
    )
    world.installed[number] = app
    return app


def app_of(world: World, secret: str) -> App:
    """Return the App that signed a JSON web token, or refuse it as GitHub does."""
    try:
        claims = jwt.decode(secret, options={"verify_signature": False})
        app = world.installed[int(claims["iss"])]
        jwt.decode(secret, app.public_key, algorithms=["RS256"], leeway=5)
    except (jwt.InvalidTokenError, KeyError, ValueError) as error:
        raise RefusedError(401, "A JSON web token could not be decoded") from error
    if claims["exp"] - claims["iat"] > 660:
        raise RefusedError(401, "'Expiration time' claim ('exp') is too far in the future")
    return app


def _caller(call: Call) -> App:
    app = call.world.installed.get(call.token.app)
    if app is None:
        raise RefusedError(401, "A JSON web token could not be decoded")
    return app


def _installation(call: Call, app: App) -> Shape:
    repo = _any_repo(call)
    at = time(call.world.clock.now)
    return {
        "id": app.installation,
        "account": call.shapes.user(repo, app.owner),
        "repository_selection": "selected",
        "access_tokens_url": f"{call.shapes.api}/app/installations/{app.installation}/access_tokens",
        "repositories_url": f"{call.shapes.api}/installation/repositories",
        "html_url": f"{call.shapes.site}/organizations/{app.owner}/settings/installations/{app.installation}",
        "app_id": app.id,
        "app_slug": app.slug,
        "target_id": call.world.user_id(app.owner),
        "target_type": "Organization",
        "permissions": dict(app.permissions),
        "events": [],
        "created_at": at,
        "updated_at": at,
        "single_file_name": None,
        "suspended_by": None,
        "suspended_at": None,
    }


def _any_repo(call: Call) -> Repo:
    return next(iter(call.world.repos.values()))


@endpoint("GET /app")
def get_app(call: Call) -> Answer:
    return 200, call.shapes.app(_any_repo(call), _caller(call).slug), {}


@endpoint("GET /app/installations")
def list_installations(call: Call) -> Answer:
    return listed(call, [_caller(call)], lambda app: _installation(call, app))


@endpoint("GET /repos/{owner}/{repo}/installation")
def get_installation(call: Call) -> Answer:
    app = _caller(call)
    if call.repo.full_name not in app.repositories:
        raise RefusedError(404, "Not Found")
    return 200, _installation(call, app), {}


@endpoint("POST /app/installations/{installation_id}/access_tokens")
def create_token(call: Call) -> Answer:
    app = _caller(call)
    if call.parameters["installation_id"] != str(app.installation):
        raise RefusedError(404, "Not Found")
    wanted = call.body.get("permissions") or dict(app.permissions)
    if any(app.permissions.get(name) not in ("write", level) for name, level in wanted.items()):
        raise RefusedError(422, "The permissions requested are not granted to this installation.")
    token = Token(
        secret=f"ghs_{secrets.token_hex(18)}",
        login=f"{app.slug}[bot]",
        kind="installation",
        permissions=wanted,
        repositories=app.repositories,
    )
    call.world.tokens[token.secret] = token
    expires = time(call.world.clock.now + timedelta(hours=1))
    value = {"token": token.secret, "expires_at": expires, "permissions": wanted, "repository_selection": "selected"}
    return 201, value, {}
