"""The board: every application in every environment, and what holds the next tag back.

It is built from values that were read before: tags and events from git, and the answers of the forge if it was asked.
The code that shows a board needs nothing else.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from gitops_promotion.core.deployments import same_tag
from gitops_promotion.core.environments import Pipeline, Requirements
from gitops_promotion.core.gates import Decision
from gitops_promotion.core.history import Event, parsed
from gitops_promotion.core.names import Application, Site
from gitops_promotion.core.newer_versions import newer_versions
from gitops_promotion.core.tags import Tag

EVENTS = 8
"""The number of events, the newest ones, that a line has of its application."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Behind:
    """How far an environment is behind the environment `of`; None for a number that is not known.

    `versions` is the number of newer tags that came to `of`, `days` the time since the first of them came. `commits` is
    the number of newer commits in the application's own repository.
    """

    of: str
    versions: int | None = None
    commits: int | None = None
    days: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What one person said on a pull request: the opinion, such as `approved`, and the comment, "" without one."""

    author: str
    opinion: str
    at: datetime | None = None
    comment: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Promotion:
    """An open promotion with the verdict of its gates now: `reasons` are sentences, `who` can act on them.

    `approvers` are those of them who can approve it. `earliest` is the first time at which its gates may pass without
    anybody's act, None if that is not known. `steps` are other things that people can do. `is_armed`: it is ready and
    merges by itself where its environment has `auto`.
    """

    pull_request: int
    url: str
    title: str
    tag: str
    decision: Decision
    reasons: tuple[str, ...] = ()
    who: tuple[str, ...] = ()
    approvers: tuple[str, ...] = ()
    statements: tuple[Statement, ...] = ()
    earliest: datetime | None = None
    steps: tuple[str, ...] = ()
    is_armed: bool = True

    def is_for(self, user: str) -> bool:
        """Return True if a person is one of those who can act; names are compared without regard to case.

        A promotion whose gates pass is for nobody in particular: anybody who may merge it can act.
        """
        return user.casefold() in {name.casefold() for name in self.who}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """An application in an environment: its tag ("" for none), since when, by which commit and pull request.

    `holds`, `declined` and `problems` are sentences. `url` leads to the pull request, `statements` are those on it.
    """

    environment: str
    tag: str = ""
    since: datetime | None = None
    sha: str = ""
    pull_request: int | None = None
    url: str = ""
    by: str = ""
    behind: Behind | None = None
    open: Promotion | None = None
    holds: tuple[str, ...] = ()
    declined: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    statements: tuple[Statement, ...] = ()

    @property
    def state(self) -> str:
        """The one word that sums the cell up, the most urgent first."""
        if self.problems:
            return "problem"
        if self.holds:
            return "held"
        if self.open:
            return {"pass": "ready", "wait": "waiting", "refuse": "refused"}[self.open.decision]
        if self.declined:
            return "declined"
        if not self.tag:
            return "absent"
        return "behind" if self.behind else "current"


STATES = ("problem", "held", "refused", "waiting", "ready", "declined", "behind", "current", "absent")
"""The states of cells, the most urgent first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One application: a cell for each of its environments, sources before targets.

    `requirements` are those of each environment, by name. `events` are the newest ones.
    """

    application: Application
    cells: tuple[Cell, ...]
    requirements: Mapping[str, Requirements] = field(default_factory=dict)
    events: tuple[Event, ...] = ()

    @property
    def is_waiting(self) -> bool:
        """True if a promotion of the application is open."""
        return any(cell.open for cell in self.cells)

    @property
    def state(self) -> str:
        """The most urgent state of its cells."""
        return min((cell.state for cell in self.cells), key=STATES.index, default="absent")


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """A copy of an application that shows an unmerged change; `address` is "" where it is not known."""

    application: Application
    feature: str
    environment: str
    tag: str = ""
    since: datetime | None = None
    by: str = ""
    pull_request: int | None = None
    address: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """What somebody said on the pull request that brought, or would bring, a tag into an environment."""

    site: Site
    tag: str
    pull_request: int
    url: str
    statement: Statement


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """All lines, read from `commit` at the time `made_at`; `left_out` says what is not known, and why.

    `person` is the one whose board it is, "" for everybody. `environments` are all that a line can have.
    """

    commit: str
    made_at: datetime
    environments: tuple[str, ...]
    lines: tuple[Line, ...]
    features: tuple[Feature, ...] = ()
    left_out: tuple[str, ...] = ()
    person: str = ""
    decided: tuple[Decided, ...] = ()

    @property
    def waiting(self) -> list[tuple[Line, Cell, Promotion]]:
        """The open promotions; on the board of one person, those on which the person can act."""
        opened = [(line, cell, cell.open) for line in self.lines for cell in line.cells if cell.open]
        return [row for row in opened if not self.person or row[2].is_for(self.person)]

    @property
    def problems(self) -> list[tuple[Line, Cell]]:
        """The cells with a problem."""
        return [(line, cell) for line in self.lines for cell in line.cells if cell.problems]


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What was read: by application and environment the tag, the open promotion, and sentences of each kind.

    `events` are newest first. `page` returns the address of a pull request. `statements` are those on pull requests, by
    their number.
    """

    tags: Mapping[Site, Tag | None]
    events: Sequence[Event] = ()
    promotions: Mapping[Site, Promotion] = field(default_factory=dict)
    problems: Mapping[Site, Sequence[str]] = field(default_factory=dict)
    holds: Mapping[Site, Sequence[str]] = field(default_factory=dict)
    declined: Mapping[Site, Sequence[str]] = field(default_factory=dict)
    page: Callable[[int], str] = lambda _: ""
    statements: Mapping[int, Sequence[Statement]] = field(default_factory=dict)


