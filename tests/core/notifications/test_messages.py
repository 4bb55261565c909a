"""Messages as data; a hostile tag, name, login or comment is text in each."""

import json
from dataclasses import replace
from typing import Any, get_args

import pytest

from gitops_promotion.core.notifications import messages
from gitops_promotion.core.notifications.channels import Channel, EventName
from gitops_promotion.core.notifications.news import News

NEWS = News(
    event="waiting",
    group="webshop",
    app="webui",
    environment="prod",
    tag="1.4.2",
    previous_tag="1.4.1",
    number=3,
    url="https://forge.example/pull/3",
    reasons=("approvals of prod: 0 of 2 of ops",),
    who=("ann@example.com", "bob"),
)
HOSTILE = [
    "<!channel>",
    "@everyone",
    "<https://evil.example|click>",
    "[click](https://evil.example)",
    "*bold* _x_ `y`",
    '"}],"text":"forged"',
    "a\r\nBcc: victim@example.com",
    "</at><at>all</at>",
    "\x1b[31m\x00\u202e",
]


def hostile(text: str) -> News:
    return replace(
        NEWS, tag=text, app=text, environment=text, previous_tag=text, reasons=(text,), who=(text,), url=text
    )


def test_the_text_has_one_fact_a_line() -> None:
    assert messages.text(NEWS) == (
        "webshop/webui 1.4.2 waits for approval in prod\n"
        "before: 1.4.1\n"
        "approvals of prod: 0 of 2 of ops\n"
        "who can act: ann@example.com, bob\n"
        "https://forge.example/pull/3"
    )


@pytest.mark.parametrize("event", get_args(EventName))
def test_every_event_has_its_sentence(event: EventName) -> None:
    subject = messages.subject(replace(NEWS, event=event))
    assert "webshop/webui 1.4.2" in subject
    assert "prod" in subject


def test_what_concerns_everything_is_named_in_words() -> None:
    news = News(event="held", group="*", app="*", environment="*")
    assert messages.subject(news) == "every application is on hold in every environment"


def test_a_webhook_gets_every_key_and_null_for_what_is_absent() -> None:
    news = News(event="held", group="g", app="a", environment="e")
    assert messages.webhook(news) == {
        "version": 1,
        "event": "held",
        "id": news.id,
        "group": "g",
        "app": "a",
        "environment": "e",
        "tag": None,
        "previous_tag": None,
        "pull_request": None,
        "reasons": [],
        "text": "g/a is on hold in e",
    }
    assert messages.webhook(NEWS)["pull_request"] == {"number": 3, "url": "https://forge.example/pull/3"}


def strings(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for item in value.values() for text in strings(item)]
    if isinstance(value, list):
        return [text for item in value for text in strings(item)]
    return [value] if isinstance(value, str) else []


@pytest.mark.parametrize("text", HOSTILE)
def test_slack_reads_no_markup_and_no_mention_in_text_from_outside(text: str) -> None:
    body = messages.slack(hostile(text))
    assert all("<" not in found and ">" not in found for found in strings(body))
    assert {block["text"]["type"] for block in body["blocks"]} == {"plain_text"}
    assert (body["mrkdwn"], body["link_names"]) == (False, False)
    assert json.loads(json.dumps(body)) == body


def test_slack_gets_a_link_to_a_web_address_alone() -> None:
    assert messages.slack(NEWS)["blocks"][-1]["text"] == {
        "type": "mrkdwn",
        "text": "<https://forge.example/pull/3|Pull request #3>",
    }
    for url in ("javascript:alert(1)", "https://x|y", "https://x> <!channel>", ""):
        assert "mrkdwn" not in {block["text"]["type"] for block in messages.slack(replace(NEWS, url=url))["blocks"]}


@pytest.mark.parametrize("character", ["a", "&", "<"])
def test_slack_gets_no_more_than_it_takes(character: str) -> None:
    body = messages.slack(hostile(character * 10_000) if character != "a" else replace(NEWS, reasons=("a" * 299,) * 90))
    header, section = body["blocks"][:2]
    assert len(header["text"]["text"]) <= 150
    assert len(section["text"]["text"]) <= 3000


@pytest.mark.parametrize("text", HOSTILE)
def test_teams_gets_text_without_markup_alone(text: str) -> None:
    body = messages.teams(hostile(text))
    card = body["attachments"][0]["content"]
    assert (card["type"], card["version"]) == ("AdaptiveCard", "1.4")
    assert {block["type"] for block in card["body"]} == {"RichTextBlock"}
    assert {run["type"] for block in card["body"] for run in block["inlines"]} == {"TextRun"}
    assert "actions" not in card, "the address is no web address"
    assert len(json.dumps(body)) < 28_000


def test_teams_gets_a_button_to_the_pull_request() -> None:
    card = messages.teams(NEWS)["attachments"][0]["content"]
    assert card["actions"] == [
        {"type": "Action.OpenUrl", "title": "Pull request #3", "url": "https://forge.example/pull/3"}
    ]


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_from_outside_breaks_a_line_or_writes_to_a_terminal(text: str) -> None:
    news = hostile(text)
    assert messages.text(news).count("\n") == 3
    assert all(line.isprintable() for line in messages.text(news).split("\n"))
    assert messages.mail(news, Channel(name="m", type="mail"), ()).subject.isprintable()


def test_a_mail_goes_to_the_channels_addresses_and_to_those_who_can_approve() -> None:
    channel = Channel(name="m", type="mail", to=("ops@example.com",))
    assert messages.mail(NEWS, channel, ("url@example.com",)).to == ("ops@example.com", "ann@example.com")
    assert messages.mail(NEWS, replace(channel, to=()), ("url@example.com",)).to == (
        "url@example.com",
        "ann@example.com",
    )
    merged = replace(NEWS, event="merged")
    assert messages.mail(merged, channel, ()).to == ("ops@example.com",)


def test_many_reasons_are_cut_and_counted() -> None:
    assert messages.lines(replace(NEWS, who=(), previous_tag="", reasons=("x",) * 25))[-1] == "and 5 more reasons"
