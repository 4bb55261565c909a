"""Whether a promotion is due: decided from the history of the tree and from earlier pull requests."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from gitops_promotion.core.commits import Commit
from gitops_promotion.core.deployments import Deployment, TagAt, deployment, same_tag
from gitops_promotion.core.environments import Requirements
from gitops_promotion.core.forge import PullRequest
from gitops_promotion.core.names import Application
from gitops_promotion.core.pull_request_text import read_metadata
from gitops_promotion.core.tags import Tag
from gitops_promotion.core.untrusted import VALUE_LIMIT, line
from gitops_promotion.errors import UsageError

PullRequests = Sequence[PullRequest]


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All that decides whether a tag is due in a target.

    `sources` and `target` are timelines of the same history; one source of each of the `requirements` must have the tag
    (empty: all sources). `pull_requests` are those of the application's promotion branch, by the environment they go
    into; for an environment that is absent, the forge was not asked. `retry` is the command that forces the promotion.
    """

    application: Application
    tag: Tag
    target_name: str
    target: Sequence[TagAt]
    sources: Mapping[str, Sequence[TagAt]]
    requirements: Requirements = ()
    retry: str
    pull_requests: Mapping[str, PullRequests] = field(default_factory=dict)

    @property
    def having(self) -> Mapping[str, Sequence[TagAt]]:
        """The timelines of the sources that have the tag now."""
        return {name: points for name, points in self.sources.items() if points and same_tag(points[0].tag, self.tag)}

    @property
    def groups(self) -> list[tuple[str, ...]]:
        """The sources that have the tag, by requirement."""
        requirements = self.requirements or [(source,) for source in self.sources]
        return [tuple(source for source in group if source in self.having) for group in requirements]


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """Whether a promotion is due: `reason` says why it is not, "" if it is.

    `ask` is the environment whose pull requests must be known before the answer is certain, "" for none; `again`: the
    forge was asked for them and its answer is out of date.
    """

    reason: str = ""
    ask: str = ""
    again: bool = False


def due(facts: Facts) -> Due:
    """Return whether the promotion is due (docs/concepts.md, When a promotion is due).

    For each requirement, a promotion must have brought the tag to one of its sources. Since then the target must
    neither have had the tag nor have got another one.
    """
    if reason := _left_or_newer(facts):
        return Due(reason=reason)
    lengths = {source: _length(points, facts.tag) for source, points in facts.having.items()}
    # The promotion became possible when the last requirement got the tag.
    last = min((max(group, key=lambda source: lengths[source]) for group in facts.groups), key=lambda s: lengths[s])
    override = overridden_since(facts.having[last], facts.target, facts.tag)
    if override is not None:
        if facts.target_name not in facts.pull_requests:
            return Due(ask=facts.target_name)
        if all(pull.merge_sha != override.sha for pull in facts.pull_requests[facts.target_name]):
            return Due(
                reason=f"{_described(override)} changed it in {facts.target_name} after {facts.tag.name} came to "
                f"{last}: {facts.retry}"
            )
    return next((decision for group in facts.groups if (decision := _provenance(facts, group)) is not None), Due())


def _left_or_newer(facts: Facts) -> str:
    """Return why the target must not get the tag automatically: it had the tag, or has a newer one; "" for neither."""
    tag, target = facts.tag, facts.target_name
    for points in facts.having.values():
        if earlier := had_and_left(points, facts.target, tag):
            departure = (
                f"{target} had {tag.name} at {earlier[:7]} and has moved on since{_by_revert(facts.target, tag)}"
            )
            return f"{departure}; to go back to it: {facts.retry}"
    current = facts.target[0].tag if facts.target else None
    if current is None or same_tag(current, tag):
        return ""
    newest = min(_length(points, tag) for points in facts.having.values())
    for source, points in facts.sources.items():
        deployed = deployment(points, current) if source not in facts.having else None
        if deployed and len(points) - len(deployed.before) < newest:
            return f"{target} has {current.name}, which came to {source} after {tag.name}: {facts.retry}"
    return ""


def _by_revert(target: Sequence[TagAt], tag: Tag) -> str:
    """Return the part of a sentence that names the `git revert` by which the target lost a tag, "" without one."""
    last = next(i for i, point in enumerate(target) if same_tag(point.tag, tag))
    commit = target[last - 1].commit
    # The subject that git itself gives to a revert, and forges to theirs.
    return f", reverted by {_described(commit)}" if commit.message.startswith("Revert ") else ""


def _provenance(facts: Facts, group: Sequence[str]) -> Due | None:
    """Return None if a promotion brought the tag to a source in `group`, else why not, or what to ask for."""
    problems: dict[str, str] = {}
    for source in group:
        if source not in facts.pull_requests:
            return Due(ask=source)
        problem = provenance_problem(
            deployment(facts.sources[source], facts.tag),
            facts.pull_requests[source],
            application=facts.application,
            environment=source,
        )
        if problem is None:
            return None
        problems[source] = problem
    late = (s for s in problems if shown_late(facts.pull_requests[s], environment=s, tag=facts.tag))
    return Due(
        reason=f"not promoting {facts.tag.name} automatically: {next(iter(problems.values()))}; to promote it anyway, "
        f"run: {facts.retry}",
        ask=next(late, ""),
        again=True,
    )


def _described(commit: Commit) -> str:
    subject = commit.message.partition("\n")[0][:60]
    return f"{commit.sha[:7]} ({subject!r} by {line(commit.author_email, VALUE_LIMIT)})"


