"""Kinds of requests: branch, title, trailers, the sentences of the pull request, and gating."""

from datetime import UTC, datetime

import pytest

from gitops_promotion.core.config import Config, parse
from gitops_promotion.core.kinds import FEATURE, HOLD, PROMOTION, RELEASE, REMOVAL, ROLLBACK, branches_into
from gitops_promotion.core.model import Kind, Request
from gitops_promotion.core.names import NO_APPLICATION, Application
from gitops_promotion.core.plan import of_edits
from gitops_promotion.core.pull_request_text import commit_message
from gitops_promotion.core.tags import NO_TAG, Tag

WEBUI = Application("shop", "webui")


def config(text: str = "[{name: dev, auto: true}, {name: qa, auto: true}, {name: prod}]") -> Config:
    return parse(f"prflow: per-env\nenvironments: {text}\n", "gitops-promotion.yaml")


def request(kind: Kind, environment: str, feature: str = "") -> Request:
    return Request(kind=kind, application=WEBUI, tag=Tag("1.4.2"), environment=environment, feature=feature)


@pytest.mark.parametrize(
    ("kind", "environment", "feature", "branch", "title", "gated"),
    [
        (PROMOTION, "dev", "", "promote/shop-webui-dev", "Promote shop/webui version 1.4.2 to environment dev", False),
        (PROMOTION, "qa", "", "promote/shop-webui-qa", "Promote shop/webui version 1.4.2 to environment qa", True),
        (
            FEATURE,
            "dev",
            "pr-7",
            "feature/shop-webui-pr-7",
            "Feature pr-7 of shop/webui version 1.4.2 in environment dev",
            False,
        ),
        (
            REMOVAL,
            "dev",
            "pr-7",
            "feature/shop-webui-pr-7",
            "Remove feature pr-7 of shop/webui from environment dev",
            False,
        ),
        (REMOVAL, "dev", "", "remove/stale-feature", "Remove stale features from environment dev", False),
    ],
)
def test_each_kind_has_its_branch_and_title(
    kind: Kind, environment: str, feature: str, branch: str, title: str, gated: bool
) -> None:
    wanted = request(kind, environment, feature)
    assert kind.branch(wanted, config()) == branch
    assert kind.title(wanted) == title
    assert kind.is_gated(wanted, config()) is gated


def test_each_kind_has_a_name_of_its_own() -> None:
    names = [kind.name for kind in (PROMOTION, ROLLBACK, FEATURE, REMOVAL, HOLD)]
    assert names == ["promote", "rollback", "feature", "remove", "hold"]


@pytest.mark.parametrize(
    ("kind", "environment", "notes"),
    [
        (PROMOTION, "dev", ["It merges by itself when its checks pass."]),
        (
            PROMOTION,
            "qa",
            [
                "Its check `gitops-promotion status` passes when `dev` is healthy with this tag.",
                "It merges by itself when its checks pass.",
            ],
        ),
        (
            PROMOTION,
            "prod",
            [
                "Its check `gitops-promotion status` passes when `qa` is healthy with this tag.",
                "It waits for a person: merging approves it, closing declines it, and the decline sticks.",
            ],
        ),
        (FEATURE, "dev", ["It merges by itself when its checks pass."]),
        (REMOVAL, "prod", ["It waits for a person to merge it."]),
    ],
)
def test_the_pull_request_says_what_it_waits_for_and_who_can_act(
    kind: Kind, environment: str, notes: list[str]
) -> None:
    plan = of_edits(request(kind, environment, "x"), config(), {"a": b""}, base="main", base_sha="0" * 40, message="m")
    sentences = [line for line in plan.body.splitlines() if line.startswith("It")]
    assert sentences == notes


@pytest.mark.parametrize(
    ("kind", "properties"),
    [
        (PROMOTION, {"uses_settings", "changes_tag", "edits_only_tags", "stops_at_holds"}),
        (ROLLBACK, {"changes_tag", "goes_back"}),
        *[(kind, set()) for kind in (FEATURE, REMOVAL, HOLD, RELEASE)],
    ],
)
def test_each_kind_says_what_counts_for_it(kind: Kind, properties: set[str]) -> None:
    names = {"uses_settings", "changes_tag", "goes_back", "edits_only_tags", "stops_at_holds"}
    assert {name for name in names if getattr(kind, name)} == properties


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (PROMOTION, "waits for a person to merge it (prod has auto: false)"),
        (REMOVAL, "waits for a person to merge it (prod has auto: false)"),
        (HOLD, "counts now, and waits for a person to merge it"),
        (RELEASE, "waits for a person to merge it"),
    ],
)
def test_an_outcome_says_why_a_person_must_merge(kind: Kind, text: str) -> None:
    assert kind.by_hand(request(kind, "prod")) == text


def test_several_sources_are_all_named() -> None:
    text = "[{name: dev}, {name: eu, after: dev}, {name: us, after: dev}, {name: prod, after: [eu, us]}]"
    [check, _] = PROMOTION.notes(request(PROMOTION, "prod"), config(text))
    assert check == "Its check `gitops-promotion status` passes when `eu` and `us` are healthy with this tag."


def test_trailers_are_those_of_the_kind_and_those_of_all() -> None:
    built_at = datetime(2026, 1, 2, tzinfo=UTC)
    promotion = Request(kind=PROMOTION, application=WEBUI, tag=Tag("1"), environment="dev", built_at=built_at)
    assert commit_message(promotion, previous_tag="0").splitlines()[2:] == [
        "Promotion: shop/webui",
        "Environment: dev",
        "Tag: 1",
        "Previous-Tag: 0",
        "Built-At: 2026-01-02T00:00:00+00:00",
    ]
    removal = Request(kind=REMOVAL, application=NO_APPLICATION, tag=NO_TAG, environment="dev")
    assert commit_message(removal).splitlines()[2:] == ["Environment: dev"]


def test_a_rollback_has_a_branch_beside_the_promotions() -> None:
    back = request(ROLLBACK, "prod")
    assert ROLLBACK.branch(back, config()) == "rollback/shop-webui-prod"
    assert ROLLBACK.title(back) == "Roll back shop/webui to version 1.4.2 in environment prod"
    assert branches_into(WEBUI, "prod", config()) == ["promote/shop-webui-prod", "rollback/shop-webui-prod"]
    long = Application("s" * 100, "w" * 100)
    per_app = parse(f"environments: [{{name: dev}}, {{name: {'e' * 60}}}]\n", "gitops-promotion.yaml")
    assert branches_into(long, "e" * 60, per_app) == [per_app.branch(long, "e" * 60)], "too long for a rollback"
