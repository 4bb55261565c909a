"""Labels and selectors: which of them must differ so that a copy and its original never take each other's pods.

Labels are only ever added by kustomize, so one that stays would let the original's Service find the copy's pods (FLUX
3, "Leak"). What is changed is the value, `web` to `web-<feature>`, and only values that the application's own have.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from gitops_promotion.core.feature.kinds import KINDS, PODS, SERVICE, SERVICES, Kind, Selection
from gitops_promotion.core.feature.manifests import Object, Value, strings, text
from gitops_promotion.core.feature.names import suffixed
from gitops_promotion.core.feature.paths import first, pod_templates, slots
from gitops_promotion.errors import ManifestError

_ANY_NAMESPACE = ("monitoring.coreos.com/ServiceMonitor", "monitoring.coreos.com/PodMonitor")
# Of objects that are not the application's own, these must not find the copy: they would send it traffic or own it.
TAKERS = (SERVICE, "apps/Deployment", "apps/StatefulSet", "apps/DaemonSet", "apps/ReplicaSet", "argoproj.io/Rollout")
POLICIES = ("networking.k8s.io/NetworkPolicy", "cilium.io/CiliumNetworkPolicy")


@dataclass(frozen=True, slots=True)
class Target:
    """Something with labels that selectors look at: a pod template's pods, or a Service."""

    owner: Object
    over: str
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Selecting:
    """One selector of one object."""

    owner: Object
    selection: Selection
    selector: Value

    @property
    def empty(self) -> bool:
        """Whether it names no label at all."""
        return not self.requirements()

    def requirements(self) -> list[tuple[str, str, list[str]]]:
        """Return key, operator and values of all that it asks for."""
        return list(_requirements(self.selector, self.selection.plain))

    def takes(self, target: Target, labels: Mapping[str, str]) -> bool:
        """Return True if it would select the target, were its labels these."""
        if target.over != self.selection.over:
            return False
        if self.owner.namespace != target.owner.namespace and self.owner.type not in _ANY_NAMESPACE:
            return False
        return matches(self.selector, labels, plain=self.selection.plain)


@dataclass(frozen=True, slots=True, kw_only=True)
class Relabelling:
    """Which values of which label keys become others in the copy."""

    feature: str
    values: Mapping[str, frozenset[str]]
    set_back: frozenset[str] = frozenset()
    """Keys that the environment sets on every object, but not on pods and selectors."""

    def value(self, key: str, value: str) -> str:
        """Return what the copy has for a label. Raises ManifestError if it is too long."""
        if value in self.values.get(key, ()):
            return suffixed(value, self.feature, what=f"label {key}")
        return value

    def labels(self, target: Target) -> dict[str, str]:
        """Return what a target's labels are in the copy."""
        return {key: self._at(target, key, value) for key, value in target.labels.items()}

    def _at(self, target: Target, key: str, value: str) -> str:
        return value if target.over == SERVICES and key in self.set_back else self.value(key, value)

    def rewrite_metadata(self, labels: Value) -> None:
        """Change an object's own labels in place."""
        kept = {key: value for key, value in strings(labels).items() if key in self.set_back}
        self.rewrite(labels)
        if kept:
            labels |= kept

    def rewrite(self, labels: Value) -> None:
        """Change a mapping of labels in place."""
        for key, value in strings(labels).items():
            if (new := self.value(key, value)) != value:
                labels[key] = new

    def rewrite_selector(self, selector: Value, *, plain: bool) -> None:
        """Change a selector in place."""
        if plain:
            self.rewrite(selector)
            return
        for slot in slots(selector, "matchLabels"):
            self.rewrite(slot.value)
        for slot in slots(selector, "matchExpressions[]"):
            if isinstance(slot.value, dict) and text(slot.value.get("operator")) == "In":
                key = text(slot.value.get("key"))
                for item in slots(slot.value, "values[]"):
                    item.set(self.value(key, item.text))


def kind_of(each: Object) -> Kind:
    """Return what is known of an object's kind."""
    return KINDS.get(each.type, Kind())


