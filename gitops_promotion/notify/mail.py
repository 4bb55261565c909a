"""Sends a message by mail: STARTTLS whenever the server offers it, and a password never without TLS."""

import smtplib
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from typing import TypeVar
from urllib.parse import parse_qs, unquote, urlsplit

from gitops_promotion.core import untrusted
from gitops_promotion.core.config.values import address_problem
from gitops_promotion.core.notifications import messages
from gitops_promotion.core.notifications.channels import Access
from gitops_promotion.core.notifications.messages import Mail
from gitops_promotion.core.notifications.news import News
from gitops_promotion.errors import ChannelError
from gitops_promotion.notify.failures import PassingError

T = TypeVar("T")

FORM = "smtp://USER:PASSWORD@HOST:587/?from=ADDRESS&to=ADDRESS"
"""The form of a channel's URL."""

# Characters of a server's answer that an error shows.
_SHOWN = 150


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A server for mail. `tls`: it is encrypted from the start. `password` is "" where nobody logs in."""

    host: str
    port: int
    tls: bool
    sender: str
    to: tuple[str, ...]
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)


def send(access: Access, news: News, seconds: float) -> str:
    """Send one mail; returns a warning if some do not get it.

    Raises ChannelError, as PassingError where a second try makes sense.
    """
    server = read_server(access)
    mail = messages.mail(news, access.channel, server.to)
    if not mail.to:
        raise ChannelError(
            f"nobody would get the mail: give `to` in the configuration, or to= in {access.channel.variable}"
        )
    return _translated(lambda: _send(server, mail, seconds))


def read_server(access: Access) -> Server:
    """Return the server that the URL of a channel names. Raises ChannelError."""
    problem = ChannelError(f"{access.channel.variable} is no address for mail: write it as {FORM}")
    try:
        parts = urlsplit(access.url)
        port = parts.port
    except ValueError:
        raise problem from None
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
        raise problem
    # A plus stands for itself in an address.
    fields = parse_qs(parts.query.replace("+", "%2B"))
    sender = fields.get("from", [""])[-1]
    to = tuple(address.strip() for text in fields.get("to", []) for address in text.split(","))
    if any(map(address_problem, (sender, *to))):
        raise problem
    return Server(
        host=parts.hostname,
        port=port or (465 if parts.scheme == "smtps" else 587),
        tls=parts.scheme == "smtps",
        sender=sender,
        to=to,
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
    )


def _send(server: Server, mail: Mail, seconds: float) -> str:
    context = ssl.create_default_context()
    smtp: smtplib.SMTP = (
        smtplib.SMTP_SSL(server.host, server.port, timeout=seconds, context=context)
        if server.tls
        else smtplib.SMTP(server.host, server.port, timeout=seconds)
    )
    try:
        smtp.ehlo()
        is_safe = server.tls
        if not is_safe and smtp.has_extn("starttls"):
            smtp.starttls(context=context)
            smtp.ehlo()
            is_safe = True
        if server.user or server.password:
            if not is_safe:
                raise ChannelError(
                    "it offers no TLS, and a password is not sent without: use smtps:// or another server"
                )
            smtp.login(server.user, server.password)
        refused = smtp.send_message(_message(server, mail), server.sender, list(mail.to))
        return f"it takes no mail for {len(refused)} of {len(mail.to)} addresses" if refused else ""
    finally:
        with suppress(smtplib.SMTPException, OSError):
            smtp.quit()


def _message(server: Server, mail: Mail) -> EmailMessage:
    message = EmailMessage()
    message["From"] = server.sender
    message["To"] = ", ".join(mail.to)
    message["Subject"] = mail.subject
    message["Date"] = format_datetime(datetime.now(UTC))
    message["Message-ID"] = f"<{mail.id}@gitops-promotion>"
    # So that no out-of-office answer comes back (RFC 3834).
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(mail.text)
    return message


def _translated(act: Callable[[], T]) -> T:
    """Return the result of a call. Raises ChannelError in place of the library's errors."""
    try:
        return act()
    except smtplib.SMTPAuthenticationError as error:
        raise ChannelError(f"it rejects user and password ({error.smtp_code})") from None
    except smtplib.SMTPRecipientsRefused as error:
        code, text = next(iter(error.recipients.values()), (0, b""))
        raise _refusal(code, text) from None
    except smtplib.SMTPResponseException as error:
        raise _refusal(error.smtp_code, error.smtp_error) from None
    except smtplib.SMTPNotSupportedError:
        raise ChannelError("it does not support what is needed to log in or to encrypt") from None
    except ssl.SSLError:
        raise ChannelError("its certificate is not one that this machine trusts") from None
    except TimeoutError:
        raise PassingError("it did not answer in time") from None
    except (smtplib.SMTPException, OSError):
        raise PassingError("it cannot be reached, or does not speak SMTP") from None


def _refusal(code: int, text: bytes | str) -> ChannelError:
    words = text.decode(errors="replace") if isinstance(text, bytes) else text
    message = f"it answered {code} ({untrusted.line(words.strip(), _SHOWN)})"
    # RFC 5321, 4.2.1: 4yz is a failure that may pass.
    return PassingError(message) if 400 <= code < 500 else ChannelError(message)
