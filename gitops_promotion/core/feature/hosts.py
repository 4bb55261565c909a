"""The hosts of a copy, `<feature>.<host>`, and the objects that are left out because they have no host to change."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from gitops_promotion.core.feature.kinds import DESTINATION_RULE, GATEWAY, SERVICE, VIRTUAL_SERVICE
from gitops_promotion.core.feature.manifests import Object, Value, text
from gitops_promotion.core.feature.names import feature_host
from gitops_promotion.core.feature.paths import Slot, all_texts, first, slots

INGRESS = "networking.k8s.io/Ingress"
ROUTES = tuple(f"gateway.networking.k8s.io/{kind}" for kind in ("HTTPRoute", "GRPCRoute", "TLSRoute"))
ISTIO_GATEWAY = "networking.istio.io/Gateway"
_GATEWAYS = (GATEWAY, ISTIO_GATEWAY)
_CERTIFICATE = "cert-manager.io/Certificate"
_EXTERNAL_DNS = "external-dns.alpha.kubernetes.io/hostname"
_MESH_DESTINATIONS = tuple(
    f"spec.{protocol}[].{destination}.host"
    for protocol in ("http", "tls", "tcp")
    for destination in ("route[].destination", "mirror", "mirrors[].destination")
)
# The fields in which an object names hosts of its own, the field that decides about its traffic first.
_HOST_FIELDS = {
    INGRESS: ("spec.rules[].host", "spec.tls[].hosts[]"),
    **dict.fromkeys(ROUTES, ("spec.hostnames[]",)),
    GATEWAY: ("spec.listeners[].hostname",),
    ISTIO_GATEWAY: ("spec.servers[].hosts[]",),
    VIRTUAL_SERVICE: ("spec.hosts[]",),
    _CERTIFICATE: ("spec.dnsNames[]", "spec.commonName"),
}
# Changed only where they name one of the application's hosts: a backend behind `urlRewrite` may need another host.
_REDIRECT_FIELDS = (
    "spec.rules[].filters[].requestRedirect.hostname",
    "spec.rules[].filters[].urlRewrite.hostname",
    "spec.rules[].backendRefs[].filters[].requestRedirect.hostname",
    "spec.rules[].backendRefs[].filters[].urlRewrite.hostname",
    "spec.http[].redirect.authority",
    "spec.http[].rewrite.authority",
)
Renames = Mapping[tuple[str, str], Mapping[str, str]]
"""The names of the copy by those of the original, by type and namespace."""


def no_host_reason(obj: Object, copied: Iterable[Object]) -> str:
    """Return why an object that routes traffic has no host for a copy; "" for all other objects.

    `copied` are the objects that are copied with it, of which a Gateway may provide the host of a route.
    """
    hosts = [slot.text for path in _HOST_FIELDS.get(obj.type, ())[:1] for slot in slots(obj.content, path) if slot.text]
    if obj.type == INGRESS and not hosts:
        return "it has no host, and would take the original's traffic"
    if obj.type in ROUTES and not hosts and not _has_copied_gateway(obj, copied):
        return "it has no hostname, and would take the original's traffic"
    if obj.type == ISTIO_GATEWAY and all("*" in host for host in hosts):
        return "its hosts are wildcards, which include the copy's"
    if obj.type == VIRTUAL_SERVICE and all(host == "*" for host in hosts):
        return "it has no host of its own, and would take the original's traffic"
    return ""


def service_host(host: str, namespace: str, renames: Renames) -> str:
    """Return the copy's mesh host of a Service, in the same form as `host`; "" if the Service was not copied."""
    name, dot, domain = host.partition(".")
    host_namespace = domain.partition(".")[0] if dot else namespace
    if dot and not re.fullmatch(r"[a-z0-9-]+(?:\.svc(?:\.[a-z0-9.-]+)?)?", domain):
        return ""
    new_name = renames.get((SERVICE, host_namespace), {}).get(name, "")
    if not new_name and namespace in (host_namespace, ""):
        # A namespace that only Flux's targetNamespace sets is in no file.
        new_name = renames.get((SERVICE, ""), {}).get(name, "")
    return f"{new_name}{dot}{domain}" if new_name else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hosts:
    """The application's own hosts, each with the host of the copy."""

    feature: str
    copy_hosts: Mapping[str, str]
    renames: Renames

    @classmethod
    def of(cls, copied: Iterable[Object], feature: str, renames: Renames) -> "Hosts":
        """Collect the hosts of the objects that are copied. Raises ManifestError if a host of the copy is too long."""
        copy_hosts: dict[str, str] = {}
        for obj in copied:
            for slot in _host_slots(obj.content, obj.type):
                host = slot.text.rpartition("/")[2]
                in_mesh = obj.type == VIRTUAL_SERVICE and service_host(host, obj.namespace, renames)
                if host and host != "*" and not in_mesh and not _is_kept(obj, host):
                    copy_hosts[host] = feature_host(host, feature)
            for host in _split_hosts(obj.annotations.get(_EXTERNAL_DNS, "")):
                copy_hosts[host] = feature_host(host, feature)
        return cls(feature=feature, copy_hosts=copy_hosts, renames=renames)

    def rewrite(self, content: dict[str, Value], original: Object) -> None:
        """Put the copy's hosts into the content of an object's copy."""
        if original.type == INGRESS:
            _drop_rules_without_host(content)
        self._rewrite_own_hosts(content, original)
        _drop_repeated_hosts(content)
        if original.type in (VIRTUAL_SERVICE, DESTINATION_RULE):
            self._rewrite_mesh_hosts(content, original.namespace)
        for path in _REDIRECT_FIELDS:
            for slot in slots(content, path):
                slot.set(self.copy_hosts.get(slot.text, slot.value))
        if dns_hosts := original.annotations.get(_EXTERNAL_DNS):
            new_hosts = [self.copy_hosts.get(host, host) for host in _split_hosts(dns_hosts)]
            content["metadata"]["annotations"][_EXTERNAL_DNS] = ",".join(new_hosts)

    def _rewrite_own_hosts(self, content: dict[str, Value], original: Object) -> None:
        for slot in _host_slots(content, original.type):
            # Istio's Gateway may limit a host to a namespace: `namespace/host`.
            scope, slash, host = slot.text.rpartition("/")
            if host in self.copy_hosts and not _is_kept(original, host):
                slot.set(f"{scope}{slash}{self.copy_hosts[host]}")

    def _rewrite_mesh_hosts(self, content: dict[str, Value], namespace: str) -> None:
        for path in ("spec.hosts[]", "spec.host", *_MESH_DESTINATIONS):
            for slot in slots(content, path):
                if new_host := service_host(slot.text, namespace, self.renames):
                    slot.set(new_host)

    def original_hosts_in(self, content: Value) -> set[str]:
        """Return the original's hosts that a copied object still names, for instance in an environment variable."""
        hosts = set()
        for host in self.copy_hosts:
            pattern = re.compile(rf"(?<![A-Za-z0-9.*-]){re.escape(host)}(?![A-Za-z0-9-])")
            if any(pattern.search(value) for value in all_texts(content)):
                hosts.add(host)
        return hosts

    def url(self, copied: Sequence[Object]) -> tuple[str, str]:
        """Return the copy's address and its pattern, such as `https://<feature>.example.com`; "" for each if none."""
        order = (INGRESS, *ROUTES[:1], VIRTUAL_SERVICE, *ROUTES[1:])
        routing = sorted((obj for obj in copied if obj.type in order), key=lambda obj: order.index(obj.type))
        for obj in routing:
            for slot in _host_slots(obj.content, obj.type):
                if copy_host := self.copy_hosts.get(slot.text):
                    scheme = "https" if obj.type != INGRESS or _is_encrypted(obj.content, slot.text) else "http"
                    pattern = f"{scheme}://<feature>.{slot.text.removeprefix('*.')}"
                    return f"{scheme}://{copy_host}", pattern
        return "", ""


