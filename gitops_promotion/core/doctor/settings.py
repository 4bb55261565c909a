"""Questions about the settings of a forge: each a pure function of what this token may read of them."""

from collections.abc import Iterator

from gitops_promotion.core.checks.finding import Problem
from gitops_promotion.core.checks.safety import is_production
from gitops_promotion.core.doctor import commands, workflows
from gitops_promotion.core.doctor.facts import Facts, problem_at
from gitops_promotion.core.forge import OWN_CONTEXT, ForgeSettings

CODEOWNERS = tuple(f"{folder}CODEOWNERS" for folder in (".github/", "", "docs/"))
"""Where GitHub looks for the owners of files.

https://docs.github.com/en/repositories/managing-your-repositorys-settings-and-features/customizing-your-repository/about-code-owners
"""
_NOTHING = ForgeSettings()


def _settings(facts: Facts) -> ForgeSettings:
    return facts.settings or _NOTHING


def lacking_permissions(facts: Facts) -> Iterator[Problem]:
    """Yield the permissions that promotions need and this token lacks."""
    if facts.push_refusal:
        reason, _, step = facts.push_refusal.rpartition(": ")
        yield problem_at(
            facts,
            f"the token may not push the branch of a promotion: {reason or facts.push_refusal}",
            step if reason else "give it the right to push branches",
        )
    command = _settings(facts).grant_command
    grant = f"`{command}`; " if command else ""
    for permission in _settings(facts).lacking:
        yield problem_at(
            facts,
            f"the token lacks {permission}, which promotions need",
            f"{grant}{_guide(facts)} lists the permissions that it needs, and why",
        )


def unreadable_settings(facts: Facts) -> Iterator[Problem]:
    """Yield the settings that this token may not read."""
    for hidden in _settings(facts).hidden:
        yield problem_at(facts, f"{hidden.what} cannot be read with this token", hidden.next_step)


def forbidden_auto_merge(facts: Facts) -> Iterator[Problem]:
    """Yield a problem if promotions should merge by themselves and the forge does not allow auto-merge."""
    automatic = _automatic(facts)
    if _settings(facts).auto_merge is False and automatic:
        yield problem_at(
            facts,
            f"the repository does not allow auto-merge, so promotions into {', '.join(automatic)} do not merge by "
            "themselves",
            commands.allow_auto_merge(facts),
            automatic[0],
        )


def forbidden_method(facts: Facts) -> Iterator[Problem]:
    """Yield a problem if the forge does not allow the configured way to merge, or no way at all."""
    allowed, method = _settings(facts).merge_methods, facts.config.merge_method
    if allowed is None or _settings(facts).has_merge_queue or (allowed and (not method or method in allowed)):
        return
    if not allowed:
        step = commands.allow_method(facts, method or "squash")
        yield problem_at(facts, f"no way to merge is allowed by the repository and the rules of {facts.base}", step)
        return
    yield Problem(
        path=facts.tree.config_file,
        line=facts.tree.config_lines.of_key("mergeMethod"),
        message=f"mergeMethod is {method}, and the forge allows {' and '.join(allowed)}: no promotion merges",
        fix=f"set mergeMethod: {allowed[0]}, or {commands.allow_method(facts, method)}",
    )


def queue_without_event(facts: Facts) -> Iterator[Problem]:
    """Yield the workflows with the gate that a merge queue does not start."""
    if not _settings(facts).has_merge_queue:
        return
    for path in workflows.without_merge_group(facts.files):
        yield Problem(
            path=path,
            line=1,
            message=f"{facts.base} has a merge queue, which waits for the check of this workflow, and the event "
            "merge_group does not start it: nothing in the queue merges",
            fix="add `merge_group:` to `on:`; docs/github.md shows the workflows",
        )


def strict_checks(facts: Facts) -> Iterator[Problem]:
    """Yield a problem if each merge makes all other promotions start again."""
    if _settings(facts).is_strict:
        yield problem_at(
            facts,
            f"{facts.base} demands that pull requests are up to date: each merge makes all other open promotions wait "
            "until `promote --all` rebuilds them and their checks run again",
            "switch it off, or use a merge queue; "
            f"{commands.show_rule(facts, 'required_status_checks', 'Build')} shows the rule",
        )


def unrequired_gate(facts: Facts) -> Iterator[Problem]:
    """Yield a problem if a verdict is published and the forge does not wait for it."""
    is_required, checks = facts.is_required, facts.settings.checks if facts.settings else None
    if is_required is None and checks is not None and facts.forge != "local":
        is_required = OWN_CONTEXT in {check.name for check in checks}
    if is_required is False and facts.config.must_publish:
        yield problem_at(
            facts,
            f"the configuration has gates whose verdict is published, and {facts.base} does not require the status "
            f"{OWN_CONTEXT}: a promotion may merge before it",
            f"{commands.require_check(facts, OWN_CONTEXT)}; "
            f"{commands.show_rule(facts, 'required_status_checks', 'Status')} shows what is required now",
        )


