"""`wait`: pauses a pipeline until people have decided on a promotion, or until its tag is healthy."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from gitops_promotion.core import deployments
from gitops_promotion.core.deployments import same_tag
from gitops_promotion.core.forge import PullRequest
from gitops_promotion.core.gates import Verdict
from gitops_promotion.core.gates.approvals import Tally
from gitops_promotion.core.kinds import PROMOTION
from gitops_promotion.core.model import Outcome, Request, Result
from gitops_promotion.core.names import Site, check_application
from gitops_promotion.core.tags import Tag
from gitops_promotion.errors import GitError, TransientError
from gitops_promotion.workflow.approvals import open_promotions, tally_of
from gitops_promotion.workflow.judge import judge_health
from gitops_promotion.workflow.rejections import find_decline
from gitops_promotion.workflow.run import Run
from gitops_promotion.workflow.steps import tag_of_sources

Goal = Literal["merged", "healthy"]

INTERVAL = 5.0
"""Seconds between the first looks."""

# The longest pause between two looks, in seconds.
_LONGEST = 60.0
# How many times longer each pause is than the one before.
_GROWTH = 1.3


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """What one look at a promotion shows; `result` is None if another look is needed."""

    result: Result | None
    reasons: tuple[str, ...]
    pull_request: PullRequest | None = None
    tally: Tally | None = None


def wait(
    run: Run,
    *,
    group: str,
    app: str,
    environment: str,
    tag: str = "",
    goal: Goal = "merged",
    timeout: float,
    progress: Callable[[tuple[str, ...], float], None],
) -> list[Outcome]:
    """Return one outcome: passed, refused (it was declined, or it is not healthy) or timed-out.

    Waits at most `timeout` seconds, also for a promotion that nobody has opened yet. Publishes and merges nothing.
    Raises UsageError, ConfigError, ManifestError, GitError, ProviderError.
    """
    application = check_application(group, app)
    request = Request(
        kind=PROMOTION,
        application=application,
        environment=run.tip.config.environment(environment).name,
        tag=Tag.parse(tag) if tag else tag_of_sources(run.tip, application, environment),
    )
    start, interval = run.clock.monotonic(), INTERVAL
    latest: _Look | None = None
    while True:
        remaining = max(0.0, start + timeout - run.clock.monotonic())
        try:
            if latest:
                run.tip.refresh()
            latest = _look(run, request, goal, expired=remaining <= 0)
        except (GitError, TransientError) as error:
            # A remote that is away for a moment must not end a wait of half an hour.
            if not latest or remaining <= 0:
                raise
            run.note(f"warning: {error}; looking again")
        result = latest.result or ("timed-out" if remaining <= 0 else None)
        if result is not None:
            outcome = Outcome.of(request, result, latest.reasons[0])
            return [replace(outcome, reasons=latest.reasons, pull_request=latest.pull_request, tally=latest.tally)]
        progress(latest.reasons, remaining)
        run.clock.sleep(min(interval, remaining))
        interval = min(interval * _GROWTH, _LONGEST)


def _look(run: Run, request: Request, goal: Goal, *, expired: bool) -> _Look:
    tip = run.tip
    site = Site(request.application, request.environment)
    if same_tag(tip.tag(site), request.tag):
        if goal == "merged":
            return _Look(result="passed", reasons=(f"{request.environment} has {request.tag.name}",))
        return _of_health(judge_health(tip, run.lookups(), site, request.tag, expired=expired))
    pulls = run.forge.pull_requests(head=tip.config.branch(request.application, request.environment))
    current = next((p for p in pulls if p.state == "open"), None)
    if (decline := find_decline(run, run.lookups(), request, pulls)) is not None:
        return _Look(result="refused", reasons=(str(decline),), pull_request=decline.pull_request)
    promotion = None
    if current is not None:
        tip.fetch_branches([current.head])
        questions = [p for p in open_promotions(run, current) if p.question.environment == request.environment]
        promotion = next((p for p in questions if same_tag(p.question.tag, request.tag)), None)
    if promotion is None:
        if departure := _departure(run, site, request.tag):
            return _Look(result="passed" if goal == "merged" else "refused", reasons=(departure,))
        text = f"no pull request proposes {request.tag.name} for {request.environment} yet"
        return _Look(result=None, reasons=(text,))
    tally = tally_of(run, run.lookups(), promotion)
    names = f"{request.application.options} --env {request.environment}"
    hint = f"`gitops-promotion why {names}` says why it waits"
    if tally is None:
        text = f"pull request #{promotion.pull_request.number} is open: {hint}"
        return _Look(result=None, reasons=(text,), pull_request=promotion.pull_request)
    texts = tuple(map(str, tally.reasons))
    if tally.decision == "pass":
        texts = (f"pull request #{promotion.pull_request.number} is approved and not merged yet: {hint}", *texts)
    result: Result | None = "refused" if tally.decision == "refuse" else None
    return _Look(result=result, reasons=texts, pull_request=promotion.pull_request, tally=tally)


def _of_health(verdict: Verdict) -> _Look:
    results: dict[str, Result | None] = {"pass": "passed", "refuse": "refused", "wait": None}
    return _Look(result=results[verdict.decision], reasons=verdict.texts)


def _departure(run: Run, site: Site, tag: Tag) -> str:
    """Return the message that the environment had the tag and has another one now, "" where that is not so."""
    deployment = deployments.deployment(run.tip.timelines({site: tag}, [], [site])[site], tag)
    if deployment is None or deployment.current:
        return ""
    return f"{site.environment} had {tag.name} and has another tag now"
