"""The past of the default branch: what happened to the tags, and who acted, as far as git and the forge know it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from gitops_promotion.core import history as core_history
from gitops_promotion.core.commits import Commit
from gitops_promotion.core.history import Event, History
from gitops_promotion.core.names import Application, Site
from gitops_promotion.core.replay import Replay, TagChange
from gitops_promotion.errors import GitError, LeaseLostError, ManifestError, ProviderError, UsageError
from gitops_promotion.providers import Provider
from gitops_promotion.workflow.opinions import makes_edits_of
from gitops_promotion.workflow.run import Run
from gitops_promotion.workflow.tip import Tip, contents_of

T = TypeVar("T")

# How many commits have their files in memory at the same time.
_AT_ONCE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What a person wants to see; "" for everything."""

    group: str = ""
    app: str = ""
    environment: str = ""

    def has(self, site: Site) -> bool:
        """Return True if an application in an environment is meant."""
        return self.has_application(site.application) and self.environment in ("", site.environment)

    def has_application(self, application: Application) -> bool:
        """Return True if an application is meant in any environment."""
        return self.group in ("", application.group) and self.app in ("", application.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """The first-parent commits, the changes of tags that they made, and the events; all newest first."""

    commits: Sequence[Commit]
    changes: Sequence[TagChange]
    history: History


def read_past(tip: Tip, scope: Scope, *, newest: int | None = None) -> Past:
    """Return the past of the applications of a scope, in all environments; one git log, whatever their number.

    `newest` is how many commits are looked at, None for all.
    Raises UsageError for a group, an application or an environment that does not exist, ConfigError, GitError.
    """
    if scope.environment:
        tip.config.environment(scope.environment)

    def is_meant(site: Site) -> bool:
        return scope.has_application(site.application)

    files: dict[Site, Mapping[str, bytes]] = {}
    for site in tip.marked.sites():
        if is_meant(site):
            try:
                files[site] = tip.files(site)
            except ManifestError:
                files[site] = {}
    commits = tip.past(_sites(tip, scope, files), newest=newest)
    replay = Replay(layout=tip.config.layout, only=is_meant)
    replay.start(files)
    changes: list[TagChange] = []
    for start in range(0, len(commits), _AT_ONCE):
        part = commits[start : start + _AT_ONCE]
        changes += replay.changes(part, tip.repository.read_objects(sorted(set(contents_of(part)))))
    events = core_history.events(
        commits, changes, tip.heads(commits), prefixes=tip.config.branch_prefixes[:1], only=is_meant
    )
    if (scope.group or scope.app) and not files and not events:
        raise unknown_name(tip, scope)
    return Past(commits=commits, changes=changes, history=_history(commits, events))


def check_scope(tip: Tip, scope: Scope) -> None:
    """Raise UsageError for an unknown environment, and for a group or an application without any marker.

    Raises ConfigError.
    """
    if scope.environment:
        tip.config.environment(scope.environment)
    if (scope.group or scope.app) and not any(map(scope.has_application, tip.applications())):
        raise unknown_name(tip, scope)


def _sites(tip: Tip, scope: Scope, files: Iterable[Site]) -> list[Site]:
    """Return the sites whose files the history is read of; those of a removed application have no file any more."""
    names = tip.config.pipeline.names
    applications = {site.application for site in files}
    if scope.group and scope.app:
        applications.add(Application(scope.group, scope.app))
    if applications and scope.app:
        return [Site(application, name) for application in sorted(applications) for name in names]
    return list(tip.marked.sites())


def _history(commits: Sequence[Commit], events: Sequence[Event]) -> History:
    oldest = commits[-1] if commits else None
    cut_off = oldest is not None and not oldest.complete
    since = oldest.committed_at if oldest else None
    left_out = []
    if cut_off and since:
        left_out.append(
            f"what happened before {since.isoformat()}: the clone is shallow; check out with full history "
            "(fetch-depth: 0)"
        )
    return History(events=tuple(events), since=since, cut_off=cut_off, left_out=tuple(left_out))


def with_people(run: Run, history: History) -> History:
    """Return the history with those who approved and merged, as far as the forge answers."""
    numbers = list(dict.fromkeys(event.pull_request for event in history.events if event.pull_request))
    if not numbers:
        return history
    left_out = list(history.left_out)
    topic = "who approved and merged"
    discussions = answer(run, left_out, topic, lambda forge: forge.discussions(numbers[: run.facts.most_discussions]))
    if discussions is not None and len(numbers) > (limit := run.facts.most_discussions):
        left_out.append(f"{topic}: before the newest {limit} pull requests; narrow it with --app or --since")
    approved = core_history.approved_commits(history.events, discussions or {})
    merged = _merged(run.tip, approved, left_out) if any(approved.values()) else {}
    events = core_history.with_people(history.events, discussions or {}, merged=merged)
    return replace(history, events=events, left_out=tuple(left_out))


def _merged(tip: Tip, approved: Mapping[str, Sequence[str]], left_out: list[str]) -> dict[str, set[str]]:
    """Return, of the approved commits, those that make the edits of the commit of the default branch.

    What cannot be compared is added to what is left out: nobody is named for it.
    """
    try:
        headers = tip.repository.headers([sha for sha, reviewed in approved.items() if reviewed])
    except GitError as error:
        left_out.append(f"who approved: {error}")
        return {}
    parents = {sha: header.parents for sha, header in headers.items()}
    merged = {sha: {sha, *parents.get(sha, ())[1:]} & set(reviewed) for sha, reviewed in approved.items()}
    others = {sha: [one for one in reviewed if one not in merged[sha]] for sha, reviewed in approved.items()}
    unknown: set[str] = set()
    try:
        here = tip.repository.fetch_commits(sorted({one for reviewed in others.values() for one in reviewed if one}))
    except GitError:
        here = set()
    for sha, one in ((sha, one) for sha, reviewed in others.items() for one in reviewed):
        try:
            if one not in here or not parents.get(sha):
                unknown.add(one)
            elif makes_edits_of(tip, sha, parents[sha][0], one):
                merged[sha].add(one)
        except GitError:
            unknown.add(one)
    if unknown:
        names = ", ".join(sorted(one[:7] or "a commit that the forge does not name" for one in unknown)[:5])
        more = f" and {len(unknown) - 5} more" if len(unknown) > 5 else ""
        left_out.append(f"who approved {names}{more}: it cannot be compared with what was merged")
    return merged


def answer(run: Run, left_out: list[str], topic: str, ask: Callable[[Provider], T]) -> T | None:
    """Return the answer of the forge; without one None, and the reason is added to what is left out."""
    try:
        return ask(run.forge)
    except LeaseLostError:
        raise
    except (ProviderError, UsageError, GitError) as error:
        left_out.append(f"{topic}: {error}")
        return None


def require_known(tip: Tip, application: Application) -> None:
    """Raise UsageError if an application has no marker in any environment; every marked file is read."""
    if application not in tip.applications():
        raise unknown_name(tip, Scope(group=application.group, app=application.name))


def unknown_name(tip: Tip, scope: Scope) -> UsageError:
    """Return the error that no application of a scope has a marker, with the names that have one."""
    applications = tip.applications()
    groups = sorted({application.group for application in applications})
    if scope.group and scope.group not in groups:
        return UsageError(f"no application of a group {scope.group!r} has a marker: use one of {_listed(groups)}")
    name = f"{scope.group}/{scope.app}" if scope.group else scope.app
    names = [str(application) for application in applications if scope.group in ("", application.group)]
    return UsageError(f"no application {name!r} has a marker: use one of {_listed(names)}")


def _listed(names: Sequence[str]) -> str:
    limit = 20
    suffix = f" and {len(names) - limit} more" if len(names) > limit else ""
    return (", ".join(names[:limit]) or "none, since the tree has no marker") + suffix


def limited(history: History, *, scope: Scope, since: datetime | None) -> History:
    """Return the events of a scope from a time on."""
    events = tuple(
        event
        for event in history.events
        if scope.has(event.site) and (since is None or (event.time is not None and event.time >= since))
    )
    starts = [time for time in (since, history.since) if time is not None]
    return replace(history, events=events, since=max(starts, default=None))
