"""What happened to the tags: one event for each application, environment and commit of the default branch.

Tags are read from the trees, so every change is an event, whether it was made with this tool, with the Go tool or by
hand. Only its kind and the people come from messages (`core/provenance.py`).
"""

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from gitops_promotion.core.commits import Commit, CommitHeader, read_time
from gitops_promotion.core.deployments import same_tag
from gitops_promotion.core.discussion import Discussion
from gitops_promotion.core.names import Application, Site, is_name
from gitops_promotion.core.provenance import Provenance, read_provenance
from gitops_promotion.core.replay import TagChange
from gitops_promotion.core.tags import Tag
from gitops_promotion.core.untrusted import LINE_LIMIT, VALUE_LIMIT, cut

Kind = Literal["promotion", "rollback", "override", "manual", "feature"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One change of the tag of an application in an environment; texts are "" where nothing is known.

    `time` is a claim of the machine that made the commit; events are in the order of the commits. `feature` is the name
    of a copy that was added or removed. `built_at` is when the image was built.
    """

    time: datetime | None
    application: Application
    environment: str
    kind: Kind
    previous_tag: str = ""
    tag: str = ""
    pull_request: int | None = None
    sha: str = ""
    by: str = ""
    approved_by: tuple[str, ...] = ()
    overridden_by: str = ""
    reason: str = ""
    feature: str = ""
    built_at: datetime | None = None

    @property
    def site(self) -> Site:
        """The application and the environment."""
        return Site(self.application, self.environment)


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """Events, newest first. They are complete from the time `since` on; None where the history has no commit.

    `left_out` has one sentence for each thing that is not known. `cut_off`: older history is missing because the clone
    is shallow.
    """

    events: tuple[Event, ...]
    since: datetime | None = None
    cut_off: bool = False
    left_out: tuple[str, ...] = ()

    @property
    def newest(self) -> dict[Site, Event]:
        """The last change of the tag of each application in each environment, without copies."""
        return {event.site: event for event in reversed(self.events) if event.kind != "feature"}


def events(
    commits: Sequence[Commit],
    changes: Sequence[TagChange],
    merged: Mapping[str, CommitHeader],
    *,
    prefixes: Sequence[str],
    only: Callable[[Site], bool] = lambda _: True,
) -> list[Event]:
    """Return the events of a first-parent history, newest first.

    `merged` has the head that each merge commit brought, by the merge commit. `prefixes` are the beginnings of this
    tool's branches. A copy of an application for a feature has no marker: its events come from trailers.
    """
    by_commit: dict[str, list[TagChange]] = {}
    for change in changes:
        by_commit.setdefault(change.commit.sha, []).append(change)
    all_events: list[Event] = []
    rollbacks: set[tuple[str, Site]] = set()
    for commit in commits:
        provenance = read_provenance(commit, merged.get(commit.sha))
        of_commit = [_event(change, provenance, prefixes) for change in by_commit.get(commit.sha, ())]
        all_events += of_commit
        if provenance.is_rollback:
            rollbacks |= {(event.sha, event.site) for event in of_commit if event.kind in ("promotion", "override")}
        if (feature := _feature_event(commit, provenance)) and only(feature.site):
            all_events.append(feature)
    return _with_rollbacks(all_events, rollbacks)


def _with_rollbacks(events: Sequence[Event], rollbacks: Set[tuple[str, Site]]) -> list[Event]:
    """Return the events; those in `rollbacks` become rollbacks if the environment had their tag before.

    A commit that calls itself a rollback and brings a new tag is none.
    """
    returns = returning(events)
    return [
        replace(event, kind="rollback") if (event.sha, event.site) in rollbacks & returns else event for event in events
    ]


def returning(events: Sequence[Event]) -> set[tuple[str, Site]]:
    """Return the events whose tag the application had in the environment at an earlier time; `events` are newest first.

    An event is identified by its commit and its application and environment.
    """
    earlier: dict[Site, list[Tag]] = {}
    keys: set[tuple[str, Site]] = set()
    for event in reversed(events):
        if event.kind == "feature":
            continue
        tags = earlier.setdefault(event.site, [])
        previous, tag = parsed(event.previous_tag), parsed(event.tag)
        if previous and not any(same_tag(previous, seen_tag) for seen_tag in tags):
            tags.append(previous)
        if tag and not same_tag(previous, tag) and any(same_tag(tag, seen_tag) for seen_tag in tags):
            keys.add((event.sha, event.site))
    return keys


def parsed(text: str) -> Tag | None:
    """Return the tag that an event has as text, None for no text."""
    # A marked value may be a range of versions, which is no tag that `Tag.parse` takes.
    name, _, digest = text.partition("@")
    return Tag(name, digest) if text else None


def _event(change: TagChange, provenance: Provenance, prefixes: Sequence[str]) -> Event:
    commit, site = change.commit, change.site
    is_own = provenance.is_promotion(site.application, site.environment, prefixes)
    trailers = provenance.trailers if is_own else {}
    overridden_by = trailers.get("Override-By", "")
    kind: Kind = "override" if overridden_by else "promotion" if is_own else "manual"
    return Event(
        time=commit.committed_at,
        application=site.application,
        environment=site.environment,
        kind=kind,
        previous_tag=str(change.previous) if change.previous else "",
        tag=str(change.tag) if change.tag else "",
        pull_request=provenance.number,
        sha=commit.sha,
        by=_name(trailers.get("Triggered-By") or commit.author),
        overridden_by=_name(overridden_by),
        reason=cut(trailers.get("Override-Reason") or trailers.get("Rollback-Reason", ""), LINE_LIMIT),
        built_at=read_time(trailers.get("Built-At", "")),
    )


def _name(text: str) -> str:
    """Return the name of a person, short enough for one line: whoever made the commit has chosen it."""
    return cut(text, VALUE_LIMIT)


def _feature_event(commit: Commit, provenance: Provenance) -> Event | None:
    if provenance.application is None or not provenance.feature or not is_name(provenance.environment):
        return None
    return Event(
        time=commit.committed_at,
        application=provenance.application,
        environment=provenance.environment,
        kind="feature",
        tag="" if provenance.removal else provenance.tag,
        pull_request=provenance.number,
        sha=commit.sha,
        by=_name(provenance.trailers.get("Triggered-By") or commit.author),
        feature=provenance.feature,
    )


def approved_commits(events: Sequence[Event], discussions: Mapping[int, Discussion]) -> dict[str, tuple[str, ...]]:
    """Return the commits that were approved in the pull request of each event, by the commit of the event."""
    return {
        event.sha: tuple(dict.fromkeys(review.sha for review in discussion.reviews if review.verdict == "approved"))
        for event in events
        if event.pull_request and (discussion := discussions.get(event.pull_request))
    }


def with_people(
    events: Sequence[Event], discussions: Mapping[int, Discussion], *, merged: Mapping[str, Set[str]]
) -> tuple[Event, ...]:
    """Return the events with those who approved and merged, by the number of the pull request.

    `merged` has the reviewed commits that make the edits of an event's commit: a pull request may have proposed another
    tag when somebody approved it. If a program merged, such as auto-merge, the event keeps the person whom the commit
    names.
    """
    return tuple(
        _with_people(event, discussion, merged.get(event.sha, frozenset()))
        if event.pull_request and (discussion := discussions.get(event.pull_request))
        else event
        for event in events
    )


def _with_people(event: Event, discussion: Discussion, merged: Set[str]) -> Event:
    merges = [act.by for act in discussion.events if act.kind == "merged" and act.by and not act.by.is_bot]
    approvals = [
        review.author for review in discussion.reviews if review.verdict == "approved" and review.sha in merged
    ]
    merged_by = merges[-1].name if merges else ""
    return replace(event, by=merged_by or event.by, approved_by=tuple(dict.fromkeys(approvals)))
