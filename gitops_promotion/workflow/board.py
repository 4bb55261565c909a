"""Reads the board: tags and events from git, and what is open and why from the forge, where it answers."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial

from gitops_promotion.core import board as boards
from gitops_promotion.core.board import Board, Cell, Facts, Feature, Promotion, Statement
from gitops_promotion.core.discussion import Discussion
from gitops_promotion.core.feature import hosts, kustomization, manifests
from gitops_promotion.core.feature.names import FEATURE_LABEL
from gitops_promotion.core.history import Event, History
from gitops_promotion.core.holds import Hold
from gitops_promotion.core.names import Application, Site
from gitops_promotion.core.tags import Tag
from gitops_promotion.errors import PromotionError, UsageError
from gitops_promotion.workflow.build import feature_environment, feature_folder
from gitops_promotion.workflow.holding import gather
from gitops_promotion.workflow.judged import judged_promotions
from gitops_promotion.workflow.lookups import Lookups
from gitops_promotion.workflow.past import Past, Scope, answer, read_past
from gitops_promotion.workflow.past_health import health_of
from gitops_promotion.workflow.run import Run
from gitops_promotion.workflow.steps import no_marker
from gitops_promotion.workflow.stops import Next, next_tags, read_declines, read_holds
from gitops_promotion.workflow.tip import Tip

# How many commits are asked for their statuses, to find red environments; on Azure DevOps each is a request.
_RED_COMMITS = 50


@dataclass(slots=True, kw_only=True)
class _Reader:
    """What one look at the board reads; `left_out` grows with everything that is not known."""

    run: Run
    past: Past
    left_out: list[str]
    tags: Mapping[Site, Tag | None]
    problems: dict[Site, list[str]]

    def note_unreadable_holds(self, sites: Iterable[Site]) -> None:
        """Note the faults of the file of holds at each of these promotions that they stop."""
        for site in dict.fromkeys(sites):
            if faults := self.run.tip.holds.faults(site.environment):
                self.problems.setdefault(site, []).extend(map(str, faults))

    def find_red(self, lookups: Lookups) -> None:
        """Note the tags that are in an environment and that statuses call unhealthy."""
        newest = self.past.history.newest
        arrivals = {event.sha for site, event in newest.items() if self.tags.get(site)}
        shas = [commit.sha for commit in self.past.commits]
        shas_to_ask = [sha for sha in shas[: _RED_COMMITS * 4] if sha in arrivals][:_RED_COMMITS]
        statuses = answer(
            self.run, self.left_out, "which environments are red", lambda _: lookups.statuses(shas_to_ask)
        )
        if statuses is None:
            return
        health = health_of(self.run, self.past, list(newest.values()), statuses)
        for site, event in newest.items():
            key = event.sha, site
            if key in health.red:
                text = f"{event.tag} is not healthy: a status failed and none has been green since it arrived"
                self.problems.setdefault(site, []).append(text)
            elif key in health.pending:
                text = f"{event.tag} has not been healthy since it arrived: a status is pending"
                self.problems.setdefault(site, []).append(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answers:
    """What the forge says of a board; empty where it does not answer."""

    promotions: Mapping[Site, Promotion] = field(default_factory=dict)
    declined: Mapping[Site, Sequence[str]] = field(default_factory=dict)
    statements: Mapping[int, Sequence[Statement]] = field(default_factory=dict)
    holds: tuple[Hold, ...] = ()


def read_board(run: Run, scope: Scope) -> Board:
    """Return the board of a scope; without a forge it has what git alone knows, and says what it left out.

    Raises UsageError for an unknown name, ConfigError, GitError.
    """
    tip, config = run.tip, run.tip.config
    past = read_past(tip, scope)
    applications = [application for application in tip.applications() if scope.has_application(application)]
    tags, problems = _read_tags(tip, applications)
    reader = _Reader(run=run, past=past, left_out=list(past.history.left_out), tags=tags, problems=problems)
    upcoming = list(next_tags(tip, tags))
    answers = _ask_forge(reader, upcoming)
    reader.left_out += [str(error) for error in tip.marked.broken()]
    reader.left_out += [str(problem.fault) for problem in tip.holds.problems]
    reader.note_unreadable_holds([*(following.site for following in upcoming), *answers.promotions])
    facts = Facts(
        tags=reader.tags,
        events=past.history.events,
        promotions=answers.promotions,
        problems=reader.problems,
        holds=read_holds((*tip.holds.holds, *answers.holds), tags, upcoming, run.clock.now()),
        declined=answers.declined,
        page=partial(_page, run),
        statements=answers.statements,
    )
    board = Board(
        commit=tip.sha,
        made_at=run.clock.now(),
        environments=config.pipeline.names,
        lines=boards.lines(facts, applications, config.way, now=run.clock.now()),
        features=tuple(_features(tip, past.history.events, scope)),
        left_out=tuple(dict.fromkeys(reader.left_out)),
    )
    return _limited_to(board, scope.environment) if scope.environment else board


def _ask_forge(reader: _Reader, upcoming: Sequence[Next]) -> _Answers:
    run = reader.run
    pulls = answer(run, reader.left_out, "open promotions and what holds them", lambda f: f.open_promotions())
    if pulls is None:
        return _Answers()
    merged_numbers = _numbers(reader.past.history, reader.tags)
    open_numbers = [pull.number for pull in pulls]
    limit = run.facts.most_discussions
    numbers = list(dict.fromkeys([*open_numbers, *merged_numbers]))
    if len(numbers) > limit:
        reader.left_out.append(
            f"who approved and commented on {len(numbers) - limit} pull requests, beyond the first {limit}"
        )
        numbers = numbers[:limit]
    lookups = run.lookups(heads=tuple(pull.head_sha for pull in pulls), numbers=tuple(numbers))
    lookups.note_open(pulls)
    promotions = judged_promotions(run, pulls, lookups)
    not_open = [following for following in upcoming if following.site not in promotions]
    declined = read_declines(run, lookups, not_open, reader.left_out)
    holds = answer(run, reader.left_out, "holds in open pull requests", lambda _: gather(run.tip, lookups))
    statements = _all_statements(reader, lookups)
    reader.find_red(lookups)
    return _Answers(
        promotions={
            site: replace(promotion, statements=tuple(statements.get(promotion.pull_request, ())))
            for site, promotion in promotions.items()
        },
        declined=declined,
        statements=statements,
        holds=holds or (),
    )


def read_cells(
    run: Run, application: Application, events: Sequence[Event]
) -> tuple[dict[str, Cell], dict[str, Tag | None]]:
    """Return the cells and the tags of one application by environment, as far as git knows them."""
    tags, problems = _read_tags(run.tip, [application])
    facts = Facts(tags=tags, events=events, problems=problems, page=partial(_page, run))
    [line] = boards.lines(facts, [application], run.tip.config.way, now=run.clock.now())
    return {cell.environment: cell for cell in line.cells}, {site.environment: tag for site, tag in tags.items()}


def _read_tags(tip: Tip, applications: Iterable[Application]) -> tuple[dict[Site, Tag | None], dict[Site, list[str]]]:
    """Return the tag of each application in each of its environments, and the problems of those that have none."""
    tags: dict[Site, Tag | None] = {}
    problems: dict[Site, list[str]] = {}
    for application in applications:
        way = tip.config.way(application)
        for name in way.names:
            site = Site(application, name)
            try:
                tags[site] = tip.tag(site)
            except PromotionError as error:
                tags[site] = None
                problems.setdefault(site, []).append(str(error))
                continue
            if tags[site] is None and any(tags.get(Site(application, source)) for source in way.sources(name)):
                problems.setdefault(site, []).append(no_marker(site))
    return tags, problems


def _limited_to(board: Board, environment: str) -> Board:
    """Return the board with one environment alone."""
    lines = [
        replace(line, cells=tuple(cell for cell in line.cells if cell.environment == environment))
        for line in board.lines
    ]
    return replace(board, environments=(environment,), lines=tuple(line for line in lines if line.cells))


def _page(run: Run, number: int) -> str:
    """Return the address of a pull request, "" where no forge is known."""
    with suppress(UsageError):
        return run.facts.page(run.tip.repository.url, number)
    return ""


def _numbers(history: History, tags: Mapping[Site, Tag | None]) -> list[int]:
    """Return the numbers of the pull requests that brought the present tags, newest first."""
    newest = history.newest
    arrivals = [event for event in history.events if newest.get(event.site) is event and tags.get(event.site)]
    return [event.pull_request for event in arrivals if event.pull_request]


def _all_statements(reader: _Reader, lookups: Lookups) -> dict[int, list[Statement]]:
    """Return what people said on the open promotions, and on those that brought the present tags, by number."""
    numbers = lookups.numbers
    discussions = answer(
        reader.run,
        reader.left_out,
        "who approved and declined",
        lambda _: {number: lookups.discussion(number) for number in numbers},
    )
    return {number: _statements_in(discussion) for number, discussion in (discussions or {}).items() if discussion}


def _statements_in(discussion: Discussion) -> list[Statement]:
    return [
        Statement(author=review.author, opinion=review.verdict, at=review.at, comment=review.comment)
        for review in discussion.reviews
    ]


def _features(tip: Tip, events: Sequence[Event], scope: Scope) -> list[Feature]:
    """Return the features of a scope whose copies are in the tree."""
    features = [
        feature
        for feature in boards.features(events)
        if scope.has_application(feature.application)
        and scope.environment in ("", feature_environment(tip.config, feature.application))
    ]
    folders: dict[Feature, str] = {}
    for feature in features:
        with suppress(UsageError):
            folder = feature_folder(tip.config, feature.application)
            folders[feature] = f"{folder}/{feature.application.name}-{feature.feature}"
    roots = tip.repository.read(tip.sha, [f"{folder}/kustomization.yaml" for folder in folders.values()])
    present: list[Feature] = []
    for feature, folder in folders.items():
        path = f"{folder}/kustomization.yaml"
        with suppress(PromotionError):
            if path in roots and kustomization.own_labels(roots[path], path).get(FEATURE_LABEL) == feature.feature:
                present.append(replace(feature, address=_address(tip, folder, roots[path])))
    return present


def _address(tip: Tip, folder: str, root: bytes) -> str:
    """Return where a copy is reached, as far as its own files say so."""
    names = [line.strip().removeprefix("- ") for line in root.decode(errors="replace").split("\n")]
    files = tip.repository.read(tip.sha, [f"{folder}/{name}" for name in names if name.endswith((".yaml", ".yml"))])
    with suppress(PromotionError):
        return hosts.address([obj for content in files.values() for obj in manifests.parse(content)])
    return ""
