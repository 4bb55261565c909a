"""`approvals`: the promotions that people decide on."""

from gitops_promotion.core.approval_list import ApprovalList, of_person
from gitops_promotion.workflow.approvals import list_ended, list_open
from gitops_promotion.workflow.past import Scope, check_scope
from gitops_promotion.workflow.run import Run


def approvals(run: Run, scope: Scope, *, include_ended: bool, user: str, history: bool) -> ApprovalList:
    """Return the promotions that wait for people; with `include_ended` also those that have ended.

    `user` is a person: only promotions on which that person's opinion can still count, with `include_ended` also those
    that the person decided. Raises UsageError for an unknown name, ConfigError, GitError, ProviderError.
    """
    check_scope(run.tip, scope)
    promotions = [*list_open(run, scope), *(list_ended(run, scope) if include_ended else [])]
    if user:
        promotions = of_person(promotions, user, decided=include_ended)
    return ApprovalList(approvals=tuple(promotions), history=history, person=user)
