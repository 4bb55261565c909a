"""Find the environments and applications of a tree, and propose the configuration and the markers for them.

Nothing here reads or writes files: the contents of files are arguments and results. `core/config`, `core/layout` and
`core/markers` check the proposal: the layout that explains the most places is chosen, and a marker that `core/markers`
does not find is not proposed.
"""

from collections.abc import Mapping, Sequence

from gitops_promotion.core import config as configurations
from gitops_promotion.core.init import obstacles, text
from gitops_promotion.core.init.applications import Assignment, best_assignment, limited_to, without
from gitops_promotion.core.init.contexts import Contexts, find_contexts
from gitops_promotion.core.init.images import Deployer, Image, find_deployers, find_images
from gitops_promotion.core.init.layouts import candidates
from gitops_promotion.core.init.proposal import Proposal, ProposedEnvironment, pipeline_of
from gitops_promotion.core.init.words import is_production, ordered, rank, region
from gitops_promotion.core.layout import MarkerName
from gitops_promotion.core.markers import scan, unfit
from gitops_promotion.core.markers.parts import is_range
from gitops_promotion.core.markers.scan import Marker
from gitops_promotion.core.names import Application
from gitops_promotion.core.pages import page
from gitops_promotion.core.tags import is_tag

__all__ = ["Proposal", "ProposedEnvironment", "propose"]

_LISTED = 20
_SUFFIXES = {"image": "", "tag": "tag", "chart": "tag"}


def propose(contents: Mapping[str, bytes], *, forge: str = "") -> Proposal:
    """Return the proposal for the YAML files of a tree.

    `forge` is the name of the forge, "" where it is not known. Raises UsageError if no application is in two
    environments of which one follows the other, or if no marker has room behind their images.
    """
    images = [image for path in sorted(contents) for image in find_images(contents[path], path)]
    deployers = [deployer for path in sorted(contents) for deployer in find_deployers(contents[path], path)]
    layouts = candidates(images, deployers)
    assignment = best_assignment(layouts, images)
    if assignment is None:
        raise obstacles.without_assignment(layouts, images)
    edits, assignment = _with_markers(contents, assignment)
    environments = _environments(assignment)
    apart = _without_way(assignment, environments)
    if apart:
        assignment = limited_to(assignment, assignment.images.keys() - apart.keys())
        edits, assignment = _with_markers(contents, assignment)
        environments = _environments(assignment)
    if not assignment.images:
        raise obstacles.without_images(assignment, images)
    return _proposal(contents, assignment, deployers, edits, forge, environments, apart)


def _without_way(
    assignment: Assignment, environments: Sequence[ProposedEnvironment]
) -> dict[Application, tuple[str, ...]]:
    """Return the applications that are only in environments side by side, with these environments.

    Nothing can be promoted between such environments.
    """
    pipeline = pipeline_of(environments)
    return {
        application: tuple(by_environment)
        for application, by_environment in assignment.images.items()
        if pipeline.way(list(by_environment)).fault
    }


def _proposal(
    contents: Mapping[str, bytes],
    assignment: Assignment,
    deployers: Sequence[Deployer],
    edits: dict[str, bytes],
    forge: str,
    environments: tuple[ProposedEnvironment, ...],
    apart: Mapping[Application, Sequence[str]],
) -> Proposal:
    contexts = find_contexts(assignment.images, deployers)
    names = [environment.name for environment in environments]
    applications = {
        application: tuple(name for name in names if name in by_environment)
        for application, by_environment in assignment.images.items()
    }
    ways = {str(a): ", ".join(way) for a, way in applications.items() if len(way) < len(names)}
    config = text.configuration(assignment, environments, contexts, ways)
    configurations.parse(config, configurations.FILE)
    edits[configurations.FILE] = config.encode()
    return Proposal(
        environments=environments,
        applications=applications,
        edits=edits,
        old={path: contents[path] for path in edits if path in contents},
        undecided=tuple(_undecided(assignment, contexts)),
        notes=tuple(_notes(assignment, apart)),
        provider=text.provider(environments, forge) if contexts.needs_expression else "",
    )


