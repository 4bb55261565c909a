"""Messages by HTTP: what counts as taken, what is tried again, and that no address is shown."""

import hashlib
import hmac
import json
import logging
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from gitops_promotion.core.notifications import messages
from gitops_promotion.core.notifications.channels import Channel, Type
from gitops_promotion.core.notifications.news import News
from gitops_promotion.notify import web as web_module
from tests.notify.receivers import Reply, Web

if TYPE_CHECKING:
    from tests.notify.conftest import Sender

NEWS = News(event="waiting", group="webshop", app="webui", environment="prod", tag="1.4.2", number=3)
SECRET_PATH = "/services/T000/very-secret?sig=abcdefgh"
PAGE = b"\n<!DOCTYPE html><title>Sign in</title>"


@pytest.mark.parametrize("kind", ["slack", "teams", "webhook"])
def test_the_body_of_each_kind_is_posted_as_json(send: "Sender", web: Web, kind: Type) -> None:
    delivery = send(f"{web.url}{SECRET_PATH}", kind)
    assert (delivery.sent, delivery.problem) == ([NEWS], "")
    (call,) = web.calls
    assert call.path == SECRET_PATH
    assert call.headers["Content-Type"] == "application/json"
    assert json.loads(call.body) == messages.BODIES[kind](NEWS, Channel(name="team", type=kind))
    assert "X-Gitops-Promotion-Signature" not in call.headers


def test_a_webhook_with_a_secret_is_signed_over_the_bytes_of_its_body(send: "Sender", web: Web) -> None:
    send(web.url, secret="s3cret")
    (call,) = web.calls
    expected = hmac.new(b"s3cret", call.body, hashlib.sha256).hexdigest()
    assert call.headers["X-Gitops-Promotion-Signature"] == f"sha256={expected}"


@pytest.mark.parametrize("status", [200, 202, 204])
def test_every_success_is_taken(send: "Sender", web: Web, status: int) -> None:
    web.replies = [Reply(status=status, body=b"")]
    assert send(web.url).sent == [NEWS]


@pytest.mark.parametrize(
    ("reply", "problem"),
    [
        (Reply(status=302, headers=[("Location", "/login")]), "it answered 302, which leads elsewhere"),
        (Reply(status=308, headers=[("Location", "/login")]), "it answered 308, which leads elsewhere"),
        (Reply(status=404, body=b"no_service\x1b[1m"), "it answered 404 (no_service\\x1b[1m)"),
        (Reply(status=403, body=PAGE), "it answered 403"),
        (Reply(body=PAGE), "it answered 200 with a page for people: this is not the address of a webhook"),
    ],
)
def test_what_will_not_pass_is_not_tried_again(send: "Sender", web: Web, reply: Reply, problem: str) -> None:
    web.replies = [reply]
    delivery = send(web.url)
    assert delivery.sent == []
    assert delivery.problem.startswith(problem)
    assert [call.path for call in web.calls] == ["/"]
    assert send.pauses == []


@pytest.mark.parametrize(
    ("reply", "pause"),
    [
        (Reply(status=500), 0.5),
        (Reply(status=503, body=PAGE), 0.5),
        (Reply(status=429, headers=[("Retry-After", "2")]), 2.0),
        (Reply(status=429, headers=[("Retry-After", "soon")]), 0.5),
        (Reply(status=429, headers=[("Retry-After", "-1")]), 0.0),
        (Reply(status=429, headers=[("Retry-After", "nan")]), 0.5),
    ],
)
def test_what_may_pass_is_tried_once_more_after_a_pause(send: "Sender", web: Web, reply: Reply, pause: float) -> None:
    web.replies = [reply, Reply()]
    assert send(web.url).sent == [NEWS]
    assert (len(web.calls), send.pauses) == (2, [pause])


def test_the_second_failure_is_the_last_and_the_next_message_is_not_tried(send: "Sender", web: Web) -> None:
    web.replies = [Reply(status=500)]
    delivery = send(web.url, "webhook", NEWS, replace(NEWS, tag="2"))
    assert (delivery.sent, delivery.problem, len(web.calls)) == ([], "it answered 500", 2)


def test_a_longer_pause_than_the_channel_has_is_left_to_the_next_run(send: "Sender", web: Web) -> None:
    web.replies = [Reply(status=429, headers=[("Retry-After", "60")])]
    assert send(web.url).problem == "it answered 429"
    assert (len(web.calls), send.pauses) == (1, [])


def test_a_message_that_is_refused_does_not_stop_the_next(send: "Sender", web: Web) -> None:
    web.replies = [Reply(status=400, body=b"invalid_payload"), Reply()]
    delivery = send(web.url, "webhook", NEWS, replace(NEWS, tag="2"))
    assert ([news.tag for news in delivery.sent], delivery.problem) == (["2"], "it answered 400 (invalid_payload)")


def test_a_server_that_does_not_answer_holds_nobody_up(send: "Sender", web: Web) -> None:
    web.replies = [Reply(never=True)]
    delivery = send(web.url, seconds=0.2)
    assert delivery.sent == []
    assert "did not answer" in delivery.problem


def test_an_answer_that_does_not_end_counts_by_its_status(send: "Sender", web: Web) -> None:
    web.replies = [Reply(stalls=True)]
    assert send(web.url, seconds=0.5).sent == [NEWS]


def test_of_an_answer_only_the_beginning_is_read() -> None:
    def read(size: int = 1 << 20, *, decode_content: bool) -> bytes:
        return b"x" * size

    response: Any = SimpleNamespace(raw=SimpleNamespace(read=read))
    assert len(web_module._beginning(response)) == 1024


def test_a_server_that_is_not_there_is_a_problem_without_its_address(send: "Sender") -> None:
    delivery = send("http://127.0.0.1:1/very-secret")
    assert (delivery.problem, send.pauses) == ("it cannot be reached", [0.5])


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("http://hooks.example/very-secret", "has an http address, in which everybody on the way can read: use https"),
        ("ftp://hooks.example/very-secret", "has no https address"),
        ("hooks.example/very-secret", "has no https address"),
        ("https://[/very-secret", "has no address that can be read"),
        ("https://höst/very-secret", "has no https address"),
        ("https://hooks.example:99999999/very-secret", "has no address that can be used"),
    ],
)
def test_an_address_that_cannot_be_used_is_not_shown(send: "Sender", url: str, problem: str) -> None:
    delivery = send(url)
    assert delivery.sent == []
    assert problem in delivery.problem
    assert "GITOPS_PROMOTION_NOTIFY_TEAM" in delivery.problem
    assert "secret" not in delivery.problem


def test_user_and_password_come_from_the_address_and_from_nowhere_else(
    send: "Sender", web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login ann password from-netrc\n")
    monkeypatch.setenv("NETRC", str(netrc))
    send(web.url)
    send(web.url.replace("http://", "http://ann:p%40ss@"))
    assert [call.headers.get("Authorization") for call in web.calls] == [None, "Basic YW5uOnBAc3M="]


@pytest.mark.parametrize("header", [("X-Broken", "1"), (" no colon\r\n\tx", "1")])
def test_no_log_has_the_address(
    send: "Sender", web: Web, header: tuple[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    web.replies = [Reply(status=500, headers=[header]), Reply(headers=[header])]
    send(f"{web.url}{SECRET_PATH}")
    assert len(web.calls) == 2
    assert "very-secret" not in caplog.text
