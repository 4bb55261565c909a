"""What is wrong on the forge's side: the rows of `ROWS`, each a pure function of the facts that were read there."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from gitops_promotion.core.checks.finding import Finding, Findings, Level, Problem
from gitops_promotion.core.checks.tree import Tree
from gitops_promotion.core.config import Config
from gitops_promotion.core.doctor import bots, workflows
from gitops_promotion.core.forge import OWN_CONTEXT, CommitStatus
from gitops_promotion.core.status_contexts import belongs, fill

_SHOWN = 5


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What was read. `tree` has the YAML files of the checkout, `files` the others that matter, by path.

    `statuses` are those of the newest `commits` commits of the default branch, None where the forge gave none, with the
    reason in `problem`. `is_required`: the forge waits for the published verdict, None where that could not be told.
    `server` are the settings of a remote that is a path, None for others.
    """

    forge: str
    repository: str
    base: str
    config: Config
    tree: Tree
    files: Mapping[str, bytes] = field(default_factory=dict)
    statuses: Sequence[CommitStatus] | None = None
    commits: int = 0
    problem: str = ""
    is_required: bool | None = None
    server: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One question: the code, the level, the heading of its section in `docs/checks.md`, and what answers it."""

    code: str
    level: Level
    title: str
    find: Callable[[Facts], Iterator[Problem]]


def _problem(facts: Facts, message: str, fix: str, environment: str = "") -> Problem:
    line = facts.tree.config_lines.of_environment(environment) if environment else 1
    return Problem(path=facts.tree.config_file, line=line, message=message, fix=fix)


def unanswered(facts: Facts) -> Iterator[Problem]:
    """Yield that the forge could not be asked."""
    if facts.problem:
        message, _, step = facts.problem.rpartition(": ")
        fix = step if message else "give a token that may read the repository"
        yield _problem(facts, message or facts.problem, fix)


def silent_environments(facts: Facts) -> Iterator[Problem]:
    """Yield the sources that no status of the newest commits speaks for, with the contexts that nothing takes."""
    if facts.statuses is None:
        return
    posted = list(dict.fromkeys(status.full_context for status in facts.statuses if not status.is_own))
    speaking = {name: _patterns(facts, name) for name in facts.config.pipeline.names}
    taken = {s.full_context for s in facts.statuses for p in speaking.values() if belongs(s.context, p, genre=s.genre)}
    free = [context for context in posted if context not in taken]
    for name, patterns in speaking.items():
        is_heard = any(belongs(status.context, patterns, genre=status.genre) for status in facts.statuses)
        if is_heard or not patterns or not facts.config.pipeline.targets(name):
            continue
        shown = ", ".join(patterns[:_SHOWN])
        others = f"posted were {', '.join(free[:_SHOWN])}" if free else "nothing else was posted"
        message = f"nothing reported on {name} on the newest {facts.commits} commits of {facts.base}"
        fix = "look at the Alert and the Provider of Flux in that cluster"
        if free:
            fix = f"set statusContext of {name} to the name that is posted, or {fix}"
        yield _problem(facts, f"{message}: expected was {shown}, {others}", fix, name)


def _patterns(facts: Facts, environment: str) -> list[str]:
    """Return the patterns of statuses of all applications in an environment."""
    templates = facts.config.context_templates[environment]
    applications = [a for a in facts.tree.applications if facts.tree.has(a, environment)]
    return list(dict.fromkeys(pattern for a in applications for pattern in fill(templates, a, environment)))


def unrequired_gate(facts: Facts) -> Iterator[Problem]:
    """Yield that a verdict is published which the forge does not wait for."""
    if facts.is_required is False and facts.config.must_publish:
        command = (
            f"gh api repos/{facts.repository}/rules/branches/{facts.base}"
            if facts.forge == "github"
            else f"az repos policy list --branch {facts.base} --query '[?isBlocking]'"
        )
        yield _problem(
            facts,
            f"the configuration has gates whose verdict is published, and {facts.base} does not require the status "
            f"{OWN_CONTEXT}: a promotion may merge before it",
            f"require the status {OWN_CONTEXT}; `{command}` shows what is required now",
        )


def missing_workflows(facts: Facts) -> Iterator[Problem]:
    """Yield the verbs that no workflow of the repository runs, and the events that one lacks."""
    if facts.forge != "github":
        return
    for path, message, fix in workflows.gaps(facts.files, must_publish=facts.config.must_publish):
        yield Problem(path=path or facts.tree.config_file, line=1, message=message, fix=fix)


def other_writers(facts: Facts) -> Iterator[Problem]:
    """Yield the programs that may update the same lines."""
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
            yield _problem(
                facts,
                f"the remote denies {text}: branches of promotions grow instead, or stay when they are merged",
                f"`git --git-dir={facts.repository} config {key} false`, if nobody needs it",
            )


def unknown_server(facts: Facts) -> Iterator[Problem]:
    """Yield that the settings of a plain git server cannot be read."""
    if facts.forge == "local" and facts.server is None:
        yield _problem(
            facts,
            "the remote is plain git on another machine, whose settings cannot be read from here",
            "ask there whether receive.denyNonFastForwards or receive.denyDeletes is set",
        )


ROWS: tuple[Row, ...] = (
    Row(code="GP501", level="error", title="the forge cannot be asked", find=unanswered),
    Row(code="GP502", level="warning", title="nobody reports on an environment", find=silent_environments),
    Row(code="GP503", level="error", title="a published verdict that is not required", find=unrequired_gate),
    Row(code="GP504", level="warning", title="a workflow that is missing or lacks an event", find=missing_workflows),
    Row(code="GP505", level="warning", title="another program writes marked lines", find=other_writers),
    Row(code="GP506", level="warning", title="a server that denies what promotions do", find=strict_server),
    Row(code="GP507", level="warning", title="a server whose settings are unknown", find=unknown_server),
)
"""All questions; their codes are never used again for anything else."""


def diagnose(facts: Facts, *, strict: bool = False) -> Findings:
    """Return the findings of all rows."""
    findings = [
        Finding(
            code=row.code,
            level=row.level,
            path=problem.path,
            line=problem.line,
            message=re.sub(r"\s+", " ", problem.message),
            fix=problem.fix,
        )
        for row in ROWS
        for problem in row.find(facts)
    ]
    return Findings(findings=tuple(findings), files=len(facts.tree.contents), strict=strict)
