"""Who is asked for a review of a promotion: people, and groups where the forge says for which a review counts."""

from collections.abc import Callable, Iterable
from functools import partial

from gitops_promotion.core.forge import PullRequest
from gitops_promotion.core.gates.approvals import Approvals
from gitops_promotion.core.model import Plan
from gitops_promotion.errors import LeaseLostError, ProviderError
from gitops_promotion.workflow.run import Run


def ask_people(run: Run, plan: Plan, pull_request: PullRequest, *, is_new: bool) -> tuple[str, ...]:
    """Ask the groups of a promotion, and give it its labels, and if it is new its reviewers and assignees.

    Returns a warning for each that is refused. Reviewers are asked once: who has an opinion already would lose it on
    GitHub by being asked again.
    """
    settings, forge = run.tip.config.pull_requests, run.forge
    if not plan.request.kind.uses_settings:
        return ()
    warnings = ask_groups(run, pull_request, [plan.request.environment])
    problems = [_attempt(partial(forge.add_label, pull_request, label)) for label in plan.labels]
    if is_new:
        problems += [_attempt(partial(forge.add_reviewer, pull_request, name)) for name in settings.reviewers]
        problems += [_attempt(partial(forge.add_assignee, pull_request, name)) for name in settings.assignees]
    return (*warnings, *filter(None, problems))


def ask_groups(
    run: Run,
    pull_request: PullRequest,
    environments: Iterable[str],
    *,
    current_reviewers: Callable[[], Iterable[str]] = tuple,
) -> tuple[str, ...]:
    """Make the groups that may approve for these environments reviewers; returns warnings where that fails.

    `current_reviewers` returns who is a reviewer already, and is called only where there are groups. They must be
    reviewers before their members vote: a vote counts for the groups that are reviewers at that time
    (docs/azure-devops.md, Groups).
    """
    if not run.facts.asks_groups or run.dry_run:
        return ()
    gates = [gate for environment in environments for gate in run.tip.config.gates(environment)]
    groups = dict.fromkeys(group for gate in gates if isinstance(gate, Approvals) for group in gate.forge_groups)
    reviewers = {name.casefold() for name in current_reviewers()} if groups else set()
    problems = [
        _attempt(partial(run.forge.add_reviewer, pull_request, group))
        for group in groups
        if group.casefold() not in reviewers
    ]
    return tuple(f"{problem}; until then no vote counts for it" for problem in problems if problem)


def _attempt(request: Callable[[], str]) -> str:
    """Return the problem of one request, "" without one."""
    try:
        return request()
    except LeaseLostError:
        raise
    except ProviderError as error:
        return str(error)