def unrequired_job(facts: Facts) -> Iterator[Problem]:
    """Yield a problem if the job with the gate is not required; for published verdicts see `unrequired_gate`."""
    checks = _settings(facts).checks
    if checks is None or facts.config.must_publish or len(facts.config.pipeline.names) < 2:
        return
    jobs = workflows.gate_jobs(facts.files) if facts.forge == "github" else {}
    if not jobs and facts.forge == "github":
        return  # `missing_workflows` reports it
    names = {check.name for check in checks}
    if facts.forge == "local" or names & {*jobs, OWN_CONTEXT} or any(check.is_build for check in checks):
        return
    if checks and not all(is_known for is_known in jobs.values()):
        return  # the name of a job is an expression
    expected = " or ".join(sorted(jobs)) or f"a build or the status {OWN_CONTEXT}"
    present = f"required are {', '.join(sorted(names))}" if names else "nothing is required"
    yield problem_at(
        facts,
        f"{facts.base} does not require {expected}, the check that waits for the environment before: {present}, so a "
        "promotion may merge before it",
        commands.require_check(facts, expected),
    )


def approvals_for_all(facts: Facts) -> Iterator[Problem]:
    """Yield a problem if promotions that should merge by themselves wait for people nevertheless."""
    number = _settings(facts).approvals or 0
    automatic = [name for name in _automatic(facts) if not facts.config.environment(name).setting("approvals")]
    if number and automatic:
        yield problem_at(
            facts,
            f"{facts.base} wants {number} approval{'s' if number > 1 else ''} of every pull request, so promotions "
            f"into {', '.join(automatic)} wait for people although auto is true",
            "demand approvals for single environments, with `approvals:` or owners of their files; "
            f"{commands.show_rule(facts, 'pull_request', 'Minimum number of reviewers')} shows the rule",
            automatic[0],
        )


def unreadable_teams(facts: Facts) -> Iterator[Problem]:
    """Yield the groups of the configuration whose members this token may not read."""
    for group, reason in facts.teams.items():
        if reason:
            yield problem_at(
                facts,
                f"promotions that a member of {group} must approve wait forever: {reason}",
                commands.show_team(facts, group),
            )


def unapproved_production(facts: Facts) -> Iterator[Problem]:
    """Yield the production environments that anybody who may write can merge into."""
    settings = _settings(facts)
    if facts.forge == "local" or settings.approvals != 0 or settings.some_approvals is None:
        return
    has_owners = facts.forge != "github" or any(facts.files.get(path, b"").strip() for path in CODEOWNERS)
    if settings.some_approvals and has_owners:
        return
    for environment in facts.config.pipeline.environments:
        if is_production(environment.name) and not environment.auto and not environment.setting("approvals"):
            lacking = "the rule wants code owners, and no CODEOWNERS names any" if settings.some_approvals else ""
            yield problem_at(
                facts,
                f"everybody who may write to the repository can merge a promotion into {environment.name}: "
                f"{lacking or 'neither the configuration nor a rule wants an approval'}",
                f"add `approvals:` to {environment.name} (docs/approvals.md), or name owners of its files: "
                f"{_guide(facts)}",
                environment.name,
            )


def silent_merges(facts: Facts) -> Iterator[Problem]:
    """Yield a problem if merges start no workflow, so that the next promotion does not begin."""
    effect = "GitHub starts no workflow for what it merges or opens: the next promotion does not begin, no check runs"
    advice = "use the token of a GitHub App: docs/github.md, A GitHub App"
    for path, verb in workflows.own_tokens(facts.files) if facts.forge == "github" else ():
        message = f"`{verb}` acts with the workflow's own token, and {effect}"
        yield Problem(path=path, line=1, message=message, fix=advice)
    if _settings(facts).starts_workflows is False:
        yield problem_at(facts, f"this is a workflow's own token, and {effect}", advice)


def unsatisfiable_rules(facts: Facts) -> Iterator[Problem]:
    """Yield the rules that no promotion can satisfy."""
    if _settings(facts).wants_signatures and not facts.signs:
        yield problem_at(
            facts,
            f"{facts.base}, or the branch of a promotion, takes signed commits only, and git does not sign here",
            "let git sign, or GitHub (docs/signed-commits.md), or remove the rule that "
            f"{commands.show_rule(facts, 'required_signatures', 'Signatures')} shows",
        )
    for obstacle in _settings(facts).obstacles:
        yield problem_at(facts, obstacle.problem, obstacle.next_step)


def weak_checks(facts: Facts) -> Iterator[Problem]:
    """Yield the required checks that protect less than they seem to."""
    for check in _settings(facts).checks or ():
        if check.weakness is not None:
            yield problem_at(facts, check.weakness.problem, check.weakness.next_step)


def _automatic(facts: Facts) -> list[str]:
    return [environment.name for environment in facts.config.pipeline.environments if environment.auto]


def _guide(facts: Facts) -> str:
    return {"github": "docs/github.md", "azdo": "docs/azure-devops.md"}.get(facts.forge, "docs/providers.md")
