"""How a feature is proposed and removed: shared by the feature verbs and the rebuilding of open features."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from gitops_promotion.core import due, markers
from gitops_promotion.core import plan as planning
from gitops_promotion.core.config import ApplicationSettings, Config
from gitops_promotion.core.feature import probe
from gitops_promotion.core.feature.copy import Copy, CopyRequest, make_copy
from gitops_promotion.core.feature.folder import Edits
from gitops_promotion.core.feature.selection import select
from gitops_promotion.core.kinds import FEATURE, REMOVAL
from gitops_promotion.core.model import Outcome, Plan, Request
from gitops_promotion.core.names import Application, Site
from gitops_promotion.core.tags import Tag
from gitops_promotion.core.untrusted import code_span
from gitops_promotion.errors import ManifestError, UsageError
from gitops_promotion.workflow.arming import disarm
from gitops_promotion.workflow.build import EnvironmentBuilder, KustomizeFinder, feature_environment, feature_folder
from gitops_promotion.workflow.deliver import deliver
from gitops_promotion.workflow.intent import Intent, Veto, no_veto, setting_tag
from gitops_promotion.workflow.run import Run

# Objects that the pull request lists by name.
_MAX_OBJECTS = 20


def propose_feature(
    run: Run,
    application: Application,
    *,
    tag: Tag,
    feature: str,
    find_kustomize: KustomizeFinder,
    veto: Veto = no_veto,
) -> Outcome:
    """Return the outcome of proposing a feature of an application for the first environment.

    With `featureOverwrite` the application's own tag changes; otherwise the application gets a copy, which is proved
    by building the environment. Raises UsageError, ConfigError, ManifestError, KustomizeError, ForeignCommitsError,
    GitError, ProviderError.
    """
    notes: list[str] = []

    def decide() -> Intent:
        settings = _settings(run, application)
        _refuse_ambiguous(run.tip.config, application, feature)
        environment = feature_environment(run.tip.config, application)
        request = Request(kind=FEATURE, application=application, tag=tag, environment=environment, feature=feature)
        if settings.feature_overwrite:
            site = Site(application, environment)
            return setting_tag(run.tip, request, run.tip.files(site) or run.tip.marked.around(site), veto)
        if not settings.feature_label_selector:
            raise UsageError(
                f"{application} has neither featureLabelSelector nor featureOverwrite: true in {run.tip.config_file}: "
                "add the labels of its objects, or let features replace it"
            )
        copy_request = CopyRequest(
            feature=feature,
            tag=tag,
            subfolder=f"{application.name}-{feature}",
            selector=settings.feature_label_selector,
        )
        builder = EnvironmentBuilder.of(run, application, find_kustomize)
        edits, copy = prove_copy(builder, copy_request, partial(_set_probe_tag, run, request, builder))
        notes[:] = copy.notes
        return Intent(plan=partial(_copy_plan, run, request, edits, copy), files=builder.folder.files, veto=veto)

    outcome = deliver(run, decide)
    return replace(outcome, reasons=(*outcome.reasons, *notes))


def propose_removal(
    run: Run, application: Application, *, feature: str, find_kustomize: KustomizeFinder, veto: Veto = no_veto
) -> Outcome:
    """Return the outcome of proposing to remove a feature's copy from the first environment.

    The removal uses the feature's own branch, so the newest of the two proposals replaces the other. If the copy was
    proposed and not merged, its pull request is closed. Raises what `propose_feature` raises.
    """

    def decide() -> Intent | Outcome:
        settings = _settings(run, application)
        _refuse_ambiguous(run.tip.config, application, feature)
        environment = feature_environment(run.tip.config, application)
        request = Request(kind=REMOVAL, application=application, environment=environment, feature=feature)
        if settings.feature_overwrite:
            message = f"{application} has featureOverwrite: true, `new` sets its next tag"
            return Outcome.of(request, "unchanged", message)
        builder = EnvironmentBuilder.of(run, application, find_kustomize)
        copies = [copy for copy in builder.folder.copies([application.name]) if copy.feature == feature]
        if not copies:
            return _withdraw(run, request)
        edits = builder.folder.without([copy.subfolder for copy in copies])
        builder.check_removal(edits, [feature])
        return Intent(plan=partial(removal_plan, run, request, edits, ()), files=builder.folder.files, veto=veto)

    return deliver(run, decide)


def prove_copy(
    builder: EnvironmentBuilder,
    request: CopyRequest,
    set_probe_tag: Callable[[Mapping[str, bytes]], Mapping[str, bytes]],
) -> tuple[Edits, Copy]:
    """Return the edits that add the requested copy, none if it is there already, and the copy.

    `set_probe_tag` returns the edits to the environment's files that give the application `probe.TAG`. Raises
    ManifestError and KustomizeError.
    """
    folder = builder.folder
    if folder.has(request.subfolder) and folder.feature_of(request.subfolder) != request.feature:
        raise ManifestError(
            f"{folder.path}/{request.subfolder} exists and is no copy for feature {request.feature}: choose another "
            "name for the feature"
        )
    without_copy = folder.without([request.subfolder])
    before = builder.build(without_copy)
    selection = select(before, request.selector, folder.path)
    folder_before = folder.edited(without_copy)
    probe_tag = dict(set_probe_tag(folder_before.files))
    draft = folder_before.edited(probe_tag).with_subfolder(probe.FOLDER, probe.draft(selection, request))
    probed = builder.build_with_copy({**without_copy, **probe_tag, **draft})
    copy = make_copy(selection, request, probe.read(selection, request, probed, folder.label_sources()))
    edits = folder.with_copy(request.subfolder, copy)
    builder.check_copy(edits, before, copy, selection.copied)
    return edits, copy


def removal_plan(run: Run, request: Request, edits: Edits, notes: Sequence[str], base_sha: str) -> Plan:
    """Return the plan to remove copies by these edits; `notes` are lines of the pull request."""
    return planning.of_edits(
        request,
        run.tip.config,
        edits,
        base=run.tip.base,
        base_sha=base_sha,
        notes=notes,
    )


def _copy_plan(run: Run, request: Request, edits: Edits, copy: Copy, base_sha: str) -> Plan:
    address = f"Address: {code_span(copy.url)} (for any feature: {code_span(copy.pattern)})" if copy.url else ""
    intro = f"A copy of {code_span(str(request.application))} for feature {code_span(request.feature)}"
    objects = ", ".join(code_span(f"{obj.kind} {obj.name}") for obj in copy.objects[:_MAX_OBJECTS])
    omitted = len(copy.objects) - _MAX_OBJECTS
    objects += f" and {omitted} more" if omitted > 0 else ""
    notes = (f"{intro}: {objects}. It is never promoted.", address, *(f"- {note}" for note in copy.notes))
    return planning.of_edits(
        request,
        run.tip.config,
        edits,
        base=run.tip.base,
        base_sha=base_sha,
        notes=[note for note in notes if note],
        url=copy.url,
    )


def _set_probe_tag(
    run: Run, request: Request, builder: EnvironmentBuilder, files: Mapping[str, bytes]
) -> Mapping[str, bytes]:
    """Return the edits to these files that set the application's markers to `probe.TAG`."""
    site = Site(request.application, request.environment)
    marked = {path: files[path] for path in run.tip.files(site) or run.tip.marked.around(site) if path in files}
    location = f"{builder.folder.path} on {run.tip.base}"
    name = run.tip.config.layout.marker_name(request.application, request.environment)
    return markers.set_tag(marked, group=name.group, app=name.app, tag=probe.TAG, location=location, pin=False).edits


