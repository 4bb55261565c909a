"""`why`: one answer to why a tag is, or is not, in an environment."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from gitops_promotion.core import due, why
from gitops_promotion.core.board import Cell, Promotion
from gitops_promotion.core.deployments import same_tag
from gitops_promotion.core.environments import Pipeline
from gitops_promotion.core.forge import PullRequest
from gitops_promotion.core.history import Event, History
from gitops_promotion.core.kinds import PROMOTION, branches_into
from gitops_promotion.core.model import Request
from gitops_promotion.core.names import Application, Site
from gitops_promotion.core.tags import Tag
from gitops_promotion.core.why import Why
from gitops_promotion.errors import PromotionError, UsageError
from gitops_promotion.workflow.arming import question_on
from gitops_promotion.workflow.board import read_cells
from gitops_promotion.workflow.due import outlook
from gitops_promotion.workflow.judge import judge
from gitops_promotion.workflow.judged import judged_promotions
from gitops_promotion.workflow.lookups import Lookups
from gitops_promotion.workflow.past import Scope, answer, check_scope, read_past, with_people
from gitops_promotion.workflow.rejections import find_decline
from gitops_promotion.workflow.run import Run
from gitops_promotion.workflow.steps import Step


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """The application and environment that are asked about, and what is there."""

    application: Application
    environment: str
    way: Pipeline
    cells: Mapping[str, Cell]
    tags: Mapping[str, Tag | None]

    @property
    def site(self) -> Site:
        return Site(self.application, self.environment)

    @property
    def tag(self) -> Tag | None:
        return self.tags[self.environment]

    @property
    def forcing_command(self) -> str:
        return Step(application=self.application, environment=self.environment).command

    def expected(self) -> Tag | None:
        """Return the tag of the nearest source, the latest to arrive where sources differ; None without a tag."""
        sources = {name: self.tags[name] for name in self.way.sources(self.environment)}

        def age(candidate: due.Candidate) -> int:
            times = [since for name in candidate.sources if (since := self.cells[name].since)]
            return -max((int(time.timestamp()) for time in times), default=0)

        candidates = due.candidates(self.way.requirements(self.environment), sources, age)
        return candidates[0].tag if candidates else next((tag for tag in sources.values() if tag), None)


def explain(run: Run, *, group: str, app: str, environment: str, at: datetime | None = None) -> Why:
    """Return why the tag of the nearest source is, or is not, in an environment, now or at a time in the future.

    The run must be a dry one. Raises UsageError for a name that does not exist, ConfigError, ManifestError, GitError.
    """
    application = _application(run, group, app, environment)
    way = run.tip.config.way_into(application, environment)
    for name in way.names:
        run.tip.files(Site(application, name))
    past = read_past(run.tip, Scope(group=application.group, app=application.name))
    cells, tags = read_cells(run, application, past.history.events)
    place = _Place(application=application, environment=environment, way=way, cells=cells, tags=tags)
    expected = place.expected() or place.tag
    answers = _ask(run, place, at)
    if expected is None or (place.tag is not None and same_tag(place.tag, expected)):
        return _answer_if_there(run, place, expected, answers, past.history.events, at)
    return _answer_if_absent(run, place, expected, answers, at)


def _application(run: Run, group: str, app: str, environment: str) -> Application:
    check_scope(run.tip, Scope(group=group, app=app, environment=environment))
    scope = Scope(group=group, app=app)
    applications = [application for application in run.tip.applications() if scope.has_application(application)]
    if len(applications) > 1:
        groups = ", ".join(application.group for application in applications)
        raise UsageError(f"the groups {groups} have an application {app}: give --group")
    return applications[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answers:
    """What the forge says: all pull requests of the application's promotions and rollbacks, and the open ones, judged.

    `problem` says why it did not answer, "" if it did.
    """

    pulls: Sequence[PullRequest] = ()
    promotions: Mapping[Site, Promotion] = field(default_factory=dict)
    problem: str = ""


def _ask(run: Run, place: _Place, at: datetime | None) -> _Answers:
    left_out: list[str] = []
    branches = dict.fromkeys(
        branch for name in place.way.names for branch in branches_into(place.application, name, run.tip.config)
    )
    pulls = answer(
        run,
        left_out,
        "what is open",
        lambda forge: [pull for branch in branches for pull in forge.pull_requests(head=branch)],
    )
    if pulls is None:
        return _Answers(problem=left_out[0])
    opened = [pull for pull in pulls if pull.state == "open" and pull.base == run.tip.base]
    return _Answers(pulls=pulls, promotions=judged_promotions(run, opened, _lookups(run, opened, at)))


def _lookups(run: Run, pulls: Sequence[PullRequest], at: datetime | None) -> Lookups:
    lookups = run.lookups(heads=tuple(p.head_sha for p in pulls), numbers=tuple(p.number for p in pulls))
    return replace(lookups, now=at) if at else lookups


def _answer_if_there(
    run: Run,
    place: _Place,
    expected: Tag | None,
    answers: _Answers,
    events: Sequence[Event],
    at: datetime | None,
) -> Why:
    """Return the answer for a tag that is there, or for an environment into which nothing is to go."""
    opened, problem = answers.promotions.get(place.site), answers.problem
    cell = place.cells[place.environment]
    arrivals = [event for event in events if event.site == place.site and event.sha == cell.sha][:1]
    people = with_people(run, History(events=tuple(arrivals))).events if arrivals and not problem else tuple(arrivals)
    reasons = list(cell.problems)
    if opened:
        reasons.append(_about(opened))
    reasons += [problem] if problem else []
    steps = _steps(run, place, opened) if opened else []
    if opened and opened.decision == "refuse" and place.expected() is not None:
        # The sources have the tag that is there, so `promote` proposes nothing in its place.
        close = f"gitops-promotion local close {opened.pull_request}" if run.publishes else opened.url
        steps = [f"close it if it is obsolete: {close}"]
    return Why(
        application=place.application,
        environment=place.environment,
        tag=str(expected) if expected else "",
        there=expected is not None,
        since=cell.since,
        by=people[0].by if people else cell.by,
        approved_by=people[0].approved_by if people else (),
        pull_request=cell.pull_request,
        decision=opened.decision if opened else None,
        reasons=tuple(reasons),
        next=tuple(steps),
        at=at,
    )


def _answer_if_absent(run: Run, place: _Place, expected: Tag, answers: _Answers, at: datetime | None) -> Why:
    """Return the answer for a tag that is not there yet."""
    opened, problem = answers.promotions.get(place.site), answers.problem
    before = [place.cells[name] for name in place.way.before(place.environment)]
    reasons: list[str] = []
    steps: list[str] = []
    is_ours = opened is not None and opened.tag.partition("@")[0] == expected.name
    if opened and is_ours:
        reasons += opened.reasons
        steps += _steps(run, place, opened)
    else:
        outcome_reasons, outcome_steps = _outlook(run, place, expected, answers)
        reasons += outcome_reasons
        steps += outcome_steps
        judged, judged_steps = _judged_without_promotion(run, place, expected, at, problem)
        # `promote` gives some reasons of gates too, such as a hold, without the gate's name.
        reasons = [reason for reason in reasons if not any(text.endswith(f": {reason}") for text in judged)]
        reasons += judged
        command = place.forcing_command
        is_possible = any(reason.endswith(command) for reason in outcome_reasons)
        steps = steps or [*judged_steps, *([why.forcing_step(judged_steps, command)] if is_possible else [])]
        if opened:
            reasons.append(f"another one is open: {_about(opened)}")
    if so_far := why.way_so_far(before, str(expected)):
        reasons.append(f"it is in {so_far}")
    other_promotions = [promotion for site, promotion in answers.promotions.items() if site != place.site]
    reasons += [_about(promotion) for promotion in other_promotions]
    reasons += [*place.cells[place.environment].problems, *([problem] if problem else [])]
    return Why(
        application=place.application,
        environment=place.environment,
        tag=str(expected),
        there=False,
        pull_request=opened.pull_request if opened and is_ours else None,
        decision=opened.decision if opened and is_ours else None,
        reasons=tuple(dict.fromkeys(reasons)),
        next=tuple(dict.fromkeys(steps)),
        at=at,
        current=str(place.tag) if place.tag else "",
    )


def _about(promotion: Promotion) -> str:
    verbs = {"wait": "waits", "pass": "may merge", "refuse": "must not merge"}
    reasons = f": {promotion.reasons[0]}" if promotion.reasons else ""
    return f"pull request #{promotion.pull_request} for {promotion.tag} {verbs[promotion.decision]}{reasons}"


def _steps(run: Run, place: _Place, promotion: Promotion) -> list[str]:
    merge = f"gitops-promotion local merge {promotion.pull_request}" if run.publishes else promotion.url
    return why.next_steps(
        promotion,
        place.application,
        place.environment,
        merge=merge,
        auto=run.tip.config.environment(place.environment).auto,
        publishes=run.publishes,
    )


def _outlook(run: Run, place: _Place, expected: Tag, answers: _Answers) -> tuple[list[str], list[str]]:
    """Return what `promote` would say of the promotion, and what to do."""
    if answers.problem:
        return [], []
    request = Request(kind=PROMOTION, application=place.application, environment=place.environment, tag=expected)
    branch = run.tip.config.branch(place.application, place.environment)
    try:
        # A dry run ends before it looks at the pull requests of the branch, so it misses a decline.
        pulls = [pull for pull in answers.pulls if pull.head == branch]
        if decline := find_decline(run, run.lookups(), request, pulls):
            return [str(decline)], [f"to propose it again: {place.forcing_command}"]
        outcome = outlook(run, place.application, place.environment)
    except PromotionError as error:
        return [str(error)], []
    if outcome.result == "planned" and (busy := _on_same_branch(place, answers, branch)):
        page = f"gitops-promotion local merge {busy.pull_request}" if run.publishes else busy.url
        message = f"it is due, and pull request #{busy.pull_request} for {busy.tag} has the branch {branch}"
        return [message], list(busy.steps) or [f"merge #{busy.pull_request} or close it first: {page}"]
    if outcome.result == "planned":
        return ["it is due, and not proposed yet"], ["gitops-promotion promote --all"]
    return [outcome.message, *outcome.warnings], []


def _on_same_branch(place: _Place, answers: _Answers, branch: str) -> Promotion | None:
    """Return the open promotion into an environment before this one that has the same branch, None without one."""
    numbers = {pull.number for pull in answers.pulls if pull.head == branch}
    sites = [Site(place.application, name) for name in place.way.before(place.environment)]
    promotions = [promotion for site in sites if (promotion := answers.promotions.get(site))]
    return next((promotion for promotion in promotions if promotion.pull_request in numbers), None)


def _judged_without_promotion(
    run: Run, place: _Place, expected: Tag, at: datetime | None, problem: str
) -> tuple[Sequence[str], Sequence[str]]:
    """Return what the gates say of a tag that no pull request proposes, and what to do; nothing if they pass."""
    if problem or not place.way.sources(place.environment):
        return (), ()
    request = Request(kind=PROMOTION, application=place.application, tag=expected, environment=place.environment)
    try:
        verdict = judge(run.tip, _lookups(run, (), at), question_on(run, request))
    except PromotionError as error:
        return (str(error),), ()
    return (verdict.texts, verdict.steps) if verdict.decision != "pass" else ((), ())