def targets(objects: Iterable[Object]) -> list[Target]:
    """Return all that selectors can look at."""
    found = []
    for each in objects:
        found += [
            Target(each, PODS, strings(first(template, "metadata.labels"))) for template in pod_templates(each.content)
        ]
        if each.type == SERVICE:
            found.append(Target(each, SERVICES, each.labels))
    return found


def selectings(objects: Iterable[Object], *, peers: bool = False) -> Iterator[Selecting]:
    """Yield the selectors of objects; with `peers` those of who may talk to them, else all others."""
    for each in objects:
        for selection in kind_of(each).selections:
            if selection.peer == peers:
                for slot in slots(each.content, selection.path):
                    yield Selecting(each, selection, slot.value)


def matches(selector: Value, labels: Mapping[str, str], *, plain: bool) -> bool:
    """Return True if a selector selects these labels. One without a word selects all, a plain one nothing."""
    requirements = list(_requirements(selector, plain))
    if plain and not requirements:
        return False
    return all(_meets(labels, *requirement) for requirement in requirements)


def _requirements(selector: Value, plain: bool) -> Iterator[tuple[str, str, list[str]]]:
    if not isinstance(selector, dict):
        return
    for key, value in strings(selector if plain else selector.get("matchLabels")).items():
        yield key, "In", [value]
    for slot in () if plain else slots(selector, "matchExpressions[]"):
        if isinstance(slot.value, dict):
            values = [item.text for item in slots(slot.value, "values[]")]
            yield text(slot.value.get("key")), text(slot.value.get("operator")), values


def _meets(labels: Mapping[str, str], key: str, operator: str, values: list[str]) -> bool:
    match operator:
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
    return True


def relabel(
    chosen: Sequence[Object],
    others: Sequence[Object],
    *,
    keys: Iterable[str],
    feature: str,
    fixed: frozenset[str] = frozenset(),
    set_back: frozenset[str] = frozenset(),
    setters: Mapping[str, str] | None = None,
) -> Relabelling:
    """Return what has to change so that no selector of the environment takes both a copy and its original.

    `keys` are those of the application's own selector, `fixed` those that the environment sets on pods and selectors
    whatever the copy says, `set_back` those that it sets on objects, and `setters` where each is set. Raises
    ManifestError, naming the selector, if there is no way to tell the two apart.
    """
    seen: dict[str, set[str]] = {}
    mine = targets(chosen)
    for labels in [*(each.labels for each in chosen), *(target.labels for target in mine)]:
        for key, value in labels.items():
            seen.setdefault(key, set()).add(value)
    changing = {key for key in keys if key not in fixed}

    def relabelling() -> Relabelling:
        values = {key: frozenset(seen.get(key, ())) for key in changing}
        return Relabelling(feature=feature, values=values, set_back=set_back)

    takers = [*selectings(chosen), *(s for s in selectings(others) if s.owner.type in TAKERS)]
    for taker in takers:
        for target in mine:
            if not taker.takes(target, target.labels) or not taker.takes(target, relabelling().labels(target)):
                continue
            named = {
                key for key, operator, _ in _requirements(taker.selector, taker.selection.plain) if operator == "In"
            }
            if not (more := (named & target.labels.keys()) - fixed - changing):
                raise _inseparable(taker, target, named & fixed, setters or {})
            changing |= more
    return relabelling()


def _inseparable(taker: Selecting, target: Target, fixed: set[str], setters: Mapping[str, str]) -> ManifestError:
    keys = ", ".join(sorted(fixed))
    who = " and ".join(sorted({setters.get(key, "the environment's kustomization") for key in fixed}))
    because = (
        f"by {keys} alone, which {who} sets on all pods and selectors: give them a label more of their own"
        if fixed
        else "without naming a label's value: let it select by one"
    )
    return ManifestError(f"{taker.owner} would take the pods of a copy of {target.owner} too: it selects {because}")


def shared_with(one: Iterable[Object], other: Iterable[Object]) -> Iterator[tuple[Object, Object]]:
    """Yield each (selecting object of one, selected object of the other) of two sets that should share nothing."""
    found = targets(other)
    for taker in selectings(one):
        yield from ((taker.owner, target.owner) for target in found if taker.takes(target, target.labels))
