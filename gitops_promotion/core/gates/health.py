"""Statuses + policy -> Verdict: whether a tag may leave the environment it is in (DESIGN 7, "The status gate")."""

import fnmatch
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from gitops_promotion.core import untrusted
from gitops_promotion.core.deployments import Stay
from gitops_promotion.core.forge import OWN_CONTEXT, CommitStatus, StatusState
from gitops_promotion.core.model import Verdict
from gitops_promotion.core.names import is_name
from gitops_promotion.core.plan import changed_tags
from gitops_promotion.core.tags import Tag

CANDIDATES = 100
"""How many commits are asked for their statuses, newest first."""

# Flux reports these with severity info, hence as success, though nothing was reconciled yet (FLUX 2).
_NOT_YET = re.compile(r"dependency not ready|health check canceled|progressing", re.IGNORECASE)
# Azure DevOps' genre of Flux's statuses; the alert's summary may follow (B16).
_FLUX = re.compile(r"fluxcd(?::.*)?", re.IGNORECASE | re.DOTALL)


def contexts(templates: Sequence[str], group: str, environment: str) -> list[str]:
    """Return the configured context patterns for one group and environment."""
    return [template.replace("{group}", group).replace("{env}", environment) for template in templates]


def rivals(
    templates: Sequence[str], group: str, environment: str, environments: Iterable[str]
) -> list[tuple[str, str]]:
    """Return every other (group, environment) whose statuses could not be told from these, whatever groups there are.

    `a-b` in `c` and `a` in `b-c` both report as `a-b-c` (B32). A template without {group} means all groups alike.
    """
    found: dict[tuple[str, str], None] = {}
    for template in templates:
        [name] = contexts([template], group, environment)
        for other in environments if template.count("{group}") == 1 else ():
            before, _, after = template.replace("{env}", other).partition("{group}")
            middle = name[len(before) : len(name) - len(after)]
            if f"{before}{middle}{after}".casefold() == name.casefold() and is_name(middle):
                found[middle, other] = None
    return [pair for pair in found if pair != (group, environment)]


def asked(stay: Stay) -> list[str]:
    """Return the commits whose statuses decide: the newest while the tag was there, and the last before it arrived.

    The two have a budget each: however long a tag stays, the contexts to expect are known from before.
    """
    return [point.sha for points in (stay.points, stay.before) for point in points[:CANDIDATES]]


