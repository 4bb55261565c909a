"""The promises, in terms of what happened: who was where since when, and whether a promotion is due."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Literal

from gitops_promotion.core import holds_file
from gitops_promotion.core.commits import read_trailers
from gitops_promotion.core.holds import FILE, Hold
from gitops_promotion.core.names import Application
from gitops_promotion.core.tags import Tag
from tests.model.world import APPLICATIONS, ENVIRONMENTS, GROUP, Pull, Settings, World
from tests.stories.stage import tag_in

Place = tuple[str, str]
"""An application and an environment."""
PLACES: Sequence[Place] = [(app, environment) for app in APPLICATIONS for environment in ENVIRONMENTS]
SOURCES = {"qa": "dev", "prod": "qa"}
Kind = Literal["start", "promotion", "rollback", "feature", "hand"]
KINDS: Mapping[str, Kind] = {"promote": "promotion", "rollback": "rollback", "feature": "feature"}


def path_of(place: Place) -> str:
    return f"{GROUP}/{place[1]}/{place[0]}.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A tag came into a place: by the commit of this number, which merged this pull request."""

    tag: str
    kind: Kind
    number: int
    pull: int = 0
    passes: str = ""
    """What an override passes, "" where there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What the commit at the head of a branch proposes, by its trailers, and the tag that its tree has there."""

    place: Place
    tag: str
    passes: str = ""
    is_rollback: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """The repository at one moment."""

    tip: str
    now: datetime
    tags: Mapping[Place, str]
    pulls: Mapping[int, Pull]
    proposals: Mapping[int, Proposal]
    holds: Sequence[Hold]

    def is_held(self, place: Place, tag: str) -> bool:
        application = Application(GROUP, place[0])
        return any(hold.covers(application, place[1], Tag.parse(tag), self.now) for hold in self.holds)

    def open_on(self, branch: str) -> Pull | None:
        return next((pull for pull in self.pulls.values() if pull.is_open and pull.branch == branch), None)

    def proposing(self, place: Place, tag: str) -> Pull | None:
        """Return the open pull request that proposes a tag for a place."""
        numbers = (n for n, it in self.proposals.items() if it.place == place and it.tag == tag and not it.is_rollback)
        return next((self.pulls[number] for number in numbers if self.pulls[number].is_open), None)


def look(world: World) -> View:
    """Read it all."""
    branches = world.branches()
    tip = branches["main"]
    pulls = {pull.number: pull for pull in world.pulls()}
    proposals = {pull.number: found for pull in pulls.values() if pull.is_open and (found := _proposal(world, pull))}
    heads = [tip, *(pull.sha for pull in pulls.values() if pull.is_open and pull.branch.startswith(("hold/", "rollb")))]
    holds = [hold for head in heads for hold in _holds(world, head)]
    return View(tip=tip, now=world.now, tags=tags_at(world, tip), pulls=pulls, proposals=proposals, holds=holds)


def read(world: World, sha: str, path: str) -> str:
    """Return a file of a commit, "" if it has none."""
    entry = world.objects.find(world.objects.commit(sha).tree, path)
    return world.objects.read(entry[1])[1].decode() if entry else ""


def tags_at(world: World, sha: str) -> dict[Place, str]:
    return {place: tag_in(read(world, sha, path_of(place))) for place in PLACES}


def _holds(world: World, sha: str) -> Sequence[Hold]:
    file = holds_file.parse(read(world, sha, FILE).encode(), ENVIRONMENTS)
    assert not file.problems, file.problems
    return file.holds


def trailers_of(world: World, sha: str) -> Mapping[str, str]:
    return read_trailers(world.objects.commit(sha).message)


def _proposal(world: World, pull: Pull) -> Proposal | None:
    trailers = trailers_of(world, pull.sha)
    kind = pull.branch.partition("/")[0]
    if kind not in ("promote", "rollback") or "Tag" not in trailers:
        return None
    place = (trailers["Promotion"].partition("/")[2], trailers["Environment"])
    tag = tag_in(read(world, pull.sha, path_of(place)))
    assert tag == trailers["Tag"], "the branch has the tag of its commit"
    return Proposal(place=place, tag=tag, passes=trailers.get("Override-Of", ""), is_rollback=kind == "rollback")


