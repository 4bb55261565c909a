"""What a configuration answers about its environments, beyond the keys that it has."""

from dataclasses import replace

import pytest

from gitops_promotion.core.config import Config, parse
from gitops_promotion.core.holds import Hold, HoldsFile
from gitops_promotion.core.names import Application
from gitops_promotion.errors import UsageError

WEB = Application("shop", "web")
APPROVALS = "approvals: {approvers: [ann]}"


def config(keys: str = "", top: str = "") -> Config:
    return parse(f"environments: [{{name: dev{keys}}}, {{name: prod{keys}}}]\n{top}\n", "gitops-promotion.yaml")


@pytest.mark.parametrize(
    ("keys", "is_allowed"),
    [
        ("", True),
        (", overrides: false", False),
        (f", {APPROVALS}", False),
        (f", {APPROVALS}, overrides: true", True),
    ],
)
def test_overrides_are_allowed_where_nobody_must_approve_unless_the_key_says_otherwise(
    keys: str, is_allowed: bool
) -> None:
    assert config(keys).allows_overrides("prod") is is_allowed


@pytest.mark.parametrize(
    ("keys", "top", "is_written"),
    [
        ("", "", False),
        ("", "comment: true", True),
        (f", {APPROVALS}", "", True),
        (f", {APPROVALS}", "comment: false", False),
    ],
)
def test_a_comment_is_written_where_a_verdict_is_published_unless_the_key_says_otherwise(
    keys: str, top: str, is_written: bool
) -> None:
    assert config(keys, top).writes_comments is is_written


def test_approvals_of_one_environment_are_enough_to_ask_people() -> None:
    one = parse(f"environments: [{{name: dev}}, {{name: prod, {APPROVALS}}}]\n", "gitops-promotion.yaml")
    assert (one.has_approvals, config().has_approvals) == (True, False)


def test_a_name_that_makes_no_branch_is_an_error_that_says_what_it_names() -> None:
    for group, name, env, noun in (("a b", "c", "d", "group"), ("a", "b c", "d", "application"), ("a", "b", "", "env")):
        with pytest.raises(UsageError, match=f"^{noun}"):
            config().branch(Application(group, name), env)


@pytest.mark.parametrize(
    ("keys", "environment", "is_gated"),
    [
        ("", "dev", False),
        ("", "prod", True),
        (f", {APPROVALS}", "dev", True),
        (", windows: [{from: '09:00', to: '16:00'}]", "dev", True),
        (", unmanagedImages: report", "dev", False),
    ],
)
def test_an_environment_is_gated_if_it_has_sources_or_a_gate_of_its_own(
    keys: str, environment: str, is_gated: bool
) -> None:
    assert config(keys).is_gated(WEB, environment) is is_gated


@pytest.mark.parametrize(
    ("keys", "environment", "needs_holds_alone"),
    [
        ("", "dev", True),
        ("", "prod", False),
        (f", {APPROVALS}", "dev", False),
        (", windows: [{from: '09:00', to: '16:00'}]", "dev", False),
        (", unmanagedImages: report", "dev", True),
    ],
)
def test_holds_alone_can_stop_what_has_no_sources_and_no_other_gate(
    keys: str, environment: str, needs_holds_alone: bool
) -> None:
    hold = Hold(group="*", app="*", environment="*")
    held = replace(config(keys), gate_settings={**config(keys).gate_settings, "holds": HoldsFile(holds=(hold,))})
    assert held.is_gated(WEB, environment)
    assert held.needs_holds_alone(WEB, environment) is needs_holds_alone
