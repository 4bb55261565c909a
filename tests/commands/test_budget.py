"""A verb starts 8 git commands, and 3 for each further promotion, in a repository of any size.

docs/architecture.md#budgets
"""

import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from gitops_promotion.git.process import Runner

if TYPE_CHECKING:
    from tests.commands.conftest import Shop


LIMIT = 8


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The git commands that were started, but for those with which `local` keeps its own records."""
    commands: list[str] = []
    start = Runner.start

    def counting(self: Any, arguments: Any, *more: Any, **options: Any) -> Any:
        if not any("/providers/local/" in frame.f_code.co_filename for frame, _ in traceback.walk_stack(None)):
            commands.append(" ".join(arguments[:2]))
        return start(self, arguments, *more, **options)

    monkeypatch.setattr(Runner, "start", counting)
    return commands


def test_new(shop: "Shop", started: list[str], config: Callable[..., str]) -> None:
    shop.edit({"gitops-promotion.yaml": config(autos=(False, True, False))})
    started.clear()
    shop.new("1.4.2")
    assert len(started) <= LIMIT, started
    started.clear()
    shop.new("1.4.3")
    assert len(started) <= LIMIT, started
    started.clear()
    shop.new("1.4.3")
    assert len(started) <= LIMIT, started


def test_promote_with_many_promotions(
    shop: "Shop", started: list[str], manifest: Callable[..., str], config: Callable[..., str]
) -> None:
    apps = [f"app{number}" for number in range(4)]
    shop.edit({f"webshop/{env}/{app}.yaml": manifest(app, "1") for env in ("dev", "qa", "prod") for app in apps})
    before = shop.remote.sha("main")
    for app in apps:
        shop.new("2", app=app)
    shop.push_event(before)
    started.clear()
    assert shop.run("promote").results == ["opened"] * 4
    assert len(started) <= LIMIT + 3 * 3, started
    for app in apps:
        shop.new("3", app=app)
    shop.push_event(before)
    started.clear()
    assert set(shop.run("promote").results) <= {"opened", "updated"}
    assert len(started) <= LIMIT + 3 * 3, started
    started.clear()
    shop.run("promote", "--all")
    assert len(started) <= LIMIT + 3 * 3, started


def test_status_a_look(shop: "Shop", started: list[str]) -> None:
    shop.new("1.4.2")
    shop.run("promote")
    started.clear()
    shop.check(2, code=4)
    assert len(started) <= LIMIT, started


def test_publishing_many_verdicts(shop: "Shop", started: list[str], manifest: Callable[..., str]) -> None:
    apps = [f"app{number}" for number in range(4)]
    shop.edit({f"webshop/{env}/{app}.yaml": manifest(app, "1") for env in ("dev", "qa", "prod") for app in apps})
    for app in apps:
        shop.new("2", app=app)
    shop.run("promote", "--all")
    started.clear()
    assert shop.run("status", "--publish").results == ["updated"] * 4
    assert len(started) <= LIMIT + 3 * 3, started
