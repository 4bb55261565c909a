"""Requests to the registries of images: signed as each demands, bounded in time and size, every answer checked."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urljoin, urlsplit

import requests

from gitops_promotion.bounded_http import BoundedAdapter, Signature
from gitops_promotion.core import durations, untrusted
from gitops_promotion.core.images import Image, is_loopback
from gitops_promotion.errors import NoImageError, ProviderError, RegistryError
from gitops_promotion.registry import auth, manifests
from gitops_promotion.registry.auth import Challenge
from gitops_promotion.registry.credentials import Credentials, find_credentials
from gitops_promotion.registry.manifests import Descriptor, Manifest

__all__ = ["Manifest", "Registries"]

_ACCEPT = ", ".join((*manifests.INDEXES, *manifests.MANIFESTS))
# Bytes of one answer.
_LIMIT = 4 << 20
_MAX_REDIRECTS = 5
_REDIRECTS = (301, 302, 303, 307, 308)


@dataclass(slots=True, kw_only=True)
class Registries:
    """The registries, asked for at most `seconds` in all, from the first request on.

    `environ` has the place of docker's configuration; `hide` masks a secret in logs.
    """

    environ: Mapping[str, str] = field(repr=False)
    monotonic: Callable[[], float]
    hide: Callable[[str], None]
    seconds: float
    _deadline: float | None = field(init=False, default=None)
    _schemes: dict[str, str] = field(init=False, default_factory=dict)
    _credentials: dict[str, Credentials] = field(init=False, default_factory=dict, repr=False)
    _signatures: dict[Image, Signature] = field(init=False, default_factory=dict, repr=False)

    def manifest(self, image: Image, reference: str) -> Manifest:
        """Return what an image has under a tag or a digest: the index where there is one.

        Raises NoImageError if the registry says that it is not there, RegistryError for any other answer, or none.
        """
        response = self._get(image, f"manifests/{reference}", accept=_ACCEPT)
        if response.status_code == 404:
            if manifests.is_not_found(response.content):
                raise NoImageError(f"{_shown(image, reference)} is not there: push it first, or correct the tag")
            raise self._no_answer(image, "answers 404 and is no registry by its answer: check the image's name")
        manifest = manifests.read_manifest(response.content)
        if manifest is None:
            raise self._no_answer(image, "gives no manifest that can be read: check the image's name, and for a proxy")
        claimed = response.headers.get("Docker-Content-Digest", "")
        expected = reference if manifests.is_digest(reference) else claimed
        if manifests.is_digest(expected) and expected != manifest.digest:
            raise self._no_answer(image, f"gives {reference} with a wrong digest: check for a proxy that changes it")
        return manifest

    def labels(self, image: Image, reference: str) -> dict[str, str]:
        """Return the labels and annotations of an image, those of one platform where it has several.

        Raises NoImageError, RegistryError.
        """
        manifest = self.manifest(image, reference)
        labels = dict(manifest.annotations)
        if manifest.config is None and manifest.platform:
            manifest = self.manifest(image, manifest.platform.digest)
            labels |= manifest.annotations
        if manifest.config:
            labels |= manifests.read_labels(self._blob(image, manifest.config))
        return labels

    def _blob(self, image: Image, descriptor: Descriptor) -> bytes:
        response = self._get(image, f"blobs/{descriptor.digest}", accept="*/*")
        if response.status_code != 200 or not descriptor.matches(response.content):
            raise self._no_answer(image, "gives no configuration of the image that matches its digest: push it again")
        return response.content

    # -- requests

    def _get(self, image: Image, path: str, *, accept: str) -> requests.Response:
        """Return the answer, 200 or 404. Raises RegistryError for any other one."""
        for scheme in [self._schemes[image.host]] if image.host in self._schemes else self._possible_schemes(image):
            url = f"{scheme}://{image.host}/v2/{image.name}/{path}"
            try:
                response = self._get_signed(image, url, accept)
            except requests.ConnectionError as error:
                failure = error
                continue
            # Servers that are written in Go answer this to a request without TLS.
            if scheme == "http" and response.status_code == 400 and b"HTTPS server" in response.content[:500]:
                continue
            self._schemes[image.host] = scheme
            return self._accepted(image, response)
        raise self._no_answer(image, f"cannot be reached ({_reason(failure)}): check its name and the network")

    def _possible_schemes(self, image: Image) -> list[str]:
        return ["http", "https"] if image.is_local else ["https"]

    def _get_signed(self, image: Image, url: str, accept: str) -> requests.Response:
        response = self._follow(image, url, accept)
        if response.status_code == 401 and image not in self._signatures:
            challenge = auth.read_challenge(response.headers.get("WWW-Authenticate", ""))
            self._signatures[image] = self._signature_for(image, challenge)
            response = self._follow(image, url, accept)
        return response

    def _accepted(self, image: Image, response: requests.Response) -> requests.Response:
        if response.status_code in (200, 404):
            return response
        if response.status_code in (401, 403):
            credentials = self._credentials.get(image.host)
            means = "with the credentials of docker's configuration" if credentials else "without credentials"
            raise RegistryError(
                f"{image.host} denies access to {untrusted.line(image.name)} {means} ({response.status_code}): run "
                f"`docker login {image.host}` with an account that may read the image, or correct the image's name"
            )
        raise self._no_answer(image, f"answers {response.status_code}: run again later")

    def _signature_for(self, image: Image, challenge: Challenge) -> Signature:
        """Return the signature that a registry demands."""
        if image.host not in self._credentials:
            user_credentials = find_credentials(image.host, self.environ, seconds=lambda: self._seconds_left(image))
            for secret in user_credentials.secrets:
                self.hide(secret)
            self._credentials[image.host] = user_credentials
        credentials = self._credentials[image.host]
        if challenge.scheme == "bearer":
            token = self._token(image, challenge, credentials)
            self.hide(token)
            return Signature(f"Bearer {token}")
        return Signature(auth.basic(credentials) if challenge.scheme == "basic" else "")

    def _token(self, image: Image, challenge: Challenge, credentials: Credentials) -> str:
        if not self._may_ask(image, challenge.realm):
            raise self._no_answer(image, "names no address for tokens with https: check the image's name")
        ask = auth.token_request(challenge, credentials, f"repository:{image.name}:pull")
        method = "POST" if ask.form else "GET"
        response = self._send(image, method, challenge.realm, ask.signature, query=ask.query, form=ask.form)
        token = auth.read_token(response.content) if response.status_code == 200 else ""
        if not token:
            owner = "the credentials of docker's configuration" if credentials else "nobody"
            raise RegistryError(
                f"{image.host} gives {owner} no token for {untrusted.line(image.name)} ({response.status_code}): run "
                f"`docker login {image.host}` with an account that may read the image"
            )
        return token

    def _follow(self, image: Image, url: str, accept: str) -> requests.Response:
        """Send a GET, and follow its redirects; another server than the registry gets no credentials."""
        address = url
        for _ in range(_MAX_REDIRECTS):
            is_registry = urlsplit(address)[:2] == urlsplit(url)[:2]
            signature = self._signatures.get(image, Signature()) if is_registry else Signature()
            response = self._send(image, "GET", address, signature, accept=accept)
            if response.status_code not in _REDIRECTS:
                return response
            address = _joined(address, response.headers.get("Location", ""))
            if not self._may_ask(image, address):
                raise self._no_answer(image, "redirects to an address without https: check the image's name")
        raise self._no_answer(image, "redirects again and again: check the image's name")

    def _may_ask(self, image: Image, url: str) -> bool:
        """Return True for an address that a registry may redirect to: https, or this machine if it runs there too."""
        try:
            parts = urlsplit(url)
            host = parts.hostname or ""
        except ValueError:
            return False
        if parts.username or parts.password or not host:
            return False
        return (parts.scheme == "https" and (image.is_local or not is_loopback(host))) or (
            parts.scheme == "http" and image.is_local and is_loopback(host)
        )

    def _send(
        self,
        image: Image,
        method: str,
        url: str,
        signature: Signature,
        *,
        accept: str = "application/json",
        query: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
    ) -> requests.Response:
        with requests.Session() as session:
            # A proxy to the internet does not reach this machine.
            session.trust_env = not image.is_local
            session.mount(f"{urlsplit(url).scheme}://", BoundedAdapter(seconds=self._seconds_left(image), limit=_LIMIT))
            try:
                return session.request(
                    method,
                    url,
                    params=dict(query or {}),
                    data=dict(form or {}) or None,
                    headers={"Accept": accept, "User-Agent": "gitops-promotion"},
                    auth=signature,
                    allow_redirects=False,
                )
            except requests.Timeout:
                raise self._too_late(image) from None
            except ProviderError:
                raise self._no_answer(image, "gives too much data: check the image's name") from None
            except requests.ConnectionError:
                raise
            except (requests.RequestException, ValueError) as error:
                raise self._no_answer(image, f"cannot be asked ({type(error).__name__}): check its name") from None

    def _seconds_left(self, image: Image) -> float:
        """Return the seconds that are left for requests. Raises RegistryError if there are none."""
        now = self.monotonic()
        if self._deadline is None:
            self._deadline = now + self.seconds
        if now >= self._deadline:
            raise self._too_late(image)
        return self._deadline - now

    def _too_late(self, image: Image) -> RegistryError:
        return self._no_answer(image, f"did not answer within {durations.shown(self.seconds)}: run again later")

    def _no_answer(self, image: Image, problem: str) -> RegistryError:
        return RegistryError(f"the registry {image.host} {problem}")


def _joined(address: str, location: str) -> str:
    """Return the address that a redirect leads to, "" for none."""
    try:
        return urljoin(address, location)
    except ValueError:
        return ""


def _shown(image: Image, reference: str) -> str:
    separator = "@" if manifests.is_digest(reference) else ":"
    return f"{image}{separator}{reference}"


def _reason(error: requests.ConnectionError) -> str:
    if isinstance(error, requests.exceptions.SSLError):
        return "its certificate cannot be checked"
    return "no connection"
