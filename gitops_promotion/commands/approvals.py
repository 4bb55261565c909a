"""`approvals`: the promotions that people decide on."""

from gitops_promotion.core.approval_list import ApprovalList, of_person
from gitops_promotion.workflow.approvals import list_ended, list_open
from gitops_promotion.workflow.past import Scope, check_scope
from gitops_promotion.workflow.run import Run


def approvals(run: Run, scope: Scope, *, everything: bool, mine: str, history: bool) -> ApprovalList:
    """Return the promotions that wait for people; with `everything` also those that have ended.

    `mine` is a person: only promotions on which that person's opinion can still count, with `everything` also those
    that the person decided. Raises UsageError for an unknown name, ConfigError, GitError, ProviderError.
    """
    check_scope(run.tip, scope)
    promotions = [*list_open(run, scope), *(list_ended(run, scope) if everything else [])]
    if mine:
        promotions = of_person(promotions, mine, decided=everything)
    return ApprovalList(approvals=tuple(promotions), history=history, person=mine)
