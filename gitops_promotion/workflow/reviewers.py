"""Groups that become reviewers of a promotion, where the forge then says for which groups each review counts."""

from collections.abc import Callable, Iterable

from gitops_promotion.core.forge import PullRequest
from gitops_promotion.core.gates.approvals import Approvals
from gitops_promotion.errors import LeaseLostError, ProviderError
from gitops_promotion.workflow.run import Run


def ask_groups(
    run: Run,
    pull_request: PullRequest,
    environments: Iterable[str],
    *,
    asked: Callable[[], Iterable[str]] = tuple,
) -> tuple[str, ...]:
    """Make the groups that may approve for these environments reviewers; returns warnings where that fails.

    `asked` returns who is a reviewer already, and is called only where there are groups. It must happen before the
    members vote: a vote counts for the groups that are reviewers at that time (docs/azure-devops.md, Groups).
    """
    if not run.facts.asks_groups or run.dry_run:
        return ()
    gates = [gate for environment in environments for gate in run.tip.config.gates(environment)]
    groups = dict.fromkeys(group for gate in gates if isinstance(gate, Approvals) for group in gate.forge_groups)
    known = {name.casefold() for name in asked()} if groups else set()
    problems = [_ask(run, pull_request, group) for group in groups if group.casefold() not in known]
    return tuple(f"{problem}; until then no vote counts for it" for problem in problems if problem)


def _ask(run: Run, pull_request: PullRequest, group: str) -> str:
    try:
        return run.forge.add_reviewer(pull_request, group)
    except LeaseLostError:
        raise
    except ProviderError as error:
        return str(error)
