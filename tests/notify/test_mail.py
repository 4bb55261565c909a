"""Messages by mail: STARTTLS whenever it is offered, no password without TLS, and refusals."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gitops_promotion.core.notifications.news import News
from tests.notify.receivers import mail_server

if TYPE_CHECKING:
    from tests.notify.conftest import Sender

NEWS = News(
    event="waiting",
    group="webshop",
    app="webui",
    environment="prod",
    tag="1.4.2",
    reasons=("approvals of prod: 0 of 2",),
    who=("ann@example.com", "bob"),
)
FROM = "?from=bot@example.com&to=ops@example.com"


def test_a_mail_has_subject_text_and_receivers(send: "Sender") -> None:
    with mail_server(None) as server:
        delivery = send(f"smtp://localhost:{server.port}/{FROM}", "mail", NEWS)
        assert (delivery.sent, delivery.problem) == ([NEWS], "")
        assert server.mails[0][:2] == ("bot@example.com", ["ops@example.com", "ann@example.com"])
        mail = server.only()
    assert mail["Subject"] == "webshop/webui 1.4.2 waits for approval in prod"
    assert mail["To"] == "ops@example.com, ann@example.com"
    assert mail["Message-ID"] == f"<{NEWS.id}@gitops-promotion>"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Date"]
    assert mail.get_content().splitlines()[1:] == [
        "approvals of prod: 0 of 2",
        "who can act: ann@example.com, bob",
    ]


def test_a_plus_in_an_address_stands_for_itself(send: "Sender") -> None:
    with mail_server(None) as server:
        send(f"smtp://localhost:{server.port}/?from=a+b@example.com&to=c+d@example.com", "mail", replace(NEWS, who=()))
        assert server.mails[0][:2] == ("a+b@example.com", ["c+d@example.com"])


def test_starttls_is_used_and_the_password_is_sent_after_it(
    send: "Sender", certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with mail_server(certificate, with_login=True) as server:
        delivery = send(f"smtp://ann%40example.com:pass%20word@localhost:{server.port}/{FROM}", "mail", NEWS)
        assert delivery.problem == ""
        assert (server.encrypted, server.logins) == ([True], [b"pass word"])


def test_a_password_that_is_wrong_is_a_refusal_without_it(
    send: "Sender", certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with mail_server(certificate, with_login=True) as server:
        delivery = send(f"smtp://ann:wrong-one@localhost:{server.port}/{FROM}", "mail", NEWS)
    assert delivery.problem == "it rejects user and password (535)"


def test_a_certificate_of_a_stranger_gets_no_mail(send: "Sender", certificate: Path) -> None:
    with mail_server(certificate) as server:
        delivery = send(f"smtp://localhost:{server.port}/{FROM}", "mail", NEWS)
        assert delivery.problem == "its certificate is not one that this machine trusts"
        assert server.mails == []


def test_without_tls_no_password_is_sent(send: "Sender") -> None:
    with mail_server(None, with_login=True) as server:
        delivery = send(f"smtp://ann:secret@localhost:{server.port}/{FROM}", "mail", NEWS)
        assert delivery.problem.startswith("it offers no TLS, and a password is not sent without")
        assert (server.logins, server.mails) == ([], [])


@pytest.mark.parametrize(
    ("reply", "problem", "pauses"),
    [
        ("554 spam\x1b[1m", "it answered 554 (spam", []),
        ("451 try later", "it answered 451 (try later)", [0.5]),
    ],
)
def test_a_refusal_is_tried_again_only_if_it_may_pass(
    send: "Sender", reply: str, problem: str, pauses: list[float]
) -> None:
    with mail_server(None) as server:
        server.refuse = reply
        delivery = send(f"smtp://localhost:{server.port}/{FROM}", "mail", NEWS)
    assert delivery.sent == []
    assert delivery.problem.startswith(problem)
    assert "\x1b" not in delivery.problem
    assert send.pauses == pauses


def test_what_some_do_not_get_is_sent_with_a_warning_and_what_nobody_gets_is_not(send: "Sender") -> None:
    with mail_server(None) as server:
        server.refused = frozenset({"ann@example.com"})
        delivery = send(f"smtp://localhost:{server.port}/{FROM}", "mail", NEWS)
        assert (delivery.sent, delivery.problem) == ([NEWS], "it takes no mail for 1 of 2 addresses")
        server.refused = frozenset({"ann@example.com", "ops@example.com"})
        delivery = send(f"smtp://localhost:{server.port}/{FROM}", "mail", NEWS)
        assert (delivery.sent, delivery.problem) == ([], "it answered 550 (no such user)")


@pytest.mark.parametrize("text", ["1\r\nBcc: victim@example.com", "=?utf-8?q?x?=", "täg\u2028x"])
def test_text_from_outside_makes_no_header_and_no_receiver(send: "Sender", text: str) -> None:
    news = replace(NEWS, tag=text, who=(f"x@y.z{text}", "a@b.c, victim@example.com"))
    with mail_server(None) as server:
        assert send(f"smtp://localhost:{server.port}/{FROM}", "mail", news).problem == ""
        assert server.mails[0][1] == ["ops@example.com"]
        assert "Bcc" not in server.only()


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("smtp://localhost:1/?to=ops@example.com", "is no address for mail"),
        ("smtp://localhost:1/?from=bot@example.com&to=a%0d%0ab@c.d", "is no address for mail"),
        ("smtp://localhost:99999999/?from=a@b.c", "is no address for mail"),
        ("https://localhost/?from=a@b.c", "is no address for mail"),
        ("smtp:///?from=a@b.c", "is no address for mail"),
        ("smtp://localhost:1/?from=a@b.c", "nobody would get the mail"),
        ("smtp://127.0.0.1:1/?from=a@b.c&to=a@b.c", "it cannot be reached, or does not speak SMTP"),
        ("smtps://127.0.0.1:1/?from=a@b.c&to=a@b.c", "it cannot be reached, or does not speak SMTP"),
    ],
)
def test_an_address_that_cannot_be_used_says_what_to_write(send: "Sender", url: str, problem: str) -> None:
    delivery = send(url, "mail", replace(NEWS, who=()))
    assert delivery.sent == []
    assert problem in delivery.problem
