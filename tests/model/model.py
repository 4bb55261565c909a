"""The model: it does the steps of a sequence, and compares what they changed with what they may change."""

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from hypothesis import note

from gitops_promotion.core.discussion import MARKER
from tests.model.rules import SOURCES, Arrival, Past, Place, View, look, path_of, read
from tests.model.world import APPLICATIONS, ENVIRONMENTS, GROUP, OPS, Settings, World

OF_PEOPLE = ("merge", "by hand")
MOST_RUNS = len(ENVIRONMENTS) + 1
"""Of `promote --all` in a row that merge something."""


@dataclass(slots=True, kw_only=True)
class Model:
    """What is known of a world. `is_thorough`: every `promote --all` is followed by a second one."""

    world: World
    settings: Settings
    is_thorough: bool = False
    builds: dict[str, int] = field(default_factory=lambda: dict.fromkeys(APPLICATIONS, 0))
    features: int = 0
    is_frozen: bool = False
    past: Past = field(init=False)
    view: View = field(init=False)

    def __post_init__(self) -> None:
        self.past = Past(settings=self.settings)
        self.view = look(self.world)

    def play(self, steps: Sequence[tuple[Any, ...]]) -> None:
        """Do all steps, and check at the end what is promised after one `promote --all`."""
        # So that there is something to roll back to.
        healthy = [("flux", environment, "success") for environment in ENVIRONMENTS] if self.is_thorough else []
        for step in (*healthy, *steps):
            self.do(step)
        self.do(("promote twice",))

    def do(self, step: tuple[Any, ...]) -> None:
        """Do one step, then look at what it changed."""
        note(f"{step}")
        getattr(self, f"do_{step[0].replace(' ', '_')}")(*step[1:])
        self._look(step[0])

    def _look(self, verb: str) -> None:
        before, self.view = self.view, look(self.world)
        for place, arrival in self.past.note_commits(self.world, before, self.view):
            note(f"  {place} has {arrival}")
            if verb not in OF_PEOPLE:
                self._check_arrival(before, place, arrival)
        self.past.note_proposals(self.view)
        self.past.note_time(self.view)
        self._check_told()
        self._check_texts()

    # -- what must be true

    def _check_arrival(self, before: View, place: Place, arrival: Arrival) -> None:
        """Fail if the tool let a tag come where it must not."""
        app, environment = place
        past, tag = self.past, arrival.tag
        passes = arrival.passes.split(" and ")
        assert arrival.pull, "the tool changes the default branch by pull requests alone"
        assert "hold" in passes or not before.is_held(place, tag), "nothing goes past a hold"
        is_shut = (environment == "prod" and self.is_frozen) or (environment == "qa" and not self._is_open())
        if is_shut:
            assert {"gates", "times"} & {*passes}, "nothing merges in a freeze"
        if arrival.kind == "feature":
            assert environment == "dev", "a feature is never promoted"
            return
        if arrival.kind == "rollback":
            assert place in past.rolled_back, "a rollback needs somebody who asks for it"
            assert any(old.tag == tag for old in past.arrivals[place][:-1]), "a rollback goes to a tag that was there"
        was_green = (place, tag) in past.was_healthy
        if "gates" in passes:
            return
        if environment == "prod" and self.settings.has_approvals:
            opinions = past.opinions.get((arrival.pull, place, tag), {})
            assert sum(opinions.values()) > 1, "two people approve what comes into prod"
            assert all(opinions.values()), "nobody rejects what comes into prod"
        if arrival.kind == "rollback":
            assert was_green, "a rollback goes to a tag that was healthy there"
            return
        if environment == "dev":
            assert (app, tag) in past.announced, "a build announced what comes into dev"
            return
        source = (app, SOURCES[environment])
        if (place, tag) not in past.forced:
            last = [old for old in past.arrivals[source] if old.tag == tag][-1:]
            assert last, f"{tag} was never in {source}"
            assert not past.has_left(place, tag, last[0].number), "what was there does not come back by itself"
        assert was_green or past.health.get((source, tag)), f"{tag} is not healthy in {source}"
        if environment == "prod" and self.settings.has_soak:
            assert was_green or (source, tag) in past.soaked, f"{tag} has not soaked in {source}"

    def _is_open(self) -> bool:
        return not self.settings.has_windows or 6 <= self.world.now.hour < 18

    def _check_told(self) -> None:
        """Fail if something was told more often than it happened."""
        if not self.settings.has_channel:
            return
        bodies = self.world.told()
        for identifier, count in Counter(body["id"] for body in bodies).items():
            assert count == 1, [body["text"] for body in bodies if body["id"] == identifier]
        times = Counter((body["event"], body["app"], body["environment"], body["tag"]) for body in bodies)
        for (event, app, environment, tag), count in times.items():
            if event in ("merged", "healthy", "rolled-back"):
                arrivals = [old for old in self.past.arrivals.get((app, environment), ()) if old.tag == tag]
                assert count <= len(arrivals), f"{event} of {app} {tag} in {environment} is told {count} times"

    def _check_texts(self) -> None:
        for pull in self.view.pulls.values():
            own = [text for text in self.world.texts(pull.number) if MARKER in text]
            assert len(own) < 2, f"#{pull.number} has one comment of this tool"
            verdicts = self.world.verdicts(pull.sha)
            assert all(new != old for new, old in itertools.pairwise(verdicts)), "told twice"

    # -- what the tool does

    def do_new(self, app: str) -> None:
        self.builds[app] += 1
        self.do_build_again(app)

    def do_build_again(self, app: str) -> None:
        if self.builds[app]:
            tag = f"2.{self.builds[app]}"
            self.past.announced.add((app, tag))
            run = self.world.run("new", "--group", GROUP, "--app", app, "--tag", tag)
            assert run.code == 0, run.outcomes

    def do_promote(self) -> None:
        if self.is_thorough:
            self.do_promote_twice()
        else:
            self._promote()

    def _promote(self) -> bool:
        """Run `promote --all`, check that all that is due is proposed, and return whether a tag changed."""
        before = self.view
        due = self.past.due(before)
        note(f"  due: {due}")
        run = self.world.run("promote", "--all")
        note(f"  {[(o['app'], o['environment'], o['result'], o['message']) for o in run.outcomes]}")
        assert run.code == 0, run.outcomes
        self._look("promote")
        for place, tag in due:
            is_there = any(old.tag == tag and old.number > 0 for old in self.past.arrivals[place][-2:])
            assert is_there or self.view.proposing(place, tag), f"{tag} is due in {place}: {run.outcomes}"
        may_be_proposed = {*due, *self.past.due(self.view)}
        for number, proposal in self.view.proposals.items():
            if before.proposals.get(number) != proposal and proposal.place[1] != "dev":
                assert (proposal.place, proposal.tag) in may_be_proposed, f"{proposal} is not due"
        return before.tags != self.view.tags

    def do_promote_twice(self) -> None:
        """Check that a second `promote --all` changes nothing, after those that merge something."""
        for _ in range(MOST_RUNS):
            if not self._promote():
                break
        state = self.world.state()
        # At the same time: a failure that lasts longer is news.
        run = self.world.run("promote", "--all", minutes=0)
        assert self.world.state() == state, f"a second one changes something: {run.outcomes}"

    def do_publish(self) -> None:
        run = self.world.run("status", "--publish")
        note(f"  {[(o['app'], o['environment'], o['result'], o['message']) for o in run.outcomes]}")
        assert run.code == 0, run.outcomes
        if self.is_thorough:
            before = self.view
            self._look("publish")
            if before.tip == self.view.tip:
                state = self.world.state()
                run = self.world.run("status", "--publish", minutes=0)
                assert self.world.state() == state, f"a second one changes something: {run.outcomes}"

    def do_go_on(self, app: str) -> None:
        """Do what brings an application on its way: what its open promotion waits for, or the next promotion."""
        step = self._next_step(app)
        note(f"  {step}")
        getattr(self, f"do_{step[0]}")(*step[1:])

    def _next_step(self, app: str) -> tuple[Any, ...]:
        places = [proposal.place for proposal in self.view.proposals.values() if proposal.place[0] == app]
        for _, environment in places:
            if environment in SOURCES and not self._is_healthy((app, SOURCES[environment])):
                return "flux", SOURCES[environment], "success"
            if environment == "prod" and self.settings.has_approvals and not self._is_approved():
                return ("approve",)
            if environment == "prod" and self.settings.has_soak and not self._has_soaked(app):
                return "wait", 1
            return ("publish",)
        if any(place[0] == app for place, _ in self.past.due(self.view)):
            return ("promote",)
        if self.is_thorough and not self._is_healthy((app, "prod")):
            return "flux", "prod", "success"
        return "new", app

    def _is_healthy(self, place: Place) -> bool:
        return self.past.health.get((place, self.view.tags[place]), False)

    def _is_approved(self) -> bool:
        return any(
            len(opinions) > 1 and self.view.proposing(place, tag)
            for (_, place, tag), opinions in self.past.opinions.items()
        )

    def _has_soaked(self, app: str) -> bool:
        return ((app, "qa"), self.view.tags[app, "qa"]) in self.past.soaked

    # -- what people ask the tool for

    def do_rollback(self, app: str, environment: str, reason: str) -> None:
        options = ["--reason", reason] if reason else []
        if self._ask("rollback", app, environment, *options).code == 0:
            self.past.rolled_back.add((app, environment))

    def do_hold(self, app: str, environment: str) -> None:
        self._ask("hold", app, environment, "--reason", "not now")

    def do_release(self, app: str, environment: str) -> None:
        self._ask("release", app, environment)

    def do_force(self, app: str, environment: str) -> None:
        run = self._ask("promote", app, environment)
        if run.code == 0:
            tag, pull = run.outcomes[0]["tag"], run.outcomes[0]["pull_request"]
            self._note_forced(app, environment, tag)
            if pull:
                self.past.rejected_by.pop((pull["number"], (app, environment), tag), None)

    def do_override(self, app: str, environment: str, tag: str) -> None:
        self._ask("promote", app, environment, "--tag", tag, "--override-gates", "--reason", "it burns")
        self.past.forced.add(((app, environment), tag))

    def do_override_hold(self, app: str, environment: str) -> None:
        run = self._ask("promote", app, environment, "--override-hold", "--reason", "agreed")
        if run.code == 0:
            self._note_forced(app, environment, run.outcomes[0]["tag"])

    def _note_forced(self, app: str, environment: str, tag: str) -> None:
        place = app, environment
        self.past.forced.add((place, tag))
        for key, opinions in self.past.opinions.items():
            if key[1:] == (place, tag) and not all(opinions.values()):
                # It is proposed again: the opinions so far count no more.
                opinions.clear()

    def do_feature(self, app: str) -> None:
        self.features += 1
        name = f"pr-{self.features}"
        run = self.world.run("feature", "--group", GROUP, "--app", app, "--tag", name, "--feature", name)
        self._check_code(run)

    def _ask(self, verb: str, app: str, environment: str, *options: str) -> Any:
        run = self.world.run(verb, "--group", GROUP, "--app", app, "--env", environment, *options)
        self._check_code(run)
        return run

    def _check_code(self, run: Any) -> None:
        note(f"  {run.code} {[(o['result'], o['message']) for o in run.outcomes]}")
        assert run.code in (0, 2, 3), run.outcomes

    # -- what people, Flux and time do

    def do_flux(self, environment: str, state: str) -> None:
        self.past.note_health(environment, self.view, healthy=state == "success")
        self.world.flux(environment, healthy=state == "success")

    def do_merge(self) -> None:
        for pull in self.view.pulls.values():
            if pull.is_open:
                self.world.merge(pull.number)
                return

    def do_close(self) -> None:
        for pull in self.view.pulls.values():
            if pull.is_open:
                self.world.close(pull.number)
                self.past.declined.add(pull.number)
                return

    def do_review(self, person: str, approve: bool) -> None:
        for pull in self.view.pulls.values():
            proposal = self.view.proposals.get(pull.number)
            if pull.is_open and proposal and proposal.place[1] == "prod":
                self.world.review(pull.number, person, approve=approve)
                key = pull.number, proposal.place, proposal.tag
                self.past.opinions.setdefault(key, {})[person] = approve
                rejected_by = self.past.rejected_by.setdefault(key, set())
                (rejected_by.discard if approve else rejected_by.add)(person)
                return

    def do_approve(self) -> None:
        """Let two people agree."""
        for person in OPS[:2]:
            self.do_review(person, True)

    def do_freeze(self, on: bool) -> None:
        if on == self.is_frozen:
            return
        self.is_frozen = on
        self.world.edit({"gitops-promotion.yaml": self.settings.config(frozen=on)})

    def do_thaw(self) -> None:
        self.do_freeze(False)

    def do_by_hand(self, app: str, environment: str) -> None:
        place = app, environment
        text = read(self.world, self.view.tip, path_of(place))
        old = self.view.tags[place]
        new = "1.0.0" if old != "1.0.0" else "1.0.1"
        self.world.edit({path_of(place): text.replace(f":{old} ", f":{new} ").replace(f':{old}"', f':{new}"')})

    def do_wait(self, hours: int) -> None:
        self.world.wait(hours)
