"""Who stands behind a promotion: gathered from the run, and from the promotions that brought its tag to the sources."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from gitops_promotion.core.commits import Commit, read_trailers
from gitops_promotion.core.forge import PullRequest
from gitops_promotion.core.names import Application
from gitops_promotion.core.origin import Origin
from gitops_promotion.workflow.run import Run


def again(run: Run, origin: Origin) -> Origin:
    """Return the origin of a promotion that this run proposes again after a decline."""
    by = run.person or run.tip.repository.author or "nobody that the runner names"
    return replace(origin, again_by=by, again_at=run.clock.now())


def starter(run: Run) -> Origin:
    """Return the origin with the person who runs this; empty where no approval asks who that is."""
    return Origin().with_starter(run.person) if run.tip.config.has_approvals else Origin()


def of_arrivals(
    run: Run, application: Application, arrivals: Iterable[tuple[str, Commit]], pulls: Sequence[PullRequest]
) -> Origin:
    """Return who started a tag on its way, from the promotions that brought it to its sources.

    `arrivals` are the first-parent commits that brought it, each with its environment; `pulls` are pull requests of the
    application's branches. A merge keeps the promotion's commit as its parent and a squash its message; where neither
    has the trailers, the head of the merged pull request is read.
    """
    origin = Origin()
    for environment, commit in arrivals:
        for trailers in _trailers(run, commit, pulls):
            is_promotion = trailers.get("Promotion") == str(application) and trailers.get("Environment") == environment
            if is_promotion and "Feature" not in trailers:
                origin = origin.joined(Origin(triggered_by=Origin.read(trailers).triggered_by))
                break
    return origin


def _trailers(run: Run, commit: Commit, pulls: Sequence[PullRequest]) -> Iterator[dict[str, str]]:
    yield commit.trailers
    repository = run.tip.repository
    for parent in commit.parents[1:]:
        yield read_trailers(repository.message(parent))
    for pull in pulls:
        if pull.merge_sha == commit.sha and repository.fetch_commit(pull.head_sha):
            yield read_trailers(repository.message(pull.head_sha))
