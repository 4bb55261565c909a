"""`approve` and `decline`: a person's opinion on a promotion, with the person's own identity."""

from dataclasses import replace

from gitops_promotion.core.forge import Review
from gitops_promotion.core.model import Outcome
from gitops_promotion.core.opinions import Facts
from gitops_promotion.errors import UsageError
from gitops_promotion.providers import Opinion
from gitops_promotion.workflow import opinions
from gitops_promotion.workflow.approvals import Promotion, find_declined, find_promotion
from gitops_promotion.workflow.run import Run

_NEXT = "`gitops-promotion status --publish` counts it"


def approve(
    run: Run, *, group: str = "", app: str = "", environment: str = "", number: int | None = None, comment: str = ""
) -> list[Outcome]:
    """Return the outcome of approving the open promotion into an environment; an approval that cannot count is refused.

    Raises UsageError, ConfigError, ManifestError, GitError, ProviderError.
    """
    promotion = find_promotion(run, group=group, app=app, environment=environment, number=number)
    return [_review(run, promotion, "approved", comment)]


def decline(
    run: Run, *, group: str = "", app: str = "", environment: str = "", number: int | None = None, comment: str = ""
) -> list[Outcome]:
    """Return the outcome of declining the open promotion into an environment: by a rejection, or by closing it.

    It is unchanged where the same person has closed it before: the command may run twice. Raises UsageError,
    ConfigError, ManifestError, GitError, ProviderError.
    """
    try:
        promotion = find_promotion(run, group=group, app=app, environment=environment, number=number)
    except UsageError:
        found = find_declined(run, group=group, app=app, environment=environment, number=number)
        person = run.forge.identity().name if found else ""
        if found is None or found[1].by.casefold() != person.casefold():
            raise
        request, closed = found[0], found[1].pull_request
        message = f"{person} has declined #{closed.number} already, by closing it"
        return [replace(Outcome.of(request, "unchanged", message), branch=closed.head, pull_request=closed)]
    if promotion.gate is not None:
        return [_review(run, promotion, "changes-requested", comment)]
    _require_a_person(run)
    pull = promotion.pull_request
    warnings = ("the comment is not kept: without approvals a decline is the closing alone",) if comment else ()
    outcome = Outcome.of(promotion.question, "updated", f"pull request #{pull.number} closed: declined")
    if run.dry_run:
        return [replace(outcome, result="planned", message=f"would close #{pull.number}", pull_request=pull)]
    return [replace(outcome, pull_request=run.forge.close_pull_request(pull), warnings=warnings)]


def _require_a_person(run: Run) -> str:
    """Return who owns the token. Raises UsageError unless it is a person."""
    person = run.forge.identity()
    if person.is_bot or not person.name:
        raise UsageError(
            f"the token belongs to {person.name or 'nobody'}, which is no person: an opinion needs a person's own token"
        )
    return person.name


def _review(run: Run, promotion: Promotion, verdict: Opinion, comment: str) -> Outcome:
    person = run.forge.identity()
    pull = promotion.pull_request
    facts = _facts(run, promotion)
    if promotion.gate is not None and (objection := promotion.gate.objection(facts, person)):
        message = f"the opinion of {person.name} on #{pull.number} would not count: {objection}; nothing was posted"
        return replace(Outcome.of(promotion.question, "refused", message), pull_request=pull)
    if promotion.gate is None:
        _require_a_person(run)
    verb = "approved" if verdict == "approved" else "rejected"
    review = _review_of(facts, person.name)
    if review is not None and (review.verdict, review.sha, review.comment) == (verdict, pull.head_sha, comment):
        message = f"{person.name} has {verb} #{pull.number} already"
        return replace(Outcome.of(promotion.question, "unchanged", message), pull_request=pull)
    if run.dry_run:
        message = f"{person.name} would have {verb} #{pull.number}"
        return replace(Outcome.of(promotion.question, "planned", message), pull_request=pull)
    run.forge.add_review(pull, verdict, comment)
    posted = f"{person.name} {verb} #{pull.number}"
    if promotion.gate is None:
        warning = f"{promotion.question.environment} has no approvals: this tool does not count the review"
        outcome = Outcome.of(promotion.question, "updated", posted)
        return replace(outcome, pull_request=pull, warnings=(warning,))
    outcome = Outcome.of(promotion.question, "updated", f"{posted}; {_NEXT}")
    tally = promotion.gate.tally(promotion.question, _facts(run, promotion))
    return replace(outcome, pull_request=pull, tally=tally, reasons=tuple(map(str, tally.reasons)))


def _facts(run: Run, promotion: Promotion) -> Facts:
    """Return what decides whether a person's opinion counts; the forge is always asked who pushed."""
    if promotion.gate is None:
        return Facts()
    lookups = run.lookups()
    facts = opinions.gather(run.tip, lookups, promotion.question, promotion.gate)
    # The owner of this token is the person, not this tool: whoever pushed must not approve.
    return replace(facts, pushers=lookups.pushers(promotion.pull_request), tool_identity=None)


def _review_of(facts: Facts, name: str) -> Review | None:
    """Return the review that a person has given, None without one."""
    reviews = facts.discussion.reviews if facts.discussion else ()
    return next((review for review in reviews if review.author.casefold() == name.casefold()), None)
