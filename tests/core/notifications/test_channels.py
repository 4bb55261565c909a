"""Channels in the configuration, their variables and what they want to be told."""

from typing import Any

import pytest

from gitops_promotion.core import config
from gitops_promotion.core.notifications.channels import Channel, access_of, secrets
from gitops_promotion.errors import ConfigError

BASE = "environments: [{name: dev, auto: true}, {name: prod}]\n"


def channels(text: str) -> tuple[Channel, ...]:
    return config.parse(f"{BASE}notifications: {text}\n", "c").channels


def test_a_channel_has_a_name_a_type_and_what_limits_it() -> None:
    text = "[{name: ops, type: mail, events: waiting, environments: [prod], groups: [g], applications: [a], to: a@b.c}]"
    assert channels(text) == (
        Channel(
            name="ops",
            type="mail",
            events=("waiting",),
            environments=("prod",),
            groups=("g",),
            applications=("a",),
            to=("a@b.c",),
        ),
    )


def test_without_the_key_there_is_no_channel() -> None:
    assert config.parse(BASE, "c").channels == ()
    assert channels("") == ()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{name: a, type: slack}", "notifications is not a list"),
        ("[{type: slack}]", "notifications[0] has no name"),
        ("[{name: a}]", "notifications[0] has no type"),
        ("[{name: a, type: irc}]", "accepted are slack, teams, webhook, mail"),
        ("[{name: 'a b', type: slack}]", "write at most 64 letters"),
        ("[{name: team.Secret, type: slack}]", "it must not end in -secret"),
        ("[{name: a, type: slack, events: [opened]}]", "accepted are proposed, waiting"),
        ("[{name: a, type: slack, environments: [qa]}]", "accepted are dev, prod"),
        ("[{name: a, type: slack, groups: ['../x']}]", "notifications[0].groups[0]"),
        ("[{name: a, type: slack, to: [a@b.c]}]", "to is for the type mail"),
        ('[{name: a, type: mail, to: ["a@b.c\\nBcc: x@y.z"]}]', "write a mail address"),
        ("[{name: a-b, type: slack}, {name: a.B, type: teams}]", "its variable GITOPS_PROMOTION_NOTIFY_A_B is that of"),
        ("[{name: a, type: slack, url: https://x}]", "unknown key 'url'"),
    ],
)
def test_a_fault_has_its_line_and_what_is_accepted(text: str, problem: str) -> None:
    with pytest.raises(ConfigError) as error:
        channels(text)
    assert problem in str(error.value)
    assert str(error.value).startswith("c:2: ")


def test_the_variable_is_the_name_in_upper_case_with_underlines() -> None:
    assert Channel(name="ops-mail.2", type="mail").variable == "GITOPS_PROMOTION_NOTIFY_OPS_MAIL_2"


def test_without_its_variable_a_channel_cannot_be_reached() -> None:
    channel = Channel(name="t", type="slack")
    assert access_of(channel, {channel.variable: " "}) is None
    assert access_of(channel, {channel.variable: "$(NOTIFY_T)"}) is None
    access = access_of(channel, {channel.variable: " https://x/y\n", f"{channel.variable}_SECRET": "k"})
    assert access is not None
    assert (access.url, access.secret) == ("https://x/y", "k")
    assert "https" not in repr(access)


@pytest.mark.parametrize(
    ("limits", "is_wanted"),
    [
        ({}, True),
        ({"events": ("waiting",)}, True),
        ({"events": ("merged",)}, False),
        ({"environments": ("prod",), "groups": ("g",), "applications": ("a",)}, True),
        ({"environments": ("dev",)}, False),
        ({"groups": ("h",)}, False),
        ({"applications": ("b",)}, False),
    ],
)
def test_all_limits_must_fit(limits: dict[str, Any], is_wanted: bool) -> None:
    channel = Channel(name="t", type="slack", **limits)
    assert channel.wants("waiting", group="g", app="a", environment="prod") is is_wanted


def test_what_concerns_everything_is_for_every_channel() -> None:
    channel = Channel(name="t", type="slack", environments=("prod",), groups=("g",), applications=("a",))
    assert channel.wants("held", group="*", app="*", environment="*")


def test_the_address_and_what_follows_its_host_are_secret() -> None:
    hidden = secrets(
        {"GITOPS_PROMOTION_NOTIFY_A": "https://hooks.example/services/T0/secret?sig=1", "OTHER": "https://x"}
    )
    assert hidden == ("https://hooks.example/services/T0/secret?sig=1", "/services/T0/secret?sig=1")
    assert secrets({"GITOPS_PROMOTION_NOTIFY_A": "yes", "GITOPS_PROMOTION_NOTIFY_B": "http://[x"}) == ("http://[x",)


@pytest.mark.parametrize(
    ("url", "hidden"),
    [
        ("https://hooks.example.com/services/T0/secret", "/services/T0/secret"),
        ("https://hooks.example.com/x?sig=secret", "/x?sig=secret"),
    ],
)
def test_what_follows_the_host_of_a_channels_address_is_hidden(url: str, hidden: str) -> None:
    assert secrets({"GITOPS_PROMOTION_NOTIFY_TEAM": f"{url} ", "OTHER": url}) == (f"{url} ", url, hidden)
    assert secrets({"GITOPS_PROMOTION_NOTIFY_TEAM": "https://h/x"}) == ("https://h/x",), "/x would hide ordinary words"
