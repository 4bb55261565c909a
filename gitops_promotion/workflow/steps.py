"""The promotions that the tip suggests: applications that differ between environments, and markers that are absent."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from gitops_promotion.core import due, markers, strays
from gitops_promotion.core.deployments import same_tag
from gitops_promotion.core.model import Outcome, Result
from gitops_promotion.core.names import Application, Site
from gitops_promotion.core.tags import NO_TAG, Tag
from gitops_promotion.errors import ManifestError, UsageError
from gitops_promotion.workflow.past import require_known
from gitops_promotion.workflow.tip import Tip

# The most warnings of one kind.
_MAX_WARNINGS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One application's possible promotion into `environment`; `forced`: a person asked for it."""

    application: Application
    environment: str
    forced: bool = False
    tag: Tag = NO_TAG

    @property
    def target(self) -> Site:
        """The site that the tag would go to."""
        return Site(self.application, self.environment)

    @property
    def command(self) -> str:
        """The command that forces this promotion."""
        return f"gitops-promotion promote {self.application.options} --env {self.environment}"

    def sources(self, tip: Tip) -> list[Site]:
        """Return the sites that the tag may come from."""
        return [Site(self.application, n) for n in tip.config.way(self.application).sources(self.environment)]

    def is_settled(self, tip: Tip) -> bool:
        """Return True if there are sources, and all have the tag that the target has. Raises ManifestError."""
        tag, source_tags = tip.tag(self.target), [tip.tag(source) for source in self.sources(tip)]
        return bool(source_tags) and all(same_tag(source_tag, tag) for source_tag in source_tags)

    def outcome(self, result: Result, message: str, tag: Tag | None = None) -> Outcome:
        """Return an outcome that ends this step."""
        return Outcome.of(replace(self, tag=tag or NO_TAG), result, message)

    def held(self, outcome: Outcome) -> Outcome:
        """Return the outcome of a step that is on hold; if a person asked for it, that is an error.

        Raises UsageError.
        """
        if self.forced:
            raise UsageError(outcome.message)
        return outcome

    def skipped(self, message: str, tag: Tag | None = None, *, warnings: Sequence[str] = ()) -> Outcome:
        """Return the outcome of a step that cannot be made; if a person asked for it, that is an error.

        Raises UsageError.
        """
        if self.forced:
            raise UsageError("; ".join((message, *warnings)))
        return replace(self.outcome("skipped", message, tag), warnings=tuple(warnings))


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The steps with something to do or to report, and how many pairs of environments were compared."""

    steps: tuple[Step, ...]
    compared: int


def compare(tip: Tip) -> Comparison:
    """Return the comparison of all applications in all environments; every marked file is read."""
    steps: list[Step] = []
    compared = 0
    for application in tip.applications():
        for _, name in tip.config.way(application).steps():
            step = Step(application=application, environment=name)
            try:
                target = tip.files(step.target)
                sources = [site for site in step.sources(tip) if tip.files(site)]
                compared += bool(target and sources)
                if not sources:
                    continue
                if not target or awaited_sources(tip, step) or any(_changes(tip, s, step, target) for s in sources):
                    steps.append(step)
            except ManifestError:
                compared += 1
                steps.append(step)
    return Comparison(steps=tuple(steps), compared=compared)


def _changes(tip: Tip, source: Site, step: Step, target: Mapping[str, bytes]) -> bool:
    tag = tip.tag(source)
    if tag is None:
        return False
    name = tip.config.layout.marker_name(step.application, step.environment)
    return bool(markers.set_tag(target, group=name.group, app=name.app, tag=tag).edits)


def awaited_sources(tip: Tip, step: Step) -> list[Site]:
    """Return the sources without a marker of the application, of requirements that no other source satisfies."""
    requirements = tip.config.way(step.application).requirements(step.environment)
    absent = [group for group in requirements if not any(tip.files(Site(step.application, name)) for name in group)]
    return [Site(step.application, name) for group in absent for name in group]


def tag_of_sources(tip: Tip, application: Application, environment: str) -> Tag:
    """Return the tag that the sources of an environment have now. Raises UsageError unless there is exactly one."""
    way = tip.config.way(application)
    requirements = way.requirements(environment) if environment in way.names else ()
    tags = {name: tip.tag(Site(application, name)) for group in requirements for name in group}
    candidates = due.candidates(requirements, tags, lambda _: 0) if requirements else []
    if len(candidates) != 1:
        require_known(tip, application)
        tags_text = ", ".join(f"{name} has {tag.name if tag else 'no tag'}" for name, tag in tags.items())
        raise UsageError(
            f"{application} has no one tag that comes into {environment} ({tags_text or 'no source'}): give --tag"
        )
    return candidates[0].tag


def no_marker(site: Site) -> str:
    """Return the message that an application has no marker in an environment."""
    return f"{site.environment} has no marker of {site.application}"


def marker_to_add(tip: Tip, site: Site) -> str:
    """Return the marker that an application lacks in an environment, and the two ways out."""
    layout, application = tip.config.layout, site.application
    name = layout.marker_name(application, site.environment)
    location = f"{layout.where(application, site.environment)} on {tip.base}"
    error = markers.missing(tip.marked.around(site), name.group, name.app, location)
    key = f"groups.{application.group}.applications.{application.name}.environments"
    return f"{error}; or leave {site.environment} out of {key} in {tip.config_file}"


def marker_warnings(tip: Tip) -> list[str]:
    """Return the markers that applications lack in environments to which they would be promoted."""
    gaps: dict[Site, None] = {}
    for application in tip.applications():
        for sources, name in tip.config.way(application).steps():
            step = Step(application=application, environment=name)
            with suppress(ManifestError):
                if any(tip.files(Site(application, source)) for source in sources):
                    gaps |= dict.fromkeys(
                        [*awaited_sources(tip, step), *([] if tip.files(step.target) else [step.target])]
                    )
    return _shortened([f"{no_marker(site)}: {marker_to_add(tip, site)}" for site in gaps])


def layout_warnings(tip: Tip) -> list[str]:
    """Return what the layout of the tip leaves out; every marked file is read."""
    return _shortened(list(_layout_warnings(tip)))


def _shortened(warnings: list[str]) -> list[str]:
    if len(warnings) > _MAX_WARNINGS:
        warnings[_MAX_WARNINGS - 1 :] = [f"{len(warnings) - _MAX_WARNINGS + 1} more warnings of this kind"]
    return warnings


def _layout_warnings(tip: Tip) -> Iterator[str]:
    layout, config = tip.config.layout, tip.config
    all_strays = tip.marked.strays()
    environments = {site.environment for site in tip.marked.sites()}
    for name in config.pipeline.names if environments else ():
        if name not in environments:
            has_files = tip.repository.has_files(tip.sha, layout.pathspecs(None, [name]))
            yield str(strays.without_markers(layout, name, all_strays, has_files=has_files))
    for stray in all_strays:
        if text := strays.mismatch(layout, stray):
            yield text
    for site in tip.marked.sites():
        if site.environment not in config.way(site.application).names:
            yield left_out(site)
    sites = {(site.application, site.environment) for site in tip.marked.sites()}
    for application in sorted({application for application, _ in sites}):
        if text := strays.without_way(config.way(application), application, sites):
            yield text
    for path, target in sorted(tip.marked.links().items()):
        yield f"{path} is a symbolic link to {target}, and only the markers at that path count: make it a file"
    yield from map(str, config.warnings)


def left_out(site: Site) -> str:
    """Return the message that an application's markers in an environment are not managed."""
    group, name = site.application.group, site.application.name
    return (
        f"{site.application} has markers in {site.environment}, which groups.{group}.applications.{name}.environments "
        "leaves out: they are not managed"
    )