def routed_hosts(objects: Iterable[Object]) -> Iterator[tuple[str, Object]]:
    """Yield each host whose traffic an object takes, with the object; hosts with wildcards are skipped."""
    for obj in objects:
        if obj.type in (INGRESS, *ROUTES, VIRTUAL_SERVICE):
            path = _HOST_FIELDS[obj.type][0]
            hosts = dict.fromkeys(slot.text for slot in slots(obj.content, path))
            yield from ((host, obj) for host in hosts if host and "*" not in host)


def address(objects: Iterable[Object]) -> str:
    """Return the address at which objects are reached, "" if they take no traffic of a host."""
    for host, obj in routed_hosts(objects):
        scheme = "https" if obj.type != INGRESS or _is_encrypted(obj.content, host) else "http"
        return f"{scheme}://{host}"
    return ""


def mesh_destinations(obj: Object) -> list[str]:
    """Return the hosts to which a VirtualService or a DestinationRule sends traffic."""
    paths = {VIRTUAL_SERVICE: _MESH_DESTINATIONS, DESTINATION_RULE: ("spec.host",)}.get(obj.type, ())
    return [slot.text for path in paths for slot in slots(obj.content, path)]


def admits(listener: str, host: str) -> bool:
    """Return True if a Gateway's listener accepts a host; `listener` is its hostname, "" for every host."""
    return not listener or listener == host or (listener.startswith("*.") and host.endswith(listener[1:]))


