"""Which applications the images of a tree belong to in a layout, by environment, and which images are undecided."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import takewhile

from gitops_promotion.core.branch_names import fill
from gitops_promotion.core.environments import Environment
from gitops_promotion.core.init.images import Image
from gitops_promotion.core.init.layouts import Candidate
from gitops_promotion.core.layout import Layout
from gitops_promotion.core.names import Application, application_of, is_name
from gitops_promotion.core.tags import ImageReference, Tag

_GROUP = "apps"
_PLACEHOLDER = re.compile(r"[{}*]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """The images of each application by environment, in one layout.

    `undecided` are images in files of environments that no marker is proposed for, each with the reason. `elsewhere`
    are applications in only one environment: nothing can be promoted to it or from it.
    """

    candidate: Candidate
    layout: Layout
    images: Mapping[Application, Mapping[str, Sequence[Image]]]
    undecided: Sequence[tuple[Image, str]] = ()
    elsewhere: Sequence[Application] = ()

    @property
    def environments(self) -> set[str]:
        """The environments that have an application."""
        return {environment for by_environment in self.images.values() for environment in by_environment}

    @property
    def score(self) -> tuple[int, int, int, int]:
        """How well the layout fits: how many markers and places it explains, and how plain it is."""
        marked = sum(
            bool(image.marker)
            for by_environment in self.images.values()
            for images in by_environment.values()
            for image in images
        )
        wildcards = sum(pattern.count("*") for pattern in self.candidate.patterns)
        return marked, sum(map(len, self.images.values())), -wildcards, -len(self.candidate.patterns)


@dataclass(slots=True)
class _Sorting:
    """Images by application and environment while they are sorted."""

    images: dict[Application, dict[str, list[Image]]] = field(default_factory=dict)
    undecided: list[tuple[Image, str]] = field(default_factory=list)

    def add(self, application: Application, environment: str, image: Image) -> None:
        self.images.setdefault(application, {}).setdefault(environment, []).append(image)


def best_assignment(candidates: Iterable[Candidate], images: Sequence[Image]) -> Assignment | None:
    """Return the assignment in the layout that explains the most; None if no application is in two environments."""
    best: Assignment | None = None
    for candidate in candidates:
        assignment = assign(candidate, images)
        if assignment.images and (best is None or assignment.score > best.score):
            best = assignment
    return best


def layout_of(candidate: Candidate) -> Layout:
    """Return the layout of a candidate with all its environments."""
    several = len(candidate.patterns) > 1
    own_markers = dict(candidate.own_markers)
    return Layout(
        environments=tuple(
            Environment(
                name=name,
                paths=tuple(fill(p, env=name) for p in candidate.patterns) if several else (),
                marker=own_markers.get(name, ""),
            )
            for name in candidate.environments
        ),
        path=candidate.patterns[0],
        marker=candidate.marker,
    )


def assign(candidate: Candidate, images: Sequence[Image]) -> Assignment:
    """Return the assignment of the images to applications in the layout of a candidate."""
    layout = layout_of(candidate)
    sorting = _Sorting()
    with_image = {image.path for image in images if image.kind != "chart"}
    for image in images:
        if image.marker:
            claims = layout.claims(image.path, image.marker)
            if len(claims) == 1:
                sorting.add(claims[0].application, claims[0].environment, image)
            continue
        environments = layout.in_reach(image.path)
        names = layout.names_in(image.path, environments[0]) if len(environments) == 1 else None
        if names is None:
            continue
        if image.kind == "chart" and image.path in with_image:
            sorting.undecided.append((image, "is the version of a chart, beside the tag of an image"))
            continue
        application = _application(candidate, image, names)
        if application is None:
            sorting.undecided.append((image, "gives no name that an application can have"))
        elif not image.is_main:
            sorting.undecided.append((image, "is one of several containers"))
        else:
            sorting.add(application, environments[0], image)
    return _checked(candidate, layout, sorting)


def _application(candidate: Candidate, image: Image, names: Mapping[str, str]) -> Application | None:
    """Return the application of an image without a marker."""
    group = names.get("group") or _literal_group(candidate)
    app = names.get("app") or (image.owner if image.kind == "chart" else image.base_name)
    return application_of(group, app)


def _literal_group(candidate: Candidate) -> str:
    """Return the group of all applications if the paths name none: that of the markers, else the name of a folder."""
    group = candidate.marker.partition(":")[0]
    if not _PLACEHOLDER.search(group):
        return group
    folders = takewhile(lambda folder: not _PLACEHOLDER.search(folder), candidate.patterns[0].split("/")[:-1])
    return next(filter(is_name, reversed(list(folders))), _GROUP)


def _checked(candidate: Candidate, layout: Layout, sorting: _Sorting) -> Assignment:
    """Return the assignment without images that cannot have the marker of their application."""
    undecided = list(sorting.undecided)
    named_by_path = any("{app}" in pattern for pattern in candidate.patterns)
    result = _Sorting()
    for application, by_environment in sorting.images.items():
        for environment, images in by_environment.items():
            fitting = _namesakes(application, images) if named_by_path else list(images)
            if len({_tag(image) for image in fitting}) > 1:
                fitting = [image for image in fitting if application.name in (image.owner, image.base_name)]
            if len({_tag(image) for image in fitting}) > 1:
                undecided += [
                    (image, f"differs from other tags of {application} in {environment}") for image in fitting
                ]
                continue
            for image in images:
                if image in fitting:
                    result.add(application, environment, image)
                elif not image.marker:
                    undecided.append((image, f"is not the image of {application}"))
    unmarkable = [
        (image, "has something behind it on its line")
        for by_environment in result.images.values()
        for images in by_environment.values()
        for image in images
        if not image.marker and not image.is_free
    ]
    free = {
        application: {
            environment: tuple(image for image in images if image.marker or image.is_free)
            for environment, images in by_environment.items()
            if any(image.marker or image.is_free for image in images)
        }
        for application, by_environment in result.images.items()
    }
    return Assignment(
        candidate=candidate,
        layout=layout,
        images={a: by_environment for a, by_environment in sorted(free.items()) if len(by_environment) > 1},
        undecided=[*undecided, *unmarkable],
        elsewhere=sorted(application for application, by_environment in free.items() if len(by_environment) == 1),
    )


def _namesakes(application: Application, images: Sequence[Image]) -> list[Image]:
    """Return the images with the name of an application; all images if they are one and the same."""
    if len({image.image for image in images}) == 1:
        return list(images)
    namesakes = [image for image in images if application.name in (image.base_name, image.owner) or image.marker]
    return namesakes or [image for image in images if image.base_name in application.name]


def _tag(image: Image) -> str:
    """Return the tag in a value, with its digest."""
    reference = ImageReference.parse(image.value) if image.kind == "image" else None
    return str(Tag(reference.tag, reference.digest)) if reference else image.value


def limited_to(assignment: Assignment, applications: Collection[Application]) -> Assignment:
    """Return an assignment with only these applications."""
    return replace(assignment, images={a: images for a, images in assignment.images.items() if a in applications})


def without(assignment: Assignment, unmarkable: Iterable[Image], reason: str) -> Assignment:
    """Return an assignment without these images, and without applications that are then in only one environment."""
    places = {(image.path, image.line) for image in unmarkable}

    def keeps(image: Image) -> bool:
        return (image.path, image.line) not in places

    images = {
        application: {
            environment: tuple(filter(keeps, images))
            for environment, images in by_environment.items()
            if any(map(keeps, images))
        }
        for application, by_environment in assignment.images.items()
    }
    return replace(
        assignment,
        images={a: by_environment for a, by_environment in images.items() if len(by_environment) > 1},
        undecided=[*assignment.undecided, *((image, reason) for image in unmarkable)],
    )
