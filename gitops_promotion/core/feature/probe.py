"""A draft of a copy that shows what the environment's kustomization does to the objects in it.

Prefixes, labels and images may be set in the kustomization, in components, in transformers and in patches. Reading all
of them would take a second kustomize; building a draft with marked names, labels and images shows the result
(`docs/decisions/0016-features-probe-an-environment-by-building-it.md`).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from gitops_promotion.core.feature.copy import Container, CopyRequest, Transformations, make_copy, named_containers
from gitops_promotion.core.feature.labels import FixedLabels, rules_of
from gitops_promotion.core.feature.manifests import Object, Value, strings, text, write
from gitops_promotion.core.feature.paths import first, pod_templates, slots
from gitops_promotion.core.feature.selection import Selection
from gitops_promotion.core.tags import ImageReference, Tag
from gitops_promotion.errors import ManifestError

FOLDER = "gitops-promotion-probe"
"""The subfolder of the draft in the environment's folder."""

TAG = Tag(FOLDER, "sha256:" + "0" * 64)
"""The tag of the application's markers in the probed environment: it identifies the application's containers."""

_DRAFT_TAG = Tag("gitops-promotion-draft")
# "-x" ends the number, because the environment may append digits to a name.
_DRAFT_NAME = re.compile(rf"(.*){FOLDER}-(\d+)-x(.*)")


def draft(selection: Selection, request: CopyRequest) -> dict[str, bytes]:
    """Return the files of the draft, its kustomization included.

    Raises ManifestError if no label could tell the copy's pods from the original's.
    """
    files = {}
    for number, obj in enumerate(_draft_objects(selection, request)):
        content = obj.editable().content
        content["metadata"]["name"] = f"{FOLDER}-{number}-x"
        files[f"{number}.yaml"] = write(content)
    files["kustomization.yaml"] = write({"resources": sorted(files)})
    return files


def read(
    selection: Selection, request: CopyRequest, objects: Sequence[Object], label_sources: Mapping[str, str]
) -> Transformations:
    """Return the transformations of an environment that was built with the draft and with the tag `TAG`.

    `label_sources` are the entries of its kustomization that set labels, for messages. Raises ManifestError if an
    object of the draft is missing.
    """
    rendered = {int(name[2]): (name, obj) for obj in objects if (name := _DRAFT_NAME.fullmatch(obj.name))}
    affixes, images = {}, set[str]()
    fixed_on_pods, fixed_on_objects = set[str](), set[str]()
    for number, (original, drafted) in enumerate(
        zip(selection.copied, _draft_objects(selection, request), strict=True)
    ):
        if number not in rendered:
            raise ManifestError(
                f"the environment's kustomization renames or deletes a second {original}: correct the patch or "
                "transformer that applies to it, or set featureOverwrite: true for the application"
            )
        name, obj = rendered[number]
        affixes[original.id] = (name[1], name[3])
        fixed_on_objects |= _changed_keys(drafted.labels, obj.labels)
        fixed_on_pods |= _keys_changed_on_pods(drafted, obj)
        images |= _replaced_images(drafted, obj)
    return Transformations(
        affixes=affixes,
        labels=FixedLabels(
            on_pods=frozenset(fixed_on_pods),
            on_objects=frozenset(fixed_on_objects - fixed_on_pods),
            sources=label_sources,
        ),
        images=frozenset(images),
        own_containers=_own_containers(objects),
    )


def _draft_objects(selection: Selection, request: CopyRequest) -> Sequence[Object]:
    all_containers: set[Container] = {(obj.id, name) for obj in selection.copied for name, _ in _images(obj)}
    draft_request = replace(request, tag=_DRAFT_TAG)
    return make_copy(selection, draft_request, Transformations(own_containers=frozenset(all_containers))).objects


def _own_containers(objects: Sequence[Object]) -> frozenset[Container]:
    """Return the containers that run the tag of the application's markers."""
    containers = set()
    for obj in objects:
        for name, image in _images(obj):
            reference = ImageReference.parse(image)
            if reference and (reference.tag == TAG.name or reference.digest == TAG.digest):
                containers.add((obj.id, name))
    return frozenset(containers)


def _images(obj: Object) -> list[tuple[str, str]]:
    return [
        (name, text(container.get("image")))
        for template in pod_templates(obj.content)
        for name, container in named_containers(template)
    ]


def _replaced_images(drafted: Object, rendered: Object) -> set[str]:
    """Return the names of the draft's images that the environment replaced."""
    names = set()
    for (_, image), (_, rendered_image) in zip(_images(drafted), _images(rendered), strict=False):
        if image != rendered_image and (reference := ImageReference.parse(image)):
            names.add(reference.name)
    return names


def _keys_changed_on_pods(drafted: Object, rendered: Object) -> set[str]:
    """Return the keys of the labels that the environment changed on pods and in selectors."""
    keys = set()
    templates = zip(pod_templates(drafted.content), pod_templates(rendered.content), strict=False)
    for template, rendered_template in templates:
        if template is not drafted.content:
            keys |= _changed_keys(
                strings(first(template, "metadata.labels")), strings(first(rendered_template, "metadata.labels"))
            )
    for selector_field in rules_of(drafted).selectors:
        drafted_slots = slots(drafted.content, selector_field.path)
        rendered_slots = slots(rendered.content, selector_field.path)
        for slot, rendered_slot in zip(drafted_slots, rendered_slots, strict=False):
            labels = _selector_labels(slot.value, selector_field.plain)
            keys |= _changed_keys(labels, _selector_labels(rendered_slot.value, selector_field.plain))
    return keys


def _selector_labels(selector: Value, plain: bool) -> Mapping[str, str]:
    return strings(selector if plain else first(selector, "matchLabels"))


def _changed_keys(drafted: Mapping[str, str], rendered: Mapping[str, str]) -> set[str]:
    return {key for key, value in drafted.items() if rendered.get(key) != value}
