"""The message for each kind of channel, as data; text from outside is never markup in it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from gitops_promotion.core.config.values import address_problem
from gitops_promotion.core.notifications.channels import Channel, EventName, Type
from gitops_promotion.core.notifications.news import News
from gitops_promotion.core.untrusted import cut, is_web_address, line

VERSION = 1
"""The version of a webhook's body."""

_FIELDS = ("event", "group", "app", "environment", "tag", "previous_tag")
_REASONS = 20
_LINES = 50
_SUBJECT = 150
_SECTION = 3000
"""The most characters of a header and of a section on Slack
(https://docs.slack.dev/reference/block-kit/blocks/section-block)."""

_SENTENCES: Mapping[EventName, str] = {
    "proposed": "{promotion} is proposed for {environment}",
    "waiting": "{promotion} waits for approval in {environment}",
    "approved": "{promotion} is approved for {environment}",
    "declined": "{promotion} is declined for {environment}",
    "merged": "{promotion} was merged into {environment}",
    "healthy": "{promotion} is healthy in {environment}",
    "refused": "{promotion} is refused for {environment}",
    "timed-out": "{promotion} did not become healthy in time in {environment}",
    "held": "{promotion} is on hold in {environment}",
    "rolled-back": "{environment} went back to {promotion}",
    "overridden": "{promotion} goes past the gates of {environment}",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """A mail: `subject` is one line, `to` are addresses, `id` is the same for the same news."""

    subject: str
    text: str
    to: tuple[str, ...]
    id: str


def subject(news: News, channel: Channel) -> str:
    """Return the news in one line of at most 150 characters. Raises ConfigError for a template that fails."""
    if channel.subject is not None:
        return channel.subject.line_of_text(_values(news), _SUBJECT)
    application = f"{news.group}/{news.app}" if (news.group, news.app) != ("*", "*") else "every application"
    promotion = line(f"{application} {news.tag}".strip())
    environment = line(news.environment) if news.environment != "*" else "every environment"
    return cut(_SENTENCES[news.event].format(promotion=promotion, environment=environment), _SUBJECT)


def lines(news: News, channel: Channel) -> list[str]:
    """Return the lines below the subject, without the address of the pull request. Raises ConfigError."""
    if channel.text is not None:
        return [line(text) for text in channel.text.text(_values(news)).split("\n")[:_LINES]]
    texts = [line(reason) for reason in news.reasons[:_REASONS]]
    if len(news.reasons) > _REASONS:
        texts.append(f"and {len(news.reasons) - _REASONS} more reasons")
    if news.previous_tag:
        texts.insert(0, f"before: {line(news.previous_tag)}")
    if news.who:
        texts.append(line(f"who can act: {', '.join(news.who)}"))
    return texts


def _values(news: News) -> dict[str, object]:
    """Return the values that a template can use: each is one line, `reasons` is a list of lines."""
    values: dict[str, object] = {name: line(getattr(news, name)) for name in _FIELDS}
    number = str(news.number) if news.number else ""
    return {**values, "url": _address(news), "pull_request": number, "reasons": [line(text) for text in news.reasons]}


def text(news: News, channel: Channel) -> str:
    """Return the news as plain text of several lines. Raises ConfigError."""
    url = [address] if (address := _address(news)) else []
    return "\n".join([subject(news, channel), *lines(news, channel), *url])


def mail(news: News, channel: Channel, default: tuple[str, ...]) -> Mail:
    """Return the mail to the addresses of the channel, else to those in its URL.

    News of a promotion that waits for approval also goes to those who can approve, if their names are mail addresses.
    """
    people = tuple(name for name in news.who if not address_problem(name)) if news.event == "waiting" else ()
    to = tuple(dict.fromkeys((*(channel.to or default), *people)))
    return Mail(subject=subject(news, channel), text=f"{text(news, channel)}\n", to=to, id=news.id)


def webhook(news: News, channel: Channel) -> dict[str, Any]:
    """Return the body of a generic webhook; a new key does not raise its version."""
    return {
        "version": VERSION,
        "event": news.event,
        "id": news.id,
        "group": news.group,
        "app": news.app,
        "environment": news.environment,
        "tag": news.tag or None,
        "previous_tag": news.previous_tag or None,
        "pull_request": {"number": news.number, "url": _address(news) or None} if news.number else None,
        "reasons": [line(reason) for reason in news.reasons],
        "text": text(news, channel),
    }


def slack(news: News, channel: Channel) -> dict[str, Any]:
    """Return the body for an incoming webhook of Slack.

    Texts are `plain_text`, in which Slack reads no markup, and escaped as Slack demands
    (https://docs.slack.dev/messaging/formatting-message-text#escaping).
    """
    blocks: list[dict[str, Any]] = [{"type": "header", "text": _plain(subject(news, channel), _SUBJECT)}]
    if body := "\n".join(lines(news, channel)):
        blocks.append({"type": "section", "text": _plain(body, _SECTION)})
    if address := _address(news):
        link = {"type": "mrkdwn", "text": f"<{_escaped(address)}|{_link(news)}>"}
        blocks.append({"type": "section", "text": link})
    return {
        "text": _escaped(subject(news, channel)),
        "mrkdwn": False,
        "link_names": False,
        "unfurl_links": False,
        "blocks": blocks,
    }


def teams(news: News, channel: Channel) -> dict[str, Any]:
    """Return the body for a webhook of Teams' Workflows: an adaptive card.

    A `TextRun` has no markup (https://adaptivecards.io/explorer/TextRun.html), unlike a `TextBlock`.
    """
    header = _run(subject(news, channel), weight="bolder", size="medium")
    card: dict[str, Any] = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": [header, *(_run(text) for text in lines(news, channel))],
    }
    if address := _address(news):
        card["actions"] = [{"type": "Action.OpenUrl", "title": _link(news), "url": address}]
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "content": card}
    return {"type": "message", "attachments": [attachment]}


BODIES: Mapping[Type, Callable[[News, Channel], dict[str, Any]]] = {"slack": slack, "teams": teams, "webhook": webhook}
"""The function that makes the body, for each kind of channel that is sent to by HTTP."""


def _run(text: str, **style: str) -> dict[str, Any]:
    return {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": text, **style}]}


def _link(news: News) -> str:
    return f"Pull request #{news.number}" if news.number else "Open"


def _address(news: News) -> str:
    return news.url if is_web_address(news.url) else ""


def _plain(text: str, limit: int) -> dict[str, Any]:
    """Return a text for Slack of at most `limit` characters once it is escaped."""
    while len(escaped := _escaped(text)) > limit:
        text = cut(text, len(text) - max(1, (len(escaped) - limit) // 5))
    return {"type": "plain_text", "text": escaped, "emoji": False}


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
