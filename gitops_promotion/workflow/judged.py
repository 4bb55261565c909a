"""Open promotions with the verdict of their gates now, and who can act on them."""

from collections.abc import Sequence
from contextlib import suppress

from gitops_promotion.core import gates
from gitops_promotion.core.board import Promotion
from gitops_promotion.core.forge import PullRequest
from gitops_promotion.core.gates import Reason, Verdict
from gitops_promotion.core.names import Site
from gitops_promotion.core.tags import Tag
from gitops_promotion.errors import GitError, LeaseLostError, PromotionError
from gitops_promotion.workflow.branch import has_another_tag, read_branch
from gitops_promotion.workflow.examine import Subject, examine
from gitops_promotion.workflow.judge import judge
from gitops_promotion.workflow.look import with_override
from gitops_promotion.workflow.lookups import Lookups
from gitops_promotion.workflow.merge_queue import queue_branches
from gitops_promotion.workflow.run import Run
from gitops_promotion.workflow.said_promotion import said_promotion

_MERGES_BY_ITSELF = "its gates pass: it merges by itself"
_IS_NOT_ARMED = "its gates pass, but auto-merge is off: a person merges it, or a run that enables auto-merge"
_PUTS_RIGHT = "to put its title right: gitops-promotion promote --all"
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
        if not verdicts and general.decision == "pass":
            verdicts = _without_question(run, pull, general)
    except LeaseLostError:
        general = Verdict(decision="wait", reasons=(Reason(evidence="it moved while it was read: look again"),))
    except PromotionError as error:
        general = Verdict(decision="wait", reasons=(Reason(evidence=f"it could not be judged: {error}"),))
    if not verdicts and general.decision != "pass" and (said := said_promotion(run.tip.config, pull)):
        verdicts = {said.site: (said.tag, general)}
    return {site: _promotion(run, pull, site, tag, verdict) for site, (tag, verdict) in verdicts.items()}


def _without_question(run: Run, pull: PullRequest, passed: Verdict) -> dict[Site, tuple[Tag, Verdict]]:
    """Return the promotion of a pull request whose tag no gate judges, with a verdict.

    What its body says is only shown: anybody may edit the description. It is ready only if its branch proposes that.
    Raises GitError, LeaseLostError.
    """
    said = said_promotion(run.tip.config, pull)
    if said is None:
        return {}
    branch = read_branch(run, pull.head, said.site.application)
    if branch is not None and said.is_of(branch):
        return {said.site: (said.tag, passed)}
    application, environment = said.site.application, said.site.environment
    tag = branch.proposal.tag if branch else None
    if branch is None or tag is None:
        text = f"it says {said.tag.name} for {environment}, and its branch proposes no tag of {application}"
        return {said.site: (said.tag, _waiting(text, "close it"))}
    names = branch.proposal.environments
    text = f"it proposes {tag.name} for {' and '.join(names)} by now, and still says {said.tag.name} for {environment}"
    sites = [Site(application, name) for name in names]
    is_late = any(has_another_tag(run.tip, site, branch) for site in sites)
    step = f"close it if it is obsolete: {names[0]} has another tag by now" if is_late else _PUTS_RIGHT
    return {site: (tag, _waiting(text, step)) for site in sites}


def _waiting(text: str, step: str) -> Verdict:
    return Verdict(decision="wait", reasons=(Reason(evidence=text, steps=(step,)),))


def _promotion(run: Run, pull: PullRequest, site: Site, tag: Tag, verdict: Verdict) -> Promotion:
    reasons = list(verdict.texts)
    is_armed = False
    if verdict.decision == "pass":
        is_automatic = run.tip.config.environment(site.environment).auto
        # Auto-merge of what is in a merge queue is off, too.
        is_armed = pull.auto_merge or bool(queue_branches(run))
        reasons.append((_MERGES_BY_ITSELF if is_armed else _IS_NOT_ARMED) if is_automatic else _A_PERSON_MERGES)
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
        is_armed=is_armed,
    )
