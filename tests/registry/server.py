"""A registry on the loopback interface, as small as it can be: tokens, indexes, manifests, configurations."""

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"

Login = Literal["", "token", "basic"]


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer in place of the usual one."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Registry:
    """A registry and what was asked of it: `requests` are (method, path with query, Authorization)."""

    port: int = 0
    login: Login = ""
    users: dict[str, str] = field(default_factory=dict)
    identity_tokens: tuple[str, ...] = ()
    manifests: dict[str, bytes] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)
    instead: dict[str, Answer] = field(default_factory=dict)
    silent: threading.Event | None = None
    requests: list[tuple[str, str, str]] = field(default_factory=list)
    forms: list[dict[str, list[str]]] = field(default_factory=list)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def paths(self) -> list[str]:
        return [path for _, path, _ in self.requests]

    def push(self, name: str, tag: str, *, labels: dict[str, Any] | None = None, index: bool = True) -> str:
        """Put an image there, and return the digest that its tag has."""
        config = json.dumps({"config": {"Labels": labels}, "tag": tag}).encode()
        self.blobs[digest_of(config)] = config
        descriptor = {"mediaType": "application/json", "digest": digest_of(config), "size": len(config)}
        content = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "config": descriptor, "layers": []}).encode()
        self.manifests[f"{name}/{digest_of(content)}"] = content
        if index:
            attested = {"digest": digest_of(b"x"), "size": 1, "platform": {"os": "unknown", "architecture": "unknown"}}
            image = {
                "digest": digest_of(content),
                "size": len(content),
                "platform": {"os": "linux", "architecture": "arm64"},
            }
            content = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [attested, image]}).encode()
            self.manifests[f"{name}/{digest_of(content)}"] = content
        self.manifests[f"{name}/{tag}"] = content
        return digest_of(content)

    def answer(self, method: str, path: str, authorization: str, form: dict[str, list[str]]) -> Answer:
        url = urlsplit(path)
        self.requests.append((method, path, authorization))
        if form:
            self.forms.append(form)
        if self.silent:
            self.silent.wait(10)
        if url.path in self.instead:
            return self.instead[url.path]
        if url.path == "/token":
            return self._token(authorization, form)
        if not self._is_allowed(authorization):
            scheme = f'Bearer realm="http://{self.host}/token",service="here",scope="repository:a:pull"'
            challenge = scheme if self.login == "token" else 'Basic realm="here"'
            return Answer(
                status=401, body=b'{"errors":[{"code":"UNAUTHORIZED"}]}', headers={"WWW-Authenticate": challenge}
            )
        _, _, rest = url.path.partition("/v2/")
        for kind, contents in (("/manifests/", self.manifests), ("/blobs/", self.blobs)):
            name, found, reference = rest.partition(kind)
            content = contents.get(f"{name}/{reference}" if contents is self.manifests else reference)
            if found and content is not None:
                return Answer(body=content, headers={"Docker-Content-Digest": digest_of(content)})
        return Answer(status=404, body=b'{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}')

    def _is_user(self, authorization: str) -> bool:
        pairs = (f"{user}:{password}" for user, password in self.users.items())
        return authorization in {f"Basic {base64.b64encode(pair.encode()).decode()}" for pair in pairs}

    def _token(self, authorization: str, form: dict[str, list[str]]) -> Answer:
        is_known = form.get("refresh_token", [""])[0] in self.identity_tokens
        if (self.users or self.identity_tokens) and not (self._is_user(authorization) or is_known):
            return Answer(status=401, body=b"{}")
        name = "access_token" if form else "token"
        return Answer(body=json.dumps({name: "t0ken-of-the-registry"}).encode())

    def _is_allowed(self, authorization: str) -> bool:
        if self.login == "token":
            return authorization == "Bearer t0ken-of-the-registry"
        return not self.login or self._is_user(authorization)


@contextmanager
def serving(registry: Registry) -> Iterator[Registry]:
    """Serve a registry on a free port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            form = parse_qs(self.rfile.read(length).decode()) if length else {}
            answer = registry.answer(self.command, self.path, self.headers.get("Authorization", ""), form)
            self.send_response(answer.status)
            for name, text in answer.headers.items():
                self.send_header(name, text)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        do_POST = do_GET  # noqa: N815  the name of http.server

        def log_message(self, *_: object) -> None:
            return

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """A client that gave up is no error."""

    server = Server(("127.0.0.1", 0), Handler)
    registry.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield registry
    finally:
        if registry.silent:
            registry.silent.set()
        server.shutdown()
        server.server_close()
        thread.join()
