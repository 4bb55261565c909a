"""Boards to look at: a small one, a large one, and one on which everybody wrote something hostile."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from gitops_promotion.core.board import Behind, Board, Cell, Decided, Feature, Line, Promotion, Statement
from gitops_promotion.core.environments import Environment, Pipeline, Requirements
from gitops_promotion.core.gates import Decision
from gitops_promotion.core.history import Event
from gitops_promotion.core.names import Application, Site

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
SHA = "a1b2c3d" + "0" * 33
HOSTILE = (
    "\"'><script>alert(1)</script><img src=x onerror=alert(2)>\x1b[31m\u202e|`*_[x](javascript:alert(3))\n##vso[x]"
)
"""What a tag, a title, a login or a comment could try to be."""

EVENTS = (
    Event(
        time=NOW - timedelta(hours=3),
        application=Application("webshop", "webui"),
        environment="qa",
        kind="promotion",
        previous_tag="1.4.1",
        tag="1.4.2",
        pull_request=16,
        sha=SHA,
        by="ann",
    ),
)


def pull_url(number: int) -> str:
    return f"https://github.com/acme/shop/pull/{number}"


def promotion(number: int = 17, tag: str = "1.4.2", decision: Decision = "wait") -> Promotion:
    reasons = {
        "wait": ("approvals: 1 of 2 of ops approved; one more of bob, carol", "soak: 1.4.2 is green in qa since 11:10"),
        "pass": ("status gate of qa: webshop/webui 1.4.2 is healthy", "its gates pass: a person merges it"),
        "refuse": ("approvals: bob rejects it", "status gate of qa: kustomization/webshop-qa failed"),
    }
    return Promotion(
        pull_request=number,
        url=pull_url(number),
        title=f"Promote webshop/webui version {tag} to environment prod",
        tag=tag,
        decision=decision,
        reasons=reasons[decision],
        who=("bob", "carol") if decision == "wait" else (),
        statements=(Statement(author="ann", opinion="approved", at=NOW - timedelta(hours=1), comment="Looks good."),),
    )


def cell(environment: str, tag: str = "1.4.2", *, number: int = 12, hours: float = 30, **more: Any) -> Cell:
    values: dict[str, Any] = {
        "environment": environment,
        "tag": tag,
        "since": NOW - timedelta(hours=hours),
        "sha": SHA,
        "pull_request": number,
        "url": pull_url(number),
        "by": "ann",
    }
    return Cell(**(values | more))


def line(group: str, app: str, cells: Sequence[Cell], requirements: dict[str, Requirements] | None = None) -> Line:
    pipeline = Pipeline(environments=tuple(Environment(name=each.environment) for each in cells))
    return Line(
        application=Application(group, app),
        cells=tuple(cells),
        requirements=requirements or {name: pipeline.requirements(name) for name in pipeline.names},
        events=EVENTS,
    )


def small() -> Board:
    """Three applications, of which one waits, one is well and one has a problem."""
    behind = Behind(of="qa", versions=2, days=3.5)
    waiting = cell("prod", "1.4.1", number=9, hours=200, behind=behind, open=promotion())
    mailer = cell("prod", "", since=None, pull_request=None, problems=("prod has no marker of platform/mailer",))
    return Board(
        commit=SHA,
        made_at=NOW,
        environments=("dev", "qa", "prod"),
        lines=(
            line("platform", "mailer", [cell("dev", "0.9.1"), cell("qa", "0.9.1"), mailer]),
            line("webshop", "cart", [cell(name, "2.0.3") for name in ("dev", "qa", "prod")]),
            line("webshop", "webui", [cell("dev", "1.4.3", hours=2), cell("qa", hours=3), waiting]),
        ),
        features=(
            Feature(
                application=Application("webshop", "webui"),
                feature="pr-123",
                environment="dev",
                tag="pr-123-4e8b6b5",
                since=NOW - timedelta(days=2),
                by="bob",
                address="https://pr-123.webui.dev.example.org",
            ),
        ),
        left_out=("what happened before 2025-12-01: the clone is shallow",),
    )


def large(applications: int = 300) -> Board:
    """Many applications in six environments, two of which follow the same one."""
    names = ("dev", "qa", "stage", "eu", "us", "asia")
    requirements: dict[str, Requirements] = {
        "dev": (),
        "qa": (("dev",),),
        "stage": (("qa",),),
        "eu": (("stage",),),
        "us": (("stage",),),
        "asia": (("eu", "us"),),
    }
    lines = []
    for number in range(applications):
        tags = [f"1.{number % 7 + (3 - position if position < 3 else 0)}.{number % 10}" for position in range(6)]
        cells = [cell(name, tag, number=number * 10 + 1) for name, tag in zip(names, tags, strict=True)]
        if number % 5 == 1:
            decisions: tuple[Decision, ...] = ("wait", "pass", "refuse")
            cells[3] = cell("eu", "1.0.0", open=promotion(number * 10 + 2, "1.1.0", decisions[number // 5 % 3]))
        if number % 23 == 7:
            cells[4] = cell("us", "1.0.1", problems=("1.0.1 is not healthy: a status failed",))
        if number % 4 == 2:
            cells[5] = cell("asia", "0.9.9", behind=Behind(of="eu", versions=3, days=12.25))
        if number % 31 == 3:
            cells[5] = cell("asia", "0.9.9", holds=("ops holds it until Monday: migration",))
        lines.append(line(f"team-{number % 12}", f"service-{number:03}", cells, requirements))
    return Board(commit=SHA, made_at=NOW, environments=names, lines=tuple(lines))


def hostile() -> Board:
    """Everything that comes from outside is HOSTILE, as are addresses."""
    statement = Statement(author=HOSTILE, opinion="approved", at=NOW, comment=HOSTILE)
    opened = Promotion(
        pull_request=3,
        url="javascript:alert(4)",
        title=HOSTILE,
        tag=HOSTILE,
        decision="wait",
        reasons=(HOSTILE,),
        who=(HOSTILE,),
        statements=(statement,),
    )
    bad = cell(
        "prod",
        HOSTILE,
        url="javascript:alert(5)",
        by=HOSTILE,
        open=opened,
        holds=(HOSTILE,),
        declined=(HOSTILE,),
        problems=(HOSTILE,),
        statements=(statement,),
    )
    event = Event(
        time=NOW,
        application=Application("g", "a"),
        environment="prod",
        kind="manual",
        previous_tag=HOSTILE,
        tag=HOSTILE,
        by=HOSTILE,
        reason=HOSTILE,
    )
    application = Application("g", "a")
    return Board(
        commit=SHA,
        made_at=NOW,
        environments=("dev", "prod"),
        lines=(
            Line(
                application=application,
                cells=(cell("dev", HOSTILE), bad),
                requirements={"dev": (), "prod": (("dev",),)},
                events=(event,),
            ),
        ),
        features=(
            Feature(
                application=application,
                feature=HOSTILE,
                environment="dev",
                tag=HOSTILE,
                by=HOSTILE,
                address=f"https://x/{HOSTILE}",
            ),
        ),
        left_out=(HOSTILE,),
        person=HOSTILE,
        decided=(
            Decided(
                site=Site(application, "prod"),
                tag=HOSTILE,
                pull_request=3,
                url="javascript:alert(6)",
                statement=statement,
            ),
        ),
    )
