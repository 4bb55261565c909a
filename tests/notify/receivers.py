"""Receivers of notifications on the loopback interface: a web server and a mail server."""

import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What the web server answers; `never` until the end of the test. If it `stalls`, its body does not come."""

    status: int = 200
    headers: Sequence[tuple[str, str]] = ()
    body: bytes = b"ok"
    never: bool = False
    stalls: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request that the web server got."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(slots=True)
class Web:
    """The web server: `replies` are given one after another, the last one for ever."""

    url: str = ""
    replies: list[Reply] = field(default_factory=lambda: [Reply()])
    calls: list[Call] = field(default_factory=list)
    over: Event = field(default_factory=Event)

    def reply(self) -> Reply:
        return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]


@contextmanager
def web_server() -> Iterator[Web]:
    web = Web()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            web.calls.append(Call(path=self.path, headers=dict(self.headers), body=body))
            reply = web.reply()
            if reply.never:
                web.over.wait()
                return
            self.send_response(reply.status)
            for name, value in reply.headers:
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            if reply.stalls:
                web.over.wait()
            self.wfile.write(reply.body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  its name in the base class
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    web.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield web
    finally:
        web.over.set()
        server.shutdown()
        server.server_close()
        thread.join()


class _Controller(Controller):
    """A controller that connects to the port that it got, to see whether the server runs."""

    def _trigger_server(self) -> None:
        server: Any = self.server
        self.port = server.sockets[0].getsockname()[1]
        super()._trigger_server()  # type: ignore[no-untyped-call]  # aiosmtpd has no types


@dataclass(slots=True)
class Mails:
    """The mail server's mails: sender, receivers, content; and what it does."""

    port: int = 0
    refuse: str = ""
    refused: frozenset[str] = frozenset()
    mails: list[tuple[str, list[str], bytes]] = field(default_factory=list)
    logins: list[bytes] = field(default_factory=list)
    encrypted: list[bool] = field(default_factory=list)

    async def handle_RCPT(self, *arguments: Any) -> str:  # noqa: N802  aiosmtpd's name
        _, _, envelope, address, _ = arguments
        if address in self.refused:
            return "550 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, *arguments: Any) -> str:  # noqa: N802  aiosmtpd's name
        _, session, envelope = arguments
        if self.refuse:
            return self.refuse
        self.mails.append((envelope.mail_from, list(envelope.rcpt_tos), envelope.content))
        self.encrypted.append(session.ssl is not None)
        return "250 OK"

    def login(self, *arguments: Any) -> AuthResult:
        data = arguments[-1]
        self.logins.append(data.password)
        return AuthResult(success=data.password == b"pass word", handled=False)

    def only(self) -> EmailMessage:
        from email import message_from_bytes, policy

        (content,) = (content for _, _, content in self.mails)
        message = message_from_bytes(content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        return message


@contextmanager
def mail_server(certificate: Path | None, *, with_login: bool = False) -> Iterator[Mails]:
    """Run a mail server, with STARTTLS if it has a certificate."""
    mails = Mails()
    options: dict[str, Any] = {}
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        options["tls_context"] = context
    if with_login:
        options |= {"authenticator": mails.login, "auth_require_tls": False}
    controller = _Controller(mails, hostname="127.0.0.1", port=0, **options)
    controller.start()
    mails.port = controller.port
    try:
        yield mails
    finally:
        controller.stop()


def write_certificate(folder: Path) -> Path:
    """Write a key and a certificate for `localhost`, which is its own authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = folder / "certificate.pem"
    path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    return path
