"""The objects that an object names, read from the fields that `kinds.py` lists."""

from collections.abc import Iterator
from dataclasses import dataclass

from gitops_promotion.core.feature.kinds import API_KEYS, POD_REFERENCES, ReferenceField, full_type
from gitops_promotion.core.feature.labels import rules_of
from gitops_promotion.core.feature.manifests import Object, Value, text
from gitops_promotion.core.feature.paths import Slot, pod_templates, slots

Key = tuple[str, str, str]
"""Type, name and namespace of an object."""


@dataclass(frozen=True, slots=True)
class Reference:
    """One mention of an object by another: the field of its name, and the object's type and namespace."""

    slot: Slot
    type: str
    namespace: str
    serves: bool

    @property
    def name(self) -> str:
        """The name of the object."""
        return self.slot.text

    @property
    def key(self) -> Key:
        """The object that is named."""
        return (self.type, self.name, self.namespace)


def references(obj: Object) -> Iterator[Reference]:
    """Yield the references of an object and of its pod templates."""
    for field in rules_of(obj).references:
        yield from _references_in(obj.content, field, obj.namespace)
    for template in pod_templates(obj.content):
        for field in POD_REFERENCES:
            yield from _references_in(template, field, obj.namespace)


def key_of(obj: Object) -> Key:
    """Return the key by which a reference names an object."""
    return (obj.type, obj.name, obj.namespace)


def _references_in(content: Value, field: ReferenceField, namespace: str) -> Iterator[Reference]:
    for slot in slots(content, field.path):
        if field.type:
            if slot.text:
                yield Reference(slot, field.type, namespace, field.serves)
        elif isinstance(slot.value, dict) and text(slot.value.get("name")):
            # A subject or a parent may be in another namespace.
            target_namespace = text(slot.value.get("namespace")) or namespace
            yield Reference(Slot(slot.value, "name"), _type_of(slot.value, field), target_namespace, field.serves)


def _type_of(reference: dict[str, Value], field: ReferenceField) -> str:
    api = next((api for key in API_KEYS if (api := text(reference.get(key)))), "")
    return full_type(api, text(reference.get("kind")), field.default)
