"""Holds and declines of many applications at once, on values."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

from gitops_promotion.core import config as configuration
from gitops_promotion.core.holds import Hold
from gitops_promotion.core.names import Application, Site
from gitops_promotion.core.tags import Tag
from gitops_promotion.workflow.stops import BRANCHES, Next, next_tags, read_declines, read_holds

NOW = datetime(2026, 1, 31, tzinfo=UTC)
CONFIG = configuration.parse("environments: [{name: dev}, {name: qa}, {name: prod}]", "gitops-promotion.yaml")
WEB = Application("shop", "web")
DEV, QA, PROD = (Site(WEB, name) for name in ("dev", "qa", "prod"))


def tip() -> Any:
    return SimpleNamespace(config=CONFIG, base="main")


def test_what_comes_next_is_what_the_source_has_and_the_target_has_not() -> None:
    tags = {DEV: Tag("2"), QA: Tag("1"), PROD: Tag("1")}
    assert list(next_tags(tip(), tags)) == [Next(site=QA, tag=Tag("2"))]
    assert list(next_tags(tip(), {DEV: None, QA: Tag("1"), PROD: None})) == [Next(site=PROD, tag=Tag("1"))]


def test_a_hold_of_the_environment_and_one_of_the_coming_tag_are_shown_and_no_others() -> None:
    tags = {DEV: Tag("2"), QA: Tag("1"), PROD: Tag("1")}
    everything = Hold(group="*", app="*", environment="prod", reason="freeze")
    coming = Hold(group="shop", app="web", environment="qa", tags=(Tag("2"),), reason="bad")
    past = Hold(group="shop", app="web", environment="qa", tags=(Tag("0.9"),), reason="old")
    over = Hold(group="*", app="*", environment="*", until=NOW - timedelta(hours=1))
    holds = read_holds([everything, coming, past, over], tags, list(next_tags(tip(), tags)), NOW)
    assert {site.environment: texts for site, texts in holds.items()} == {
        "qa": [str(coming)],
        "prod": [str(everything)],
    }


def test_the_forge_is_not_asked_for_the_declines_of_many_branches() -> None:
    class Forge:
        def pull_requests(self, *, head: str) -> list[object]:
            asked.append(head)
            return []

    asked: list[str] = []
    run = cast("Any", SimpleNamespace(tip=tip(), forge=Forge()))

    def ask(number: int) -> list[str]:
        left_out: list[str] = []
        following = [Next(site=Site(Application("shop", f"a{n}"), "qa"), tag=Tag("2")) for n in range(number)]
        assert read_declines(run, cast("Any", None), following, left_out) == {}
        return left_out

    assert ask(BRANCHES) == []
    assert len(asked) == BRANCHES
    assert ask(BRANCHES + 1) == [
        f"which promotions were declined: {BRANCHES + 1} branches would have to be asked for; "
        "narrow it with --app or --env"
    ]
    assert len(asked) == BRANCHES
