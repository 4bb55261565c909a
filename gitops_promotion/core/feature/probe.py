"""Find out what an environment's kustomization does to whatever it holds: by giving it something to do it to.

Prefixes, labels and images may be set in the kustomization, in components, in transformers and in patches. Reading all
of those would be a second kustomize; building a draft of the copy with marked names, labels and images shows it.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from gitops_promotion.core.feature.copy import Container, CopyRequest, Transformations, make, names_of
from gitops_promotion.core.feature.labels import kind_of
from gitops_promotion.core.feature.manifests import Object, Value, strings, text, write
from gitops_promotion.core.feature.paths import first, pod_templates, slots
from gitops_promotion.core.feature.selection import SelectedObjects
from gitops_promotion.core.tags import ImageReference, Tag
from gitops_promotion.errors import ManifestError

FOLDER = "gitops-promotion-probe"
"""The folder of the draft, in the environment's."""

TAG = Tag(FOLDER, "sha256:" + "0" * 64)
"""What the application's markers are set to in the probed environment: what runs it is the application's."""

_DRAFT = "gitops-promotion-draft"
# The number has an end of its own: the environment may put digits behind a name.
_NAMED = re.compile(rf"(.*){FOLDER}-(\d+)-x(.*)")


def draft(chosen: SelectedObjects, request: CopyRequest) -> dict[str, bytes]:
    """Return the files of the draft, its kustomization included.

    Raises ManifestError if nothing tells the copy's pods from the original's even where labels are free.
    """
    files = {}
    for number, each in enumerate(_drafted(chosen, request)):
        content = each.editable().content
        content["metadata"]["name"] = f"{FOLDER}-{number}-x"
        files[f"{number}.yaml"] = write(content)
    files["kustomization.yaml"] = write({"resources": sorted(files)})
    return files


def read(
    chosen: SelectedObjects, request: CopyRequest, built: Sequence[Object], setters: Mapping[str, str]
) -> Transformations:
    """Return what an environment that held the draft and the tag `TAG` made of them.

    `setters` are the places where its kustomization sets labels, for messages. Raises ManifestError if a part of the
    draft did not come out again.
    """
    found = {int(named[2]): (named, each) for each in built if (named := _NAMED.fullmatch(each.name))}
    names, fixed, set_back, images = {}, set[str](), set[str](), set[str]()
    for number, (original, sent) in enumerate(zip(chosen.copied, _drafted(chosen, request), strict=True)):
        if number not in found:
            raise ManifestError(
                f"the environment's kustomization does not let a second {original} be: a patch or transformer of it "
                "deletes or renames what it does not know"
            )
        named, came = found[number]
        names[original.id] = (named[1], named[3])
        set_back |= _differing(sent.labels, came.labels)
        fixed |= _fixed(sent, came)
        images |= _replaced(sent, came)
    return Transformations(
        names=names,
        fixed=frozenset(fixed),
        set_back=frozenset(set_back - fixed),
        setters=setters,
        images=frozenset(images),
        own=_own(built),
    )


def _drafted(chosen: SelectedObjects, request: CopyRequest) -> Sequence[Object]:
    everything: frozenset[Container] = frozenset((each.id, name) for each in chosen.copied for name, _ in _images(each))
    return make(chosen, replace(request, tag=Tag(_DRAFT)), Transformations(own=everything)).objects


def _own(built: Sequence[Object]) -> frozenset[Container]:
    found = set()
    for each in built:
        for name, image in _images(each):
            reference = ImageReference.parse(image)
            if reference and (reference.tag == TAG.name or reference.digest == TAG.digest):
                found.add((each.id, name))
    return frozenset(found)


def _images(each: Object) -> list[tuple[str, str]]:
    return [
        (name, text(container.get("image")))
        for template in pod_templates(each.content)
        for name, container in names_of(template)
    ]


def _replaced(sent: Object, came: Object) -> set[str]:
    """Return the names of the images that came out as others."""
    found = set()
    for (_, before), (_, after) in zip(_images(sent), _images(came), strict=False):
        if before != after and (image := ImageReference.parse(before)):
            found.add(image.name)
    return found


def _fixed(sent: Object, came: Object) -> set[str]:
    """Return the labels that pods and selectors came out with instead of those that were sent."""
    found = set()
    for before, after in zip(pod_templates(sent.content), pod_templates(came.content), strict=False):
        if before is not sent.content:
            found |= _differing(strings(first(before, "metadata.labels")), strings(first(after, "metadata.labels")))
    for selection in kind_of(sent).selections:
        pairs = zip(slots(sent.content, selection.path), slots(came.content, selection.path), strict=False)
        for one, other in pairs:
            found |= _differing(_labels(one.value, selection.plain), _labels(other.value, selection.plain))
    return found


def _labels(selector: Value, plain: bool) -> Mapping[str, str]:
    return strings(selector if plain else first(selector, "matchLabels"))


def _differing(sent: Mapping[str, str], came: Mapping[str, str]) -> set[str]:
    return {key for key, value in sent.items() if came.get(key) != value}