@dataclass(slots=True, kw_only=True)
class Past:
    """What happened so far: in the default branch, to the health of tags, and to pull requests.

    `health` is the newest report on a tag in a place, `since` the time from which it was healthy without a failure.
    `declined` are the pull requests that a person closed; `proposed` is what each pull request proposed last.
    `rejected_by` are the people whose last opinion on what a pull request proposes is a rejection, `replaced` is what
    each pull request proposed before, and somebody had rejected.
    """

    settings: Settings
    commits: int = 0
    arrivals: dict[Place, list[Arrival]] = field(
        default_factory=lambda: {place: [Arrival(tag="1.0.0", kind="start", number=0)] for place in PLACES}
    )
    health: dict[tuple[Place, str], bool] = field(default_factory=dict)
    was_healthy: set[tuple[Place, str]] = field(default_factory=set)
    since: dict[tuple[Place, str], datetime] = field(default_factory=dict)
    soaked: set[tuple[Place, str]] = field(default_factory=set)
    declined: set[int] = field(default_factory=set)
    proposed: dict[int, tuple[Place, str]] = field(default_factory=dict)
    opinions: dict[tuple[int, Place, str], dict[str, bool]] = field(default_factory=dict)
    rejected_by: dict[tuple[int, Place, str], set[str]] = field(default_factory=dict)
    replaced: dict[int, set[tuple[Place, str]]] = field(default_factory=dict)
    announced: set[tuple[str, str]] = field(default_factory=set)
    forced: set[tuple[Place, str]] = field(default_factory=set)
    rolled_back: set[Place] = field(default_factory=set)

    def branch(self, place: Place) -> str:
        name = f"promote/{GROUP}-{place[0]}"
        return name if self.settings.flow == "per-app" else f"{name}-{place[1]}"

    def note_commits(self, world: World, before: View, after: View) -> list[tuple[Place, Arrival]]:
        """Add what the new commits of the default branch changed, and return that."""
        shas = []
        sha = after.tip
        while sha != before.tip:
            shas.append(sha)
            [sha, *_] = world.objects.commit(sha).parents
        by_head = {pull.sha: pull for pull in after.pulls.values() if pull.is_merged}
        found: list[tuple[Place, Arrival]] = []
        for sha in reversed(shas):
            self.commits += 1
            head = (*world.objects.commit(sha).parents, "", "")[1]
            pull = by_head.get(head)
            kind = KINDS.get(pull.branch.partition("/")[0], "hand") if pull else "hand"
            for place, tag in tags_at(world, sha).items():
                if tag == self.arrivals[place][-1].tag:
                    continue
                passes = trailers_of(world, head).get("Override-Of", "") if pull else ""
                arrival = Arrival(
                    tag=tag, kind=kind, number=self.commits, pull=pull.number if pull else 0, passes=passes
                )
                self.arrivals[place].append(arrival)
                if arrival.kind == "promotion":
                    # What merges at once is seen open at no moment.
                    self._note_proposal(arrival.pull, (place, tag))
                found.append((place, arrival))
                self.health.pop((place, tag), None)
                self.since.pop((place, tag), None)
        return found

    def note_health(self, environment: str, view: View, *, healthy: bool) -> None:
        for app in APPLICATIONS:
            key = (app, environment), view.tags[app, environment]
            self.health[key] = healthy
            if healthy:
                self.was_healthy.add(key)
                self.since.setdefault(key, view.now)
            else:
                self.since.pop(key, None)

    def note_time(self, view: View) -> None:
        """Note which tags have been healthy for the soak time of prod."""
        for (place, tag), since in self.since.items():
            if view.tags[place] == tag and view.now - since >= timedelta(hours=1):
                self.soaked.add((place, tag))

    def note_proposals(self, view: View) -> None:
        for number, proposal in view.proposals.items():
            if not proposal.is_rollback:
                self._note_proposal(number, (proposal.place, proposal.tag))

    def _note_proposal(self, number: int, new: tuple[Place, str]) -> None:
        old = self.proposed.get(number)
        replaced = self.replaced.setdefault(number, set())
        if old is not None and old != new and self.rejected_by.get((number, *old)):
            replaced.add(old)
        replaced.discard(new)
        self.proposed[number] = new

    def is_declined(self, place: Place, tag: str) -> bool:
        """Return whether a person closed the newest of the pull requests whose last proposal was this."""
        return max((n for n, it in self.proposed.items() if it == (place, tag)), default=0) in self.declined

    def is_rejected(self, view: View, place: Place, tag: str) -> bool:
        """Return whether this was rejected in its newest pull request, before something else took its place."""
        newest = max((n for n, it in self.proposed.items() if it == (place, tag)), default=0)
        if max((n for n, replaced in self.replaced.items() if (place, tag) in replaced), default=0) > newest:
            return True
        pull = view.pulls.get(newest)
        is_closed = pull is not None and not pull.is_open and not pull.is_merged
        return is_closed and bool(self.rejected_by.get((newest, place, tag)))

    def has_left(self, place: Place, tag: str, since: int) -> bool:
        """Return whether a place has left a tag since a commit; it may have come back."""
        return any(old.tag == tag and new.number > since for old, new in pairwise(self.arrivals[place]))

    def reason_not_due(self, view: View, place: Place) -> str:
        """Return why the tag of the source is not to be proposed for a place by itself, "" if it is.

        docs/concepts.md#promote
        """
        source = self.arrivals[place[0], SOURCES[place[1]]][-1]
        current = self.arrivals[place][-1]
        if source.tag == current.tag:
            return "it is there"
        if source.kind != "promotion":
            return f"it came by {source.kind}"
        if self.has_left(place, source.tag, source.number):
            return "it was there and left"
        if current.kind != "promotion" and current.number > source.number:
            return f"{current.kind} came later"
        if view.is_held(place, source.tag):
            return "it is on hold"
        if self.is_declined(place, source.tag):
            return "it was declined"
        if self.is_rejected(view, place, source.tag):
            return "it was rejected"
        return ""

    def blocker(self, view: View, place: Place) -> str:
        """Return why what is open on its branch goes first, "" if nothing does."""
        pull = view.open_on(self.branch(place))
        proposal = view.proposals.get(pull.number) if pull else None
        if proposal is None:
            return ""
        if proposal.passes:
            return "an override is open"
        earlier = ENVIRONMENTS.index(proposal.place[1]) < ENVIRONMENTS.index(place[1])
        return "an earlier one is open" if earlier else ""

    def due(self, view: View) -> list[tuple[Place, str]]:
        """Return the tags that `promote --all` has to propose, each with its place."""
        found = []
        for app in APPLICATIONS:
            for environment in SOURCES:
                place = app, environment
                if self.reason_not_due(view, place) or self.blocker(view, place):
                    continue
                found.append((place, view.tags[app, SOURCES[environment]]))
                if self.settings.flow == "per-app":
                    break
        return found
