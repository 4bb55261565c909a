"""Promotions with the opinions of people on them: those that are open, and those that have ended."""

from collections.abc import Iterator
from dataclasses import dataclass

from gitops_promotion.core.approval_list import Approval, state_of
from gitops_promotion.core.declines import Decline, decline_of
from gitops_promotion.core.forge import PullRequest
from gitops_promotion.core.gates import Question
from gitops_promotion.core.gates.approvals import Approvals, Tally
from gitops_promotion.core.kinds import PROMOTION, branches_into
from gitops_promotion.core.model import Request
from gitops_promotion.core.names import Site
from gitops_promotion.core.pull_request_text import read_metadata
from gitops_promotion.core.tags import Tag
from gitops_promotion.errors import UsageError
from gitops_promotion.workflow import opinions
from gitops_promotion.workflow.examine import Subject, examine
from gitops_promotion.workflow.lookups import Lookups
from gitops_promotion.workflow.past import Scope, unknown_name
from gitops_promotion.workflow.rejections import approvals_of
from gitops_promotion.workflow.run import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Promotion:
    """An open pull request and one of the changes that it makes; `gate` is None where nobody's approval is needed."""

    question: Question
    pull_request: PullRequest
    gate: Approvals | None = None

    @property
    def site(self) -> Site:
        """The application and the environment."""
        return Site(self.question.application, self.question.environment)


def open_promotions(run: Run, pull: PullRequest) -> list[Promotion]:
    """Return the changes of gated tags that an open pull request makes. Raises ManifestError, GitError."""
    subject = Subject(branch=pull.head, sha=pull.head_sha, number=pull.number, pull_request=pull)
    promotions = [
        Promotion(
            question=question,
            pull_request=pull,
            gate=approvals_of(run.tip.config.gates(question.environment, only=question.only)),
        )
        for question in examine(run, subject).questions
    ]
    # A question about images alone is one for people only where they may approve them.
    return [promotion for promotion in promotions if promotion.question.tag.name or promotion.gate]


def tally_of(run: Run, lookups: Lookups, promotion: Promotion) -> Tally | None:
    """Return the tally of the opinions on a promotion, None where none is needed. Raises ProviderError, GitError."""
    if promotion.gate is None:
        return None
    facts = opinions.gather(run.tip, lookups, promotion.question, promotion.gate)
    return promotion.gate.tally(promotion.question, facts)


def list_open(run: Run, scope: Scope) -> list[Approval]:
    """Return the open promotions of a scope on which people decide. Costs a look at each, and a request for all."""
    pulls = run.forge.open_promotions()
    numbers = tuple(pull.number for pull in pulls)
    lookups = run.lookups(numbers=numbers)
    run.tip.fetch_branches(pull.head for pull in pulls)
    approvals = []
    for pull in pulls:
        for promotion in open_promotions(run, pull):
            if not scope.has(promotion.site) or not _is_for_people(run, promotion):
                continue
            tally = tally_of(run, lookups, promotion)
            discussion = lookups.discussion(pull.number)
            approvals.append(
                Approval(
                    application=promotion.question.application,
                    environment=promotion.question.environment,
                    tag=str(promotion.question.tag),
                    state=state_of(pull, discussion, tally),
                    pull_request=pull,
                    tally=tally,
                    history=discussion.events if discussion else (),
                )
            )
    return approvals


def _is_for_people(run: Run, promotion: Promotion) -> bool:
    return promotion.gate is not None or not run.tip.config.environment(promotion.question.environment).auto


def list_ended(run: Run, scope: Scope) -> list[Approval]:
    """Return the ended promotions of a scope, newest first. Costs a request for each of its promotion branches.

    The body of a pull request says what it was about: it only decides what is shown.
    """
    approvals: dict[int, Approval] = {}
    pulls = {pull.number: pull for branch in _branches(run, scope) for pull in run.forge.pull_requests(head=branch)}
    ended_pulls = [pull for pull in pulls.values() if pull.state != "open"]
    lookups = run.lookups(numbers=tuple(pull.number for pull in ended_pulls))
    for pull in ended_pulls:
        hint = read_metadata(pull.body)
        if hint is None or (application := hint.application) is None or hint.type not in ("promote", "rollback"):
            continue
        try:
            environment = run.tip.config.environment(hint.env)
        except UsageError:
            continue
        gate = approvals_of(run.tip.config.gates(environment.name))
        if not scope.has(Site(application, environment.name)) or (gate is None and environment.auto):
            continue
        discussion = lookups.discussion(pull.number)
        approvals[pull.number] = Approval(
            application=application,
            environment=environment.name,
            tag=hint.tag,
            state=state_of(pull, discussion, None),
            pull_request=pull,
            history=discussion.events if discussion else (),
        )
    return [approvals[number] for number in sorted(approvals, reverse=True)]


