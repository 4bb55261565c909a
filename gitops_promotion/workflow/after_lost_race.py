"""After a lost race: proposes again the promotion that the winner has put on the branch."""

from collections.abc import Callable

from gitops_promotion.core import due
from gitops_promotion.core.model import Outcome, Request
from gitops_promotion.workflow.branch import read_branch
from gitops_promotion.workflow.intent import Intent, promotion_again, proposed_promotion
from gitops_promotion.workflow.races import repeat_after_races
from gitops_promotion.workflow.rejections import find_rejection
from gitops_promotion.workflow.run import Run


def propose_winner_again(run: Run, request: Request, propose: Callable[[Intent], Outcome]) -> None:
    """Propose again what the winner of a race has on the branch of this request, where this run gave way to it.

    Before this run saw that it had lost, it may have disabled auto-merge of the winner's pull request and changed its
    title, after the winner had set them for the last time. What was merged, closed or rejected meanwhile stays so, and
    what conflicts with the default branch is left as it is. `propose` carries out an intent. Raises what it raises,
    GitError and ProviderError.
    """

    def propose_again(_attempt: int) -> Outcome | None:
        name = request.kind.branch(request, run.tip.config)
        branch = read_branch(run, name, request.application, request.feature)
        proposed = proposed_promotion(request.application, branch) if branch else None
        if branch is None or proposed is None or branch.proposal.foreign or branch.proposal.origin.override:
            return None
        current = due.open_for(run.forge.pull_requests(head=name), run.tip.base)
        if current is None or find_rejection(run, proposed, current, branch):
            return None
        # A new head would undo what came in between, such as a hotfix by hand. The next run sees whether it is due.
        if run.tip.repository.conflicts(run.tip.sha, branch.sha):
            return None
        intent = promotion_again(run, proposed)
        return intent if isinstance(intent, Outcome) else propose(intent)

    if request.kind.uses_settings:
        repeat_after_races(run, propose_again)
