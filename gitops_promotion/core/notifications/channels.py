"""Channels: where notifications are sent, and which ones each channel gets."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args
from urllib.parse import urlsplit

from gitops_promotion.core import templates
from gitops_promotion.core.templates import Template

Type = Literal["slack", "teams", "webhook", "mail"]
EventName = Literal[
    "proposed",
    "waiting",
    "approved",
    "declined",
    "merged",
    "healthy",
    "refused",
    "timed-out",
    "held",
    "rolled-back",
    "overridden",
]

TYPES: tuple[Type, ...] = get_args(Type)
"""The kinds of channels."""

EVENTS: tuple[EventName, ...] = get_args(EventName)
"""What a channel can be told, in the order of a promotion's life."""

NAMES = (*templates.NAMES, "event", "pull_request")
"""The names that a template of a message can use."""

PREFIX = "GITOPS_PROMOTION_NOTIFY_"
"""The beginning of the variables that have the addresses of channels."""

_SHORTEST = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """One channel. `events`, `environments`, `groups` and `applications` limit what it is told; () is no limit.

    `to` are the addresses that a mail goes to, in place of those in the channel's URL. `subject` and `text` are None
    if messages have the usual words.
    """

    name: str
    type: Type
    events: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    applications: tuple[str, ...] = ()
    to: tuple[str, ...] = ()
    subject: Template | None = None
    text: Template | None = None

    @property
    def variable(self) -> str:
        """The name of the variable with its URL; `..._SECRET` has the key that signs what a webhook gets."""
        return PREFIX + re.sub("[^A-Z0-9]", "_", self.name.upper())

    def wants(self, event: str, *, group: str, app: str, environment: str) -> bool:
        """Return True if the channel is told of this event; the name `*`, which a hold may have, fits every limit."""
        limits = (
            (self.events, event),
            (self.environments, environment),
            (self.groups, group),
            (self.applications, app),
        )
        return all(not names or name == "*" or name in names for names, name in limits)


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How a channel is reached: `url` and `secret` are never shown, `secret` is "" where nothing is signed."""

    channel: Channel
    url: str
    secret: str = ""

    def __repr__(self) -> str:
        return f"Access(channel={self.channel.name!r})"


def access_of(channel: Channel, environ: Mapping[str, str]) -> Access | None:
    """Return how a channel is reached, None where its variable is not set."""
    url = _value(environ, channel.variable)
    return Access(channel=channel, url=url, secret=_value(environ, f"{channel.variable}_SECRET")) if url else None


def _value(environ: Mapping[str, str], variable: str) -> str:
    """Return a variable; Azure Pipelines leaves a macro as it was written if there is no such secret."""
    text = environ.get(variable, "").strip()
    return "" if text.startswith("$(") else text


def secrets(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return the texts that no log may show: the addresses of channels, and the part of each behind its host."""
    texts: list[str] = []
    for name, value in environ.items():
        if name.startswith(PREFIX):
            texts += [value, value.strip(), _after_host(value.strip())]
    # A shorter one would hide ordinary words.
    return tuple(text for text in dict.fromkeys(texts) if len(text) >= _SHORTEST)


def _after_host(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return f"{parts.path}?{parts.query}" if parts.query else parts.path
