"""The proof of a copy or a removal: a comparison of the environment's objects before and after it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from gitops_promotion.core.feature.copy import Copy, created_secrets
from gitops_promotion.core.feature.hosts import routed_hosts
from gitops_promotion.core.feature.kinds import SECRET
from gitops_promotion.core.feature.labels import TRAFFIC_AND_OWNERS, matches_between
from gitops_promotion.core.feature.manifests import Id, Object
from gitops_promotion.core.feature.names import FEATURE_LABEL
from gitops_promotion.core.feature.paths import difference
from gitops_promotion.core.feature.per_kind import drop_origins
from gitops_promotion.core.feature.references import Key, Reference, key_of, references

_OTHER_NAME = "choose another name for the feature"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A difference from the intended environment: the object, the path of a field in it ("" for none), and a text.

    `advice` is the next step, "" if it depends on the kustomization.
    """

    id: Id
    path: str = ""
    text: str
    advice: str = ""

    def __str__(self) -> str:
        return f"{self.id[1]} {self.id[3]}: {self.path + ' ' if self.path else ''}{self.text}"


def problem_with_copy(
    before: Sequence[Object], after: Sequence[Object], copy: Copy, originals: Sequence[Object]
) -> Problem | None:
    """Return the first problem of an environment with a copy, None if it is as intended.

    All objects from before are unchanged, and the new objects are exactly the copy's. No selector matches pods of both
    sides or of another application. No host of the copy is in use. Everything that the copy's references name exists,
    if it exists for the original.
    """
    copied = _by_id(copy.objects)
    if existing := copied.keys() & {obj.id for obj in before}:
        text = "already exists under the name the copy would get"
        return Problem(id=min(existing), text=text, advice=f"rename it, or {_OTHER_NAME}")
    return (
        _unchanged(before, after, added=copied.keys())
        or next(_different_copies(copied, _by_id(after)), None)
        or next(_shared_pods(originals, copy), None)
        or next(_pods_shared_with_others(before, originals, copy), None)
        or next(_hosts_in_use(before, copy), None)
        or next(_missing_references(before, after, originals, copy), None)
    )


def problem_with_removal(
    before: Sequence[Object] | None, after: Sequence[Object], features: Iterable[str]
) -> Problem | None:
    """Return the first problem of an environment without the copies of features, None if it is as intended.

    All objects without the label of these features are unchanged. `before` is None if the environment did not build.
    """
    removed = set(features)
    if remaining := next((obj for obj in after if obj.labels.get(FEATURE_LABEL) in removed), None):
        text = "is still there, because files outside of the feature's folder contain it"
        return Problem(id=remaining.id, text=text, advice="remove it from those files")
    unaffected = [obj for obj in before or after if obj.labels.get(FEATURE_LABEL) not in removed]
    return _unchanged(unaffected, after, added=())


def _by_id(objects: Iterable[Object]) -> dict[Id, Object]:
    return {obj.id: obj for obj in objects}


def _unchanged(before: Sequence[Object], after: Sequence[Object], added: Iterable[Id]) -> Problem | None:
    old_objects, new_objects = _by_id(before), _by_id(after)
    for key, obj in old_objects.items():
        if key not in new_objects:
            return Problem(id=key, text="would be removed")
        if path := difference(obj.content, new_objects[key].content):
            return Problem(id=key, path=path, text="of the original would change")
    if unexpected := new_objects.keys() - old_objects.keys() - set(added):
        return Problem(id=min(unexpected), text="would be added, and is no part of the copy")
    return None


def _different_copies(copied: Mapping[Id, Object], after: Mapping[Id, Object]) -> Iterator[Problem]:
    """Yield the objects of the copy that the environment renders otherwise than intended."""
    for key, intended in copied.items():
        if key not in after:
            yield Problem(id=key, text="of the copy is not rendered under this name")
            continue
        content = after[key].editable().content
        drop_origins(content)
        if path := difference(intended.content, content):
            yield Problem(id=key, path=path, text="of the copy is not rendered as intended")


def _shared_pods(originals: Sequence[Object], copy: Copy) -> Iterator[Problem]:
    for selecting, selected in ((copy.objects, originals), (originals, copy.objects)):
        for owner, target in matches_between(selecting, selected):
            yield Problem(id=owner.id, text=f"would also match the pods of {target}")


def _pods_shared_with_others(before: Sequence[Object], originals: Sequence[Object], copy: Copy) -> Iterator[Problem]:
    """Yield matches that the copy's labels add: feature `api` of `web` gets the label of an application `web-api`."""
    original_ids = {obj.id for obj in originals}
    unrelated = [obj for obj in before if obj.id not in original_ids]
    for owner, target in matches_between((obj for obj in unrelated if obj.type in TRAFFIC_AND_OWNERS), copy.objects):
        yield Problem(id=owner.id, text=f"would also match the pods of {target}", advice=_OTHER_NAME)
    for original, obj in zip(originals, copy.objects, strict=True):
        matched_before = {target.id for _, target in matches_between([original], unrelated)}
        for owner, target in matches_between([obj], unrelated):
            if target.id not in matched_before:
                yield Problem(id=owner.id, text=f"would also match the pods of {target}", advice=_OTHER_NAME)


def _hosts_in_use(before: Sequence[Object], copy: Copy) -> Iterator[Problem]:
    """Yield the copy's hosts that are in use; copies of other applications for the same feature may share a host."""
    owners = dict(routed_hosts(obj for obj in before if FEATURE_LABEL not in obj.labels))
    for host, obj in routed_hosts(copy.objects):
        if host in owners:
            yield Problem(id=obj.id, text=f"would get the host {host} of {owners[host]}", advice=_OTHER_NAME)


def _missing_references(
    before: Sequence[Object], after: Sequence[Object], originals: Sequence[Object], copy: Copy
) -> Iterator[Problem]:
    """Yield references of the copy to missing objects, except for those that are missing for the original too."""
    keys_before, keys_after = _keys(before), _keys(after)
    for original, obj in zip(originals, copy.objects, strict=True):
        external = {
            (reference.type, reference.name)
            for reference in references(original)
            if not _exists(reference, original, keys_before)
        }
        for reference in references(obj):
            if not _exists(reference, obj, keys_after) and (reference.type, reference.name) not in external:
                kind = reference.type.rpartition("/")[2]
                yield Problem(id=obj.id, text=f"names {kind} {reference.name}, which does not exist")


def _exists(reference: Reference, owner: Object, keys: set[Key]) -> bool:
    # A namespace that only Flux's targetNamespace sets is in a reference, and not in the object.
    namespaces = {reference.namespace, owner.namespace}
    return any((reference.type, reference.name, namespace) in keys for namespace in namespaces)


def _keys(objects: Sequence[Object]) -> set[Key]:
    keys = {key_of(obj) for obj in objects}
    return keys | {(SECRET, secret, obj.namespace) for obj in objects for secret in created_secrets(obj)}
