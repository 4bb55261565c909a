"""Why a tag is, or is not, in an environment: the sentences."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from gitops_promotion.core.board import Cell, Promotion
from gitops_promotion.core.gates import Decision
from gitops_promotion.core.names import Application
from gitops_promotion.core.why import Why, forcing_step, moment_text, next_steps, way_so_far
from gitops_promotion.render import why as renders

WEB = Application("shop", "web")
AT = datetime(2026, 1, 31, 12, 30, tzinfo=UTC)
THERE = Why(application=WEB, environment="prod", tag="1.4.1", there=True, since=AT)
ABSENT = Why(application=WEB, environment="prod", tag="1.4.2", there=False, current="1.4.1")
OPEN = Promotion(pull_request=3, url="https://x/3", title="t", tag="1.4.2", decision="wait")


@pytest.mark.parametrize(
    ("view", "headline"),
    [
        (THERE, "1.4.1 is in prod since 2026-01-31 12:30 UTC"),
        (replace(THERE, by="Ann"), "1.4.1 is in prod since 2026-01-31 12:30 UTC, by Ann"),
        (
            replace(THERE, pull_request=17, by="bob", approved_by=("alice", "carol")),
            "1.4.1 is in prod since 2026-01-31 12:30 UTC, by #17, merged by bob, approved by alice and carol",
        ),
        (replace(THERE, since=None), "1.4.1 is in prod"),
        (ABSENT, "1.4.2 is not in prod, which has 1.4.1"),
        (replace(ABSENT, current=""), "1.4.2 is not in prod"),
        (replace(ABSENT, tag=""), "nothing is to go into prod: no source of shop/web has a tag"),
        (
            replace(ABSENT, pull_request=3, decision="wait"),
            "1.4.2 is not in prod, which has 1.4.1: pull request #3 waits",
        ),
        (
            replace(ABSENT, current="", pull_request=3, decision="pass"),
            "1.4.2 is not in prod: pull request #3 may merge",
        ),
        (
            replace(ABSENT, current="", pull_request=3, decision="refuse"),
            "1.4.2 is not in prod: pull request #3 must not merge",
        ),
        (replace(ABSENT, current="", at=AT), "At 2026-01-31 12:30 UTC, 1.4.2 is not in prod"),
    ],
)
def test_the_first_sentence(view: Why, headline: str) -> None:
    assert view.headline == headline


def test_the_text_is_one_line_of_everything() -> None:
    view = replace(ABSENT, pull_request=3, decision="wait", reasons=("a waits", "b waits"), next=("do x", "do y"))
    assert view.text == ("1.4.2 is not in prod, which has 1.4.1: pull request #3 waits - a waits; b waits - do x; do y")
    assert THERE.text == THERE.headline


def test_where_the_tag_is_already() -> None:
    cells = [
        Cell(environment="dev", tag="1.4.2", since=AT),
        Cell(environment="qa", tag="1.4.2"),
        Cell(environment="stage", tag="1.4.1", since=AT),
    ]
    assert way_so_far(cells, "1.4.2") == "dev since 2026-01-31 12:30 UTC, qa"
    assert way_so_far(cells, "9") == ""


@pytest.mark.parametrize(
    ("promotion", "auto", "steps"),
    [
        (OPEN, False, []),
        (
            replace(OPEN, who=("bob", "carol", "dave"), approvers=("bob", "carol")),
            False,
            ["bob, carol can approve: gitops-promotion approve --group shop --app web --env prod"],
        ),
        (replace(OPEN, earliest=AT), True, ["look again at 2026-01-31 12:30 UTC"]),
        (replace(OPEN, earliest=AT + timedelta(seconds=1)), True, ["look again at 2026-01-31 12:31 UTC"]),
        (replace(OPEN, decision="pass"), False, ["merge it: https://x/3"]),
        (replace(OPEN, decision="pass"), True, []),
        (replace(OPEN, decision="pass", is_armed=False), True, ["merge it: https://x/3"]),
        (replace(OPEN, who=("dave",)), False, []),
        (replace(OPEN, steps=("lift it",), earliest=AT), True, ["lift it", "look again at 2026-01-31 12:30 UTC"]),
        (replace(OPEN, decision="refuse", who=("bob",), approvers=("bob",)), False, []),
    ],
)
def test_what_people_can_do(promotion: Promotion, auto: bool, steps: list[str]) -> None:
    assert next_steps(promotion, WEB, "prod", merge=promotion.url, auto=auto) == steps


@pytest.mark.parametrize(("decision", "auto", "is_step"), [("pass", True, True), ("wait", True, False)])
def test_what_a_published_verdict_merges_has_that_as_its_next_step(
    decision: Decision, auto: bool, is_step: bool
) -> None:
    opened = replace(OPEN, decision=decision)
    steps = next_steps(opened, WEB, "dev", merge="local merge 3", auto=auto, publishes=True)
    assert steps == ["to merge it: gitops-promotion status --publish"] * is_step


def test_a_hold_is_lifted_before_its_tag_is_promoted_all_the_same() -> None:
    assert forcing_step(["make qa healthy"], "CMD") == "to promote it all the same: CMD"
    assert forcing_step(["to lift it: gitops-promotion release -g a"], "CMD") == "then, to promote it all the same: CMD"


def test_a_time_stands_in_its_own_zone() -> None:
    assert moment_text(AT.astimezone(timezone(timedelta(hours=1)))) == "2026-01-31 13:30 UTC+01:00"


def test_the_document_has_every_key_of_the_form_and_null_for_what_is_not_known() -> None:
    document = json.loads(renders.json_v1(ABSENT))
    assert list(document) == (
        "version group app environment tag there since by pull_request decision reasons next text".split()  # noqa: SIM905  one line is easier to read
    )
    assert [document[key] for key in ("since", "by", "pull_request", "decision")] == [None] * 4
    assert (document["reasons"], document["next"], document["there"]) == ([], [], False)


def test_hostile_text_is_text() -> None:
    hostile = "\x1b[31m##vso[x]\n"
    view = replace(THERE, tag=hostile, by=hostile, reasons=(hostile,), next=(hostile,))
    assert "\x1b" not in renders.human(view)
    assert renders.human(view).count("\n") == 3
    assert "##vso" not in renders.json_v1(view)