def _has_copied_gateway(route: Object, copied: Iterable[Object]) -> bool:
    """Return True if a route belongs to copied Gateways alone, which have hosts of their own."""
    gateways = {obj.name for obj in copied if obj.type in _GATEWAYS}
    parents = {text(first(slot.value, "name")) for slot in slots(route.content, "spec.parentRefs[]")}
    return bool(parents) and parents <= gateways


def _is_kept(obj: Object, host: str) -> bool:
    """Return True for a wildcard of a Gateway: the copy keeps it, since it includes the copy's hosts."""
    return obj.type in _GATEWAYS and "*" in host


def _drop_repeated_hosts(content: dict[str, Value]) -> None:
    """Keep each host once: `x` and `*.x` become the same host in the copy."""
    for path in ("spec.hostnames", "spec.hosts", "spec.dnsNames", "spec.tls[].hosts"):
        for slot in slots(content, path):
            if isinstance(slot.value, list) and all(isinstance(host, str) for host in slot.value):
                slot.set(list(dict.fromkeys(slot.value)))
    hosts = set()
    for rule in [slot.value for slot in slots(content, "spec.rules[]")]:
        host = text(first(rule, "host"))
        if host and host in hosts:
            content["spec"]["rules"].remove(rule)
        hosts.add(host)


def _host_slots(content: Value, kind: str) -> Iterator[Slot]:
    for path in _HOST_FIELDS.get(kind, ()):
        yield from slots(content, path)


def _split_hosts(annotation: str) -> list[str]:
    return [host for part in annotation.split(",") if (host := part.strip())]


def _is_encrypted(content: Value, host: str) -> bool:
    hosts = [slot.text for slot in slots(content, "spec.tls[].hosts[]")]
    # An entry of `tls` without hosts applies to the whole Ingress.
    return host in hosts or any(first(slot.value, "hosts") is None for slot in slots(content, "spec.tls[]"))


def _drop_rules_without_host(content: dict[str, Value]) -> None:
    spec = content["spec"]
    spec["rules"] = [rule for rule in spec.get("rules", []) if isinstance(rule, dict) and text(rule.get("host"))]
    # The default backend serves all requests that match no rule, on every host.
    spec.pop("defaultBackend", None)
