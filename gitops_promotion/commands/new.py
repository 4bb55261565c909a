"""`new`: set a freshly built tag in the first environment."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from gitops_promotion.core import due
from gitops_promotion.core.commits import read_time, read_trailers
from gitops_promotion.core.forge import PullRequest
from gitops_promotion.core.kinds import PROMOTION
from gitops_promotion.core.model import Outcome, Request
from gitops_promotion.core.names import check_application
from gitops_promotion.core.origin import Origin
from gitops_promotion.core.tags import Tag
from gitops_promotion.errors import ManifestError
from gitops_promotion.workflow import origin, unpushed
from gitops_promotion.workflow.branch import Branch
from gitops_promotion.workflow.deliver import Intent, deliver, setting_tag
from gitops_promotion.workflow.held import stopped
from gitops_promotion.workflow.rejections import find_rejection
from gitops_promotion.workflow.run import Run
from gitops_promotion.workflow.tip import Site
from gitops_promotion.workflow.verifying import Verifier


def new(
    run: Run,
    *,
    group: str,
    app: str,
    tag: str,
    built_at: datetime | None = None,
    again: bool = False,
    verify: bool = False,
    pin: bool = False,
) -> list[Outcome]:
    """Return the outcome of proposing `tag` for the first environment.

    With `built_at` a run whose image is older than that of the open or the last promotion is skipped; without it the
    last run wins. A tag that a person declined there is proposed only with `again`. With `verify`, or as `verifyImage`
    says, the registry must have the image; with `pin` its digest is written too. Raises UsageError, ConfigError,
    ManifestError, NoImageError, RegistryError, ForeignCommitsError, GitError, ProviderError.
    """
    parsed_tag = Tag.parse(tag)
    application = check_application(group, app)
    verifier = Verifier(run=run, pin=pin)

    def decide() -> Intent | Outcome:
        entry = run.tip.config.way(application).entry.name
        request = Request(kind=PROMOTION, application=application, tag=parsed_tag, environment=entry, built_at=built_at)
        site = Site(application, entry)
        files = run.tip.files(site)
        if not files:
            if text := run.tip.marked.nothing_found():
                raise ManifestError.at(run.tip.config_file, 0, text)
            files = run.tip.marked.around(site)
            if text := unpushed.no_marker(run.tip, site):
                raise ManifestError(text)
        if (outcome := stopped(run, request)) is not None:
            return outcome
        warnings: tuple[str, ...] = ()
        if verify or pin or run.tip.config.verify_image != "no":
            verified = verifier.verified(files, run.tip.config.layout.marker_name(application, entry), parsed_tag)
            request, warnings = replace(request, tag=verified.tag), verified.warnings

        def veto(pulls: Sequence[PullRequest], branch: Branch | None) -> Outcome | Origin | None:
            if newer := _newer_build(run, request, pulls, branch):
                built = built_at.isoformat() if built_at else ""
                return Outcome.of(request, "skipped", f"built at {built}, but {newer} is of a newer build")
            current = due.open_for(pulls, run.tip.base)
            decline = origin.find_decline(run, request, pulls) or find_rejection(run, request, current, branch)
            if decline is None:
                return origin.starter(run)
            if again:
                return origin.again(run, origin.starter(run))
            command = f"gitops-promotion new {application.options} --tag {parsed_tag} --again"
            message = f"{decline}; to propose it again: {command}"
            return replace(Outcome.of(request, "declined", message), pull_request=decline.pull_request)

        return setting_tag(run.tip, request, files, veto, warnings=warnings)

    return [deliver(run, decide)]


def _newer_build(run: Run, request: Request, pulls: Sequence[PullRequest], branch: Branch | None) -> str:
    """Name the open or last promotion into this environment if its image was built after the request's."""
    if request.built_at is None:
        return ""
    is_open = any(pull.state == "open" for pull in pulls)
    if is_open and branch is not None and request.environment in branch.proposal.environments:
        if _is_after(branch.proposal.built_at, request.built_at):
            return f"the open promotion of {branch.proposal.tag}"
        return ""
    for pull in pulls:
        if pull.state != "merged":
            continue
        # A merge commit keeps the promotion commit as a parent, a squash keeps its message.
        for sha in (pull.head_sha, pull.merge_sha):
            trailers = read_trailers(run.tip.repository.message(sha)) if sha else {}
            if trailers.get("Environment") == request.environment:
                is_newer = _is_after(trailers.get("Built-At", ""), request.built_at)
                return f"the last promotion (#{pull.number}, {trailers.get('Tag', '')})" if is_newer else ""
    return ""


def _is_after(trailer: str, built_at: datetime) -> bool:
    time = read_time(trailer)
    return time is not None and time > built_at
