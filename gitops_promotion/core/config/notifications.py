"""The configuration's `notifications`: the channels, by name."""

import re
from collections.abc import Sequence

from gitops_promotion.core.config.document import Document, Entry
from gitops_promotion.core.config.templates import read_template
from gitops_promotion.core.config.values import address_problem, name_problem
from gitops_promotion.core.environments import Environment
from gitops_promotion.core.notifications.channels import EVENTS, NAMES, TYPES, Channel

KEYS = ("name", "type", "events", "environments", "groups", "applications", "to", "subject", "text")
"""The keys of one channel."""

EXAMPLE = "[{name: team, type: slack}]"
"""A list of channels, for messages."""

_MOST = 50
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?")


def read_channels(document: Document, entry: Entry | None, environments: Sequence[Environment]) -> tuple[Channel, ...]:
    """Return the channels; complaints are noted in the document."""
    items = document.items(entry, "notifications", EXAMPLE)
    if entry and len(items) > _MOST:
        document.fail(entry.line, f"notifications has {len(items)} entries, at most {_MOST} are accepted")
        items = items[:_MOST]
    names = [environment.name for environment in environments]
    channels: list[Channel] = []
    indexes: dict[str, int] = {}
    for number, item in enumerate(items):
        channel = _channel(document, item, f"notifications[{number}]", names)
        first = indexes.setdefault(channel.variable, number)
        if channel.name and first != number:
            document.fail(
                item.line,
                f"notifications[{number}].name is {channel.name!r}: its variable {channel.variable} is that of "
                f"notifications[{first}], rename one",
            )
        channels.append(channel)
    return tuple(channels)


def _channel(document: Document, item: Entry, path: str, environments: Sequence[str]) -> Channel:
    fields = document.mapping(item, path, KEYS)
    name = document.checked(fields.get("name"), f"{path}.name", _channel_name_problem, "")
    kind = document.checked(fields.get("type"), f"{path}.type", lambda text: _one_of(text, TYPES), "")
    if item.node.id == "mapping":
        for key, value in (("name", name), ("type", kind)):
            if not value:
                document.fail(item.line, f"{path} has no {key}, write it as {{name: team, type: slack}}")

    def texts(key: str, accepted: Sequence[str], example: str) -> tuple[str, ...]:
        return document.texts(fields.get(key), f"{path}.{key}", lambda text: _one_of(text, accepted), example)

    def names(key: str, noun: str) -> tuple[str, ...]:
        return document.texts(fields.get(key), f"{path}.{key}", lambda text: name_problem(noun, text), f"[a {noun}]")

    to = document.texts(fields.get("to"), f"{path}.to", address_problem, "[ops@example.com]")
    if to and kind != "mail":
        document.fail(fields["to"].line, f"{path}.to is for the type mail: leave it out")
    return Channel(
        name=name,
        type=next((name for name in TYPES if name == kind), "webhook"),
        events=texts("events", EVENTS, "[waiting]"),
        environments=texts("environments", environments, "[prod]"),
        groups=names("groups", "group"),
        applications=names("applications", "application"),
        to=to,
        subject=read_template(document, fields.get("subject"), f"{path}.subject", names=NAMES),
        text=read_template(document, fields.get("text"), f"{path}.text", one_line=False, names=NAMES),
    )


def _channel_name_problem(text: str) -> str:
    if not _NAME.fullmatch(text):
        return "write at most 64 letters, digits and . _ - between them"
    # Its variable could be the secret of another channel.
    return "it must not end in -secret" if re.search(r"[._-]secret$", text, re.IGNORECASE) else ""


def _one_of(text: str, accepted: Sequence[str]) -> str:
    return "" if text in accepted else f"accepted are {', '.join(accepted)}"