def trusted(
    statuses: Mapping[str, Sequence[CommitStatus]], authors: Sequence[str]
) -> Mapping[str, Sequence[CommitStatus]]:
    """Return the statuses of these authors (`statusAuthors`, case ignored); all of them where nobody is named."""
    names = {author.casefold() for author in authors}
    if not names:
        return statuses
    return {sha: [each for each in found if each.author.casefold() in names] for sha, found in statuses.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Evidence:
    context: str
    state: StatusState
    sha: str
    description: str
    at: datetime | None


def status_gate(
    *,
    group: str,
    app: str,
    tag: Tag,
    environment: str,
    stay: Stay | None,
    statuses: Mapping[str, Sequence[CommitStatus]],
    contexts: Sequence[str],
    fail_fast: bool,
    expired: bool,
    causes: Sequence[str] = (),
) -> Verdict:
    """Judge whether `tag` is healthy in `environment`, the one before the promotion's target.

    `contexts` are the configured patterns with {group} and {env} filled in; `expired` says that the deadline has
    passed; `causes` name the applications whose tags changed since the environment was last green. Pending and
    absent statuses wait; a failure waits for Flux to retry until the deadline, unless `fail_fast`.
    """
    what = f"status gate of {environment}: {group}/{app} {tag.name}"
    if stay is None:
        return Verdict(
            decision="refuse",
            reasons=(
                f"{what} has not been in {environment}: promote it there first, or restore the tag that is there now",
            ),
        )
    found = evidence((p.sha for p in stay.points[:CANDIDATES]), statuses, contexts)
    if not stay.current:
        # Nobody reports on it any more: what was in progress when it left has to be judged by what was said before.
        found = evidence((p.sha for p in stay.points[:CANDIDATES]), _final(statuses), contexts)
    expected = expected_contexts(stay, statuses, contexts)
    missing = sorted(expected - found.keys())
    bad = [e for _, e in sorted(found.items()) if e.state == "failure"]
    pending = [e for _, e in sorted(found.items()) if e.state == "pending"]
    if found and not missing and not bad and not pending:
        seen = ", ".join(f"{e.context} on {e.sha[:7]}" for _, e in sorted(found.items()))
        newest = max((e.at for e in found.values() if e.at), default=None)
        return Verdict(decision="pass", reasons=(f"{what} is healthy ({seen})",), at=newest)
    if not stay.current:
        return Verdict(
            decision="refuse",
            reasons=(
                f"{what} is superseded: {environment} has moved on before it was seen healthy there; "
                "`gitops-promotion promote --all` proposes what is there now",
            ),
        )
    reasons = [f"{what} failed: {e.context} on {e.sha[:7]} says {e.description or 'failure'!r}" for e in bad]
    if bad and causes:
        reasons.append(f"changed in {environment} since it was last green: {', '.join(causes)}")
    reasons += [f"{what} is in progress: {e.context} on {e.sha[:7]} {e.description}".rstrip() for e in pending]
    reasons += [f"{what} has no status yet: {context} reported before, not since" for context in missing]
    if not found and not missing:
        since = stay.points[-1].sha[:7]
        reasons.append(
            f"{what} has no status yet: nothing like {' or '.join(contexts)} on {since} or later; Flux posts it"
        )
    refused = bool(bad) and (fail_fast or expired)
    return Verdict(decision="refuse" if refused else "wait", reasons=tuple(reasons))


def evidence(
    shas: Iterable[str], statuses: Mapping[str, Sequence[CommitStatus]], contexts: Sequence[str]
) -> dict[str, _Evidence]:
    """Return the newest word of each matching context over commits given newest first, by its context in lower case."""
    found: dict[str, _Evidence] = {}
    for sha in shas:
        for status in statuses.get(sha, ()):
            key = status.full_context.casefold()
            if key not in found and belongs(status.context, contexts, genre=status.genre):
                found[key] = _Evidence(
                    context=untrusted.line(status.full_context, untrusted.STATUS_LIMIT),
                    state=_state(status),
                    sha=sha,
                    description=untrusted.line(status.description, untrusted.STATUS_LIMIT),
                    at=status.created_at,
                )
    return found


def expected_contexts(stay: Stay, statuses: Mapping[str, Sequence[CommitStatus]], contexts: Sequence[str]) -> set[str]:
    """Return those seen on the newest commit before the tag arrived that has any: one per cluster that reports."""
    for point in stay.before:
        if found := evidence([point.sha], statuses, contexts):
            return set(found)
    return set()


def belongs(context: str, patterns: Sequence[str], *, genre: str = "") -> bool:
    """Return True if a status context matches one pattern; `*` stands for text within one part, case is ignored.

    A genre that is not Flux's counts only where a pattern begins with its name: `argocd/*/{group}-{env}`.
    """
    if not genre and context.casefold() == OWN_CONTEXT:
        return False
    if genre and not _FLUX.fullmatch(genre):
        start = f"{genre.casefold()}/"
        patterns = [pattern[len(start) :] for pattern in patterns if pattern.casefold().startswith(start)]
    parts = context.casefold().split("/")
    for pattern in patterns:
        wanted = pattern.casefold().split("/")
        if len(wanted) == len(parts) and all(map(_part_matches, parts, wanted)):
            return True
    return False


def _part_matches(part: str, pattern: str) -> bool:
    return bool(part) and fnmatch.fnmatchcase(part, pattern.replace("[", "[[]").replace("?", "[?]"))


def suspects(
    stay: Stay,
    statuses: Mapping[str, Sequence[CommitStatus]],
    contexts: Sequence[str],
    blobs: Mapping[str, bytes],
) -> list[str]:
    """Name every application whose tag changed in the environment since it was last green; empty without a failure.

    The verdict is the group's: one status covers all its applications, so any of these may be the cause.
    """
    found = evidence((p.sha for p in stay.points[:CANDIDATES]), statuses, contexts)
    failing = {context for context, e in found.items() if e.state == "failure"}
    names: set[str] = set()
    for point in (*stay.points, *stay.before) if failing else ():
        green = {context for context, e in evidence([point.sha], statuses, contexts).items() if e.state == "success"}
        failing -= green
        if not failing:
            break
        names |= {f"{group}/{app}" for group, app in changed_tags(point.entry.changes, blobs).paths}
    return sorted(names)


def _final(statuses: Mapping[str, Sequence[CommitStatus]]) -> Mapping[str, Sequence[CommitStatus]]:
    return {sha: [status for status in said if _state(status) != "pending"] for sha, said in statuses.items()}


def _state(status: CommitStatus) -> StatusState:
    return "pending" if status.state == "success" and _NOT_YET.search(status.description) else status.state