def _environments(assignment: Assignment) -> tuple[ProposedEnvironment, ...]:
    """Return the environments in the usual order; those of one stage are side by side, after the stage before."""
    stages = ordered(assignment.environments)
    environments: list[ProposedEnvironment] = []
    has_fan = any(len(stage) > 1 for stage in stages[1:])
    for number, stage in enumerate(stages):
        auto = number < len(stages) - 1 and not any(map(is_production, stage))
        if number == 0:
            # Only one environment can be the entry: the others of the first stage follow it.
            environments += [ProposedEnvironment(name=name, auto=auto) for name in stage]
            continue
        before = stages[number - 1]
        for name in stage:
            same_region = tuple(source for source in before if region(source) and region(source) == region(name))
            after = same_region or tuple(before)
            environments.append(ProposedEnvironment(name=name, auto=auto, after=after if has_fan else None))
    return tuple(environments)


def _with_markers(contents: Mapping[str, bytes], assignment: Assignment) -> tuple[dict[str, bytes], Assignment]:
    """Return the files with the markers of an assignment, and the assignment without those that have no effect."""
    while True:
        edits: dict[str, bytes] = {}
        added: dict[tuple[str, int], Image] = {}
        for application, by_environment in assignment.images.items():
            for environment, images in by_environment.items():
                name = assignment.layout.marker_name(application, environment)
                for image in images:
                    if image.marker:
                        continue
                    content = edits.get(image.path, contents[image.path])
                    edits[image.path] = text.with_marker(content, image.line, name, _SUFFIXES[image.kind])
                    added[image.path, image.line] = image
        failed = [image for image in added.values() if not _has_effect(edits[image.path], image)]
        if not failed:
            return _with_digests(edits), assignment
        assignment = without(assignment, failed, "cannot carry a marker")


def _has_effect(content: bytes, image: Image) -> bool:
    """Return True if the marker of an image is found and fits its value."""
    marker = next((marker for marker in scan(content, image.path).markers if marker.line == image.line), None)
    return marker is not None and (unfit(marker) is None or _is_range(marker.value))


def _is_range(value: str) -> bool:
    return is_range(value) and not is_tag(value)


def _with_digests(edits: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return files with markers also behind the digests beside marked tags, which would keep the old image."""
    changed = dict(edits)
    for path, content in edits.items():
        for marker in scan(content, path).markers:
            if marker.digest_line:
                changed[path] = _with_digest(changed[path], marker)
    return changed


def _with_digest(content: bytes, marker: Marker) -> bytes:
    name = MarkerName(marker.group, marker.app)
    changed = text.with_marker(content, marker.digest_line, name, "digest")
    is_marked = any(candidate.line == marker.digest_line for candidate in scan(changed, marker.path).markers)
    return changed if is_marked else content


def _undecided(assignment: Assignment, contexts: Contexts) -> list[str]:
    """Return what a person must decide, each with its place."""
    sentences = [
        f"{image.at}: {image.value} {reason}: put a marker behind it if it is to be promoted"
        for image, reason in assignment.undecided
    ]
    if len(sentences) > _LISTED:
        sentences[_LISTED - 1 :] = [f"{len(sentences) - _LISTED + 1} more images without a marker, as above"]
    unranked = [name for name in sorted(assignment.environments) if rank(name) is None]
    if unranked:
        sentences.append(f"{configurations.FILE}: the place of {', '.join(unranked)} in the order is a guess: check it")
    if contexts.unknown:
        sites = [f"{application} in {environment}" for application, environment in contexts.unknown[:3]]
        remainder = f" and {len(contexts.unknown) - 3} more" if len(contexts.unknown) > 3 else ""
        sentences.append(
            f"{configurations.FILE}: no Kustomization of Flux and no Application of Argo CD was found that applies "
            f"{', '.join(sites)}{remainder}: set statusContext if their commit statuses are not named "
            f"*/<group>-<environment>, see {page('docs/configuration.md', 'statuscontext')}"
        )
    return sentences


def _notes(assignment: Assignment, apart: Mapping[Application, Sequence[str]]) -> list[str]:
    notes = [
        f"{application} is only in {' and '.join(names)}, and none of them follows another one, so it is left out"
        for application, names in apart.items()
    ]
    ranges = [
        image
        for by_environment in assignment.images.values()
        for images in by_environment.values()
        for image in images
        if _is_range(image.value)
    ]
    notes += [
        f"{image.at}: {image.value!r} is a range of versions: Flux chooses the version until the first promotion "
        "replaces the range"
        for image in ranges[:_LISTED]
    ]
    if assignment.elsewhere:
        names = [str(application) for application in assignment.elsewhere[:5]]
        remainder = f" and {len(assignment.elsewhere) - 5} more" if len(assignment.elsewhere) > 5 else ""
        notes.append(f"only in one environment, so left out: {', '.join(names)}{remainder}")
    return notes
