"""Objects that belong to an application's workloads without its labels: Services, Ingresses, autoscalers and others."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from gitops_promotion.core.feature.hosts import mesh_destinations, service_host
from gitops_promotion.core.feature.kinds import CLAIM, SERVICE
from gitops_promotion.core.feature.labels import Target, has_other_value, selectors, targets
from gitops_promotion.core.feature.manifests import Object
from gitops_promotion.core.feature.references import Key, key_of, references


@dataclass(frozen=True, slots=True, kw_only=True)
class Companions:
    """The objects that select or name an application's workloads and Services, or hold the volumes of its pods.

    `exclusive` serve this application alone; `shared` route traffic to other applications too.
    """

    exclusive: tuple[Object, ...] = ()
    shared: tuple[Object, ...] = ()


def companions(application: Sequence[Object], remaining: Sequence[Object], selector: Mapping[str, str]) -> Companions:
    """Return the companions of an application's objects among the other objects of its environment.

    An object with another value of a label of the application's selector belongs to another application.
    """
    candidates = [obj for obj in remaining if not has_other_value(obj, selector)]
    exclusive: list[Object] = []
    shared: list[Object] = []
    # Each pass may add objects for the next one: a workload its Service, and the Service its Ingress.
    for _ in candidates:
        members = _Served.by([*application, *exclusive])
        outsiders = _Served.by(obj for obj in remaining if obj not in exclusive)
        serving = [obj for obj in candidates if obj not in exclusive and members.serves_any(obj)]
        shared = [obj for obj in serving if members.serves_others(obj, outsiders)]
        if len(shared) == len(serving):
            break
        exclusive += [obj for obj in serving if obj not in shared]
    return Companions(exclusive=tuple(exclusive), shared=tuple(obj for obj in shared if _routes_traffic(obj)))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Served:
    """Everything in a set of objects that companions can select or name."""

    targets: Sequence[Target]
    keys: frozenset[Key]
    claims: frozenset[Key]
    services: Mapping[tuple[str, str], Mapping[str, str]]

    @classmethod
    def by(cls, objects: Iterable[Object]) -> "_Served":
        members = list(objects)
        services: dict[tuple[str, str], dict[str, str]] = {}
        for obj in members:
            if obj.type == SERVICE:
                services.setdefault((SERVICE, obj.namespace), {})[obj.name] = obj.name
        return cls(
            targets=targets(members),
            keys=frozenset(key_of(obj) for obj in members),
            claims=frozenset(ref.key for obj in members for ref in references(obj) if ref.type == CLAIM),
            services=services,
        )

    def serves_any(self, companion: Object) -> bool:
        """Return True if a companion serves one of these objects."""
        return (
            any(selector.matches(target) for selector in selectors([companion]) for target in self.targets)
            or any(ref.serves and ref.key in self.keys for ref in references(companion))
            or any(service_host(host, companion.namespace, self.services) for host in mesh_destinations(companion))
            or key_of(companion) in self.claims
        )

    def serves_others(self, companion: Object, outsiders: "_Served") -> bool:
        """Return True if a companion serves an outsider, or an object that is not in the environment."""
        return (
            any(selector.matches(target) for selector in selectors([companion]) for target in outsiders.targets)
            or any(ref.serves and ref.key not in self.keys for ref in references(companion))
            or not all(service_host(host, companion.namespace, self.services) for host in mesh_destinations(companion))
            or key_of(companion) in outsiders.claims
        )


def _routes_traffic(obj: Object) -> bool:
    """Return True if a copy without this object would not get the traffic that its original gets."""
    is_route = any(ref.serves and ref.type == SERVICE for ref in references(obj)) or bool(mesh_destinations(obj))
    return obj.type == SERVICE or is_route
