"""Fields inside objects, by paths such as `spec.rules[].host`."""

from collections.abc import Iterator
from dataclasses import dataclass

from gitops_promotion.core.feature.manifests import Plain, Value, text


@dataclass(frozen=True, slots=True)
class Slot:
    """One field or list item at the end of a path, whose value can be read and replaced."""

    container: Value
    key: str | int

    @property
    def value(self) -> Value:
        """The value of the field."""
        return self.container[self.key]

    @property
    def text(self) -> str:
        """The value of the field if it is a scalar, "" otherwise."""
        return text(self.value)

    def set(self, value: Value) -> None:
        """Replace the value."""
        self.container[self.key] = value

    def remove(self) -> None:
        """Remove the field; only for a field of a mapping."""
        del self.container[self.key]


def slots(value: Value, path: str) -> Iterator[Slot]:
    """Yield every field at a path: keys separated by dots, `[]` for all items of a list, `*` for all keys."""
    segment, _, subpath = path.partition(".")
    name = segment.removesuffix("[]")
    if not isinstance(value, dict):
        return
    for key in list(value) if name == "*" else [name]:
        if key not in value:
            continue
        child = value[key]
        if not segment.endswith("[]"):
            yield from slots(child, subpath) if subpath else [Slot(value, key)]
        elif isinstance(child, list):
            for number, item in enumerate(child):
                yield from slots(item, subpath) if subpath else [Slot(child, number)]


def first(value: Value, path: str) -> Value:
    """Return the value of the first field at a path, None if there is none."""
    return next((slot.value for slot in slots(value, path)), None)


def pod_templates(value: Value) -> Iterator[dict[str, Value]]:
    """Yield every pod template in an object, at any depth: a mapping whose `spec` has a list of `containers`."""
    if isinstance(value, dict):
        spec = value.get("spec")
        if isinstance(spec, dict) and isinstance(spec.get("containers"), list):
            yield value
        for child in value.values():
            yield from pod_templates(child)
    elif isinstance(value, list):
        for item in value:
            yield from pod_templates(item)


def containers(template: dict[str, Value]) -> Iterator[dict[str, Value]]:
    """Yield the containers of a pod template, init and ephemeral containers included."""
    for path in ("spec.containers[]", "spec.initContainers[]", "spec.ephemeralContainers[]"):
        yield from (slot.value for slot in slots(template, path) if isinstance(slot.value, dict))


def all_texts(value: Value) -> Iterator[str]:
    """Yield every string of a value, without the keys of mappings."""
    if isinstance(value, dict):
        for child in value.values():
            yield from all_texts(child)
    elif isinstance(value, list):
        for item in value:
            yield from all_texts(item)
    elif not isinstance(value, Plain):
        yield value


def difference(before: Value, after: Value) -> str:
    """Return the path of the first difference between two values, "" if they are equal."""
    return next(differences(before, after), "")


def differences(before: Value, after: Value, path: str = "") -> Iterator[str]:
    """Yield the path of every difference between two values."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in [*before, *(key for key in after if key not in before)]:
            child_path = f"{path}.{key}" if path else key
            if key not in before or key not in after:
                yield child_path
            else:
                yield from differences(before[key], after[key], child_path)
    elif isinstance(before, list) and isinstance(after, list):
        for number, (old_item, new_item) in enumerate(zip(before, after, strict=False)):
            yield from differences(old_item, new_item, f"{path}[{number}]")
        yield from (f"{path}[{number}]" for number in range(*sorted((len(before), len(after)))))
    elif before != after:
        yield path or "."
