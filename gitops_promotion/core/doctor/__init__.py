"""What is wrong on the forge's side: the rows of `ROWS`, each a pure function of the facts that were read there."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from gitops_promotion.core import untrusted
from gitops_promotion.core.checks import holds
from gitops_promotion.core.checks.finding import Finding, Findings, Problem
from gitops_promotion.core.doctor import bots, controllers, settings, workflows
from gitops_promotion.core.doctor.facts import Facts, Row, problem_at
from gitops_promotion.core.forge import CommitStatus
from gitops_promotion.core.status_contexts import belongs, fill

_SHOWN = 5


def unanswered(facts: Facts) -> Iterator[Problem]:
    """Yield a problem if the forge could not be asked."""
    if facts.problem:
        message, _, step = facts.problem.rpartition(": ")
        fix = step if message else "give a token that may read the repository"
        yield problem_at(facts, message or facts.problem, fix)


def silent_environments(facts: Facts) -> Iterator[Problem]:
    """Yield the sources that no status of the newest commits reports on, with the contexts that no environment uses."""
    if facts.statuses is None:
        return
    posted = list(dict.fromkeys(status.full_context for status in facts.statuses if not status.is_own))
    speaking = {name: _patterns(facts, name) for name in facts.config.pipeline.names}
    used = {s.full_context for s in facts.statuses for p in speaking.values() if belongs(s.context, p, genre=s.genre)}
    unused = [context for context in posted if context not in used]
    for name, patterns in speaking.items():
        reports = [status for status in facts.statuses if belongs(status.context, patterns, genre=status.genre)]
        if not patterns or not facts.config.pipeline.targets(name):
            continue
        if reports:
            yield from _of_others(facts, name, reports)
            continue
        patterns_text = ", ".join(patterns[:_SHOWN])
        posted_text = f"posted were {', '.join(unused[:_SHOWN])}" if unused else "nothing else was posted"
        number = f"{facts.commits} commits" if facts.commits != 1 else "commit"
        message = f"nothing reported on {name} on the newest {number} of {facts.base}"
        fix = "look at the Alert and the Provider of Flux in that cluster"
        if unused:
            fix = f"set statusContext of {name} to the name that is posted, or {fix}"
        elif cause := untrusted.line(controllers.cause(facts.tree.contents, _marked_files(facts, name))):
            fix = f"correct that {cause}: docs/facts/flux.md"
        yield problem_at(facts, f"{message}: expected was {patterns_text}, {posted_text}", fix, name)


def _of_others(facts: Facts, environment: str, reports: Sequence[CommitStatus]) -> Iterator[Problem]:
    """Yield a problem if only accounts that `statusAuthors` leaves out report on an environment."""
    trusted = {author.casefold() for author in facts.config.status_authors}
    if not trusted or any(status.author.casefold() in trusted for status in reports):
        return
    authors = ", ".join(sorted({status.author or "nobody" for status in reports})[:_SHOWN])
    yield Problem(
        path=facts.tree.config_file,
        line=facts.tree.config_lines.of_key("statusAuthors"),
        message=f"the statuses of {environment} are posted by {untrusted.line(authors)}, whom statusAuthors leaves "
        "out: they do not count",
        fix="add the account of your GitOps controller to statusAuthors",
    )


def _marked_files(facts: Facts, environment: str) -> list[str]:
    owners = [owner for site, owner in facts.tree.owned.items() if site.environment == environment]
    return [path for owner in owners for path in owner.files]


def _patterns(facts: Facts, environment: str) -> list[str]:
    """Return the patterns of statuses of all applications in an environment."""
    templates = facts.config.context_templates[environment]
    applications = [a for a in facts.tree.applications if facts.tree.has(a, environment)]
    return list(dict.fromkeys(pattern for a in applications for pattern in fill(templates, a, environment)))


def unreadable_holds(facts: Facts) -> Iterator[Problem]:
    """Yield the faults of the file of holds on the default branch, which stop every promotion they could concern."""
    for problem in holds.unreadable(facts.tree):
        yield replace(problem, fix=f"{problem.fix} on {facts.base}")


def missing_workflows(facts: Facts) -> Iterator[Problem]:
    """Yield the verbs that no workflow of the repository runs, and the events that do not start a workflow."""
    if facts.forge != "github":
        return
    for path, message, fix in workflows.gaps(facts.files, must_publish=facts.config.must_publish):
        yield Problem(path=path or facts.tree.config_file, line=1, message=message, fix=fix)


def other_writers(facts: Facts) -> Iterator[Problem]:
    """Yield the other programs that may update marked lines."""
    marked = sorted({marker.path for marker in facts.tree.markers})
    for path, line, message, fix in bots.writers(facts.tree.contents, facts.files, marked):
        yield Problem(path=path, line=line, message=message, fix=fix)


def strict_server(facts: Facts) -> Iterator[Problem]:
    """Yield the settings of a plain git server that deny what promotions do."""
    for key, text in (
        ("receive.denynonfastforwards", "forced pushes"),
        ("receive.denydeletes", "deletions of branches"),
    ):
        if (facts.server or {}).get(key, "").lower() in ("true", "yes", "on", "1"):
            yield problem_at(
                facts,
                f"the remote denies {text}: branches of promotions grow instead, or stay when they are merged",
                f"`git --git-dir={facts.repository} config {key} false`, if nobody needs it",
            )

    for obstacle in facts.settings.denials if facts.settings else ():
        yield problem_at(facts, obstacle.problem, obstacle.next_step)


def unknown_server(facts: Facts) -> Iterator[Problem]:
    """Yield a problem if the settings of a plain git server cannot be read."""
    if facts.forge == "local" and facts.server is None:
        yield problem_at(
            facts,
            "the remote is plain git on another machine, whose settings cannot be read from here",
            "ask there whether receive.denyNonFastForwards or receive.denyDeletes is set",
        )


ROWS: tuple[Row, ...] = (
    Row(code="GP501", level="error", title="the forge cannot be asked", find=unanswered),
    Row(code="GP502", level="warning", title="nobody reports on an environment", find=silent_environments),
    Row(code="GP503", level="error", title="a published verdict that is not required", find=settings.unrequired_gate),
    Row(code="GP504", level="warning", title="a workflow that is missing or lacks an event", find=missing_workflows),
    Row(code="GP505", level="warning", title="another program writes marked lines", find=other_writers),
    Row(code="GP506", level="warning", title="a server that denies what promotions do", find=strict_server),
    Row(code="GP507", level="warning", title="a server whose settings are unknown", find=unknown_server),
    Row(
        code="GP508",
        level="error",
        title="a token that may not do what promotions need",
        find=settings.lacking_permissions,
    ),
    Row(
        code="GP509", level="warning", title="a setting that this token cannot read", find=settings.unreadable_settings
    ),
    Row(code="GP510", level="error", title="auto-merge is not allowed", find=settings.forbidden_auto_merge),
    Row(code="GP511", level="error", title="a way to merge that is not allowed", find=settings.forbidden_method),
    Row(code="GP512", level="error", title="a merge queue that starts no gate", find=settings.queue_without_event),
    Row(code="GP513", level="warning", title="branches must be up to date", find=settings.strict_checks),
    Row(code="GP514", level="error", title="a gate that is not required", find=settings.unrequired_job),
    Row(code="GP515", level="warning", title="approvals of every pull request", find=settings.approvals_for_all),
    Row(code="GP516", level="warning", title="a team that cannot be read", find=settings.unreadable_teams),
    Row(code="GP517", level="warning", title="production without an approval", find=settings.unapproved_production),
    Row(code="GP518", level="warning", title="merges that start no workflow", find=settings.silent_merges),
    Row(code="GP519", level="error", title="a rule that no promotion satisfies", find=settings.unsatisfiable_rules),
    Row(code="GP520", level="warning", title="a required check that protects too little", find=settings.weak_checks),
    Row(code="GP521", level="error", title="a file of holds that cannot be read", find=unreadable_holds),
)
"""All questions; their codes are never used again for anything else."""


def diagnose(facts: Facts, *, strict: bool = False) -> Findings:
    """Return the findings of all rows."""
    findings = [
        Finding.of(replace(problem, message=re.sub(r"\s+", " ", problem.message)), row.code, row.level)
        for row in ROWS
        for problem in row.find(facts)
    ]
    return Findings(findings=tuple(findings), files=len(facts.tree.contents), strict=strict)
