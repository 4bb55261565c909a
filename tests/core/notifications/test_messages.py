"""Messages as data; a hostile tag, name, login or comment is text in each."""

import json
import re
from dataclasses import replace
from typing import Any, get_args

import pytest

from gitops_promotion.core import config
from gitops_promotion.core.notifications import messages
from gitops_promotion.core.notifications.channels import Channel, EventName
from gitops_promotion.core.notifications.news import News
from gitops_promotion.errors import ConfigError

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
TEAM = Channel(name="team", type="webhook")
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
    assert messages.text(NEWS, TEAM) == (
        "webshop/webui 1.4.2 waits for approval in prod\n"
        "before: 1.4.1\n"
        "approvals of prod: 0 of 2 of ops\n"
        "who can act: ann@example.com, bob\n"
        "https://forge.example/pull/3"
    )


@pytest.mark.parametrize("event", get_args(EventName))
def test_every_event_has_its_sentence(event: EventName) -> None:
    subject = messages.subject(replace(NEWS, event=event), TEAM)
    assert "webshop/webui 1.4.2" in subject
    assert "prod" in subject


def test_what_concerns_everything_is_named_in_words() -> None:
    news = News(event="held", group="*", app="*", environment="*")
    assert messages.subject(news, TEAM) == "every application is on hold in every environment"


def test_a_webhook_gets_every_key_and_null_for_what_is_absent() -> None:
    news = News(event="held", group="g", app="a", environment="e")
    assert messages.webhook(news, TEAM) == {
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
    assert messages.webhook(NEWS, TEAM)["pull_request"] == {"number": 3, "url": "https://forge.example/pull/3"}


def strings(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for item in value.values() for text in strings(item)]
    if isinstance(value, list):
        return [text for item in value for text in strings(item)]
    return [value] if isinstance(value, str) else []


@pytest.mark.parametrize("text", HOSTILE)
def test_slack_reads_no_markup_and_no_mention_in_text_from_outside(text: str) -> None:
    body = messages.slack(hostile(text), TEAM)
    assert all("<" not in found and ">" not in found for found in strings(body))
    assert {block["text"]["type"] for block in body["blocks"]} == {"plain_text"}
    assert (body["mrkdwn"], body["link_names"]) == (False, False)
    assert json.loads(json.dumps(body)) == body


def test_slack_gets_a_link_to_a_web_address_alone() -> None:
    assert messages.slack(NEWS, TEAM)["blocks"][-1]["text"] == {
        "type": "mrkdwn",
        "text": "<https://forge.example/pull/3|Pull request #3>",
    }
    for url in ("javascript:alert(1)", "https://x|y", "https://x> <!channel>", ""):
        assert "mrkdwn" not in {
            block["text"]["type"] for block in messages.slack(replace(NEWS, url=url), TEAM)["blocks"]
        }


@pytest.mark.parametrize("character", ["a", "&", "<"])
def test_slack_gets_no_more_than_it_takes(character: str) -> None:
    body = messages.slack(
        hostile(character * 10_000) if character != "a" else replace(NEWS, reasons=("a" * 299,) * 90), TEAM
    )
    header, section = body["blocks"][:2]
    assert len(header["text"]["text"]) <= 150
    assert len(section["text"]["text"]) <= 3000


@pytest.mark.parametrize("text", HOSTILE)
def test_teams_gets_text_without_markup_alone(text: str) -> None:
    body = messages.teams(hostile(text), TEAM)
    card = body["attachments"][0]["content"]
    assert (card["type"], card["version"]) == ("AdaptiveCard", "1.4")
    assert {block["type"] for block in card["body"]} == {"RichTextBlock"}
    assert {run["type"] for block in card["body"] for run in block["inlines"]} == {"TextRun"}
    assert "actions" not in card, "the address is no web address"
    assert len(json.dumps(body)) < 28_000


def test_teams_gets_a_button_to_the_pull_request() -> None:
    card = messages.teams(NEWS, TEAM)["attachments"][0]["content"]
    assert card["actions"] == [
        {"type": "Action.OpenUrl", "title": "Pull request #3", "url": "https://forge.example/pull/3"}
    ]


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_from_outside_breaks_a_line_or_writes_to_a_terminal(text: str) -> None:
    news = hostile(text)
    assert messages.text(news, TEAM).count("\n") == 3
    assert all(line.isprintable() for line in messages.text(news, TEAM).split("\n"))
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
    lines = messages.lines(replace(NEWS, who=(), previous_tag="", reasons=("x",) * 25), TEAM)
    assert lines == ["x"] * 20 + ["and 5 more reasons"]


def with_templates(subject: str = "", text: str = "") -> Channel:
    keys = {"subject": subject, "text": text}
    lines = "".join(f", {key}: {json.dumps(source)}" for key, source in keys.items() if source)
    source = f"environments: [{{name: dev}}]\nnotifications: [{{name: team, type: webhook{lines}}}]\n"
    return config.parse(source, "c").channels[0]


def test_subject_and_text_are_the_templates_and_the_link_stays() -> None:
    channel = with_templates(
        "{{ event|upper }} {{ app }} #{{ pull_request }}", "{% for r in reasons %}- {{ r }}\n{% endfor %}"
    )
    assert messages.text(NEWS, channel) == (
        "WAITING webui #3\n- approvals of prod: 0 of 2 of ops\nhttps://forge.example/pull/3"
    )
    assert messages.mail(NEWS, channel, ()).subject == "WAITING webui #3"
    assert messages.slack(NEWS, channel)["text"] == "WAITING webui #3"
    [first, *_] = messages.teams(NEWS, channel)["attachments"][0]["content"]["body"]
    assert first["inlines"][0]["text"] == "WAITING webui #3"
    assert messages.webhook(NEWS, channel)["reasons"] == ["approvals of prod: 0 of 2 of ops"]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_template_makes_no_markup_of_text_from_outside(text: str) -> None:
    names = "{{ group }}{{ tag }}{{ previous_tag }}{{ reasons|join }}"
    channel = with_templates("x" + names, names)
    body = messages.slack(hostile(text), channel)
    assert all("<" not in found and ">" not in found for found in strings(body))
    assert messages.mail(hostile(text), channel, ()).subject.isprintable()
    assert len(messages.lines(hostile(text), channel)) == 1


@pytest.mark.parametrize(
    ("subject", "text", "problem"),
    [
        ("{{ nobody }}", "", "notifications[0].subject cannot be rendered ('nobody' is undefined): use group, app"),
        ("a\nb", "", "notifications[0].subject gives a line break"),
        ("", "{% for %}", "notifications[0].text is no template"),
        ("", "{{ ''.__class__ }}", "notifications[0].text cannot be rendered"),
    ],
)
def test_a_template_that_cannot_be_used_is_an_error_of_the_configuration(subject: str, text: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(problem)):
        with_templates(subject, text)


def test_a_template_that_fails_on_a_value_says_where() -> None:
    channel = with_templates("{{ tag|int + 1 / (tag|length - 5) }}")
    with pytest.raises(ConfigError, match=r"c:2: notifications\[0\].subject cannot be rendered"):
        messages.subject(NEWS, channel)