def lines(
    facts: Facts, applications: Sequence[Application], way: Callable[[Application], Pipeline], *, now: datetime
) -> tuple[Line, ...]:
    """Return the lines of these applications; `way` returns the environments that an application passes through."""
    by_site: dict[Site, list[Event]] = {}
    by_application: dict[Application, list[Event]] = {}
    for event in facts.events:
        by_application.setdefault(event.application, []).append(event)
        if event.kind != "feature":
            by_site.setdefault(event.site, []).append(event)
    return tuple(
        Line(
            application=application,
            cells=tuple(_cell(facts, by_site, application, name, pipeline, now) for name in pipeline.names),
            requirements={name: pipeline.requirements(name) for name in pipeline.names},
            events=tuple(by_application.get(application, ())[:EVENTS]),
        )
        for application in applications
        for pipeline in (way(application),)
    )


def _cell(
    facts: Facts,
    by_site: Mapping[Site, Sequence[Event]],
    application: Application,
    environment: str,
    pipeline: Pipeline,
    now: datetime,
) -> Cell:
    site = Site(application, environment)
    tag = facts.tags.get(site)
    arrival = next(iter(by_site.get(site, ())), None)
    # The newest event is that of another tag where history is cut off.
    if arrival is not None and (tag is None or not same_tag(parsed(arrival.tag), tag)):
        arrival = None
    number = arrival.pull_request if arrival else None
    return Cell(
        environment=environment,
        tag=str(tag) if tag else "",
        since=arrival.time if arrival else None,
        sha=arrival.sha if arrival else "",
        pull_request=number,
        url=facts.page(number) if number else "",
        by=arrival.by if arrival else "",
        behind=_behind(facts, by_site, site, pipeline, now),
        open=facts.promotions.get(site),
        holds=tuple(facts.holds.get(site, ())),
        declined=tuple(facts.declined.get(site, ())),
        problems=tuple(facts.problems.get(site, ())),
        statements=tuple(facts.statements.get(number, ())) if number else (),
    )


def _behind(
    facts: Facts, by_site: Mapping[Site, Sequence[Event]], site: Site, pipeline: Pipeline, now: datetime
) -> Behind | None:
    """Return how far an environment is behind the source that is furthest ahead, None if it is behind none."""
    tag = facts.tags.get(site)
    if tag is None:
        return None
    candidates: list[Behind] = []
    for source in pipeline.sources(site.environment):
        place = Site(site.application, source)
        source_tag = facts.tags.get(place)
        if source_tag is None or same_tag(source_tag, tag):
            continue
        events = by_site.get(place, ())
        is_explained = bool(events) and same_tag(parsed(events[0].tag), source_tag)
        newer = newer_versions(events, tag) if is_explained else None
        if newer is None:
            # The tag was never there: nothing says which of them is newer, unless the target had the other one before.
            if not any(same_tag(parsed(event.previous_tag), source_tag) for event in by_site.get(site, ())):
                candidates.append(Behind(of=source))
        elif newer:
            since = newer[0].since
            days = round((now - since).total_seconds() / 86400, 2) if since else None
            versions = len({str(version.tag) for version in newer})
            candidates.append(Behind(of=source, versions=versions, days=days))
    return max(candidates, key=lambda behind: behind.versions or 0, default=None)


def features(events: Sequence[Event]) -> list[Feature]:
    """Return the features that exist: those whose newest event is their addition. `events` are newest first."""
    newest: dict[tuple[Site, str], Event] = {}
    for event in events:
        if event.kind == "feature":
            newest.setdefault((event.site, event.feature), event)
    return [
        Feature(
            application=event.application,
            feature=event.feature,
            environment=event.environment,
            tag=event.tag,
            since=event.time,
            by=event.by,
            pull_request=event.pull_request,
        )
        for event in sorted(newest.values(), key=lambda e: (e.application, e.feature))
        if event.tag
    ]


def waiting_only(board: Board) -> Board:
    """Return the board with only the applications that have an open promotion."""
    return replace(board, lines=tuple(line for line in board.lines if line.is_waiting))


def of_person(board: Board, user: str) -> Board:
    """Return the board of one person: the promotions that wait for that person, and what the person decided."""
    decided = [
        Decided(
            site=Site(line.application, cell.environment), tag=tag, pull_request=number, url=url, statement=statement
        )
        for line in board.lines
        for cell in line.cells
        for tag, number, url, statements in _discussed(cell)
        for statement in statements
        if statement.author.casefold() == user.casefold()
    ]
    lines_of_user = (line for line in board.lines if any(cell.open and cell.open.is_for(user) for cell in line.cells))
    return replace(board, lines=tuple(lines_of_user), person=user, decided=tuple(decided), features=())


def _discussed(cell: Cell) -> Iterator[tuple[str, int, str, Sequence[Statement]]]:
    if cell.open:
        yield cell.open.tag, cell.open.pull_request, cell.open.url, cell.open.statements
    if cell.pull_request:
        yield cell.tag, cell.pull_request, cell.url, cell.statements
