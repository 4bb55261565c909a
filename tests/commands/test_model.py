"""A model of all that moves tags: what the tool does by itself never breaks its promises, whatever people and Flux do.

A run of hypothesis is a sequence of steps on one repository. After each step the tags of all environments are compared
with what the step may have changed.
"""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, example, given, note, settings
from hypothesis import strategies as st

from tests.support.examples import examples
from tests.support.snapshots import Snapshot

if TYPE_CHECKING:
    from tests.commands.conftest import Shop

ENVIRONMENTS = ("dev", "qa", "prod")
CONFIG = """\
environments:
  - {name: dev, auto: true}
  - {name: qa, auto: true}
  - {name: prod, auto: true%s}
"""
FREEZE = ", freezes: [{from: 2020-01-01, until: 2099-01-01, reason: forever}]"

STEPS = st.one_of(
    st.just(("new",)),
    st.just(("build again",)),
    st.just(("promote",)),
    st.just(("publish",)),
    st.tuples(st.just("flux"), st.sampled_from(ENVIRONMENTS), st.sampled_from(["success", "success", "failure"])),
    st.tuples(st.sampled_from(["merge", "close"])),
    st.tuples(st.just("rollback"), st.sampled_from(ENVIRONMENTS[1:])),
    st.tuples(st.sampled_from(["hold", "release"]), st.sampled_from(ENVIRONMENTS[1:])),
    st.tuples(st.just("freeze"), st.booleans()),
    st.tuples(st.just("by hand"), st.sampled_from(ENVIRONMENTS)),
)
"""What can happen: to tags, to health, to pull requests, and to the configuration."""

OF_PEOPLE = ("merge", "by hand")


@dataclass
class Model:
    """What is known of the shop: which tags were healthy where, and which a rollback took away."""

    shop: "Shop"
    newest: int = 0
    tags: dict[str, str] = field(default_factory=lambda: dict.fromkeys(ENVIRONMENTS, "1.0.0"))
    healthy: dict[str, set[str]] = field(default_factory=lambda: {name: set() for name in ENVIRONMENTS})
    had: dict[str, set[str]] = field(default_factory=lambda: {name: {"1.0.0"} for name in ENVIRONMENTS})
    rolled_back: dict[str, set[str]] = field(default_factory=lambda: {name: set() for name in ENVIRONMENTS})
    asked: set[str] = field(default_factory=set)
    frozen: bool = False

    def run(self, step: tuple[Any, ...]) -> None:
        """Do one step, then look at what it changed."""
        getattr(self, step[0].replace(" ", "_"))(*step[1:])
        tags = dict(zip(ENVIRONMENTS, self.shop.tags(), strict=True))
        for name in ENVIRONMENTS:
            if tags[name] != self.tags[name]:
                self.check(step[0], name, self.tags[name], tags[name])
                self.had[name].add(tags[name])
        self.tags = tags

    def check(self, verb: str, environment: str, old: str, new: str) -> None:
        """Fail if a step moved a tag that it must not move."""
        note(f"{verb}: {environment} {old} -> {new}")
        if verb in OF_PEOPLE:
            self.rolled_back[environment].discard(new)
            return
        is_back = new in self.had[environment]
        if verb == "build again" and environment == "dev":
            # Whoever builds it again asks for it, and nothing was rolled back here.
            return
        if is_back:
            assert environment in self.asked, "a tag goes backwards only by a rollback or by a person"
            assert new in self.healthy[environment], "a rollback goes to a tag that was healthy there"
            self.rolled_back[environment].add(old)
            return
        assert new not in self.rolled_back[environment], "what was rolled back does not come back by itself"
        source = {"qa": "dev", "prod": "qa"}.get(environment)
        assert source is None or new in self.healthy[source], f"{new} was never healthy in {source}"
        assert not (self.frozen and environment == "prod"), "nothing merges in a freeze"

    # -- what the tool does

    def new(self) -> None:
        self.newest += 1
        self.shop.new(f"2.{self.newest}")

    def build_again(self) -> None:
        if self.newest:
            self.shop.new(f"2.{self.newest}")

    def promote(self) -> None:
        self.shop.run("promote", "--all")

    def publish(self) -> None:
        self.shop.run("status", "--publish")

    def rollback(self, environment: str) -> None:
        outcome = self.shop.run("rollback", "--group", "webshop", "--app", "webui", "--env", environment, code=None)
        if outcome.code == 0:
            self.asked.add(environment)

    # -- what people and Flux do

    def flux(self, environment: str, state: str) -> None:
        self.shop.local("set-status", "main", f"kustomization/webshop-{environment}/2fb0a5b0", state)
        if state == "success":
            self.healthy[environment].add(self.tags[environment])

    def merge(self) -> None:
        for number in self._open():
            # It is refused where it conflicts with what was set by hand.
            self.shop.local("merge", str(number), codes=(0, 3))
            return

    def close(self) -> None:
        for number in self._open():
            self.shop.local("close", str(number), "--as", "ann")
            return

    def hold(self, environment: str) -> None:
        self._about("hold", environment, "--reason", "not now")

    def release(self, environment: str) -> None:
        self._about("release", environment)

    def _about(self, verb: str, environment: str, *more: str) -> None:
        self.shop.run(verb, "--group", "webshop", "--app", "webui", "--env", environment, *more, code=None)

    def freeze(self, on: bool) -> None:
        self.frozen = on
        self.shop.edit({"gitops-promotion.yaml": CONFIG % (FREEZE if on else "")})

    def by_hand(self, environment: str) -> None:
        path = f"webshop/{environment}/webui.yaml"
        text = self.shop.remote.show(path, "main")
        old, new = self.tags[environment], "1.0.0" if self.tags[environment] != "1.0.0" else "1.0.1"
        self.shop.edit({path: text.replace(f":{old} ", f":{new} ").replace(f':{old}"', f':{new}"')})

    def _open(self) -> Iterator[int]:
        text = self.shop.local("list")
        for line in text.splitlines():
            if line.startswith("#"):
                yield int(line.split()[0].removeprefix("#"))


@pytest.fixture
def start(shop: "Shop") -> Snapshot:
    shop.edit({"gitops-promotion.yaml": CONFIG % ""})
    return Snapshot.take(shop.remote.path)


@example(steps=[("new",), ("promote",), ("by hand", "qa"), ("merge",)])
@settings(parent=examples(20), suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(steps=st.lists(STEPS, min_size=6, max_size=25))
def test_whatever_happens_the_promises_hold(shop: "Shop", start: Snapshot, steps: list[tuple[Any, ...]]) -> None:
    shutil.rmtree(shop.remote.path)
    start.write(shop.remote.path)
    model = Model(shop)
    for step in steps:
        model.run(step)