def open_for(pulls: PullRequests, base: str) -> PullRequest | None:
    """Return the open pull request into `base`; without one the newest open one; None if none is open.

    A branch can have one open pull request for each target: the target of one may have been changed, and everybody who
    may read can open one into another branch.
    """
    open_pulls = [pull for pull in pulls if pull.state == "open"]
    return next((pull for pull in open_pulls if pull.base == base), next(iter(open_pulls), None))


def branch_in_use(pull: PullRequest, environment: str, *, is_obsolete: bool) -> str:
    """Return the sentence that the open promotion into another environment has the branch, and what to do.

    `is_obsolete`: the sources of that environment have gone back to the tag that it has.
    """
    text = f"pull request #{pull.number} into {environment} has the branch {pull.head}"
    if is_obsolete:
        return f"{text}, and {environment} has the tag of its sources by now: close it first"
    return f"{text}: merge it or close it first"


def provenance_problem(
    deployed: Deployment | None, pulls: PullRequests, *, application: Application, environment: str
) -> str | None:
    """Return why a tag did not come to `environment` by a merged promotion, None if it did.

    `pulls` are those of the application's promotion branch into that environment. The evidence is the commit that
    brought the tag: the forge names it as a merge of that branch. After a rebase merge of several commits the forge
    names the last of them, so an earlier one counts by its trailers.
    """
    if deployed is None or deployed.arrival is None:
        return f"the commit that put it into {environment} is older than the fetched history"
    arrival = deployed.arrival
    merges = {pull.merge_sha for pull in pulls if pull.state == "merged"}
    if arrival.sha in merges:
        return None
    trailers = arrival.trailers
    is_own = trailers.get("Promotion") == str(application) and trailers.get("Environment") == environment
    if is_own and "Feature" not in trailers and any(point.sha in merges for point in deployed.points):
        return None
    other = "is not a promotion by this tool, but a rollback or a person's change"
    kind = "is a feature" if "Feature" in trailers else other
    return f"{_described(arrival)} put it into {environment}, and {kind}"


def shown_late(pulls: PullRequests, *, environment: str, tag: Tag) -> bool:
    """Return True if the forge still shows a pull request as open though the tree already contains its merge.

    The body is only a hint: believing a false one costs some seconds of asking again, nothing else.
    """
    return any(
        (pull.state == "open" and proposes(pull, environment=environment, tag=tag))
        or (pull.state == "merged" and pull.merge_sha is None)
        for pull in pulls[:1]
    )


def had_and_left(source: Sequence[TagAt], target: Sequence[TagAt], tag: Tag) -> str:
    """Return the newest commit at which `target` had a tag that it has no longer, "" if there is none.

    Only commits since the tag's arrival in `source` count. Both are timelines of the same history. A tag that was
    rolled back is not proposed again automatically.
    """
    length = _length(source, tag)
    if not target or same_tag(target[0].tag, tag):
        return ""
    return next((point.sha for point in target[:length] if same_tag(point.tag, tag)), "")


def overridden_since(source: Sequence[TagAt], target: Sequence[TagAt], tag: Tag) -> Commit | None:
    """Return the commit that gave `target` its tag, if it came after `tag` arrived in `source`; None if before.

    Both are timelines of the same history. Unless it is the merge of a promotion, it is a person's later decision, such
    as a hotfix, which an earlier arrival must not undo automatically.
    """
    if not target or target[0].tag is None:
        return None
    end = _length(target, target[0].tag)
    return target[end - 1].commit if end < _length(source, tag) else None


def _length(points: Sequence[TagAt], tag: Tag) -> int:
    """Return for how many of the newest points the tag has been there."""
    return next((i for i, point in enumerate(points) if not same_tag(point.tag, tag)), len(points))


def proposes(pull: PullRequest, *, environment: str, tag: Tag) -> bool:
    """Return True if a pull request's metadata names this environment and tag."""
    metadata = read_metadata(pull.body)
    if metadata is None or metadata.env != environment or metadata.type == "feature":
        return False
    try:
        return same_tag(Tag.parse(metadata.tag), tag)
    except UsageError:
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A tag that satisfies the requirements of a target; `sources` are the environments that have it."""

    tag: Tag
    sources: tuple[str, ...]


def candidates(
    requirements: Requirements, tags: Mapping[str, Tag | None], age: Callable[[Candidate], int]
) -> list[Candidate]:
    """Return the tags that one source of each requirement has, the one that arrived last first.

    `tags` are those of the sources now, `age` says how many commits ago a tag arrived.
    """
    fitting: list[Candidate] = []
    # A tag with its digest stands for the same tag without one.
    for tag in sorted((tag for tag in tags.values() if tag), key=lambda tag: not tag.digest):
        having = tuple(source for source, source_tag in tags.items() if same_tag(source_tag, tag))
        is_known = any(candidate.sources == having for candidate in fitting)
        if not is_known and all(any(source in having for source in group) for group in requirements):
            fitting.append(Candidate(tag=tag, sources=having))
    return sorted(fitting, key=age) if len(fitting) > 1 else fitting


def awaited(tags: Mapping[str, Tag | None]) -> str:
    """Return what a target waits for while no tag of its sources satisfies its requirements."""
    states = ", ".join(f"{source} has {tag.name if tag else 'no tag'}" for source, tag in tags.items())
    return f"its sources do not have one tag yet: {states}" if len(tags) > 1 else states
