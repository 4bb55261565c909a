"""Labels and selectors: the labels that must differ so that no selector matches both a copy and its original.

Kustomize adds labels and never removes one, so with unchanged labels the original's Service would send traffic to the
copy's pods (`docs/facts/flux.md#kustomize-and-features`). The copy gets new values, `web-<feature>` for `web`, and only
for values that the application's own objects have.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from gitops_promotion.core.feature.kinds import KINDS, PODS, SERVICE, SERVICES, KindRules, SelectorField
from gitops_promotion.core.feature.manifests import Object, Value, strings, text
from gitops_promotion.core.feature.names import suffixed
from gitops_promotion.core.feature.paths import first, pod_templates, slots
from gitops_promotion.errors import ManifestError

_ANY_NAMESPACE = ("monitoring.coreos.com/ServiceMonitor", "monitoring.coreos.com/PodMonitor")
POLICIES = ("networking.k8s.io/NetworkPolicy", "cilium.io/CiliumNetworkPolicy")
TRAFFIC_AND_OWNERS = (
    SERVICE,
    "apps/Deployment",
    "apps/StatefulSet",
    "apps/DaemonSet",
    "apps/ReplicaSet",
    "argoproj.io/Rollout",
)
"""Kinds that send traffic to the pods they select, or adopt them: those of other applications must not match a copy."""


@dataclass(frozen=True, slots=True)
class Target:
    """Labels that selectors match: those of a pod template's pods, or of a Service."""

    owner: Object
    kind: str
    """PODS or SERVICES."""
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Requirement:
    """One condition of a selector; `operator` is In, NotIn, Exists or DoesNotExist."""

    key: str
    operator: str
    values: Sequence[str] = ()

    def is_met_by(self, labels: Mapping[str, str]) -> bool:
        """Return True if labels meet the condition.

        An unknown operator counts as met: that can only make a proof stricter.
        """
        match self.operator:
            case "In":
                return labels.get(self.key) in self.values
            case "NotIn":
                return labels.get(self.key) not in self.values
            case "Exists":
                return self.key in labels
            case "DoesNotExist":
                return self.key not in labels
        return True


@dataclass(frozen=True, slots=True)
class Selector:
    """One selector of one object."""

    owner: Object
    field: SelectorField
    value: Value

    @property
    def requirements(self) -> Sequence[Requirement]:
        """The conditions that a target must meet; a selector without any matches everything."""
        return list(_requirements(self.value, self.field.plain))

    @property
    def required_keys(self) -> set[str]:
        """The keys of labels for which the selector requires certain values."""
        return {requirement.key for requirement in self.requirements if requirement.operator == "In"}

    def matches(self, target: Target, labels: Mapping[str, str] | None = None) -> bool:
        """Return True if the selector matches a target; `labels` take the place of the target's own if given."""
        if target.kind != self.field.selects:
            return False
        if self.owner.namespace != target.owner.namespace and self.owner.type not in _ANY_NAMESPACE:
            return False
        requirements = self.requirements
        # An empty plain selector, as of a Service, selects nothing; an empty one with matchLabels everything.
        if self.field.plain and not requirements:
            return False
        target_labels = target.labels if labels is None else labels
        return all(requirement.is_met_by(target_labels) for requirement in requirements)


@dataclass(frozen=True, slots=True, kw_only=True)
class Relabelling:
    """The label values that the copy replaces, by key."""

    feature: str
    values: Mapping[str, frozenset[str]]
    fixed_on_objects: frozenset[str] = frozenset()
    """Keys that the environment sets on every object, but not on pods and selectors."""

    def value(self, key: str, value: str) -> str:
        """Return the copy's value of a label. Raises ManifestError if it is too long."""
        if value in self.values.get(key, ()):
            return suffixed(value, self.feature, subject=f"label {key}")
        return value

    def labels(self, target: Target) -> dict[str, str]:
        """Return the labels that a target has in the copy."""
        unchanged = self.fixed_on_objects if target.kind == SERVICES else ()
        return {key: value if key in unchanged else self.value(key, value) for key, value in target.labels.items()}

    def rewrite_metadata(self, labels: Value) -> None:
        """Change an object's own labels in place."""
        fixed = {key: value for key, value in strings(labels).items() if key in self.fixed_on_objects}
        self.rewrite(labels)
        if fixed:
            labels |= fixed

    def rewrite(self, labels: Value) -> None:
        """Change a mapping of labels in place."""
        for key, value in strings(labels).items():
            if (new_value := self.value(key, value)) != value:
                labels[key] = new_value

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
                for value_slot in slots(slot.value, "values[]"):
                    value_slot.set(self.value(key, value_slot.text))


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedLabels:
    """Labels that the environment sets, whatever the files of a copy contain.

    `on_pods` are the keys that it sets on pods and selectors, `on_objects` those that it sets on objects alone, and
    `sources` the entry of the kustomization that sets a key, by key.
    """

    on_pods: frozenset[str] = frozenset()
    on_objects: frozenset[str] = frozenset()
    sources: Mapping[str, str] = field(default_factory=dict)


