"""The verdict on a pull request now: gathers the evidence that the configured gates need, and asks them."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from gitops_promotion.core import deployments, gates, status_commits, status_contexts
from gitops_promotion.core.gates import Evidence, Question, Reason, Verdict, health, table
from gitops_promotion.core.gates.approvals import Approvals
from gitops_promotion.core.gates.health import Health
from gitops_promotion.core.gates.unmanaged_images import Images
from gitops_promotion.core.names import Application, Site
from gitops_promotion.core.overrides import Override
from gitops_promotion.core.tags import Tag
from gitops_promotion.errors import ConfigError
from gitops_promotion.workflow import holding, opinions
from gitops_promotion.workflow.green_before import is_return
from gitops_promotion.workflow.lookups import Lookups
from gitops_promotion.workflow.tip import Tip


def judge(tip: Tip, lookups: Lookups, question: Question, *, expired: bool = False) -> Verdict:
    """Return the verdict of all gates of the question's environment at the tip.

    It costs the requests that `lookups` has not made yet. Raises GitError, ProviderError, ConfigError.
    """
    configured = tip.config.gates(question.environment, question.override, only=question.only)
    verdict = _judge(tip, lookups, question, configured, expired=expired)
    # A change that no gate has seen was not green here before either.
    if verdict.decision != "pass" and question.sources and not question.unseen and is_return(tip, lookups, question):
        of_target = [gate for gate in configured if not _is_passed_by_rollback(tip, question, gate)]
        verdict = gates.strictest([_returned(question), _judge(tip, lookups, question, of_target, expired=expired)])
    if question.override is None:
        return verdict
    # The words of the override come first: the published verdict, which has the first reason, must keep them.
    record = overridden(question.override)
    combined = gates.strictest([record, verdict])
    return replace(combined, reasons=(*record.reasons, *verdict.reasons), overridden=True)


def _is_passed_by_rollback(tip: Tip, question: Question, gate: gates.Gate) -> bool:
    needs_approvals = tip.config.environment(question.environment).rollback_approvals
    return gate.judges_sources or (isinstance(gate, Approvals) and not needs_approvals)


def _returned(question: Question) -> Verdict:
    """Return the verdict on the sources of a rollback, which are not asked."""
    text = f"{question.application} {question.tag.name} was green in {question.environment} before"
    return Verdict(decision="pass", reasons=(Reason(gate="rollback", evidence=text),))


def judge_rows(tip: Tip, lookups: Lookups, question: Question, names: Sequence[str]) -> Verdict:
    """Return the verdict of the gates of these names (`core/gates/table.py`), a pass where none is configured.

    Raises GitError, ProviderError, ConfigError.
    """
    configured = table.make_gates(question.environment, tip.config.pipeline, tip.config.common, only=names)
    return _judge(tip, lookups, question, configured, expired=False)


def overridden(override: Override) -> Verdict:
    """Return the verdict that records an override."""
    return Verdict(decision="pass", reasons=(Reason(evidence=override.description),), overridden=True)


def judge_arming(tip: Tip, lookups: Lookups, question: Question) -> Verdict:
    """Return the verdict of the gates that must pass before the pull request may be armed, a pass where none must.

    Costs what those gates need: nothing for windows and freezes. Raises GitError, ProviderError, ConfigError.
    """
    configured = tip.config.gates(question.environment, question.override, only=question.only)
    configured = tuple(gate for gate in configured if gate.stops_arming)
    return _judge(tip, lookups, question, configured, expired=False)


def _judge(
    tip: Tip, lookups: Lookups, question: Question, configured: Sequence[gates.Gate], *, expired: bool
) -> Verdict:
    needs = frozenset[gates.Need]().union(*(gate.needs for gate in configured))
    evidence = Evidence(now=lookups.now, expired=expired)
    if needs & {"deployments", "statuses"}:
        if question.sources:
            evidence = _with_deployments(evidence, tip, lookups, question, configured, read="statuses" in needs)
        unseen = health.unseen_digest(question.tag, evidence.deployments.values())
        question = replace(question, unseen=(*question.unseen, *unseen))
    if "holds" in needs:
        holding.require_readable(tip, question.environment)
        evidence = replace(evidence, holds=holding.gather(tip, lookups))
    for gate in configured:
        of_people = gate.approvals if isinstance(gate, Images) and question.images else gate
        if isinstance(of_people, Approvals) and evidence.opinions is None:
            evidence = replace(evidence, opinions=opinions.gather(tip, lookups, question, of_people))
    return gates.judge(configured, question, evidence)


def judge_health(tip: Tip, lookups: Lookups, site: Site, tag: Tag, *, expired: bool = False) -> Verdict:
    """Return whether a tag is healthy in an environment, whatever comes after it.

    Costs a request for statuses. Raises GitError, ProviderError, ConfigError.
    """
    gate = health.of_environment(site.environment, tip.config.pipeline, tip.config.common)
    question = Question(
        application=site.application, tag=tag, environment=site.environment, requirements=((site.environment,),)
    )
    evidence = _with_deployments(Evidence(now=lookups.now, expired=expired), tip, lookups, question, [gate], read=True)
    return gate.judge(question, evidence)


def _with_deployments(
    evidence: Evidence,
    tip: Tip,
    lookups: Lookups,
    question: Question,
    configured: Sequence[gates.Gate],
    *,
    read: bool,
) -> Evidence:
    """Return the evidence with where the tag is in the sources, and with the statuses there if `read`."""
    for source in question.sources:
        _check_contexts(tip, question.application, source)
    sites = {source: Site(question.application, source) for source in question.sources}
    tip.read(sites.values())
    tags = dict.fromkeys(sites.values(), question.tag)
    timelines = tip.timelines(tags, [], sites.values(), before=status_commits.HEALTH_CANDIDATES)
    by_source = {source: deployments.deployment(timelines[site], question.tag) for source, site in sites.items()}
    present = [deployed for deployed in by_source.values() if deployed]
    shas = dict.fromkeys(sha for deployed in present for sha in status_commits.commits_for_health(deployed))
    for gate in configured:
        shas |= dict.fromkeys(sha for deployed in present for sha in gate.commits(deployed, evidence.now))
    statuses = lookups.statuses(list(shas)) if shas and read else {}
    return replace(
        evidence,
        deployments=by_source,
        statuses=statuses,
        suspects={
            source: health.suspects(
                deployed,
                gate.counting(statuses),
                gate.patterns(question.application, source),
                partial(tip.changed_applications, environment=source),
            )
            for gate in configured
            if isinstance(gate, Health)
            for source, deployed in by_source.items()
            if deployed
        },
    )


def _check_contexts(tip: Tip, application: Application, source: str) -> None:
    """Raise ConfigError where statuses of another application or environment would speak for this one."""
    config = tip.config
    templates = config.context_templates
    for collision in status_contexts.collisions(templates, application, source):
        group, environment = collision.group, collision.environment
        # An environment without a key of its own has default patterns, which were always accepted.
        is_own = any(health.contexts_of(config.environment(name)) for name in (source, environment))
        if tip.marked.has_group(group, environment) if group else is_own:
            owner = f"of {group} in {environment}" if group else f"of all groups in {environment}"
            raise _same_name(tip, f"{application.group} in {source} and {owner}", "*/{group}/{env}")
    if any("{app}" in template for patterns in templates.values() for template in patterns):
        sites = ((site.application, site.environment) for site in tip.marked.sites())
        for sharer, environment in status_contexts.shared(templates, application, source, sites):
            pair = f"{application} in {source} and of {sharer} in {environment}"
            raise _same_name(tip, pair, "*/{group}/{app}/{env}")


def _same_name(tip: Tip, pair: str, example: str) -> ConfigError:
    advice = f"rename one of the two, or set statusContext to a pattern that tells them apart, such as {example}"
    return ConfigError.at(tip.config_file, 0, f"the statuses of {pair} have the same name: {advice}")