def _withdraw(run: Run, request: Request) -> Outcome:
    """Close the open pull request of a copy that was never merged."""
    message = f"{request.environment} has no copy of {request.application} for feature {request.feature}"
    branch = request.kind.branch(request, run.tip.config)
    if run.dry_run:
        return Outcome.of(request, "unchanged", message)
    pull_request = due.open_for(run.forge.pull_requests(head=branch), run.tip.base)
    if pull_request is None:
        return Outcome.of(request, "unchanged", message)
    if pull_request.auto_merge:
        disarm(run, pull_request)
    closed = run.forge.close_pull_request(pull_request)
    outcome = Outcome.of(request, "updated", f"{message}; its pull request #{pull_request.number} was closed")
    return replace(outcome, branch=branch, pull_request=closed)


def _settings(run: Run, application: Application) -> ApplicationSettings:
    """Return the configuration of an application. Raises UsageError if it has none."""
    settings = run.tip.config.groups.get(application.group, {}).get(application.name)
    if settings is None:
        configured = [f"{name}/{member}" for name, apps in run.tip.config.groups.items() for member in apps]
        raise UsageError(
            f"{application} is not below groups in {run.tip.config_file}, which features need: add it there "
            f"(configured: {', '.join(configured) or 'none'})"
        )
    return settings


def _refuse_ambiguous(config: Config, application: Application, feature: str) -> None:
    """Raise UsageError for a feature whose branch or folder could belong to another application.

    Of two applications whose names begin alike, a shared folder or branch belongs to the one with the longer name. See
    B32 in docs/migrating.md.
    """
    has_copies = not config.groups[application.group][application.name].feature_overwrite
    folder = feature_folder(config, application) if has_copies else None
    configured = (Application(group, name) for group, names in config.groups.items() for name in names)
    for candidate in configured:
        if candidate == application:
            continue
        branch, other_branch = (f"{owner.group}-{owner.name}-" for owner in (application, candidate))
        same_feature = _feature_of_other(branch, other_branch, feature)
        if not same_feature and folder is not None and feature_folder(config, candidate) == folder:
            same_feature = _feature_of_other(f"{application.name}-", f"{candidate.name}-", feature)
        if same_feature:
            raise UsageError(
                f"feature {feature!r} of {application} and feature {same_feature!r} of {candidate} would share a "
                "folder or a branch: choose another name for the feature, or rename an application"
            )


def _feature_of_other(prefix: str, other_prefix: str, feature: str) -> str:
    """Return the feature that `<prefix><feature>` would be of the other application.

    "" if it would be none, or if the other application has the shorter name.
    """
    name = prefix + feature
    other_feature = name.removeprefix(other_prefix)
    is_feature = other_feature != name and other_feature.strip("-") == other_feature
    return other_feature if is_feature and len(other_prefix) >= len(prefix) else ""