def rules_of(obj: Object) -> KindRules:
    """Return the rules of an object's kind; for an unknown kind they are empty."""
    return KINDS.get(obj.type, KindRules())


def has_other_value(obj: Object, labels: Mapping[str, str]) -> bool:
    """Return True if an object has one of these label keys with another value."""
    return any(obj.labels.get(key, value) != value for key, value in labels.items())


def targets(objects: Iterable[Object]) -> list[Target]:
    """Return everything in these objects that a selector can match."""
    matchable = []
    for obj in objects:
        matchable += [
            Target(obj, PODS, strings(first(template, "metadata.labels"))) for template in pod_templates(obj.content)
        ]
        if obj.type == SERVICE:
            matchable.append(Target(obj, SERVICES, obj.labels))
    return matchable


def selectors(objects: Iterable[Object], *, peers: bool = False) -> Iterator[Selector]:
    """Yield the selectors of objects; with `peers` those of the pods that may talk to theirs, else all others."""
    for obj in objects:
        for selector_field in rules_of(obj).selectors:
            if selector_field.peer == peers:
                for slot in slots(obj.content, selector_field.path):
                    yield Selector(obj, selector_field, slot.value)


def relabel(
    application: Sequence[Object],
    remaining: Sequence[Object],
    *,
    keys: Iterable[str],
    feature: str,
    fixed: FixedLabels,
) -> Relabelling:
    """Return the label values to replace so that no selector of the environment matches a copy and its original.

    `keys` are those of the application's label selector, which change in any case. Raises ManifestError, naming the
    selector, if no change of labels tells the two apart.
    """
    values: dict[str, set[str]] = {}
    application_targets = targets(application)
    for labels in [*(obj.labels for obj in application), *(target.labels for target in application_targets)]:
        for key, value in labels.items():
            values.setdefault(key, set()).add(value)
    changing = {key for key in keys if key not in fixed.on_pods}

    def relabelling() -> Relabelling:
        changed_values = {key: frozenset(values.get(key, ())) for key in changing}
        return Relabelling(feature=feature, values=changed_values, fixed_on_objects=fixed.on_objects)

    relevant = [
        *selectors(application),
        *(selector for selector in selectors(remaining) if selector.owner.type in TRAFFIC_AND_OWNERS),
    ]
    for selector in relevant:
        for target in application_targets:
            if not selector.matches(target) or not selector.matches(target, relabelling().labels(target)):
                continue
            keys_left = (selector.required_keys & target.labels.keys()) - fixed.on_pods - changing
            if not keys_left:
                raise _inseparable(selector, target, fixed)
            changing |= keys_left
    return relabelling()


def matches_between(selecting: Iterable[Object], selected: Iterable[Object]) -> Iterator[tuple[Object, Object]]:
    """Yield each pair of an object whose selector matches and the object it matches, from two sets of objects."""
    matchable = targets(selected)
    for selector in selectors(selecting):
        yield from ((selector.owner, target.owner) for target in matchable if selector.matches(target))


def _requirements(selector: Value, plain: bool) -> Iterator[Requirement]:
    if not isinstance(selector, dict):
        return
    for key, value in strings(selector if plain else selector.get("matchLabels")).items():
        yield Requirement(key, "In", (value,))
    for slot in () if plain else slots(selector, "matchExpressions[]"):
        if isinstance(slot.value, dict):
            values = [value_slot.text for value_slot in slots(slot.value, "values[]")]
            yield Requirement(text(slot.value.get("key")), text(slot.value.get("operator")), values)


def _inseparable(selector: Selector, target: Target, fixed: FixedLabels) -> ManifestError:
    fixed_keys = selector.required_keys & fixed.on_pods
    sources = sorted({fixed.sources.get(key, "the environment's kustomization") for key in fixed_keys})
    reason = (
        f"it selects by {', '.join(sorted(fixed_keys))} alone, which {' and '.join(sources)} sets on all pods and "
        "selectors: give them an additional label of their own"
        if fixed_keys
        else "it requires no value of any label: let it select by one"
    )
    return ManifestError(f"{selector.owner} would also match the pods of a copy of {target.owner}: {reason}")
