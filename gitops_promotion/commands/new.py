"""`new`: set a freshly built tag in the first environment."""

from collections.abc import Sequence
from datetime import datetime

from gitops_promotion.core.commits import read_time, read_trailers
from gitops_promotion.core.forge import PullRequest
from gitops_promotion.core.markers.scan import mentions
from gitops_promotion.core.model import Outcome, Request
from gitops_promotion.core.names import check_name
from gitops_promotion.core.tags import Tag
from gitops_promotion.workflow.deliver import Branch, Intent, deliver, setting_tag
from gitops_promotion.workflow.session import Place, Session


def new(session: Session, *, group: str, app: str, tag: str, built_at: datetime | None = None) -> list[Outcome]:
    """Return the outcome of proposing `tag` for the first environment (DESIGN 7, new).

    With `built_at` a run whose image is older than the open or the last promotion is skipped; without it the last run
    wins. Raises UsageError, ConfigError, ManifestError, ForeignCommitsError, GitError, ProviderError.
    """
    wanted = Tag.parse(tag)
    check_name("group", group)
    check_name("application", app)

    def decide() -> Intent:
        first = session.config.environments[0].name
        request = Request(kind="promote", group=group, app=app, tag=wanted, environment=first, built_at=built_at)
        place = Place(group=group, environment=first)
        session.read_applications([(group, app, first)])
        if not any(mentions(text, group, app) for text in session.files(group, first).values()):
            session.read_marked([place], [])
        files = session.files(group, first)

        def veto(pulls: Sequence[PullRequest], branch: Branch | None) -> Outcome | None:
            newer = _newer_build(session, request, pulls, branch)
            if not newer:
                return None
            return Outcome(
                result="skipped",
                message=f"built at {built_at and built_at.isoformat()}, but {newer} is of a newer build",
                group=group,
                app=app,
                environment=first,
                tag=str(wanted),
            )

        return setting_tag(session, request, files, veto)

    return [deliver(session, decide)]


def _newer_build(session: Session, request: Request, pulls: Sequence[PullRequest], branch: Branch | None) -> str:
    """Name the open or last promotion into this environment if its image was built after the request's."""
    if request.built_at is None:
        return ""
    is_open = any(pull.state == "open" for pull in pulls)
    if is_open and branch is not None and request.environment in branch.proposal.environments:
        if _after(branch.proposal.built_at, request.built_at):
            return f"the open promotion of {branch.proposal.tag}"
        return ""
    for pull in pulls:
        if pull.state != "merged":
            continue
        # A merge commit keeps the promotion commit as a parent, a squash keeps its message.
        for sha in (pull.head_sha, pull.merge_sha):
            trailers = read_trailers(session.repository.message(sha)) if sha else {}
            if trailers.get("Environment") == request.environment:
                newer = _after(trailers.get("Built-At", ""), request.built_at)
                return f"the last promotion (#{pull.number}, {trailers.get('Tag', '')})" if newer else ""
    return ""


def _after(trailer: str, built_at: datetime) -> bool:
    time = read_time(trailer)
    return time is not None and time > built_at
