"""Whether a promotion is due, decided from the history of the tree and what became of earlier pull requests."""

from collections.abc import Sequence

from gitops_promotion.core.commits import Commit
from gitops_promotion.core.deployments import Point, Stay, same
from gitops_promotion.core.forge import PullRequest
from gitops_promotion.core.model import Request
from gitops_promotion.core.pull_request_text import read_metadata
from gitops_promotion.core.tags import Tag
from gitops_promotion.errors import UsageError


def current(pulls: Sequence[PullRequest], base: str) -> PullRequest | None:
    """Return the open one into `base`; without it the newest open one, whose target somebody changed; None if none is.

    A branch can have one open pull request for each target, and whoever may read can open one into another.
    """
    opened = [pull for pull in pulls if pull.state == "open"]
    return next((pull for pull in opened if pull.base == base), next(iter(opened), None))


def provenance(
    stay: Stay | None, pulls: Sequence[PullRequest], *, group: str, app: str, environment: str
) -> str | None:
    """Return why a tag that is in `environment` did not come there by a merged promotion, None if it did.

    `pulls` are those of the application's promotion branch into that environment. The evidence is the commit that
    brought the tag: it is one a forge names as a merge of that branch. After a rebase merge of several commits the
    forge names the last of them, so an earlier one counts by its trailers.
    """
    if stay is None or stay.arrival is None:
        return f"the readable history of the default branch does not reach the commit that brought it to {environment}"
    arrival = stay.arrival
    merged = {pull.merge_sha for pull in pulls if pull.state == "merged"}
    if arrival.sha in merged:
        return None
    trailers = arrival.trailers
    ours = trailers.get("Promotion") == f"{group}/{app}" and trailers.get("Environment") == environment
    if ours and "Feature" not in trailers and any(point.sha in merged for point in stay.points):
        return None
    subject = arrival.message.partition("\n")[0][:60]
    kind = "a feature" if "Feature" in trailers else "no promotion of ours"
    return f"{arrival.sha[:7]} ({subject!r} by {arrival.author_email}) brought it to {environment}, which is {kind}"


def shown_late(pulls: Sequence[PullRequest], *, environment: str, tag: Tag) -> bool:
    """Return True if the forge still shows the pull request open whose merge the tree already holds.

    The body is only a hint here: believing a false one costs some seconds of asking again, nothing else.
    """
    return any(
        (pull.state == "open" and proposes(pull, environment=environment, tag=tag))
        or (pull.state == "merged" and pull.merge_sha is None)
        for pull in pulls[:1]
    )


def been_there(source: Sequence[Point], target: Sequence[Point], tag: Tag) -> str:
    """Return the commit since the tag's arrival in `source` at which `target` had it and has moved on, "" if none.

    Both are timelines of the same history. A tag that was rolled back is not proposed again by itself.
    """
    length = next((i for i, point in enumerate(source) if not same(point.tag, tag)), len(source))
    if not target or same(target[0].tag, tag):
        return ""
    return next((point.sha for point in target[:length] if same(point.tag, tag)), "")


def changed_by_hand(source: Sequence[Point], target: Sequence[Point], tag: Tag) -> Commit | None:
    """Return the commit that gave `target` the tag it has, if it came after `tag` arrived in `source`; None if before.

    Both are timelines of the same history. Unless it is a promotion's merge, it is a person's newer word, such as a
    hotfix, and what arrived before it must not undo it by itself (DESIGN 1, idea 3).
    """
    length = next((i for i, point in enumerate(source) if not same(point.tag, tag)), len(source))
    now = target[0].tag if target else None
    if now is None:
        return None
    end = next((i for i, point in enumerate(target) if not same(point.tag, now)), len(target))
    return target[end - 1].entry if end < length else None


def declined(request: Request, pulls: Sequence[PullRequest]) -> PullRequest | None:
    """Return the newest pull request for this very promotion if a person closed it without merging.

    This trusts the body's metadata, which can only hold a promotion back, never let one pass.
    """
    mine = (pull for pull in pulls if proposes(pull, environment=request.environment, tag=request.tag))
    newest = next(mine, None)
    return newest if newest is not None and newest.state == "closed" else None


def proposes(pull: PullRequest, *, environment: str, tag: Tag) -> bool:
    """Return True if a pull request's metadata names this environment and tag."""
    metadata = read_metadata(pull.body)
    if metadata is None or metadata.env != environment or metadata.type == "feature":
        return False
    try:
        return same(Tag.parse(metadata.tag), tag)
    except UsageError:
        return False
