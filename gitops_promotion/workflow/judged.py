"""Open promotions with the verdict of their gates now, and who can act on them."""

from collections.abc import Sequence
from contextlib import suppress

from gitops_promotion.core import gates
from gitops_promotion.core.board import Promotion
from gitops_promotion.core.forge import PullRequest
from gitops_promotion.core.gates import Reason, Verdict
from gitops_promotion.core.names import Application, Site, is_name
from gitops_promotion.core.pull_request_text import read_metadata
from gitops_promotion.core.tags import Tag
from gitops_promotion.errors import GitError, LeaseLostError, PromotionError, UsageError
from gitops_promotion.workflow.examine import Subject, examine
from gitops_promotion.workflow.judge import judge
from gitops_promotion.workflow.look import with_override
from gitops_promotion.workflow.lookups import Lookups
from gitops_promotion.workflow.run import Run

_MERGES_BY_ITSELF = "its gates pass: it merges by itself"
_A_PERSON_MERGES = "its gates pass: a person merges it"


def judged_promotions(run: Run, pulls: Sequence[PullRequest], lookups: Lookups) -> dict[Site, Promotion]:
    """Return the promotions of these open pull requests, by their sites; one that cannot be judged has the reason.

    Of several for one application and environment the newest counts.
    """
    with suppress(GitError):
        run.tip.fetch_branches(pull.head for pull in pulls)
    promotions: dict[Site, Promotion] = {}
    for pull in sorted(pulls, key=lambda pull: pull.number):
        promotions |= _judge_pull(run, pull, lookups)
    return promotions


def _judge_pull(run: Run, pull: PullRequest, lookups: Lookups) -> dict[Site, Promotion]:
    subject = Subject(branch=pull.head, sha=pull.head_sha, number=pull.number, pull_request=pull)
    verdicts: dict[Site, tuple[Tag, Verdict]] = {}
    try:
        examination = with_override(run, examine(run, subject), subject, lookups)
        refusal = Verdict(decision="refuse", reasons=examination.refusals) if examination.refusals else None
        general = refusal or Verdict(decision="pass", reasons=examination.remarks)
        for question in examination.questions:
            verdict = refusal or judge(run.tip, lookups, question)
            if not question.tag.name:
                general = gates.strictest([general, verdict])
                continue
            verdicts[Site(question.application, question.environment)] = question.tag, verdict
    except LeaseLostError:
        general = Verdict(decision="wait", reasons=(Reason(evidence="it moved while it was read: look again"),))
    except PromotionError as error:
        general = Verdict(decision="wait", reasons=(Reason(evidence=f"it could not be judged: {error}"),))
    if not verdicts:
        verdicts = {site: (tag, general) for site, tag in _hints(run, pull)}
    return {site: _promotion(run, pull, site, tag, verdict) for site, (tag, verdict) in verdicts.items()}


def _hints(run: Run, pull: PullRequest) -> list[tuple[Site, Tag]]:
    """Return what the body of a pull request says it promotes, if its branch is that of the application.

    It is only shown. Anybody may edit the description.
    """
    hint = read_metadata(pull.body)
    if hint is None or not is_name(hint.group) or not is_name(hint.app) or hint.type != "promote":
        return []
    application = Application(hint.group, hint.app)
    with suppress(UsageError):
        if run.tip.config.branch(application, hint.env) == pull.head:
            return [(Site(application, hint.env), Tag.parse(hint.tag))]
    return []


def _promotion(run: Run, pull: PullRequest, site: Site, tag: Tag, verdict: Verdict) -> Promotion:
    reasons = list(verdict.texts)
    if verdict.decision == "pass":
        is_automatic = run.tip.config.environment(site.environment).auto
        reasons.append(_MERGES_BY_ITSELF if is_automatic else _A_PERSON_MERGES)
    times = [reason.earliest for reason in verdict.reasons if reason.earliest]
    return Promotion(
        pull_request=pull.number,
        url=pull.url,
        title=pull.title,
        tag=str(tag),
        decision=verdict.decision,
        reasons=tuple(dict.fromkeys(reasons)),
        who=tuple(dict.fromkeys(name for reason in verdict.reasons for name in reason.who)),
        approvers=verdict.tally.who if verdict.tally else (),
        earliest=max(times, default=None) if verdict.decision == "wait" else None,
        steps=verdict.steps,
    )
