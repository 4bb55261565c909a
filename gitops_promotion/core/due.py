"""Whether a promotion is due: decided from the history of the tree and from earlier pull requests."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from gitops_promotion.core.commits import Commit
from gitops_promotion.core.deployments import Deployment, TagAt, deployment, same_tag
from gitops_promotion.core.forge import PullRequest
from gitops_promotion.core.model import Request
from gitops_promotion.core.names import Application
from gitops_promotion.core.pull_request_text import read_metadata
from gitops_promotion.core.tags import Tag
from gitops_promotion.errors import UsageError

PullRequests = Sequence[PullRequest]


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All that decides whether the tag of some sources is due in a target.

    `sources` and `target` are timelines of the same history. `pull_requests` are those of the application's promotion
    branch, by the environment they are for; one that is absent was not asked for. `retry` is the command that forces
    the promotion.
    """

    application: Application
    tag: Tag
    target_name: str
    target: Sequence[TagAt]
    sources: Mapping[str, Sequence[TagAt]]
    retry: str
    pull_requests: Mapping[str, PullRequests] = field(default_factory=dict)


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

    The tag must have come to each source by a promotion, and the target must not have had it or changed since.
    """
    tag, target = facts.tag, facts.target_name
    for source, points in facts.sources.items():
        if earlier := had_and_left(points, facts.target, tag):
            return Due(
                reason=f"{target} had {tag.name} at {earlier[:7]} and has moved on since; "
                f"to go back to it: {facts.retry}"
            )
        override = overridden_since(points, facts.target, tag)
        if override is None:
            continue
        if target not in facts.pull_requests:
            return Due(ask=target)
        if all(pull.merge_sha != override.sha for pull in facts.pull_requests[target]):
            return Due(
                reason=f"{_described(override)} changed it in {target} after {tag.name} came to {source}: {facts.retry}"
            )
    for source, points in facts.sources.items():
        if source not in facts.pull_requests:
            return Due(ask=source)
        pulls = facts.pull_requests[source]
        problem = provenance_problem(deployment(points, tag), pulls, application=facts.application, environment=source)
        if problem is not None:
            return Due(
                reason=f"not promoting {tag.name} automatically: {problem}; to promote it anyway, run: {facts.retry}",
                ask=source if shown_late(pulls, environment=source, tag=tag) else "",
                again=True,
            )
    return Due()


def _described(commit: Commit) -> str:
    subject = commit.message.partition("\n")[0][:60]
    return f"{commit.sha[:7]} ({subject!r} by {commit.author_email})"


def open_for(pulls: PullRequests, base: str) -> PullRequest | None:
    """Return the open pull request into `base`; without one the newest open one; None if none is open.

    A branch can have one open pull request for each target: the target of one may have been changed, and everybody who
    may read can open one into another branch.
    """
    open_pulls = [pull for pull in pulls if pull.state == "open"]
    return next((pull for pull in open_pulls if pull.base == base), next(iter(open_pulls), None))


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
    kind = "is a feature" if "Feature" in trailers else "is not a promotion by this tool"
    return f"{_described(arrival)} put it into {environment}, and {kind}"


def shown_late(pulls: PullRequests, *, environment: str, tag: Tag) -> bool:
    """Return True if the forge still shows the pull request open whose merge the tree already holds.

    The body is only a hint: believing a false one costs some seconds of asking again, nothing else.
    """
    return any(
        (pull.state == "open" and proposes(pull, environment=environment, tag=tag))
        or (pull.state == "merged" and pull.merge_sha is None)
        for pull in pulls[:1]
    )


def had_and_left(source: Sequence[TagAt], target: Sequence[TagAt], tag: Tag) -> str:
    """Return the commit since the tag's arrival in `source` at which `target` had it and has moved on, "" if none.

    Both are timelines of the same history. A tag that was rolled back is not proposed again automatically.
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


def declined(request: Request, pulls: PullRequests) -> PullRequest | None:
    """Return the newest pull request for this very promotion if a person closed it without merging.

    This trusts the body's metadata, which can only hold a promotion back, never let one pass.
    """
    newest = next((p for p in pulls if proposes(p, environment=request.environment, tag=request.tag)), None)
    return newest if newest is not None and newest.state == "closed" else None


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
    """A tag that satisfies the requirements of a target; `sources` have it. `awaited` is why there is none."""

    tag: Tag | None = None
    sources: tuple[str, ...] = ()
    awaited: str = ""


def candidate(
    requirements: Sequence[Sequence[str]], tags: Mapping[str, Tag | None], newest_first: Callable[[Tag], int]
) -> Candidate:
    """Return the tag that one source of each requirement has; of several the one that arrived last.

    `tags` are those of the sources now, `newest_first` says how many commits ago a tag arrived.
    """
    fitting: dict[Tag, tuple[str, ...]] = {}
    for tag in dict.fromkeys(tag for tag in tags.values() if tag):
        having = tuple(source for source, other in tags.items() if same_tag(other, tag))
        if all(any(source in having for source in group) for group in requirements):
            fitting[tag] = having
    if fitting:
        tag = min(fitting, key=newest_first)
        return Candidate(tag=tag, sources=fitting[tag])
    shown = ", ".join(f"{source} has {tag.name if tag else 'no tag'}" for source, tag in tags.items())
    return Candidate(awaited=f"its sources do not have one tag yet: {shown}")
