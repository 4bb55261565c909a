"""`new`: set a freshly built tag in the first environment."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from gitops_promotion.core.commits import read_time, read_trailers
from gitops_promotion.core.forge import PullRequest
from gitops_promotion.core.kinds import PROMOTION
from gitops_promotion.core.model import Outcome, Request
from gitops_promotion.core.names import Site, check_application
from gitops_promotion.core.newest import Rival, newer
from gitops_promotion.core.origin import Origin
from gitops_promotion.core.tags import Tag
from gitops_promotion.errors import ManifestError
from gitops_promotion.workflow import origin, unpushed
from gitops_promotion.workflow.branch import Branch
from gitops_promotion.workflow.deliver import deliver
from gitops_promotion.workflow.held import stopped
from gitops_promotion.workflow.intent import Intent, setting_tag
from gitops_promotion.workflow.rejections import find_decline
from gitops_promotion.workflow.run import Run
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

    With `built_at` a run whose image is older than that of the open or the last promotion is skipped. Without it the
    last run wins, and of runs that meet in a race the one that started last. A tag that a person declined there is
    proposed only with `again`. With `verify`, or as `verifyImage` says, the registry must have the image; with `pin`
    its digest is written too. Raises UsageError, ConfigError, ManifestError, NoImageError, RegistryError,
    ForeignCommitsError, GitError, ProviderError.
    """
    parsed_tag = Tag.parse(tag)
    application = check_application(group, app)
    verifier = Verifier(run=run, pin=pin)
    started_at = None if built_at else run.clock.now()
    race = _Race(run)

    def decide() -> Intent | Outcome:
        entry = run.tip.config.way(application).entry.name
        request = Request(
            kind=PROMOTION,
            application=application,
            tag=parsed_tag,
            environment=entry,
            built_at=built_at,
            started_at=started_at,
        )
        files = _files(run, Site(application, entry))
        if (outcome := stopped(run, request)) is not None:
            return outcome
        warnings: tuple[str, ...] = ()
        if verify or pin or run.tip.config.verify_image != "no":
            verified = verifier.verified(files, run.tip.config.layout.marker_name(application, entry), parsed_tag)
            request, warnings = replace(request, tag=verified.tag), verified.warnings

        def veto(pulls: Sequence[PullRequest], branch: Branch | None) -> Outcome | Origin | None:
            if reason := race.lost(request, pulls, branch):
                return Outcome.of(request, "skipped", reason)
            decline = find_decline(run, run.lookups(), request, pulls, branch)
            if decline is None:
                return origin.starter(run)
            if again:
                return origin.again(run, origin.starter(run))
            command = f"gitops-promotion new {application.options} --tag {parsed_tag} --again"
            message = f"{decline}; to propose it again: {command}"
            return replace(Outcome.of(request, "declined", message), pull_request=decline.pull_request)

        return setting_tag(run.tip, request, files, veto, warnings=warnings)

    return [deliver(run, decide)]


def _files(run: Run, site: Site) -> Mapping[str, bytes]:
    """Return the files that may have the markers of an application. Raises ManifestError where none can have one."""
    if files := run.tip.files(site):
        return files
    if text := run.tip.marked.nothing_found():
        raise ManifestError.at(run.tip.config_file, 0, text)
    files = run.tip.marked.around(site)
    if text := unpushed.no_marker(run.tip, site):
        raise ManifestError(text)
    return files


@dataclass(slots=True)
class _Race:
    """What a run knows of other runs: `first_heads` are the commits of the promotions that it saw at its first look."""

    run: Run
    first_heads: frozenset[str] | None = None

    def lost(self, request: Request, pulls: Sequence[PullRequest], branch: Branch | None) -> str:
        """Return why the promotion of another run is newer than the request, "" if none is."""
        if self.first_heads is None:
            self.first_heads = frozenset(pull.head_sha for pull in pulls) | ({branch.sha} if branch else set())
            if request.built_at is None:
                return ""
        rival = _rival(self.run, request, pulls, branch)
        return newer(request, rival, was_there=rival.commit in self.first_heads) if rival else ""


def _rival(run: Run, request: Request, pulls: Sequence[PullRequest], branch: Branch | None) -> Rival | None:
    """Return the open or else the last promotion into the request's environment, None where there is none."""
    is_open = any(pull.state == "open" for pull in pulls)
    if is_open and branch is not None and request.environment in branch.proposal.environments:
        proposal = branch.proposal
        return Rival(
            name=f"the open promotion of {proposal.tag}",
            commit=branch.sha,
            built_at=read_time(proposal.built_at),
            started_at=read_time(proposal.started_at),
        )
    for pull in pulls:
        if pull.state != "merged":
            continue
        # A merge commit keeps the promotion commit as a parent, a squash keeps its message.
        for sha in (pull.head_sha, pull.merge_sha):
            trailers = read_trailers(run.tip.repository.message(sha)) if sha else {}
            if trailers.get("Environment") == request.environment:
                return Rival(
                    name=f"the last promotion (#{pull.number}, {trailers.get('Tag', '')})",
                    commit=pull.head_sha,
                    built_at=read_time(trailers.get("Built-At", "")),
                    started_at=read_time(trailers.get("Started-At", "")),
                )
    return None
