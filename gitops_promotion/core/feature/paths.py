"""Places inside objects, by paths such as `spec.rules[].host`."""

from collections.abc import Iterator
from dataclasses import dataclass

from gitops_promotion.core.feature.manifests import Plain, Value, text


@dataclass(frozen=True, slots=True)
class Slot:
    """One place that a path leads to; what stands there can be read and replaced."""

    container: Value
    key: str | int

    @property
    def value(self) -> Value:
        """What stands there."""
        return self.container[self.key]

    @property
    def text(self) -> str:
        """The scalar there, "" for anything else."""
        return text(self.value)

    def set(self, value: Value) -> None:
        """Put something else there."""
        self.container[self.key] = value

    def remove(self) -> None:
        """Take it away; only where it is a mapping's."""
        del self.container[self.key]


def slots(value: Value, path: str) -> Iterator[Slot]:
    """Yield every place that exists for a path: keys between dots, `[]` for all items of a list, `*` for all keys."""
    head, _, rest = path.partition(".")
    name = head.removesuffix("[]")
    if not isinstance(value, dict):
        return
    for key in list(value) if name == "*" else [name]:
        if key not in value:
            continue
        found = value[key]
        if not head.endswith("[]"):
            yield from slots(found, rest) if rest else [Slot(value, key)]
        elif isinstance(found, list):
            for number, item in enumerate(found):
                yield from slots(item, rest) if rest else [Slot(found, number)]


def first(value: Value, path: str) -> Value:
    """Return what stands at the first place of a path, None if there is none."""
    return next((slot.value for slot in slots(value, path)), None)


def pod_templates(value: Value) -> Iterator[dict[str, Value]]:
    """Yield every pod template in an object: whatever has a `spec` with a list of `containers`, wherever it is."""
    if isinstance(value, dict):
        spec = value.get("spec")
        if isinstance(spec, dict) and isinstance(spec.get("containers"), list):
            yield value
        for each in value.values():
            yield from pod_templates(each)
    elif isinstance(value, list):
        for each in value:
            yield from pod_templates(each)


def containers(template: dict[str, Value]) -> Iterator[dict[str, Value]]:
    """Yield the containers of a pod template, init and ephemeral ones too."""
    for path in ("spec.containers[]", "spec.initContainers[]", "spec.ephemeralContainers[]"):
        yield from (slot.value for slot in slots(template, path) if isinstance(slot.value, dict))


def all_texts(value: Value) -> Iterator[str]:
    """Yield every string of a value, keys left out."""
    if isinstance(value, dict):
        for each in value.values():
            yield from all_texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from all_texts(each)
    elif not isinstance(value, Plain):
        yield value


def difference(one: Value, other: Value) -> str:
    """Return the path of the first place where two values differ, "" if they are the same."""
    return next(differences(one, other), "")


def differences(one: Value, other: Value, at: str = "") -> Iterator[str]:
    """Yield the path of every place where two values differ."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in [*one, *(key for key in other if key not in one)]:
            where = f"{at}.{key}" if at else key
            if key not in one or key not in other:
                yield where
            else:
                yield from differences(one[key], other[key], where)
    elif isinstance(one, list) and isinstance(other, list):
        for number, (left, right) in enumerate(zip(one, other, strict=False)):
            yield from differences(left, right, f"{at}[{number}]")
        yield from (f"{at}[{number}]" for number in range(*sorted((len(one), len(other)))))
    elif one != other:
        yield at or "."
