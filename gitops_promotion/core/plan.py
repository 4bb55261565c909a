"""From a request and the files of its environment to a plan: everything that the request would change."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from gitops_promotion.core import markers
from gitops_promotion.core.branch_contents import edits_digest
from gitops_promotion.core.commits import read_trailers
from gitops_promotion.core.config import Config
from gitops_promotion.core.model import Plan, Request
from gitops_promotion.core.origin import Origin
from gitops_promotion.core.pull_request_text import TITLE_LIMIT, body, commit_message, title
from gitops_promotion.core.sources import Version, compare_link
from gitops_promotion.core.templates import Template

LABEL_LIMIT = 50
"""The most characters of a label: GitHub accepts no more."""

TemplateValues = Mapping[str, str | list[str]]


def set_tag(
    request: Request,
    config: Config,
    files: Mapping[str, bytes],
    *,
    base: str,
    base_sha: str,
    also: Mapping[str, bytes] | None = None,
) -> Plan:
    """Return the plan that sets the request's tag in its environment; `also` are edits of other files with it.

    `files` are the environment's files with the application's markers at `base_sha`. A plan without edits means that
    the tag is there already. Raises ManifestError (no marker, or one that cannot be edited) and UsageError.
    """
    marker = config.layout.marker_name(request.application, request.environment)
    location = f"{config.layout.where(request.application, request.environment)} on {base}"
    edited = markers.set_tag(files, group=marker.group, app=marker.app, tag=request.tag, location=location)
    edits = {**edited.edits, **(also or {})} if edited.edits else edited.edits
    digest = edits_digest(edits) if edited.edits and also else ""
    return of_edits(
        request,
        config,
        edits,
        base=base,
        base_sha=base_sha,
        message=commit_message(
            request,
            previous_tag=edited.previous,
            edits_digest=digest,
            subject=own_subject(request, config, edited.previous),
        ),
        previous_tag=edited.previous,
        warnings=edited.warnings,
    )


def with_origin(plan: Plan, origin: Origin) -> Plan:
    """Return the plan with the people behind it in the message of its commit."""
    request = replace(plan.request, origin=origin)
    digest = read_trailers(plan.message).get("Edits", "")
    subject = plan.message.partition("\n")[0]
    message = commit_message(request, previous_tag=plan.previous_tag, edits_digest=digest, subject=subject)
    return replace(plan, request=request, message=message)


def of_edits(
    request: Request,
    config: Config,
    edits: Mapping[str, bytes | None],
    *,
    base: str,
    base_sha: str,
    message: str = "",
    previous_tag: str = "",
    notes: Sequence[str] = (),
    warnings: tuple[str, ...] = (),
    url: str = "",
    auto_merge: bool | None = None,
) -> Plan:
    """Return the plan of these edits to the tree at `base_sha`, with the texts of its pull request.

    If `auto_merge` is None, the setting of the environment counts. Without a `message` the commit has the usual one,
    with the digest of its edits.

    Raises UsageError for an environment that the configuration does not have, ConfigError for a template that fails.
    """
    settings, has_own_texts = config.pull_requests, request.kind.uses_settings
    notes = [*request.kind.notes(request, config), *notes]
    values = template_values(request, config, previous_tag, notes)
    own_title = settings.title.line_of_text(values, TITLE_LIMIT) if settings.title and has_own_texts else ""
    return Plan(
        request=request,
        branch=request.kind.branch(request, config),
        base=base,
        base_sha=base_sha,
        previous_tag=previous_tag,
        message=message or commit_message(request, previous_tag=previous_tag, edits_digest=edits_digest(edits)),
        title=own_title or title(request),
        body=body(
            request,
            base_sha=base_sha,
            previous_tag=previous_tag,
            files=sorted(edits),
            notes=notes,
            part=settings.body.text(values) if settings.body and has_own_texts else "",
            has_changes=has_changes(request, config),
        ),
        auto_merge=config.environment(request.environment).auto if auto_merge is None else auto_merge,
        gated=request.kind.is_gated(request, config),
        edits=edits,
        url=url,
        warnings=warnings,
        labels=_labels(settings.labels, values) if has_own_texts else (),
    )


def _labels(labels: Sequence[Template], values: TemplateValues) -> tuple[str, ...]:
    return tuple(dict.fromkeys(label.line_of_text(values, LABEL_LIMIT) for label in labels))


def has_changes(request: Request, config: Config) -> bool:
    """Return True if the pull request of a promotion or a rollback says what changes."""
    settings = config.pull_requests
    is_wanted = settings.changelog or settings.rendered_diff or bool(config.source_repository(request.application))
    return is_wanted and request.kind.changes_tag


def own_subject(request: Request, config: Config, previous_tag: str) -> str:
    """Return the subject of the configuration's own template, "" without one. Raises ConfigError."""
    template = config.pull_requests.commit
    if template is None or not request.kind.uses_settings:
        return ""
    notes = request.kind.notes(request, config)
    return template.line_of_text(template_values(request, config, previous_tag, notes), TITLE_LIMIT)


def template_values(request: Request, config: Config, previous_tag: str, reasons: Sequence[str]) -> TemplateValues:
    """Return the values that the templates of the configuration can use: all but the last are texts."""
    repository = config.source_repository(request.application)
    previous = Version(name=previous_tag.partition("@")[0])
    has_link = repository and previous.name
    return {
        "group": request.application.group,
        "app": request.application.name,
        "environment": request.environment,
        "tag": str(request.tag),
        "previous_tag": previous_tag,
        "url": compare_link(repository, previous, Version(name=request.tag.name)) if has_link else "",
        "reasons": list(reasons),
    }