def _branches(run: Run, scope: Scope) -> Iterator[str]:
    config = run.tip.config
    branches: dict[str, None] = {}
    for application in run.tip.applications():
        for name in config.way(application).names:
            if scope.has_application(application) and scope.environment in ("", name):
                branches |= dict.fromkeys(branches_into(application, name, config))
    yield from branches


def find_declined(
    run: Run, *, group: str, app: str, environment: str, number: int | None
) -> tuple[Request, Decline] | None:
    """Return the newest promotion into an environment, or that of a pull request, if a known person has closed it.

    None if any is open, or if neither is given. The body of a pull request says what it was about: it only decides what
    is shown. Raises UsageError, ProviderError.
    """
    if number is None and not (app and environment):
        return None
    if number is not None:
        pulls = [run.forge.pull_request(number)]
    else:
        branches = _branches_into(run, group, app, environment)
        pulls = [pull for branch in branches for pull in run.forge.pull_requests(head=branch)]
    proposals = [
        (request, pull)
        for pull in pulls
        if (request := _request_in(run, pull)) is not None
        and environment in ("", request.environment)
        and app in ("", request.application.name)
    ]
    if not proposals or any(pull.state == "open" for pull in pulls):
        return None
    request, newest = max(proposals, key=lambda proposal: proposal[1].number)
    if newest.state != "closed":
        return None
    decline = decline_of(newest, run.forge.discussions([newest.number])[newest.number])
    return (request, decline) if decline is not None and decline.by else None


def _request_in(run: Run, pull: PullRequest) -> Request | None:
    """Return the promotion that the body of a pull request names, None for any other."""
    hint = read_metadata(pull.body)
    if hint is None or hint.type != "promote" or (application := hint.application) is None:
        return None
    try:
        environment = run.tip.config.environment(hint.env).name
        return Request(kind=PROMOTION, application=application, tag=Tag.parse(hint.tag), environment=environment)
    except UsageError:
        return None


def _branches_into(run: Run, group: str, app: str, environment: str) -> list[str]:
    """Return the branches of an application's promotions into an environment; "" is any group."""
    branches = {
        branch: None
        for application in run.tip.applications()
        for branch in branches_into(application, environment, run.tip.config)
        if application.name == app and group in ("", application.group)
    }
    return list(branches)


def find_promotion(run: Run, *, group: str, app: str, environment: str, number: int | None) -> Promotion:
    """Return the open promotion of an application into an environment, or that of a pull request.

    Raises UsageError if there is none, or if a pull request has several and the environment is not given.
    """
    if number is not None:
        pull = run.forge.pull_request(number)
        if pull.state != "open":
            raise UsageError(f"pull request #{number} is {pull.state}: only an open one takes an opinion")
        pulls = [pull]
    elif app and environment:
        run.tip.config.environment(environment)
        branches = _branches_into(run, group, app, environment)
        if not branches:
            raise unknown_name(run.tip, Scope(group=group, app=app))
        pulls = [p for branch in branches for p in run.forge.pull_requests(head=branch) if p.state == "open"]
    else:
        raise UsageError("give --app and --env, or the number of a pull request with --pr")
    run.tip.fetch_branches(pull.head for pull in pulls)
    promotions = [promotion for pull in pulls for promotion in open_promotions(run, pull)]
    promotions = [
        p
        for p in promotions
        if environment in ("", p.question.environment) and app in ("", p.question.application.name)
    ]
    if not promotions:
        subject = f"pull request #{number}" if number is not None else f"{app} in {environment}"
        raise UsageError(
            f"{subject} has no open promotion that takes an opinion: `gitops-promotion approvals` lists those that wait"
        )
    if len(promotions) > 1:
        names = ", ".join(
            f"--pr {p.pull_request.number} --app {p.question.application.name} --env {p.question.environment}"
            for p in promotions[:5]
        )
        raise UsageError(f"there are {len(promotions)} open promotions: give one of {names}")
    return promotions[0]
